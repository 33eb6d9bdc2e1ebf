"""Approvals that nobody can give."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from policies.analysis.remarks import Code, Lint, remark
from policies.errors import did_you_mean, quote
from policies.model import ApprovalTerms, Assurance, Rule

APPROVER: Final = "approver"
"""The role of whoever may answer."""

_STRENGTH: Final = tuple(Assurance)


def lint_people(
    rule: Rule, operators: Mapping[str, Collection[str]], surfaces: Collection[Assurance]
) -> Iterator[Lint]:
    """Yield what is odd about who should answer a rule.

    Args:
        rule: Any rule; one that does not ask has nothing odd.
        operators: Every operator with the roles of each.
        surfaces: How surely people are known where they can answer.
    """
    if rule.approval is None:
        return
    needed = _STRENGTH.index(rule.approval.assurance)
    if all(_STRENGTH.index(surface) < needed for surface in surfaces):
        offered = ", ".join(f"`{surface}`" for surface in sorted(surfaces, key=_STRENGTH.index)) or "nothing"
        message = f"nobody can answer: `{rule.approval.assurance}` is needed and {offered} is offered"
        yield remark(Code.NOBODY_APPROVES, rule, message, "lower `assurance`")
    yield from _approvers(rule, rule.approval, operators)


def _approvers(rule: Rule, terms: ApprovalTerms, operators: Mapping[str, Collection[str]]) -> Iterator[Lint]:
    able = [name for name in terms.approvers or sorted(operators) if APPROVER in operators.get(name, ())]
    for name in terms.approvers:
        if name not in operators:
            yield remark(Code.NOBODY_APPROVES, rule, f"unknown approver {quote(name)}", did_you_mean(name, operators))
        elif name not in able:
            message = f"{quote(name)} has not the role `{APPROVER}`"
            yield remark(Code.NOBODY_APPROVES, rule, message, "give the role, or name someone else")
    if not able and not terms.approvers:
        yield remark(Code.NOBODY_APPROVES, rule, f"nobody has the role `{APPROVER}`", "give someone the role")
    if len(able) == 1:
        message = f"only {quote(able[0])} can answer, and not for sessions of their own"
        yield remark(Code.ONE_APPROVER, rule, message, "name a second one")
