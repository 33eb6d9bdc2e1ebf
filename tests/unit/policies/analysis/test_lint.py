from __future__ import annotations

from dataclasses import replace

import pytest

from policies.analysis.lint import lint
from policies.analysis.remarks import Code, Lint, Severity
from policies.model import ApprovalTerms, Assurance, Layer, PolicySet, Rule
from tests.unit.policies.analysis.words import NIGHT, OFFICE, TYPES, catalogue, policy, rule

PEOPLE = {"ann": frozenset({"approver"}), "bob": frozenset({"approver", "admin"}), "eve": frozenset({"viewer"})}


def remarks(*sets: PolicySet, **options: object) -> tuple[Lint, ...]:
    return lint({"bot": sets}, catalogue(), **options)  # type: ignore[arg-type]  # whatever a test names


def codes(*texts: str | Rule) -> list[tuple[Code, str]]:
    return [(one.code, one.rule_id) for one in remarks(policy(*texts))]


@pytest.mark.req("P2")
@pytest.mark.parametrize(
    "texts",
    [
        ("allow git:push on repos/a/b/branches/x", "allow git:push on repos/a/**"),
        ("allow git:push on repos/a/b/branches/x", "allow git:push on repos/a/b/branches/x"),
        ("allow git:push,git:read on repos/a/b/branches/*,repos/a/b", "allow git:* on repos/*"),
        ("allow git:push on repos/a/b/branches/x", "ask git:push on repos/a/**"),
        ("ask git:push on repos/a/b/branches/x", "ask git:push on repos/a/**"),
        ("deny git:push on repos/a/b/branches/x", "deny git:push on repos/a/**"),
    ],
)
def test_a_rule_that_another_one_makes_useless_is_shadowed_and_only_one_of_two_equals(texts: tuple[str, str]) -> None:
    shadowed = [rule_id for code, rule_id in codes(*texts) if code is Code.SHADOWED]
    assert len(shadowed) == 1
    assert shadowed == ["L2" if texts[0] == texts[1] else "L1"]
    assert [code for code, _ in codes(*texts[::-1])].count(Code.SHADOWED) == 1


@pytest.mark.parametrize(
    "texts",
    [
        ("ask git:push on repos/a/b/branches/x", "allow git:push on repos/a/**"),
        ("deny git:push on repos/a/b/branches/x", "ask git:push on repos/a/**"),
        ("allow git:push on repos/a/b/branches/x/*", "allow git:push on repos/a/b/branches/*/y"),
        ("allow git:push on repos/a/b/branches/x/y/z", "allow git:push on repos/a/b/branches/*/z"),
        ("allow git:push on repos/a/b/branches/x", rule("allow git:push on repos/a/**", NIGHT)),
        ("allow git:push on repos/a/b/branches/x", rule("allow git:push on repos/a/**", max_uses=1)),
        (
            "ask git:push on repos/a/b/branches/x",
            rule("ask git:push on repos/a/**", approval=ApprovalTerms("others", 60)),
        ),
    ],
)
def test_a_rule_that_adds_something_is_left_alone(texts: tuple[str | Rule, ...]) -> None:
    assert codes(*texts) == []


def test_a_rule_with_more_conditions_is_shadowed_by_one_with_fewer() -> None:
    wide = rule("allow git:push on repos/a/**", NIGHT)
    assert codes(rule("allow git:push on repos/a/b/branches/x", NIGHT, OFFICE), wide) == [(Code.SHADOWED, "L1")]


def test_a_grant_under_a_deny_is_an_error() -> None:
    (found,) = remarks(policy("allow git:push on repos/a/b/branches/x", "deny git:* on repos/a/**"))
    assert (found.code, found.severity, found.rule_id) == (Code.ALLOW_UNDER_DENY, Severity.ERROR, "L1")
    assert str(found).startswith("bot.yaml:1: error: ")
    assert str(found).endswith("[allow-under-deny]")


