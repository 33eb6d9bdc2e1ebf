"""The ``when:`` of a rule: what its author writes, read into conditions.

    when:
      source_ip: [10.0.0.0/8, "2001:db8::/32"]
      time: {days: mon-fri, hours: "09:00-17:00", zone: Europe/Berlin}
      before: "2027-01-01T00:00:00Z"
      params.InstanceType: [t3.*, t4g.*]
      params.Count: {min: 1, max: 10}
      params.AccountId: {text: "123456789012"}
      session.branch: feature/*
      agent.owner: {not: "${session.owner}"}

All keys must hold; of several values of a key one suffices. A number is a number and ``true`` is a boolean: quoted ones
are refused, since a text would never meet the param that was meant; ``{text: ...}`` asks for text that looks like them.
Whatever could never hold (an empty list, a minimum above its maximum) is refused too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from policies.conditions.facts import MAX_DEPTH, TIME, is_session_fact
from policies.conditions.hours import read_moment, read_time
from policies.conditions.operands import (
    ReadOne,
    read_negated,
    read_network,
    read_operands,
    read_rate_class,
    read_text,
    read_value,
)
from policies.conditions.operators import Op
from policies.document.nodes import Fields, Node, Pair, Reader
from policies.errors import did_you_mean, quote
from policies.model import Condition, Scalar

MAX_CONDITIONS: Final = 16
"""Conditions of one rule; a ``{min: ..., max: ...}`` counts as two."""

KEYS: Final = ("source_ip", "time", "before", "after", "agent.id", "agent.owner", "project", "rate_class")
"""What a ``when`` can ask for by its whole name; besides there are ``session.LABEL`` and ``params.NAME``."""

_PARAM: Final = re.compile(rf"params(\.[A-Za-z0-9_-]{{1,64}}){{1,{MAX_DEPTH}}}")
_BOUNDS: Final = {"min": Op.MIN, "max": Op.MAX}
_PARAM_FIELDS: Final = ("min", "max", "text", "not")

Conditions = tuple[Condition, ...]
_Read = Callable[[Reader, Node], Conditions]


def parse_when(reader: Reader, node: Node) -> Conditions:
    """Read a ``when`` mapping.

    Args:
        reader: Collects a finding for everything that does not fit.
        node: The value of the key ``when``.

    Returns:
        The conditions in the order written; to be used only when the reader has no findings.
    """
    pairs = reader.pairs(node, "`when`")
    if not pairs and (node.value is None or isinstance(node.value, Fields)):
        reader.report(node, "`when` holds no condition", "leave it out for a rule that always holds")
    conditions = tuple(condition for pair in pairs for condition in _read_pair(reader, pair))
    if len(conditions) > MAX_CONDITIONS:
        reader.report(node, f"a rule has at most {MAX_CONDITIONS} conditions, found {len(conditions)}")
    _check_span(reader, node, conditions)
    return conditions


def _read_pair(reader: Reader, pair: Pair) -> Conditions:
    read = _KNOWN.get(pair.name)
    if read is not None:
        return read(reader, pair.value)
    if is_session_fact(pair.name):
        return _read_simple(reader, pair.value, key=pair.name, read_one=read_text)
    if _PARAM.fullmatch(pair.name) is not None:
        return _read_param(reader, pair)
    if pair.name.startswith("params."):
        reader.report(pair.key, f"not the path of a param: {quote(pair.name)}", "write as `params.Name.Part`")
    else:
        fix = did_you_mean(pair.name, (*KEYS, "session.LABEL", "session.owner", "params.NAME"))
        known = f"known here: {', '.join(KEYS)}, session.LABEL, params.NAME"
        reader.report(pair.key, f"unknown key {quote(pair.name)} in `when`", fix or known)
    return ()


def _read_simple(
    reader: Reader, node: Node, *, key: str, read_one: ReadOne, operators: tuple[Op, Op] = (Op.IS, Op.IS_NOT)
) -> Conditions:
    """Read values or ``{not: values}``."""
    inner, negated = read_negated(reader, node, f"`{key}`")
    if inner is None:
        return ()
    return _condition(key, operators[negated], read_operands(reader, inner, f"`{key}`", read_one))


def _read_param(reader: Reader, pair: Pair) -> Conditions:
    if not isinstance(pair.value.value, Fields):
        return _condition(pair.name, Op.IS, read_operands(reader, pair.value, f"`{pair.name}`", read_value))
    found = reader.fields(pair.value, f"`{pair.name}`", _PARAM_FIELDS)
    if not pair.value.value.pairs:
        reader.report(pair.value, f"`{pair.name}` asks for nothing", f"known here: {', '.join(_PARAM_FIELDS)}")
    conditions: Conditions = ()
    for name, node in found.items():
        what = f"`{name}` of `{pair.name}`"
        if name in _BOUNDS:
            conditions += _condition(pair.name, _BOUNDS[name], (reader.integer(node, what),))
        elif name == "text":
            conditions += _condition(pair.name, Op.IS, read_operands(reader, node, what, read_text))
        else:
            conditions += _condition(pair.name, Op.IS_NOT, _read_excluded(reader, node, what))
    _check_bounds(reader, pair, conditions)
    return conditions


def _read_excluded(reader: Reader, node: Node, what: str) -> tuple[Scalar, ...]:
    if not isinstance(node.value, Fields):
        return read_operands(reader, node, what, read_value)
    text = reader.fields(node, what, ("text",), required=("text",)).get("text")
    return () if text is None else read_operands(reader, text, what, read_text)


def _check_bounds(reader: Reader, pair: Pair, conditions: Conditions) -> None:
    bounds = {condition.operator: condition.operands[0] for condition in conditions if condition.operator in _LIMITS}
    others = [
        operand for condition in conditions if condition.operator not in _LIMITS for operand in condition.operands
    ]
    if bounds and any(isinstance(operand, (str, bool)) for operand in others):
        reader.report(pair.value, f"`{pair.name}` cannot be a number within bounds and something else as well")
    low, high = bounds.get(Op.MIN), bounds.get(Op.MAX)
    if isinstance(low, int) and isinstance(high, int) and low > high:
        reader.report(pair.value, f"`{pair.name}` could never hold: {low} is above {high}")


def _check_span(reader: Reader, node: Node, conditions: Conditions) -> None:
    moments = {condition.operator: condition.operands[0] for condition in conditions if condition.key == TIME}
    before, after = moments.get(Op.BEFORE), moments.get(Op.AFTER)
    if isinstance(before, int) and isinstance(after, int) and after >= before:
        reader.report(node, "`when` could never hold: `after` is no earlier than `before`")


def _condition(key: str, operator: Op, operands: tuple[Scalar, ...]) -> Conditions:
    """Return the condition; none without operands, which have left a finding."""
    return (Condition(key, operator.value, operands),) if operands else ()


_LIMITS: Final = frozenset(_BOUNDS.values())
_KNOWN: Final[dict[str, _Read]] = {
    "source_ip": partial(_read_simple, key="source_ip", read_one=read_network, operators=(Op.IP_IN, Op.IP_NOT_IN)),
    "time": read_time,
    "before": partial(read_moment, what="`before`", operator=Op.BEFORE),
    "after": partial(read_moment, what="`after`", operator=Op.AFTER),
    "agent.id": partial(_read_simple, key="agent.id", read_one=read_text),
    "agent.owner": partial(_read_simple, key="agent.owner", read_one=read_text),
    "project": partial(_read_simple, key="project", read_one=read_text),
    "rate_class": partial(_read_simple, key="rate_class", read_one=read_rate_class),
}
