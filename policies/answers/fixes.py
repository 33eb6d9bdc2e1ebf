"""What a denied agent can ask for: the smallest literal rule that would have allowed its request.

The language has no escapes, so a resource with a ``*``, a ``${`` or a space in it cannot be named literally. Such a
rule would be wider than the request; none is offered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from policies.errors import PolicyError, quote
from policies.language.rule_text import parse_rule
from policies.model import Decision, Effect, Layer, Reason, Requirement
from policies.resources.catalogue import UNCHECKED, Catalogue

MAX_RULES_SHOWN: Final = 5

_OWNERS: Final[Mapping[Layer, str]] = MappingProxyType(
    {
        Layer.GUARDRAIL: "ask the guardrails' owner",
        Layer.BOUNDARY: "ask the owner of the project's boundary",
        Layer.AGENT: "ask the policy's owner",
        Layer.SESSION: "ask who started the session",
    }
)


def fix_for(decision: Decision, catalogue: Catalogue = UNCHECKED) -> str:
    """Return what could be done about a denial, for the agent and its people; empty for anything but a denial.

    Args:
        decision: What was decided.
        catalogue: Knows the short forms of resources.
    """
    if decision.effect is not Effect.DENY or decision.errors:
        return ""
    denied = [reason for reason in decision.reasons if reason.effect is Effect.DENY]
    forbidden = next((reason for reason in denied if reason.rule_id), None)
    if forbidden is not None:
        owner = _OWNERS[forbidden.layer]
        return f"{owner}: rule `{forbidden.rule_id}` at {forbidden.span} forbids it and no other rule can allow it"
    by_layer = ([reason for reason in denied if reason.layer is layer] for layer in Layer)
    return "; ".join(_missing(reasons, catalogue) for reasons in by_layer if reasons)


def literal_rule(requirement: Requirement, catalogue: Catalogue = UNCHECKED) -> str:
    """Return the rule that allows exactly one requirement, in its shortest form.

    Args:
        requirement: What was asked.
        catalogue: Knows the short forms of resources.

    Returns:
        The rule, without an effect; empty when no literal rule can name the resource.
    """
    if "*" in requirement.resource or "${" in requirement.resource:
        return ""
    for resource in _forms(requirement, catalogue):
        rule = f"{requirement.action} on {resource}"
        try:
            parsed = parse_rule(rule, Effect.ALLOW, catalogue)
        except PolicyError:
            continue
        # A rule that reads as anything else than the very name, if only for one wildcard, would allow more.
        if parsed.actions == (requirement.action,) and parsed.resources == (requirement.resource,):
            return rule
    return ""


def quote_whole(rule: str) -> str:
    """Return a rule in backticks, never clipped: half a rule would be another rule; it holds printable text only."""
    return f"`{rule}`" if rule.isprintable() else quote(rule)


def _forms(requirement: Requirement, catalogue: Catalogue) -> Iterator[str]:
    """Yield the ways to write a resource, shortest first."""
    found = catalogue.kind_of(requirement.action, requirement.resource)
    if found is not None:
        kind, values = found
        yield from sorted((form.render(values) for form in kind.forms), key=len)
    else:
        yield requirement.resource


def _missing(denied: list[Reason], catalogue: Catalogue) -> str:
    """Return what to ask for where one layer's rules are silent."""
    owner = _OWNERS[denied[0].layer]
    rules = list(dict.fromkeys(literal_rule(reason.requirement, catalogue) for reason in denied))
    option = " with `returns_secrets: true`" if denied[0].returns_secrets else ""
    if "" in rules:
        return f"{owner} for a wider rule{option}: no literal rule can name this resource"
    shown = ", ".join(quote_whole(rule) for rule in rules[:MAX_RULES_SHOWN])
    more = len(rules) - MAX_RULES_SHOWN
    return f"{owner} for: {shown}{f' and {more} more' if more > 0 else ''}{option}"
