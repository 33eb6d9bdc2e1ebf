from __future__ import annotations

from dataclasses import replace

import pytest

from policies.analysis.diff import Difference, Kind, diff
from policies.model import ApprovalTerms, Assurance, Effect, Layer, PolicySet, Rule
from policies.resources.catalogue import UNCHECKED
from tests.unit.policies.analysis.words import NIGHT, OFFICE, catalogue, policy, rule

BRANCHES = "repos/*/*/branches"


def compare(old: PolicySet, new: PolicySet) -> tuple[Difference, ...]:
    return diff({"bot": [old]}, {"bot": [new]}, catalogue())


def shown(found: tuple[Difference, ...]) -> list[tuple[Kind, str, str]]:
    return [(one.kind, one.requirement.action, one.requirement.resource) for one in found]


@pytest.mark.req("P3")
def test_what_is_newly_allowed_is_shown_in_readable_words() -> None:
    found = compare(policy(), policy(f"allow git:push on {BRANCHES}/feature/**"))
    assert shown(found) == [(Kind.NEWLY_ALLOWED, "git:push", "repos/acme/app/branches/feature/topic")]
    assert (found[0].widens, found[0].added, found[0].rule and found[0].rule.id) == (True, True, "L1")


def test_an_approval_that_is_gone_is_newly_without_approval() -> None:
    allow = f"allow git:push on {BRANCHES}/**"
    old, new = policy(allow, f"ask git:push on {BRANCHES}/main"), policy(allow)
    assert shown(compare(old, new)) == [(Kind.WITHOUT_APPROVAL, "git:push", "repos/acme/app/branches/main")]
    (back,) = compare(new, old)
    assert (back.kind, back.widens, back.old, back.new) == (
        Kind.ASKS_INSTEAD,
        False,
        Effect.ALLOW,
        Effect.REQUIRE_APPROVAL,
    )


def test_a_deny_that_is_gone_shows_what_it_held_back() -> None:
    deny = f"deny git:push on {BRANCHES}/main"
    assert compare(policy(deny), policy()) == ()
    found = compare(policy(deny, "allow git:* on repos/**"), policy("allow git:* on repos/**"))
    assert shown(found) == [(Kind.NEWLY_ALLOWED, "git:push", "repos/acme/app/branches/main")]
    assert not found[0].added


def test_a_rule_that_another_one_covers_changes_nothing() -> None:
    wide = "allow s3:* on arn:aws:s3:::**"
    assert compare(policy(wide), policy(wide, "allow s3:GetObject on arn:aws:s3:::a/*")) == ()
    assert compare(policy(wide), policy(replace(rule(wide), description="other words"))) == ()


def test_an_agent_that_came_or_went_is_told_by_its_rules() -> None:
    one = [policy("allow s3:GetObject on arn:aws:s3:::a/*")]
    (come,) = diff({}, {"bot": one}, catalogue())
    (gone,) = diff({"bot": one}, {}, catalogue())
    assert (come.kind, gone.kind) == (Kind.NEWLY_ALLOWED, Kind.NEWLY_DENIED)
    assert come.requirement == gone.requirement
    assert come.requirement.resource == "arn:aws:s3:::a/2026/sales.csv"


def test_a_boundary_that_came_takes_away_all_it_does_not_grant() -> None:
    own = policy("allow git:* on repos/**")
    boundary = policy("allow git:* on repos/acme/**", layer=Layer.BOUNDARY)
    found = diff({"bot": [own]}, {"bot": [boundary, own]}, catalogue())
    assert [one.kind for one in found] == [Kind.NEWLY_DENIED]
    assert found[0].rule is None
    assert not found[0].requirement.resource.startswith("repos/acme/")
    (back,) = diff({"bot": [boundary, own]}, {"bot": [own]}, catalogue())
    assert (back.kind, back.widens) == (Kind.NEWLY_ALLOWED, True)


def test_a_guardrail_that_asks_is_no_grant() -> None:
    guardrail = policy("ask git:push on **/main", layer=Layer.GUARDRAIL)
    own = policy("allow git:push on **")
    (found,) = diff({"bot": [own]}, {"bot": [guardrail, own]}, catalogue())
    assert (found.kind, found.requirement.resource) == (Kind.ASKS_INSTEAD, "repos/acme/app/branches/main")
    assert diff({"bot": [policy()]}, {"bot": [guardrail, policy()]}, catalogue()) == ()


def test_a_condition_that_is_dropped_widens_and_one_that_is_added_narrows() -> None:
    plain, bound = policy("allow git:push on a"), policy(rule("allow git:push on a", NIGHT))
    dropped, added = compare(bound, plain), compare(plain, bound)
    assert {(one.kind, one.widens) for one in dropped} == {(Kind.NEWLY_ALLOWED, True), (Kind.TERMS_CHANGED, True)}
    assert {(one.kind, one.widens) for one in added} == {(Kind.NEWLY_DENIED, False), (Kind.TERMS_CHANGED, False)}
    assert all(one.conditional for one in (*dropped, *added) if one.kind is not Kind.TERMS_CHANGED)


def test_the_same_condition_on_both_sides_is_no_difference() -> None:
    kept = rule("deny git:push on a", NIGHT)
    old = policy("allow git:push on *", kept)
    new = policy("allow git:push on *", kept, rule("allow git:push on a", OFFICE))
    assert compare(old, new) == ()


