from __future__ import annotations

import pytest

from connectors.aws.resource_types import RESOURCE_TYPES as AWS
from connectors.git.resource_types import RESOURCE_TYPES as GIT
from connectors.github.resource_types import RESOURCE_TYPES as GITHUB
from policies.errors import RuleTextError
from policies.language.rule_text import parse_rule
from policies.model import Effect, ResourceType
from policies.patterns.pattern import compile_pattern
from policies.resources.catalogue import UNCHECKED, Catalogue, build_catalogue

OTHERS = (
    ResourceType("log/stream", "group:{group=**}:stream:{stream}", ("log:*",)),
    ResourceType("twin/thing", "{shelf}/{box}/{thing}", ("twin:*",), ("{shelf}/{box}/of", "{shelf}/of/{thing}")),
)
CATALOGUE = build_catalogue((*GIT, *GITHUB, *AWS, *OTHERS), {})
SERVED = build_catalogue(GIT, {"git:push": ("git:push",)})


def read(rule: str, effect: Effect = Effect.ALLOW, catalogue: Catalogue = CATALOGUE) -> tuple[str, ...]:
    return parse_rule(rule, effect, catalogue).resources


def covers(rule: str, resource: str, effect: Effect = Effect.ALLOW) -> bool:
    return any(compile_pattern(pattern).matches(resource) for pattern in read(rule, effect))


@pytest.mark.parametrize(
    ("rule", "patterns"),
    [
        ("git:read on repos/*", {"repos/*/*"}),
        ("git:read on repos/acme/app", {"repos/acme/app"}),
        ("git:read on repos/acme*", {"repos/acme*"}),
        ("git:push on repos/*", {"repos/*"}),
        ("git:push on repos/acme/*", {"repos/acme/*"}),
        ("git:push on repos/*/branches/feature/*", {"repos/*/*/branches/feature/*"}),
        ("git:push on repos/**/branches/main", {"repos/*/*/branches/main"}),
        ("git:push on repos/*/*/branches/main", {"repos/*/*/branches/main"}),
        ("git:push on repos/acme/*/tags/v*", {"repos/acme/*/tags/v*"}),
        ("git:push on repos/*/branches/branches/x", {"repos/*/*/branches/branches/x"}),
        ("git:push on repos/acme/app/*/x", {"repos/acme/app/branches/x", "repos/acme/app/tags/x"}),
        ("git:push on repos/acme/app/*", {"repos/acme/app/*"}),
        ("git:comment on repos/*/pull-requests/*", {"repos/*/*/pull-requests/*"}),
        ("git:push on **/branches/main", {"repos/*/*/branches/main"}),
        ("git:push on repos/**/main", {"repos/*/*/branches/main", "repos/*/*/tags/main"}),
        ("git:push on repos/acme/app/branches/a/**/b", {"repos/acme/app/branches/a/**/b"}),
        ("git:push on *", {"*"}),
        ("git:push on **", {"**"}),
    ],
)
def test_each_part_of_a_text_is_bound_to_its_part_of_the_type(rule: str, patterns: set[str]) -> None:
    assert set(read(rule)) == patterns


@pytest.mark.req("P1")
@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("repos/acme/app/branches/feature/a", True),
        ("repos/acme/app/branches/feature/a/b", True),
        ("repos/acme/branches/branches/feature/y", True),
        ("repos/acme/app/branches/main", False),
        ("repos/acme/app/branches/x/branches/feature/y", False),
        ("repos/acme/app/tags/feature/a", False),
        ("repos/acme/app/tags/branches/feature/a", False),
    ],
)
@pytest.mark.parametrize("effect", Effect)
def test_a_branch_name_cannot_pass_for_another_part(resource: str, *, expected: bool, effect: Effect) -> None:
    assert covers("git:push on repos/*/branches/feature/*", resource, effect) is expected


