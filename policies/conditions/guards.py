"""Whether a rule applies in a context: its conditions and its end, as one function of the request.

What cannot be told always leans to the safe side. A fact that is missing, of another kind or malformed makes a rule
that grants (allow, approval) not apply, and a rule that denies apply. A fact that is a list must satisfy a granting
rule's condition with every element, and a denying one's with any; an empty list cannot be told, unless the broker
itself found out that there is nothing in it (`policies.model.KnownItems`).

All conditions of a rule must hold. The end of a rule (``until``) is one more: a rule that grants needs to know that it
is not reached; a rule that denies stops there, and applies when the time is not known.

How often a rule may be used is not asked here: that is the engine's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policies.conditions.facts import TIME, fact_of, flatten_params
from policies.conditions.moments import written
from policies.conditions.operators import Op, Test, compile_test, expected
from policies.errors import quote
from policies.model import AccessRequest, Condition, Effect, Fact, KnownItems, Rule, Scalar

__all__ = [
    "MAX_ELEMENTS",
    "MAX_KNOWN",
    "Guard",
    "compile_guard",
    "failing_condition",
    "flatten_params",
    "has_ended",
    "why_not",
]

Guard = Callable[[AccessRequest], bool]
"""Tells whether a rule applies to a request whose action and resource it matches."""

MAX_ELEMENTS: Final = 128
"""Elements of a list that are looked at; a longer list cannot be told."""

MAX_KNOWN: Final = 500
"""The same of a list that the broker found out; it names the paths of a push, and a larger push names none."""

_Holds = Callable[[Fact | None, Test, AccessRequest], bool]


def compile_guard(rule: Rule) -> Guard | None:
    """Return what decides whether a rule applies; None when it always does.

    The guard never raises, reads nothing but the request, and its cost is bounded by the limits of
    `policies.conditions.when`.

    Raises:
        ConditionError: a condition of the rule was not made by the loader and cannot be used.
    """
    guards = [_guard_of(condition, rule.effect) for condition in _all_conditions(rule)]
    if not guards:
        return None
    if len(guards) == 1:
        return guards[0]
    return lambda request: all(guard(request) for guard in guards)


def failing_condition(rule: Rule, request: AccessRequest) -> Condition | None:
    """Return the first condition of a rule, as written, that keeps it from applying; None when all of them hold."""
    return next((item for item in rule.conditions if not _guard_of(item, rule.effect)(request)), None)


def has_ended(rule: Rule, request: AccessRequest) -> bool:
    """Tell whether the end of a rule keeps it from applying."""
    return bool(rule.until_ns) and not _guard_of(_end_of(rule), rule.effect)(request)


def why_not(rule: Rule, request: AccessRequest) -> str:
    """Return in words what keeps a rule from applying, the first condition as written or its end; empty when nothing.

    The value of a param is never shown: it may be a secret on its way to be stored.

    Raises:
        ConditionError: a condition of the rule was not made by the loader and cannot be used.
    """
    condition = failing_condition(rule, request)
    if condition is not None:
        found = _found(condition, request)
        return f"condition {quote(condition.key)}: expected {expected(condition)}, found {found}"
    if has_ended(rule, request):
        now = "found no time" if request.now_ns is None else f"now is {written(request.now_ns)}"
        return f"until: ended at {written(rule.until_ns)}, {now}"
    return ""


def _all_conditions(rule: Rule) -> tuple[Condition, ...]:
    return (*rule.conditions, _end_of(rule)) if rule.until_ns else rule.conditions


def _end_of(rule: Rule) -> Condition:
    return Condition(TIME, Op.BEFORE, (rule.until_ns,))


def _guard_of(condition: Condition, effect: Effect) -> Guard:
    key, test = condition.key, compile_test(condition)
    holds: _Holds = _for_any if effect is Effect.DENY else _for_every
    return lambda request: holds(fact_of(request, key), test, request)


def _for_every(fact: Fact | None, test: Test, request: AccessRequest) -> bool:
    """Tell whether a condition surely holds, for all there is: what a grant needs."""
    if isinstance(fact, tuple):
        return 0 < len(fact) <= _most(fact) and all(test(item, request) is True for item in fact)
    return fact is not None and test(fact, request) is True


def _for_any(fact: Fact | None, test: Test, request: AccessRequest) -> bool:
    """Tell whether a condition may hold, for anything there is: what suffices for a denial."""
    if isinstance(fact, KnownItems) and not fact:
        return False
    if isinstance(fact, tuple):
        return not 0 < len(fact) <= _most(fact) or any(test(item, request) is not False for item in fact)
    return fact is None or test(fact, request) is not False


def _most(fact: tuple[Scalar, ...]) -> int:
    return MAX_KNOWN if isinstance(fact, KnownItems) else MAX_ELEMENTS


def _found(condition: Condition, request: AccessRequest) -> str:
    fact = fact_of(request, condition.key)
    if fact is None:
        return "nothing"
    if isinstance(fact, tuple):
        return f"a list of {len(fact)}"
    if condition.key.startswith("params."):
        return "another value"
    if condition.key == TIME and request.now_ns is not None:
        return written(request.now_ns)
    return quote(str(fact))
