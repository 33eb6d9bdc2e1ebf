"""The registry of operators: what a condition can ask about one fact.

Every operator is total and three-valued: true, false, or None for "cannot tell" (a fact of another kind, an address
that is none, a variable without a value). `policies.conditions.guards` turns "cannot tell" into the safe answer.

    ip_in, ip_not_in      text against networks                     ("10.0.0.0/8", "2001:db8::/32")
    time_in, time_not_in  the moment against windows                ("Europe/Berlin", "mon,tue", "09:00-17:00", ...)
    before, after         the moment against a moment               (nanoseconds since the epoch,)
    is, is_not            text, number or boolean against values    ("t3.*", 5, True); `policies.conditions.values`
    min, max              a whole number against a bound            (10,)

Conditions are stored in policy versions: an operator keeps its name and its meaning for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeGuard

from policies.conditions.addresses import mask_of, parse_address, parse_network
from policies.conditions.moments import written
from policies.conditions.values import Values
from policies.conditions.windows import DAYS, compile_window, parse_hours
from policies.conditions.zones import load_zone
from policies.errors import PolicyError, quote
from policies.model import AccessRequest, Condition, Scalar

Operands = tuple[Scalar, ...]
Test = Callable[[object, AccessRequest], bool | None]
"""One value of the request, whatever it is, and the request it stands in: holds, does not hold, cannot tell."""

MAX_ADDRESS_CHARS: Final = 64
"""Longest text that is read as an address; an IPv6 address with a zone id needs less."""

_SHOWN_OPERANDS: Final = 5


class Op(StrEnum):
    """Names of the operators, as stored."""

    IP_IN = "ip_in"
    IP_NOT_IN = "ip_not_in"
    TIME_IN = "time_in"
    TIME_NOT_IN = "time_not_in"
    BEFORE = "before"
    AFTER = "after"
    IS = "is"
    IS_NOT = "is_not"
    MIN = "min"
    MAX = "max"


class ConditionError(PolicyError):
    """A condition cannot be compiled: no such operator, or operands it does not take; the loader makes none."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    Args:
        compile: Operands to a test; raises ValueError for operands it does not take.
        expected: Operands in words, what a value should be.
    """

    compile: Callable[[Operands], Test]
    expected: Callable[[Operands], str]


def compile_test(condition: Condition) -> Test:
    """Return the test of a condition on one value.

    Raises:
        ConditionError: the condition was not made by the loader and cannot be used.
    """
    try:
        return _operator_of(condition).compile(condition.operands)
    except ValueError as error:
        raise ConditionError(f"condition {quote(condition.key)}: {error}") from None


def expected(condition: Condition) -> str:
    """Return in words what a condition that compiles wants its fact to be."""
    return _operator_of(condition).expected(condition.operands)


def _operator_of(condition: Condition) -> Operator:
    operator = OPERATORS.get(condition.operator)
    if operator is None:
        raise ConditionError(f"no such operator: {quote(condition.operator)}")
    return operator


def _addresses(operands: Operands) -> Test:
    networks = [parse_network(text) for text in _texts(operands)]
    if None in networks:
        raise ValueError("not a network")
    masks = [mask_of(network) for network in networks if network is not None]

    def holds(value: object, request: AccessRequest) -> bool | None:
        del request
        address = parse_address(value) if isinstance(value, str) and len(value) <= MAX_ADDRESS_CHARS else None
        if address is None:
            return None
        version, number = address
        return any(version == own and number & mask == base for own, mask, base in masks)

    return holds


def _windows(operands: Operands) -> Test:
    zone_name, days, *hours = _texts(operands)
    zone, windows = load_zone(zone_name), [parse_hours(text) for text in hours]
    if zone is None or not windows or None in windows or not set(days.split(",")) <= set(DAYS):
        raise ValueError("not a window of time")
    inside = compile_window(zone, days.split(","), [window for window in windows if window is not None])
    return lambda value, _: inside(value) if _is_integer(value) else None


def _values(operands: Operands) -> Test:
    if not operands:
        raise ValueError("no values")
    return Values(operands).holds


def _at_least(operands: Operands) -> Test:
    bound = _bound(operands)
    return lambda value, _: value >= bound if _is_integer(value) else None


def _at_most(operands: Operands) -> Test:
    bound = _bound(operands)
    return lambda value, _: value <= bound if _is_integer(value) else None


def _below(operands: Operands) -> Test:
    bound = _bound(operands)
    return lambda value, _: value < bound if _is_integer(value) else None


def _not(compile_positive: Callable[[Operands], Test]) -> Callable[[Operands], Test]:
    """Return the operator that holds where another one does not; what cannot be told stays so."""

    def compile_negative(operands: Operands) -> Test:
        positive = compile_positive(operands)

        def holds(value: object, request: AccessRequest) -> bool | None:
            answer = positive(value, request)
            return None if answer is None else not answer

        return holds

    return compile_negative


def _texts(operands: Operands) -> list[str]:
    texts = [operand for operand in operands if isinstance(operand, str)]
    if not texts or len(texts) != len(operands):
        raise ValueError("its operands must be text")
    return texts


def _bound(operands: Operands) -> int:
    if len(operands) != 1 or not _is_integer(operands[0]):
        raise ValueError("its operand must be one whole number")
    return int(operands[0])


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _any_of(operands: Operands) -> str:
    shown = " or ".join(quote(_text(operand)) for operand in operands[:_SHOWN_OPERANDS])
    more = len(operands) - _SHOWN_OPERANDS
    return shown + (f" or one of {more} more" if more > 0 else "")


def _text(operand: Scalar) -> str:
    return str(operand).lower() if isinstance(operand, bool) else str(operand)


def _span(operands: Operands) -> str:
    zone, days, *hours = map(_text, operands)
    return f"{days} {' or '.join(hours)} {zone}"


OPERATORS: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        Op.IP_IN: Operator(_addresses, _any_of),
        Op.IP_NOT_IN: Operator(_not(_addresses), lambda operands: f"not {_any_of(operands)}"),
        Op.TIME_IN: Operator(_windows, _span),
        Op.TIME_NOT_IN: Operator(_not(_windows), lambda operands: f"not {_span(operands)}"),
        Op.BEFORE: Operator(_below, lambda operands: f"before {written(_bound(operands))}"),
        Op.AFTER: Operator(_at_least, lambda operands: f"{written(_bound(operands))} or later"),
        Op.IS: Operator(_values, _any_of),
        Op.IS_NOT: Operator(_not(_values), lambda operands: f"not {_any_of(operands)}"),
        Op.MIN: Operator(_at_least, lambda operands: f"at least {_bound(operands)}"),
        Op.MAX: Operator(_at_most, lambda operands: f"at most {_bound(operands)}"),
    }
)