@pytest.mark.parametrize(
    ("old", "new", "widens"),
    [
        (ApprovalTerms("c", 60), ApprovalTerms("d", 60), False),
        (ApprovalTerms("c", 60, ("ann",)), ApprovalTerms("c", 60), True),
        (ApprovalTerms("c", 60, ("ann", "bob")), ApprovalTerms("c", 60, ("ann",)), False),
        (ApprovalTerms("c", 60, ("ann",)), ApprovalTerms("c", 60, ("ann", "bob")), True),
        (ApprovalTerms("c", 60, (), Assurance.PASSKEY), ApprovalTerms("c", 60, (), Assurance.WEB), True),
        (ApprovalTerms("c", 60, (), Assurance.CHAT), ApprovalTerms("c", 60, (), Assurance.WEB), False),
    ],
)
def test_other_terms_of_an_approval_are_told_and_weaker_ones_widen(
    old: ApprovalTerms, new: ApprovalTerms, widens: bool
) -> None:
    text = f"ask git:push on {BRANCHES}/main"
    (found,) = compare(policy(rule(text, approval=old)), policy(rule(text, approval=new)))
    assert (found.kind, found.widens) == (Kind.TERMS_CHANGED, widens)
    assert found.requirement.resource == "repos/acme/app/branches/main"


def test_a_later_end_and_a_higher_limit_widen_and_no_others() -> None:
    ends = [policy(rule("allow git:push on a", until_ns=end)) for end in (5, 9)]
    limits = [policy(rule("allow git:push on a", max_uses=limit)) for limit in (3, 5)]
    for less, more in (ends, limits):
        assert all(one.widens for one in compare(less, more))
        assert not any(one.widens for one in compare(more, less))


def test_a_deny_with_more_conditions_widens() -> None:
    found = compare(policy(rule("deny git:push on a", NIGHT)), policy(rule("deny git:push on a", NIGHT, OFFICE)))
    assert [(one.kind, one.widens) for one in found] == [(Kind.TERMS_CHANGED, True)]


def test_a_variable_is_the_agents_own_name_and_otherwise_any_value() -> None:
    old, new = policy("allow git:read on repos/${agent.id}/*"), policy("allow git:read on repos/bot/*")
    assert compare(old, new) == ()
    (found,) = compare(policy(), policy("allow git:read on repos/${project}/x"))
    assert found.requirement.resource == f"repos/{found.values['project']}/x"


def test_layers_that_meet_for_one_value_of_a_variable_only_are_found() -> None:
    boundary = policy("allow git:read on repos/web/*", layer=Layer.BOUNDARY)
    (found,) = diff(
        {"bot": [boundary, policy()]}, {"bot": [boundary, policy("allow git:read on repos/${project}/*")]}, catalogue()
    )
    assert (found.kind, found.values["project"]) == (Kind.NEWLY_ALLOWED, "web")


def test_a_made_up_value_of_a_variable_avoids_what_rules_spell_out() -> None:
    deny = "deny git:read on repos/project/*"
    (found,) = diff({"bot": [policy(deny)]}, {"bot": [policy(deny, "allow git:read on repos/${project}/x")]}, UNCHECKED)
    assert found.values["project"] != "project"


def test_an_action_of_no_known_service_is_not_left_out() -> None:
    (found,) = compare(policy(), policy("allow mail:* on box/*"))
    assert (found.requirement.action.partition(":")[0], found.requirement.resource) == ("mail", "box/example")


def test_an_action_that_a_rule_names_counts_though_nobody_serves_it_yet() -> None:
    old, new = (policy(f"allow {names} on repos/a/b") for names in ("git:read", "git:read,git:comment"))
    assert [one.requirement.action for one in compare(old, new)] == ["git:comment"]


def test_a_search_that_gives_up_is_told_and_widens() -> None:
    found = diff({"bot": [policy()]}, {"bot": [policy("allow git:read on repos/a/b")]}, catalogue(), budget=1)
    assert [(one.kind, one.widens) for one in found] == [(Kind.UNDECIDED, True)]


def many(count: int) -> list[Rule]:
    """Rules as a large company has them: most in the same place."""
    made = []
    for number in range(count):
        action = ("git:push", "git:read", "s3:GetObject", "s3:PutObject")[number % 4]
        text = (
            f"repos/acme/app-{number}/branches/feature/**" if number % 2 else f"arn:aws:s3:::bucket-{number}/*/raw/**"
        )
        made.append(rule(f"{'deny' if number % 7 == 0 else 'allow'} {action} on {text}", line=number + 1))
    return made


@pytest.mark.req("P3")
def test_ten_changed_rules_of_a_thousand_need_few_steps() -> None:
    old = many(1000)
    new = [
        *old[5:],
        *(rule(f"allow git:* on repos/acme/*/branches/fix-{number}/**", line=number) for number in range(5)),
    ]
    sides = [{"bot": [replace(policy(), rules=tuple(side))]} for side in (old, new)]
    found = diff(sides[0], sides[1], catalogue(), budget=2000)
    assert sum(one.kind is Kind.NEWLY_ALLOWED for one in found) >= 5
    assert all(one.kind is not Kind.UNDECIDED for one in found)