@pytest.mark.parametrize(
    "rule",
    [
        "ecs:UpdateService on arn:aws:ecs:*:*:service/prod-*",
        "aws:ecs:UpdateService on service/prod-*",
        "ecs:UpdateService on service/*/prod-*",
    ],
)
def test_the_short_name_of_a_service_is_the_service_and_not_its_cluster(rule: str) -> None:
    assert covers(rule, "arn:aws:ecs:eu-west-1:123456789012:service/main/prod-web")
    assert not covers(rule, "arn:aws:ecs:eu-west-1:123456789012:service/prod-cluster/web")


@pytest.mark.parametrize(
    ("rule", "allow", "other"),
    [
        ("s3:GetObject on data-lake/raw/*", "arn:aws:s3:::data-lake/raw/*", "arn:*:s3:::data-lake/raw/*"),
        ("s3:ListBucket on data-lake", "arn:aws:s3:::data-lake", "arn:*:s3:::data-lake"),
        ("s3:GetObject on data*", "arn:aws:s3:::data*", "arn:*:s3:::data*"),
        ("s3:GetObject on a*", "arn:aws:s3:::a*", "arn:*:s3:::a*"),
        ("s3:GetObject on arn:*:s3:::x/*", "arn:*:s3:::x/*", "arn:*:s3:::x/*"),
        ("ecs:UpdateService on service/web", "arn:aws:ecs:*:*:service/*/web", "arn:*:ecs:*:*:service/*/web"),
        ("ecs:StopTask on task/one*", "arn:aws:ecs:*:*:task/*/one*", "arn:*:ecs:*:*:task/*/one*"),
        ("iam:PassRole on role/ci/*", "arn:aws:iam::*:role/ci/*", "arn:*:iam::*:role/ci/*"),
        ("iam:PassRole on arn:aws:iam:*:*:role/ci", "arn:aws:iam::*:role/ci", "arn:aws:iam::*:role/ci"),
        ("iam:PassRole on arn:aws:i*", "arn:aws:i*", "arn:aws:i*"),
    ],
)  # fmt: skip
def test_what_a_short_form_leaves_out_is_exact_to_allow_and_wide_to_forbid_or_ask(
    rule: str, allow: str, other: str
) -> None:
    assert read(rule) == (allow,)
    assert read(rule, Effect.DENY) == (other,)
    assert read(rule, Effect.REQUIRE_APPROVAL) == (other,)


@pytest.mark.parametrize("family", ["web*", "web**"])
def test_the_star_that_ends_a_short_form_stays_in_its_part(family: str) -> None:
    rule = f"ecs:RunTask on task-definition/{family}"
    assert read(rule) == ("arn:aws:ecs:*:*:task-definition/web*:*",)


def test_a_final_star_stands_for_whatever_follows() -> None:
    assert covers("iam:PassRole on arn:aws:iam:**", "arn:aws:iam::123456789012:role/x/y")
    assert covers("dynamodb:Query on table/customer*", "arn:aws:dynamodb:eu-west-1:1:table/customers/index/by-city")
    assert not covers("dynamodb:Query on table/customer*", "arn:aws:dynamodb:eu-west-1:1:table/x/index/customers")


def test_a_rule_on_several_types_covers_all_of_them() -> None:
    rule = "git:read,git:push on repos/acme/*"
    assert covers(rule, "repos/acme/app")
    assert covers(rule, "repos/acme/app/branches/main")
    assert not covers(rule, "repos/acme-evil/app")
    assert covers("s3:* on data-*", "arn:aws:s3:::data-lake")
    assert covers("s3:* on data-*", "arn:aws:s3:::data-lake/raw/x")


def test_stars_that_cross_grant_whole_parts_only_and_forbid_all_that_can_be_meant() -> None:
    nested = "repos/acme/app/branches/x/branches/main"
    assert not covers("git:push on repos/**/branches/main", nested)
    assert not covers("git:push on repos/**/branches/main", nested, Effect.REQUIRE_APPROVAL)
    assert covers("git:push on repos/**/branches/main", nested, Effect.DENY)
    assert covers("s3:GetObject on **/secret.txt", "arn:aws:s3:::b/secret.txt")
    assert not covers("s3:GetObject on **/secret.txt", "arn:aws:s3:::b/a/secret.txt")
    assert covers("s3:GetObject on **/secret.txt", "arn:aws-cn:s3:::b/a/c/secret.txt", Effect.DENY)