def test_a_gate_with_a_condition_beside_an_allow_without_it_is_lost_when_the_fact_is() -> None:
    gate, allow = rule("ask git:push on repos/a/b/branches/x", NIGHT), "allow git:push on repos/a/**"
    assert codes(gate, allow) == [(Code.GATE_LOST, "L1")]
    wide_gate, narrow = rule("ask git:push on repos/a/**", NIGHT), "allow git:push on repos/a/b/branches/x"
    assert codes(wide_gate, narrow) == [(Code.GATE_LOST, "L1")]
    assert codes(gate, rule("allow git:push on repos/a/**", NIGHT)) == []


def test_the_question_of_a_guardrail_stays_in_doubt_and_cannot_be_lost() -> None:
    texts = rule("ask git:push on repos/a/b/branches/x", NIGHT), "allow git:push on repos/a/**"
    found = remarks(policy(*texts, layer=Layer.GUARDRAIL), policy("allow git:read on repos/a/b"))
    assert found == ()


def test_a_grant_that_a_guardrail_or_the_boundary_denies_is_told_once_for_each_agent() -> None:
    own = policy(
        "allow git:push on repos/a/b/branches/main", "ask git:push on repos/a/b/branches/x", "deny git:push on **"
    )
    for layer in (Layer.GUARDRAIL, Layer.BOUNDARY):
        outer = policy("deny git:push on **/main", "allow git:read on **", layer=layer)
        found = [one.rule_id for one in remarks(outer, own) if one.code is Code.GUARDRAIL_DENIES]
        assert found == ["L1"]
    sometimes = policy(rule("deny git:push on **/main", NIGHT), layer=Layer.GUARDRAIL)
    assert all(one.code is not Code.GUARDRAIL_DENIES for one in remarks(sometimes, own))


@pytest.mark.parametrize("text", ["allow * on **", "allow *:read on *", "allow s3:* on **", "allow git:* on *"])
def test_everything_on_everything_is_over_broad(text: str) -> None:
    assert codes(text) == [(Code.OVER_BROAD, "L1")]


@pytest.mark.parametrize("text", ["ask * on **", "allow s3:GetObject on **", "allow git:* on repos/*"])
def test_what_asks_or_is_bounded_is_not_over_broad(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    "resource",
    ["repos/*/*/branches/feature/*/x", "arn:*:s3:::a/*.env", "repos/*/*/branches/x*y", "arn:aws:s3:::a/b/*/c"],
)
def test_a_deny_whose_star_stops_at_a_separator_is_too_narrow(resource: str) -> None:
    action = "git:push" if resource.startswith("repos") else "s3:GetObject"
    (found,) = remarks(policy(f"deny {action} on {resource}", f"allow {action} on x"), now_ns=1)[:1]
    assert (found.code, "**" in found.fix) == (Code.DENY_TOO_NARROW, True)


@pytest.mark.parametrize(
    "text",
    [
        "deny git:push on repos/*/*/branches/main",
        "deny git:push on repos/*/*/branches/feature/*",
        "deny git:push on repos/*/*/**",
        "deny git:read on repos/acme/*",
        "deny git:push on repos/acme-*/*",
        "deny s3:GetObject on arn:*:s3:::*/secret/**",
        "deny git:push on **/main",
        "allow git:push on repos/*/*/branches/feature/*/x",
    ],
)
def test_a_star_that_fills_its_component_is_wide_enough(text: str) -> None:
    assert all(code is not Code.DENY_TOO_NARROW for code, _ in codes(text))


def test_a_deny_of_untyped_names_is_held_against_their_segments() -> None:
    found = lint({"bot": [policy("deny mail:send on box/*/out", "allow mail:send on box/**")]})
    assert [one.code for one in found] == [Code.DENY_TOO_NARROW]


