"""What must hold for a rule to apply, in a form that can be compared with what must hold for another one.

Two terms are compared by what they say: a smaller network, a shorter list of values, a lower limit, an earlier end
imply the larger, the longer, the higher, the later. Where that is not known, terms imply only themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from policies.conditions.addresses import parse_network
from policies.conditions.facts import TIME
from policies.conditions.operators import Op
from policies.model import Condition, Effect, Layer, Rule, Scalar

Operand = tuple[str, Scalar]
"""A value with the name of its kind, so that 1 and true stay apart."""


@dataclass(frozen=True, slots=True)
class Test:
    """A condition, or the end of a rule, which is one on the time."""

    key: str
    operator: str
    operands: frozenset[Operand]


@dataclass(frozen=True, slots=True)
class Uses:
    """The rule was used less often than it may be."""

    rule_id: str
    max_uses: int


@dataclass(frozen=True, slots=True)
class Harmless:
    """The request returns no secrets."""


Term = Test | Uses | Harmless
Terms = frozenset[Term]
ALWAYS: Final[Terms] = frozenset()

_ORDERED: Final = frozenset({Op.TIME_IN, Op.TIME_NOT_IN})
"""Operators whose operands mean something by their place."""


def restricts(rule: Rule, layer: Layer) -> bool:
    """Tell whether a rule only takes away, so that doubt must not silence it, nor a count of uses."""
    return rule.effect is Effect.DENY or (layer is Layer.GUARDRAIL and rule.effect is Effect.REQUIRE_APPROVAL)


def terms_of(rule: Rule, layer: Layer = Layer.AGENT) -> Terms:
    """Return all that must hold for a rule to apply; empty for a rule that always does."""
    if not (rule.conditions or rule.until_ns or rule.max_uses):
        return ALWAYS
    terms: set[Term] = {_test(condition) for condition in rule.conditions}
    if rule.until_ns:
        terms.add(_test(Condition(TIME, Op.BEFORE, (rule.until_ns,))))
    if rule.max_uses and not restricts(rule, layer):
        terms.add(Uses(rule.id, rule.max_uses))
    return frozenset(terms)


def implied(wanted: Iterable[Term], given: Iterable[Term]) -> bool:
    """Tell whether a rule that needs ``wanted`` surely applies whenever one that needs ``given`` does."""
    known = tuple(given)
    return all(any(implies(one, term) for one in known) for term in wanted)


def implies(given: Term, wanted: Term) -> bool:
    """Tell whether one term surely holds whenever another one does."""
    if given == wanted:
        return True
    if isinstance(given, Harmless) or isinstance(wanted, Harmless):
        return False
    if isinstance(given, Uses) or isinstance(wanted, Uses):
        same = isinstance(given, Uses) and isinstance(wanted, Uses) and given.rule_id == wanted.rule_id
        return same and given.max_uses <= wanted.max_uses  # type: ignore[union-attr]  # both are Uses
    if (given.key, given.operator) != (wanted.key, wanted.operator):
        return False
    compare = _NARROWER.get(given.operator)
    return compare is not None and compare(given.operands, wanted.operands)


def _test(condition: Condition) -> Test:
    operands = [(type(value).__name__, value) for value in condition.operands]
    if condition.operator in _ORDERED:
        operands = [(f"{place} {kind}", value) for place, (kind, value) in enumerate(operands)]
    return Test(condition.key, condition.operator, frozenset(operands))


_Operands = frozenset[Operand]


def _part(given: _Operands, wanted: _Operands) -> bool:
    return given <= wanted


def _inside(given: _Operands, wanted: _Operands) -> bool:
    return all(any(_subnet(small, large) for _, large in wanted) for _, small in given)


def _subnet(small: Scalar, large: Scalar) -> bool:
    one, other = (parse_network(str(text)) for text in (small, large))
    if one is None or other is None or one.version != other.version:
        return False
    first = int(other.network_address)
    return first <= int(one.network_address) and int(one.broadcast_address) <= int(other.broadcast_address)


def _not_above(given: _Operands, wanted: _Operands) -> bool:
    return _number(given) <= _number(wanted)


def _number(operands: _Operands) -> int:
    return max(value for _, value in operands if isinstance(value, int))


def _swapped(compare: Callable[[_Operands, _Operands], bool]) -> Callable[[_Operands, _Operands], bool]:
    return lambda given, wanted: compare(wanted, given)


_NARROWER: Final[Mapping[str, Callable[[_Operands, _Operands], bool]]] = MappingProxyType(
    {
        Op.IS: _part,
        Op.IS_NOT: _swapped(_part),
        Op.IP_IN: _inside,
        Op.IP_NOT_IN: _swapped(_inside),
        Op.MAX: _not_above,
        Op.BEFORE: _not_above,
        Op.MIN: _swapped(_not_above),
        Op.AFTER: _swapped(_not_above),
    }
)
