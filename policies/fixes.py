"""What a denied agent can ask for: the smallest literal rule that would have allowed its request.

The language has no escapes, so a resource with a ``*`` or a space in it cannot be named literally. Such a rule would be
wider than the request; none is offered.
"""

from __future__ import annotations

from typing import Final

from policies.errors import PolicyError, quote
from policies.model import Decision, Effect, Reason, Requirement
from policies.patterns import compile_pattern
from policies.resources import shortest
from policies.rule_text import parse_rule

MAX_RULES_SHOWN: Final = 5

_OWNER: Final = "ask the policy's owner"


def fix_for(decision: Decision) -> str:
    """Return what could be done about a denial, for the agent and its people; empty for anything but a denial."""
    if decision.effect is not Effect.DENY or decision.errors:
        return ""
    denied = [reason for reason in decision.reasons if reason.effect is Effect.DENY]
    forbidden = next((reason for reason in denied if reason.rule_id), None)
    if forbidden is not None:
        return f"{_OWNER}: rule `{forbidden.rule_id}` at {forbidden.span} forbids it and no other rule can allow it"
    return _missing(denied)


def literal_rule(requirement: Requirement) -> str:
    """Return the rule that allows exactly one requirement; empty when no literal rule can name its resource."""
    service = requirement.action.partition(":")[0]
    rule = f"{requirement.action} on {shortest(requirement.resource, service)}"
    if "*" in rule:
        return ""
    try:
        parsed = parse_rule(rule, Effect.ALLOW)
        covered = compile_pattern(parsed.resource).matches(requirement.resource)
    except PolicyError:
        return ""
    return rule if covered and parsed.actions == (requirement.action,) else ""


def _missing(denied: list[Reason]) -> str:
    rules = list(dict.fromkeys(literal_rule(reason.requirement) for reason in denied))
    if not rules or "" in rules:
        return f"{_OWNER} for a wider rule: no literal rule can name this resource" if denied else ""
    shown = ", ".join(quote_whole(rule) for rule in rules[:MAX_RULES_SHOWN])
    more = len(rules) - MAX_RULES_SHOWN
    return f"{_OWNER} for: {shown}" + (f" and {more} more" if more > 0 else "")


def quote_whole(rule: str) -> str:
    """Return a rule in backticks, never clipped: half a rule would be another rule; it holds printable text only."""
    return f"`{rule}`" if rule.isprintable() else quote(rule)