@pytest.mark.parametrize(
    ("rule", "pattern"),
    [
        ("ecs:UpdateService on arn:aws:ecs:**:service/prod-*", "arn:aws:ecs:*:*:service/*/prod-*"),
        ("ecs:UpdateService on service/**/web", "arn:aws:ecs:*:*:service/*/web"),
        ("ecs:UpdateService on arn:**:service/main/web", "arn:*:ecs:*:*:service/main/web"),
    ],
)
def test_parts_that_crossing_stars_absorb_are_any(rule: str, pattern: str) -> None:
    assert read(rule) == (pattern,)


def test_an_open_part_in_the_middle_ends_at_its_literal() -> None:
    assert read("log:Read on group:/a/*:stream:s*") == ("group:/a/**:stream:s*",)
    assert read("log:Read on group:/a/**:stream:s") == ("group:/a/**:stream:s",)
    assert read("log:Read on group:/a/*") == ("group:/a/*",)
    assert read("log:Read on group:/a/*", Effect.DENY) == ("group:/a/*",)
    assert read("log:Read on **:stream:s") == ("group:**:stream:s",)


@pytest.mark.parametrize(
    ("rule", "pattern"),
    [
        ("git:push on repos/${session.repo}/branches/${agent.id}",
         "repos/${session.repo=*/*}/branches/${agent.id=**}"),
        ("git:push on repos/${session.repo}/branches/bots/${agent.id}/*",
         "repos/${session.repo=*/*}/branches/bots/${agent.id}/*"),
        ("git:push on repos/acme/${project}/branches/x", "repos/acme/${project}/branches/x"),
        ("git:push on repos/acme/${project}-*/branches/x", "repos/acme/${project}-*/branches/x"),
        ("git:read on repos/${session.repo}", "repos/${session.repo=*/*}"),
        ("git:read on repos/${project}/*", "repos/${project}/*"),
        ("git:read on repos/${project}*", "repos/${project}*"),
        ("s3:GetObject on lake/${agent.id}/$x", "arn:aws:s3:::lake/${agent.id}/$x"),
        ("llm:InvokeModel on models/${session.vendor}/*", "models/${session.vendor}/*"),
    ],
)  # fmt: skip
def test_a_variable_takes_the_shape_of_the_part_it_fills(rule: str, pattern: str) -> None:
    assert read(rule) == (pattern,)


@pytest.mark.parametrize(
    ("rule", "fix"),
    [
        ("git:push on repos/${agent.name}/branches/x", "did you mean `agent.id`?"),
        ("git:push on repos/${session.a/b}/branches/x", "known are"),
        ("git:push on repos/${x=**}/branches/x", "known are"),
        ("git:push on repos/${agent.id/branches/x", "write `${name}`"),
    ],
)
def test_an_unknown_variable_is_refused(rule: str, fix: str) -> None:
    with pytest.raises(RuleTextError) as caught:
        read(rule, Effect.DENY)
    assert fix in caught.value.fix


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize(
    "resource",
    ["repos/acme", "repos/", "repos//app", "repos/acme/app", "repos/acme/app/", "repos/acme/app/branches",
     "repos/acme/app/branches/", "repos/acme/branches/main", "repos/acme*/branches/main", "repos/a**/x/branches/main",
     "repos/acme/**/branches/main", "repos/acme/app/branch/x", "repos/*/branches", "repos/*/branches*",
     "repos/acm\u0435/app/branches/x", "acme/app/branches/main", "arn:aws:s3:::x", "Repos/*",
     "repos/a/b/branches/e\u0301", "repos/*/issues/*", "repos:acme/app/branches/x", "repos/acme:app/branches/x",
     "repos/acme/a\u0440p", "repos/a/b/**c/x", "repos/***/x", "repos/a/b/branches/***",
     "repos/a/b/branches/" + "x" * 300, "repos/a/b/branches/" + "a*" * 9],
)  # fmt: skip
def test_a_rule_that_could_never_apply_is_refused(resource: str, effect: Effect) -> None:
    with pytest.raises(RuleTextError) as caught:
        read(f"git:push on {resource}", effect)
    assert caught.value.offset == len("git:push on ")


