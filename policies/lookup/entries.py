"""Rules made ready to be found and weighed, and which of those found decides.

The strictest rule that applies decides: DENY over REQUIRE_APPROVAL over ALLOW. Among equals one without a limit of
uses comes first, so that no use is spent in vain, then the place in the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from typing import Final

from policies.conditions.guards import Guard, compile_guard
from policies.digest import rule_key
from policies.model import (
    AccessRequest,
    ApprovalTerms,
    Effect,
    Layer,
    PolicySet,
    Rule,
    Span,
    UseLimit,
)

RANK: Final = {Effect.ALLOW: 0, Effect.REQUIRE_APPROVAL: 1, Effect.DENY: 3}
"""Of what a rule says. Between asking and forbidding is `SILENCE`: of two denials a rule's is the better reason."""
SILENCE: Final = 2
VERBS: Final = {Effect.ALLOW: "allows", Effect.REQUIRE_APPROVAL: "asks a human for", Effect.DENY: "forbids"}

_STEPS: Final = 3
"""Steps (`policies.lookup.bounds`) to weigh a rule without conditions."""
_STEPS_PER_CONDITION: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A rule with its place in the order of strictness: the smallest of all that apply decides.

    Args:
        order: The place.
        effect: What the rule says.
        rule_id: Its id.
        span: Where it stands; None for what no rule says.
        rank: Of its effect, the strictest highest (`RANK`); comparing effects themselves would hash them each time.
        said: What it says, with its place, up to what it says it of: ``policies/bot.yaml:3 allows``.
        opening: The same as a reason begins with it: ``rule `x` at policies/bot.yaml:3 allows``.
        rule: The rule; None for what no rule says.
        terms: Whom it asks, when it asks.
        restricts: True when doubt makes it apply: it forbids, or it asks in a layer that grants nothing.
        guard: Its conditions; None when it always applies.
        key: Name under which its uses are counted; empty without a limit.
    """

    order: int
    effect: Effect
    rank: int
    rule_id: str
    span: Span | None
    said: str
    opening: str
    rule: Rule | None = None
    terms: ApprovalTerms | None = None
    restricts: bool = True
    guard: Guard | None = None
    key: str = ""

    @property
    def always(self) -> bool:
        """True when it applies to every request whose action and resource it matches."""
        return self.guard is None and not self.key

    @property
    def steps(self) -> int:
        """What it costs to weigh it, in the steps of `policies.lookup.bounds`."""
        conditions = () if self.guard is None or self.rule is None else self.rule.conditions
        return _STEPS + sum(_STEPS_PER_CONDITION + len(condition.operands) for condition in conditions)

    def applies(self, request: AccessRequest) -> bool:
        """Tell whether limit and conditions let the rule speak."""
        if self.rule is not None and self.key and request.uses.get(self.key, 0) >= self.rule.max_uses:
            return False
        return self.guard is None or self.guard(request)

    def use(self, request: AccessRequest) -> UseLimit | None:
        """Return the use a decision by this rule draws on; None when it has no limit."""
        if not self.key or self.rule is None:
            return None
        return UseLimit(self.key, self.rule_id, request.uses.get(self.key, 0), self.rule.max_uses)


Leaf = tuple[Entry, ...]
"""What one pattern carries: its rules in the order of strictness."""

_TOO_MANY: Final = "too many rules may speak of what is not known in"
UNSURE: Final = Entry(-1, Effect.DENY, RANK[Effect.DENY], "", None, _TOO_MANY, _TOO_MANY)
"""Stands for the rules that could not be told apart within the bound; denies."""


def compile_entries(policy: PolicySet) -> tuple[Entry, ...]:
    """Return the rules of a set in the order of strictness.

    Raises:
        ConditionError: a condition of a rule cannot be used; sets made by the loader have none of these.
    """
    ordered = sorted(policy.rules, key=_strictness)
    return tuple(_entry(order, rule, policy) for order, rule in enumerate(ordered))


def collapse(entries: Iterable[Entry]) -> Leaf:
    """Return what can decide of rules that match the same: none behind one that always decides, no terms twice.

    Args:
        entries: In the order of strictness.
    """
    kept: list[Entry] = []
    asked: set[ApprovalTerms | None] = set()
    for entry in entries:
        if entry.effect is Effect.REQUIRE_APPROVAL:
            if entry.terms in asked:
                continue
            if entry.always:
                asked.add(entry.terms)
        elif entry.effect is Effect.ALLOW and asked:
            break
        kept.append(entry)
        if entry.always and entry.effect is not Effect.REQUIRE_APPROVAL:
            break
    return tuple(kept)


def deciding(found: Sequence[Leaf], request: AccessRequest) -> tuple[Entry | None, tuple[ApprovalTerms, ...]]:
    """Return the rule that decides among those found, and the terms of every rule that asks when one of them does."""
    entries: Iterable[Entry] = found[0] if len(found) == 1 else sorted(chain.from_iterable(found), key=_order)
    first: Entry | None = None
    terms: list[ApprovalTerms] = []
    for entry in entries:
        if first is not None and entry.effect is Effect.ALLOW:
            break
        if (entry.key or entry.guard is not None) and not entry.applies(request):
            continue
        if entry.terms is None:
            return entry, ()
        first = first or entry
        terms.append(entry.terms)
    return first, tuple(terms)


_order: Final = attrgetter("order")


def _strictness(rule: Rule) -> tuple[int, bool, str, int, int, str]:
    span = rule.span
    return -RANK[rule.effect], rule.max_uses > 0, span.file, span.line, span.column, rule.id


def _entry(order: int, rule: Rule, policy: PolicySet) -> Entry:
    # A guardrail grants nothing: its question only restricts, so doubt must not silence it, nor may a count of uses.
    restricts = rule.effect is Effect.DENY or (
        policy.layer is Layer.GUARDRAIL and rule.effect is Effect.REQUIRE_APPROVAL
    )
    guard = None
    if rule.conditions or rule.until_ns:
        guard = compile_guard(replace(rule, effect=Effect.DENY) if restricts else rule)
    said = f"{rule.span} {VERBS[rule.effect]}"
    key = rule_key(policy.agent, rule) if rule.max_uses and not restricts else ""
    opening = f"rule `{rule.id}` at {said}"
    return Entry(
        order,
        rule.effect,
        RANK[rule.effect],
        rule.id,
        rule.span,
        said,
        opening,
        rule,
        rule.approval,
        restricts,
        guard,
        key,
    )