def test_actions_nobody_knows_and_services_nobody_serves_are_told() -> None:
    found = remarks(policy("allow git:pussh on repos/a/b", "allow gitt:push on repos/a/b", "allow git:comment on **"))
    assert [(one.code, one.rule_id) for one in found] == [(Code.UNKNOWN_ACTION, "L1"), (Code.DEAD, "L2")]
    assert ["git:push" in found[0].fix, "git" in found[1].fix] == [True, True]


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        ("allow git:read on repos/acme", True),
        ("allow git:push on repos/a/b/tags/*", True),
        ("allow git:read,git:push on repos/a/b/branches/x", False),
        ("allow git:push on repos/a/*", False),
        ("allow git:push on */*/*/branches/x/**", False),
        ("allow git:push on repos/${project=*/*}/branches/${session.branch=**}", False),
    ],
)
def test_a_resource_its_actions_never_touch_is_dead(text: str, dead: bool) -> None:
    assert (Code.DEAD in {code for code, _ in codes(text)}) is dead


def test_a_rule_that_ended_is_told_when_the_time_is_known() -> None:
    ended = policy(rule("allow git:read on repos/a/b", until_ns=5))
    assert [one.code for one in remarks(ended, now_ns=5)] == [Code.EXPIRED]
    assert remarks(ended, now_ns=4) == remarks(ended) == ()


@pytest.mark.parametrize(
    ("approvers", "expected"),
    [
        ((), []),
        (("ann", "bob"), []),
        (("ann",), [Code.ONE_APPROVER]),
        (("eve",), [Code.NOBODY_APPROVES]),
        (("anna",), [Code.NOBODY_APPROVES]),
        (("ann", "eve"), [Code.NOBODY_APPROVES, Code.ONE_APPROVER]),
    ],
)
def test_approvers_must_be_there_and_more_than_one(approvers: tuple[str, ...], expected: list[Code]) -> None:
    asks = policy(rule("ask git:read on repos/a/b", approval=ApprovalTerms("c", 60, approvers)))
    assert [one.code for one in remarks(asks, approvers=PEOPLE)] == expected
    assert remarks(asks) == ()


def test_an_approval_without_any_approver_or_surface_can_be_given_by_nobody() -> None:
    asks = policy(rule("ask git:read on repos/a/b", approval=ApprovalTerms("c", 60, (), Assurance.PASSKEY)))
    assert [one.code for one in remarks(asks, approvers={"eve": frozenset()})] == [Code.NOBODY_APPROVES]
    for surfaces in ((), (Assurance.CHAT, Assurance.WEB)):
        assert [one.code for one in remarks(asks, approvers=PEOPLE, surfaces=surfaces)] == [Code.NOBODY_APPROVES]
    assert remarks(asks, approvers=PEOPLE, surfaces=(Assurance.PASSKEY,)) == ()


def test_an_agent_without_a_grant_is_told_without_a_place() -> None:
    (found,) = remarks(policy("deny git:read on repos/a/b"))
    assert (found.code, found.severity, found.span, str(found).startswith("info: ")) == (
        Code.NO_GRANT,
        Severity.INFO,
        None,
        True,
    )


@pytest.mark.parametrize("name", ["p\u0430yments", "\uff41pp", "\u03bfrders"])
def test_letters_that_look_like_others_are_told_as_escapes(name: str) -> None:
    (found,) = remarks(policy(f"allow git:read on repos/acme/{name}"))
    assert (found.code, found.message.isascii()) == (Code.LOOK_ALIKE, True)


def test_other_scripts_by_themselves_are_names_like_any() -> None:
    assert (
        codes(
            "allow s3:GetObject on arn:aws:s3:::b/\u0437\u0430\u043a\u0430\u0437/k",
            "allow git:read on repos/a/caf\u00e9",
        )
        == []
    )


def test_a_layer_that_agents_share_is_looked_at_once() -> None:
    shared = policy("deny git:push on **/main", "deny git:push on **/main", layer=Layer.GUARDRAIL)
    own = policy("allow git:read on repos/a/b")
    found = lint({"one": [shared, own], "two": [shared, own]}, catalogue())
    assert [one.code for one in found] == [Code.SHADOWED]
    assert lint({}) == ()


def test_remarks_come_in_the_order_of_lines() -> None:
    found = remarks(policy("allow s3:* on **", "allow git:pussh on a", replace(rule("allow * on **"), text="x")))
    lines = [one.span.line for one in found if one.span is not None]
    assert lines == sorted(lines)
    assert len(TYPES) == 3
