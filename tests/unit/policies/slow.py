"""The slow, obvious meaning of patterns, rules and layers; shares no code with the engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from policies.model import AccessRequest, Effect, Layer, PolicySet, Requirement, Rule

RANK = {Effect.ALLOW: 0, Effect.REQUIRE_APPROVAL: 1, Effect.DENY: 2}

_VARIABLE = re.compile(r"\$\{([a-z.]+)(?:=([*/]+))?\}")
_FITS = {None: "[^/:]+", "*/*": "[^/:]+/[^/:]+", "**": ".+"}


def covers(pattern: str, asked: str, values: Mapping[str, str] | None = None) -> bool:
    """Tell whether a pattern covers a text; a variable without a value that fits is anything."""
    items = _items(pattern, values or {})

    @cache
    def at(place: int, read: int) -> bool:
        if place == len(items):
            return read == len(asked)
        kind, char = items[place]
        if kind == "literal":
            return read < len(asked) and asked[read] == char and at(place + 1, read + 1)
        if at(place + 1, read):
            return True
        return read < len(asked) and (kind == "anything" or asked[read] not in "/:") and at(place, read + 1)

    return at(0, 0)


def lacks_a_value(pattern: str, values: Mapping[str, str]) -> bool:
    return any(_value(match, values) is None for match in _VARIABLE.finditer(pattern))


def values_of(request: AccessRequest) -> dict[str, str]:
    claims = {key: value for key, value in request.context.items() if isinstance(value, str)}
    return {"agent.id": request.agent, "project": request.project, **claims}


def says(policy: PolicySet, requirement: Requirement, request: AccessRequest) -> Effect | None:
    """Return what one layer says; None for silence."""
    effects = [rule.effect for rule in policy.rules if _speaks(rule, policy.layer, requirement, request)]
    return max(effects, key=RANK.__getitem__, default=None)


def decides(layers: tuple[PolicySet, ...], requirement: Requirement, request: AccessRequest) -> Effect:
    """Return the strictest answer of all layers."""
    if all(layer.layer is Layer.GUARDRAIL for layer in layers):
        return Effect.DENY
    answers = [(layer.layer, says(layer, requirement, request)) for layer in layers]
    heard = [answer or Effect.DENY for kind, answer in answers if answer or kind is not Layer.GUARDRAIL]
    if request.returns_secrets and not grants_secrets(layers, requirement, request):
        return Effect.DENY
    return max(heard, key=RANK.__getitem__)


def grants_secrets(layers: tuple[PolicySet, ...], requirement: Requirement, request: AccessRequest) -> bool:
    """Tell whether every agent's own policy, of which there is one at least, has a rule that grants secrets."""
    own = [layer for layer in layers if layer.layer is Layer.AGENT]
    granting = [
        any(
            rule.returns_secrets and rule.effect is not Effect.DENY and _speaks(rule, layer.layer, requirement, request)
            for rule in layer.rules
        )
        for layer in own
    ]
    return bool(own) and all(granting)


def _speaks(rule: Rule, layer: Layer, requirement: Requirement, request: AccessRequest) -> bool:
    restricts = rule.effect is Effect.DENY or (rule.effect is Effect.REQUIRE_APPROVAL and layer is Layer.GUARDRAIL)
    values = values_of(request)
    return (
        any(covers(pattern, requirement.action) for pattern in rule.actions)
        and any(
            covers(pattern, requirement.resource, values) and (restricts or not lacks_a_value(pattern, values))
            for pattern in rule.resources
        )
        and all(_holds(condition.key, condition.operands[0], request, restricts) for condition in rule.conditions)
        and (restricts or not rule.max_uses or request.uses.get(rule.id, 0) < rule.max_uses)
    )


def _holds(key: str, operand: object, request: AccessRequest, restricts: bool) -> bool:
    if key not in request.context:
        return restricts
    return request.context[key] == operand


def _items(pattern: str, values: Mapping[str, str]) -> list[tuple[str, str]]:
    items: list[tuple[str, str]] = []
    place = 0
    while place < len(pattern):
        variable = _VARIABLE.match(pattern, place)
        if variable is not None:
            value = _value(variable, values)
            items += [("anything", "")] if value is None else [("literal", char) for char in value]
            place = variable.end()
            continue
        end = place
        while end < len(pattern) and pattern[end] == "*":
            end += 1
        if end == place:
            items.append(("literal", pattern[place]))
            end += 1
        else:
            items.append(("anything" if end - place > 1 or end == len(pattern) else "segment", ""))
        place = end
    return items


def _value(variable: re.Match[str], values: Mapping[str, str]) -> str | None:
    value = values.get(variable[1], "")
    return value if re.fullmatch(_FITS[variable[2]], value) else None
