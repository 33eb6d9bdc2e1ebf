from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.approvals.terms import combined, is_enough, nobody, unanswered
from broker.outcome import ProblemKind
from policies.model import (
    ApprovalTerms,
    Assurance,
    Decision,
    Effect,
    PolicyVersion,
    Reason,
    Requirement,
    Span,
)
from tests.parts.ledgers import approval

CHAT, WEB, PASSKEY = Assurance.CHAT, Assurance.WEB, Assurance.PASSKEY

NAMES = st.lists(st.sampled_from(["alice", "bob", "carol"]), unique=True, max_size=3).map(tuple)
TERMS = st.builds(
    ApprovalTerms,
    channel=st.sampled_from(["a", "b"]),
    timeout_seconds=st.integers(1, 5),
    approvers=NAMES,
    assurance=st.sampled_from(Assurance),
)


def asks(*terms: ApprovalTerms, effect: Effect = Effect.REQUIRE_APPROVAL) -> Decision:
    requirement = Requirement("git:push", "repos/acme/app/branches/main")
    reasons = (
        Reason(requirement, Effect.ALLOW, "reads", None, ""),
        Reason(requirement, effect, "main", Span("policies/ci.yaml", 3), ""),
        Reason(requirement, effect, "code", None, ""),
    )
    return Decision(effect, reasons, terms, PolicyVersion("v"))


@pytest.mark.req("H3")
def test_the_strictest_term_of_each_kind_counts() -> None:
    found = combined(
        [
            ApprovalTerms("slow", 600, ("alice", "bob"), PASSKEY),
            ApprovalTerms("quick", 60, (), CHAT),
            ApprovalTerms("middle", 90, ("carol", "bob"), PASSKEY),
        ]
    )
    assert found == ApprovalTerms("middle", 60, ("bob",), PASSKEY)


def test_terms_of_one_rule_stay_as_they_are() -> None:
    alone = ApprovalTerms("deploys", 60, ("alice", "bob"), WEB)
    assert combined([alone]) == alone


@given(st.lists(TERMS, min_size=1, max_size=4), st.sampled_from(["alice", "bob", "carol", "dave"]), st.data())
def test_who_meets_the_combined_terms_meets_those_of_every_rule(
    terms: list[ApprovalTerms], name: str, data: st.DataObject
) -> None:
    found = combined(terms)
    named = all(not each.approvers or name in each.approvers for each in terms)
    if found is None:
        assert not named
        return
    assert named == (not found.approvers or name in found.approvers)
    assert found.timeout_seconds == min(each.timeout_seconds for each in terms)
    assert found.channel in {each.channel for each in terms if each.assurance is found.assurance}
    assert all(is_enough(found.assurance, each.assurance) for each in terms)
    assert combined(data.draw(st.permutations(terms))) == found


@pytest.mark.req("H3")
def test_rules_without_a_common_approver_are_named_in_the_denial() -> None:
    terms = (ApprovalTerms("a", 60, ("alice",)), ApprovalTerms("a", 60, ("bob",)))
    assert combined(terms) is None
    problem = nobody(asks(*terms))
    assert problem.kind is ProblemKind.DENIED
    assert problem.rule == "policies/ci.yaml:3 (main), code"
    assert "`main`" in problem.detail
    assert "reads" not in problem.detail


@pytest.mark.req("H3")
@pytest.mark.parametrize(
    ("terms", "kind"),
    [
        ((ApprovalTerms("a", 60),), None),
        ((ApprovalTerms("a", 60, ("alice", "bob"), WEB),), None),
        ((ApprovalTerms("a", 60, ("bob",)),), ProblemKind.STALE_PLAN),
        ((ApprovalTerms("a", 60, (), PASSKEY),), ProblemKind.STALE_PLAN),
        ((ApprovalTerms("a", 60, ("alice",)), ApprovalTerms("a", 60, ("bob",))), ProblemKind.DENIED),
    ],
)
def test_an_answer_counts_while_it_meets_what_the_rules_ask_by_now(
    terms: tuple[ApprovalTerms, ...], kind: ProblemKind | None
) -> None:
    answered = approval(decided_by="alice", assurance=WEB)
    problem = unanswered(answered, asks(*terms))
    assert (problem.kind if problem else None) is kind


def test_what_needs_no_answer_any_more_has_one() -> None:
    assert unanswered(approval(decided_by="alice"), asks(effect=Effect.ALLOW)) is None
