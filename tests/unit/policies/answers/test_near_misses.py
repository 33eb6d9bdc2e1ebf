from __future__ import annotations

import pytest

from policies.answers.matching import matches_of, matching_rules
from policies.answers.near_misses import MAX_NEAR_MISSES, NearMiss, Part, near_misses
from policies.digest import rule_key
from policies.model import (
    AccessRequest,
    ApprovalTerms,
    Condition,
    Effect,
    Fact,
    PolicySet,
    PolicyVersion,
    Requirement,
    ResourceType,
    Rule,
    Span,
)
from policies.patterns.pattern import UNKNOWN
from policies.resources.catalogue import UNCHECKED, Catalogue, build_catalogue

MAIN = "repos/acme/app/branches/main"
TYPES = build_catalogue(
    [
        ResourceType("git/branch", "repos/{repo=*/*}/branches/{branch=**}", ("git:push",)),
        ResourceType("git/tag", "repos/{repo=*/*}/tags/{tag=**}", ("git:push",)),
        ResourceType("ecs/service", "arn:{partition}:ecs:{region}:{account}:service/{cluster}/{service}", ("ecs:*",)),
    ],
    {},
)
TERMS = ApprovalTerms("approvals", 60)


def rule_of(action: str, *resources: str, line: int = 1, **options: object) -> Rule:
    effect = Effect.REQUIRE_APPROVAL if "approval" in options else Effect.ALLOW
    return Rule(f"r{line}", effect, (action,), resources, Span("bot.yaml", line), **options)  # type: ignore[arg-type]  # fields of Rule


def request_of(
    action: str = "git:push", resource: str = MAIN, context: dict[str, Fact] | None = None, now_ns: int | None = None
) -> AccessRequest:
    return AccessRequest("bot", "web", (Requirement(action, resource),), context or {}, now_ns)


def policy_of(*rules: Rule) -> PolicySet:
    return PolicySet("bot", rules, PolicyVersion("0" * 64))


def misses(
    *rules: Rule, request: AccessRequest | None = None, catalogue: Catalogue = UNCHECKED
) -> tuple[NearMiss, ...]:
    return near_misses(policy_of(*rules), request or request_of(), catalogue)


@pytest.mark.parametrize(
    ("pattern", "asked", "words"),
    [
        ("repos/*/*/branches/feature/*", MAIN, "branch: expected `feature/*`, found `main`"),
        ("repos/acme/web/branches/*", MAIN, "repo: expected `acme/web`, found `acme/app`"),
        ("repos/*/*/branches/main", f"repos/acme/app/branches/{UNKNOWN}", "branch: expected `main`, found `(unknown)`"),
        ("repos/${agent.id=*/*}/branches/main", MAIN, "resource: `${agent.id}` in"),
        ("repos/acme/${agent.id}/branches/main", MAIN, "repo: expected `acme/${agent.id}`, found `acme/app`"),
        ("repos/*/*/tags/*", MAIN, "resource segment 4: expected `tags`, found `branches`"),
        ("repos/*/*/branches", MAIN, "resource segment 4: expected `branches`, found `branches/`"),
        ("repo/*", MAIN, "resource segment 1: expected `repo`, found `repos`"),
    ],
)
def test_a_resource_that_does_not_fit_is_told_by_its_component_else_by_its_segment(
    pattern: str, asked: str, words: str
) -> None:
    (miss,) = misses(rule_of("git:push", pattern), request=request_of(resource=asked), catalogue=TYPES)
    assert (miss.part, miss.pattern) == (Part.RESOURCE, pattern)
    assert miss.text.startswith(words)


@pytest.mark.parametrize(
    ("pattern", "asked", "words"),
    [
        ("a/b", "a/c", "resource segment 2: expected `b`, found `c`"),
        ("a/b/c", "a/b", "resource segment 2: expected `b/`, found `b`"),
        ("a/b/c", "a/b/", "resource segment 3: expected `c`, found nothing"),
        ("a/b/", "a/b/c", "resource segment 3: expected nothing, found `c`"),
        ("a:b", "a/b", "resource segment 1: expected `a:`, found `a/`"),
        ("a/x*", "a/b/c", "resource segment 2: expected `x*`, found `b`"),
        ("y=1/b", "y=2/b", "resource segment 1: expected `y=1`, found `y=2`"),
        ("a/**/c", "a/b/d", "resource: expected `a/**/c`, found `a/b/d`"),
        ("a/${project=**}/c", "a/b/d", "resource: expected `a/${project=**}/c`, found `a/b/d`"),
        ("a/${project}/c", "a/b/c", "resource segment 2: expected `${project}`, found `b`"),
        ("a/${project}/c", "a/web/d", "resource segment 3: expected `c`, found `d`"),
    ],
)
def test_without_a_type_the_first_segment_that_parts_is_told(pattern: str, asked: str, words: str) -> None:
    (miss,) = misses(rule_of("git:push", pattern), request=request_of(resource=asked))
    assert miss.text == words


def test_an_arn_is_told_by_its_component() -> None:
    rule = rule_of("ecs:UpdateService", "arn:aws:ecs:*:*:service/*/prod-*")
    asked = request_of("ecs:UpdateService", "arn:aws:ecs:eu-west-1:1:service/main/staging-web")
    (miss,) = misses(rule, request=asked, catalogue=TYPES)
    assert miss.text == "service: expected `prod-*`, found `staging-web`"