@pytest.mark.parametrize("char", ["\u200b", "\u00a0", "\t", "\x00", "\ud800"])
def test_a_character_that_does_not_show_is_refused(char: str) -> None:
    with pytest.raises(RuleTextError) as caught:
        read(f"git:read on repos/a/b{char}")
    assert caught.value.offset == len("git:read on repos/a/b")


@pytest.mark.parametrize(
    ("rule", "fix"),
    [
        ("git:push on repos/a/b/branchs/x", "did you mean `repos/a/b/branches/x`?"),
        ("git:push on repo/a/b/tags/x", "did you mean `repos/a/b/tags/x`?"),
        ("git:push on a/b/branches/x", "write `repos/{repo}/branches/{branch}` or `repos/{repo}/tags/{tag}`"),
        (
            "git:read on repos/acme/app/branches/main",
            "write `repos/{repo}` or `orgs/{org}` or `enterprises/{enterprise}`",
        ),
        ("s3:ListBucket on data-lake/*", "write `{bucket}`"),
        ("s3:GetObject,s3:ListBucket on data-lake/*", "write `{bucket}`"),
        ("s3:GetObject on arn:aws:sqs:eu-west-1:1:queue", "write `{bucket}/{key}`"),
        ("ecs:UpdateService on arn:aws:ecs:*:*:services/web", "did you mean `arn:aws:ecs:*:*:service/web`?"),
    ],
)
def test_a_resource_that_cannot_belong_to_its_action_says_what_can(rule: str, fix: str) -> None:
    with pytest.raises(RuleTextError, match="is no resource of") as caught:
        read(rule)
    assert caught.value.fix == fix


def test_a_text_with_two_readings_is_refused() -> None:
    with pytest.raises(RuleTextError, match="two ways") as caught:
        read("twin:Read on a/of/of")
    assert "spell it out" in caught.value.fix


def test_an_action_nobody_declares_types_for_takes_the_text_by_the_letter() -> None:
    assert read("llm:InvokeModel on models/*/claude-*") == ("models/*/claude-*",)
    assert read("git:push on repos/*/branches/x", catalogue=UNCHECKED) == ("repos/*/branches/x",)


def test_a_rule_for_every_service_is_read_by_the_letter_and_by_every_type() -> None:
    found = read("*:push on repos/*/branches/x", catalogue=SERVED)
    assert found == ("repos/*/branches/x", "repos/*/*/branches/x")
    assert read("*:push on nothing/at/all", catalogue=SERVED) == ("nothing/at/all",)


def test_actions_that_name_things_differently_need_rules_of_their_own() -> None:
    with pytest.raises(RuleTextError, match="different things"):
        read("git:push,llm:InvokeModel on repos/*/branches/x")
    assert read("git:push,llm:InvokeModel on repos/acme/app/branches/x") == ("repos/acme/app/branches/x",)


def test_a_rule_says_what_its_author_should_know() -> None:
    parsed = parse_rule("git:push,git:push,git:read on repos/a/b/branches/\u00fc", Effect.DENY, UNCHECKED)
    assert parsed.actions == ("git:push", "git:read")
    assert [place for place, _ in parsed.notices] == [len("git:push,git:push,git:read on ")]
    assert not parsed.crossing
    assert parse_rule("git:push on repos/a/b/branches/a/**/b", Effect.ALLOW, CATALOGUE).crossing
    assert not parse_rule("git:push on repos/${session.r}/branches/${agent.id}", Effect.ALLOW, CATALOGUE).crossing
    assert parse_rule("git:push,foo:Bar on **", Effect.ALLOW, SERVED).notices[0][0] == len("git:push,")
    with pytest.raises(RuleTextError) as caught:
        parse_rule("git:push,git:pull on **", Effect.ALLOW, SERVED)
    assert caught.value.offset == len("git:push,")
