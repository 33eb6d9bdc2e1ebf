"""Which rules of one policy set apply to one requirement, pattern by pattern: slow, complete and without an index.

`policies.engine` answers through its index and names one rule. Here every rule is looked at, so that people can be told
all of them and what keeps the others out. Conditions, limits and the order of strictness are
`policies.lookup.entries`'s.

A resource with a part the broker could not derive (`policies.patterns.pattern.UNKNOWN`) is granted by a wildcard only;
a rule that restricts applies when it might match, and an approval rule that only might match adds its question to a
grant that is sure. Of a request that returns secrets the agent's own policy grants by rules that say so; beside one of
these the other approval rules ask.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from policies.lookup.entries import Entry, compile_entries
from policies.model import AccessRequest, Effect, Layer, PolicySet, Requirement, Rule
from policies.patterns.pattern import UNKNOWN, compile_pattern
from policies.patterns.variables import values_of


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that applies.

    Args:
        rule: The rule.
        pattern: The resource pattern of it, written out in full, that covers what is asked.
    """

    rule: Rule
    pattern: str


def matching_rules(policy: PolicySet, request: AccessRequest) -> tuple[Rule, ...]:
    """Return the rules that apply to a request of one requirement, the strictest first."""
    return tuple(match.rule for match in matches_of(policy, request))


def matches_of(policy: PolicySet, request: AccessRequest) -> tuple[Match, ...]:
    """Return what applies to a request of one requirement, the strictest first.

    Args:
        policy: The rules.
        request: Its first requirement is asked.

    Raises:
        PolicyError: a rule of the set was not made by the loader and cannot be used.
    """
    asked = request.requirements[0]
    speaking = tuple(rule for rule in policy.rules if action_fits(rule, asked))
    entries = [entry for entry in compile_entries(replace(policy, rules=speaking)) if entry.applies(request)]
    granted = any(_grants(entry, policy, request) for entry in entries)
    found = []
    for entry in entries:
        asks = granted and entry.effect is Effect.REQUIRE_APPROVAL
        if entry.rule is None or (withholds(entry.rule, policy, request) and not asks):
            continue
        pattern = _pattern(entry, request, maybe=entry.restricts or asks)
        if pattern:
            found.append(Match(entry.rule, pattern))
    return tuple(found)


def withholds(rule: Rule, policy: PolicySet, request: AccessRequest) -> bool:
    """Tell whether a rule grants, but not what returns secrets, and that is asked of an agent's own policy."""
    secret = request.returns_secrets and policy.layer is Layer.AGENT
    return secret and rule.effect is not Effect.DENY and not rule.returns_secrets


def action_fits(rule: Rule, asked: Requirement) -> bool:
    """Tell whether a rule speaks of the action that is asked."""
    return any(compile_pattern(action).matches(asked.action) for action in rule.actions)


def granting_pattern(rule: Rule, request: AccessRequest) -> str:
    """Return the first of a rule's resource patterns that surely covers the first requirement; empty without one."""
    resource = request.requirements[0].resource
    return next((text for text in rule.resources if _covers(text, resource, request, restricts=False)), "")


def _grants(entry: Entry, policy: PolicySet, request: AccessRequest) -> bool:
    if entry.rule is None or entry.effect is Effect.DENY or withholds(entry.rule, policy, request):
        return False
    return bool(_pattern(entry, request, maybe=False))


def _pattern(entry: Entry, request: AccessRequest, *, maybe: bool) -> str:
    resource = request.requirements[0].resource
    texts = entry.rule.resources if entry.rule is not None else ()
    fits = (text for text in texts if _covers(text, resource, request, restricts=entry.restricts, maybe=maybe))
    return next(fits, "")


def _covers(text: str, resource: str, request: AccessRequest, *, restricts: bool, maybe: bool = False) -> bool:
    pattern = compile_pattern(text)
    values = values_of(pattern.variables, request)
    # A value that is missing is anything for a rule that restricts, and nothing for one that grants.
    if None in values and not restricts:
        return False
    if maybe and UNKNOWN in resource:
        return pattern.may_match(resource, values)
    return pattern.matches(resource, values)