def test_components_that_fit_by_themselves_leave_the_word_to_the_segments() -> None:
    nested = build_catalogue([ResourceType("a/nested", "k/{path=**}/end/{name}", ("a:*",))], {})
    asked = request_of("a:R", "k/a/b/end/x")
    (miss,) = misses(rule_of("a:R", "k/a*/end/x"), request=asked, catalogue=nested)
    assert miss.text == "resource segment 3: expected `end`, found `b`"


def test_the_limits_of_a_rule_that_fits_are_told_in_their_order() -> None:
    condition = Condition("source_ip", "ip_in", ("10.0.0.0/8",))
    limited = rule_of("git:push", "repos/**", conditions=(condition,), until_ns=5, max_uses=2)
    key = rule_key("bot", limited)
    home: dict[str, Fact] = {"source_ip": "10.0.0.1"}

    def told(context: dict[str, Fact], now_ns: int, used: int) -> list[Part]:
        request = AccessRequest("bot", "web", (Requirement("git:push", MAIN),), context, now_ns, {key: used})
        return [miss.part for miss in misses(limited, request=request)]

    assert told({}, 9, 2) == [Part.CONDITION]
    assert told(home, 9, 2) == [Part.UNTIL]
    assert told(home, 4, 2) == [Part.MAX_USES]
    assert told(home, 4, 1) == []


def test_each_limit_says_what_was_expected_and_found() -> None:
    condition = Condition("source_ip", "ip_in", ("10.0.0.0/8",))
    (failed,) = misses(rule_of("git:push", "**", conditions=(condition,)))
    assert "source_ip" in failed.text
    (ended,) = misses(rule_of("git:push", "**", until_ns=1_000_000_000), request=request_of(now_ns=2_000_000_000))
    assert "1970-01-01T00:00:01Z" in ended.text
    used_up = rule_of("git:push", "**", max_uses=3)
    request = AccessRequest("bot", "web", (Requirement("git:push", MAIN),), uses={rule_key("bot", used_up): 3})
    (spent,) = misses(used_up, request=request)
    assert "3 of 3" in spent.text


def test_another_action_on_the_same_resource_is_near() -> None:
    (miss,) = misses(rule_of("git:read", "repos/**"))
    assert (miss.part, miss.text) == (Part.ACTION, "action: expected `git:read`, found `git:push`")
    many = Rule("r", Effect.ALLOW, tuple(f"git:a{n}" for n in range(7)), ("**",), Span("bot.yaml", 1))
    assert "2 more" in misses(many)[0].text


def test_a_rule_of_another_action_and_another_resource_is_far() -> None:
    assert misses(rule_of("git:read", "other/**")) == ()


def test_a_deny_rule_never_comes_near() -> None:
    denial = Rule("d", Effect.DENY, ("git:push",), ("repos/x/*",), Span("bot.yaml", 1))
    assert misses(denial) == ()


def test_the_nearest_come_first_and_no_more_than_five() -> None:
    condition = Condition("source_ip", "ip_in", ("10.0.0.0/8",))
    rules = [
        rule_of("s3:GetObject", "**", line=1),
        rule_of("git:read", "**", line=2),
        rule_of("git:push", "models/*", line=3),
        rule_of("git:push", "repos/acme/app/branches/m", line=4),
        rule_of("git:push", "repos/acme/app/branches/x", line=5),
        rule_of("git:push", "repos/acme/web/branches/main", line=6),
        rule_of("git:push", "repos/**", line=7, conditions=(condition,)),
        rule_of("git:push", MAIN, line=8, approval=TERMS, conditions=(condition,)),
    ]
    assert [miss.rule.span.line for miss in misses(*rules)] == [7, 8, 4, 5, 6]
    assert len(misses(*rules)) == MAX_NEAR_MISSES
    assert [miss.rule.span.line for miss in misses(*rules[:4])] == [4, 3, 2, 1]


def test_of_several_patterns_the_nearest_is_told() -> None:
    (miss,) = misses(rule_of("git:push", "models/*", "repos/acme/app/branches/dev", "repos/x/*"))
    assert miss.pattern == "repos/acme/app/branches/dev"


def test_matching_tells_every_rule_that_applies_with_the_pattern_that_covers() -> None:
    rules = (
        rule_of("git:push", "models/*", "repos/**", line=1),
        rule_of("git:*", MAIN, line=2, approval=TERMS),
        Rule("d", Effect.DENY, ("git:push",), ("repos/${session.gone}/**",), Span("bot.yaml", 3)),
        rule_of("git:push", "repos/${session.gone}/**", line=4),
        rule_of("git:read", "**", line=5),
        rule_of("git:push", "**", line=6, until_ns=1),
    )
    found = matches_of(policy_of(*rules), request_of())
    assert [(match.rule.span.line, match.pattern) for match in found] == [
        (3, "repos/${session.gone}/**"),
        (2, MAIN),
        (1, "repos/**"),
    ]
    assert matching_rules(policy_of(*rules), request_of()) == tuple(match.rule for match in found)


def test_an_unknown_part_is_forbidden_by_what_might_match_and_granted_by_what_surely_does() -> None:
    partly = request_of(resource=f"repos/acme/{UNKNOWN}/branches/main")
    denial = Rule("d", Effect.DENY, ("git:push",), ("repos/acme/app/**",), Span("bot.yaml", 1))
    exact = rule_of("git:push", MAIN, line=2)
    gate = rule_of("git:push", MAIN, line=3, approval=TERMS)
    wide = rule_of("git:push", "repos/acme/*/branches/*", line=4)
    assert matching_rules(policy_of(denial, exact, gate), partly) == (denial,)
    assert matching_rules(policy_of(denial, exact, gate, wide), partly) == (denial, gate, wide)
