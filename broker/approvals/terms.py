"""The terms of several rules that ask about one intent, taken together: the strictest of each kind. Pure.

timeout     the shortest
assurance   the highest
channel     that of the strictest rule: highest assurance, then shortest timeout
approvers   those every rule with a list of its own names; nobody left means that nobody may answer
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from broker.model import Approval
from broker.outcome import Problem, ProblemKind
from policies.errors import quote
from policies.model import ApprovalTerms, Assurance, Decision, Effect

_RANK: Final = {assurance: rank for rank, assurance in enumerate(Assurance)}
"""Strength of each assurance; the enumeration names the weakest first."""


def is_enough(given: Assurance, needed: Assurance) -> bool:
    """Tell whether an answer given with one assurance counts where another is needed."""
    return _RANK[given] >= _RANK[needed]


def combined(terms: Iterable[ApprovalTerms]) -> ApprovalTerms | None:
    """Return the terms an answer must meet to count for every rule that asks.

    Args:
        terms: Of the rules; at least one.

    Returns:
        The terms, or None when nobody may answer for all of them.
    """
    asked = sorted(terms, key=lambda each: (-_RANK[each.assurance], each.timeout_seconds, each.channel))
    lists = [each.approvers for each in asked if each.approvers]
    approvers = sorted(set(lists[0]).intersection(*lists[1:])) if lists else []
    if lists and not approvers:
        return None
    return ApprovalTerms(
        asked[0].channel,
        min(each.timeout_seconds for each in asked),
        approvers=tuple(approvers),
        assurance=asked[0].assurance,
    )


def nobody(decision: Decision) -> Problem:
    """Return the denial of an intent whose rules leave nobody who may answer."""
    asking = [each for each in decision.reasons if each.effect is Effect.REQUIRE_APPROVAL]
    rules = {f"{each.span} ({each.rule_id})" if each.span else each.rule_id: each.rule_id for each in asking}
    return Problem(
        ProblemKind.DENIED,
        f"nobody may answer: the rules that ask, {', '.join(map(quote, rules.values()))}, have no approver in common",
        reason="no common approver",
        rule=", ".join(rules),
        fix="name one approver in the `approvers` of each of these rules",
    )


def unanswered(approval: Approval, decision: Decision) -> Problem | None:
    """Tell that the answer a person gave is none to what the rules ask by now; None when it still counts.

    Args:
        approval: Answered with yes.
        decision: The second decision on the same plan.
    """
    if decision.effect is not Effect.REQUIRE_APPROVAL:
        return None
    terms = combined(decision.approvals)
    if terms is None:
        return nobody(decision)
    # Who answered met the assurance of the first decision; with how much more is not kept.
    named = not terms.approvers or approval.decided_by in terms.approvers
    if named and is_enough(approval.assurance, terms.assurance):
        return None
    return Problem(
        ProblemKind.STALE_PLAN,
        "the rules ask for another approver or a surer answer than the one that was given",
        rule=approval.rule,
        fix="send the intent again",
    )
