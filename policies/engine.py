"""The decision: pure, total, independent of the order of rules.

For each requirement the strictest matching rule wins: DENY over REQUIRE_APPROVAL over ALLOW; no matching rule is a
denial. A request has the strictest effect of its requirements. Anything odd (no requirement, an action that is no
canonical name, a resource with control characters, a foreign agent, a fault of this code) denies and says so in
``errors``.

A part of a resource that the broker could not derive (`policies.patterns.UNKNOWN`) can only be granted by a wildcard,
and every deny or approval rule that *might* match for some value of it applies.

An approval rule is a grant with a gate: by itself it allows, after a human agreed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from policies.actions import is_canonical
from policies.errors import PolicyError, quote
from policies.index import PatternIndex
from policies.model import (
    AccessRequest,
    ApprovalTerms,
    Decision,
    Effect,
    PolicySet,
    Reason,
    Requirement,
    Rule,
)
from policies.patterns import MAX_RESOURCE_CHARS, UNKNOWN, Pattern, compile_pattern

MAX_REQUIREMENTS: Final = 4096
"""Requirements of one request; S3 deletes at most 1000 objects at once."""

_RANK: Final = {Effect.ALLOW: 0, Effect.REQUIRE_APPROVAL: 1, Effect.DENY: 2}
_NOT_IN_A_RESOURCE: Final = re.compile("[\x01-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A rule with its place in the order of strictness: the smallest of all matches decides."""

    order: int
    effect: Effect
    rule: Rule


_Bucket = PatternIndex[_Entry]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that speaks to one requirement.

    Args:
        decision: The decision on it alone.
        matches: Every rule that matches, the deciding one first.
        nearest: When none does, the granting rule that came closest.
    """

    decision: Decision
    matches: tuple[Rule, ...]
    nearest: Rule | None


class CompiledPolicy:
    """A policy set with its index; immutable, so one can serve every thread and be swapped whole.

    Args:
        policy: What to compile.

    Raises:
        PatternError: a pattern of the set breaks a limit; sets made by the loader never do.
    """

    __slots__ = ("_buckets", "_granting", "_grants", "policy")

    def __init__(self, policy: PolicySet) -> None:
        self.policy = policy
        patterns: dict[str, Pattern] = {}
        entries = [_Entry(order, rule.effect, rule) for order, rule in enumerate(sorted(policy.rules, key=_strictness))]
        grants = [entry for entry in entries if entry.effect is not Effect.DENY]
        self._buckets = _by_action(entries, patterns)
        self._grants = _by_action(grants, patterns)
        self._granting = _by_resource(grants, patterns)

    def decide(self, request: AccessRequest) -> Decision:
        """Decide a request; never raises."""
        try:
            return self._decide(request)
        except Exception as error:  # noqa: BLE001 - whatever breaks here must end in a denial, not in an answer to guess
            return _refusal(self.policy, f"the policy engine failed: {type(error).__name__}")

    def explain(self, requirement: Requirement) -> Explanation:
        """Tell everything this policy has to say about one requirement; never raises."""
        request = AccessRequest(self.policy.agent, "", (requirement,))
        decision = self.decide(request)
        if decision.errors:
            return Explanation(decision, (), None)
        entries = sorted(self._matches(requirement), key=lambda entry: entry.order)
        nearest = None if entries else self._nearest(requirement)
        return Explanation(decision, tuple(entry.rule for entry in entries), nearest)

    def _decide(self, request: AccessRequest) -> Decision:
        fault = self._fault(request)
        if fault:
            return _refusal(self.policy, fault)
        reasons: list[Reason] = []
        approvals: dict[ApprovalTerms, None] = {}
        effect = Effect.ALLOW
        for requirement in request.requirements:
            reason, terms = self._answer(requirement)
            reasons.append(reason)
            approvals.update(dict.fromkeys(terms))
            if _RANK[reason.effect] > _RANK[effect]:
                effect = reason.effect
        asked = tuple(approvals) if effect is Effect.REQUIRE_APPROVAL else ()
        return Decision(effect, tuple(reasons), asked, self.policy.version)

    def _fault(self, request: AccessRequest) -> str:
        if request.agent != self.policy.agent:
            return f"this is the policy of {quote(self.policy.agent)}, asked about {quote(request.agent)}"
        if not request.requirements:
            return "the request names no requirement"
        if len(request.requirements) > MAX_REQUIREMENTS:
            return f"the request has more than {MAX_REQUIREMENTS} requirements"
        for requirement in request.requirements:
            if not is_canonical(requirement.action):
                return f"not a canonical action: {quote(requirement.action)}"
            resource = requirement.resource
            if not 1 <= len(resource) <= MAX_RESOURCE_CHARS:
                return f"a resource has 1 to {MAX_RESOURCE_CHARS} characters, found {len(resource)}"
            if _NOT_IN_A_RESOURCE.search(resource) is not None:
                return f"a control character in {quote(resource)}"
        return ""

    def _answer(self, requirement: Requirement) -> tuple[Reason, list[ApprovalTerms]]:
        entries = self._matches(requirement)
        if not entries:
            return Reason(requirement, Effect.DENY, "", None, self._default_denial(requirement)), []
        best = min(entries, key=lambda entry: entry.order)
        rule = best.rule
        text = f"rule `{rule.id}` at {rule.span} {_VERBS[best.effect]} `{requirement.action}` on {_shown(requirement)}"
        terms: list[ApprovalTerms] = []
        if best.effect is Effect.REQUIRE_APPROVAL:
            gates = sorted((entry for entry in entries if entry.rule.approval), key=lambda entry: entry.order)
            terms = [entry.rule.approval for entry in gates if entry.rule.approval]
        return Reason(requirement, best.effect, rule.id, rule.span, text), terms

    def _matches(self, requirement: Requirement) -> list[_Entry]:
        """Return the rules that apply to a requirement; none when nothing grants it and no deny rule speaks."""
        buckets = self._buckets.find(requirement.action)
        resource = requirement.resource
        if UNKNOWN not in resource:
            return [entry for bucket in buckets for entry in bucket.find(resource)]
        sure = [entry for bucket in buckets for entry in bucket.find(resource)]
        granted = any(entry.effect is not Effect.DENY for entry in sure)
        possible = [entry for bucket in buckets for entry in bucket.find_possible(resource)]
        forbidding = [entry for entry in possible if entry.effect is Effect.DENY]
        gating = [entry for entry in possible if entry.effect is Effect.REQUIRE_APPROVAL]
        # A gate that only might match adds its question to a grant, it grants nothing by itself.
        return [*sure, *forbidding, *gating] if granted else forbidding

    def _nearest(self, requirement: Requirement) -> Rule | None:
        """Return the granting rule of the same action whose resource is most alike, else one about the resource."""
        for bucket in self._grants.find(requirement.action):
            entry = bucket.nearest(requirement.resource)
            if entry is not None:
                return entry.rule
        there = min(self._granting.find(requirement.resource), key=lambda entry: entry.order, default=None)
        return None if there is None else there.rule

    def _default_denial(self, requirement: Requirement) -> str:
        text = f"no rule allows `{requirement.action}` on {_shown(requirement)}"
        rule = self._nearest(requirement)
        if rule is None:
            return text
        if any(compile_pattern(action).matches(requirement.action) for action in rule.actions):
            return f"{text}; nearest: {rule.span} {_VERBS[rule.effect]} it on {quote(rule.resources[0])}"
        return f"{text}; nearest: {rule.span} {_VERBS[rule.effect]} `{', '.join(rule.actions)}` there"


_VERBS: Final = {Effect.ALLOW: "allows", Effect.REQUIRE_APPROVAL: "asks a human for", Effect.DENY: "forbids"}


def compile_policy(policy: PolicySet) -> CompiledPolicy:
    """Build the index of a policy set once, for any number of decisions.

    Raises:
        PatternError: a pattern of the set breaks a limit; sets made by the loader never do.
    """
    return CompiledPolicy(policy)


def decide(policy: PolicySet, request: AccessRequest) -> Decision:
    """Decide one request on a set that is not compiled; compiles it each time, never raises."""
    try:
        return CompiledPolicy(policy).decide(request)
    except PolicyError as error:
        return _refusal(policy, f"the policy cannot be used: {error}")


def _by_action(entries: Iterable[_Entry], patterns: dict[str, Pattern]) -> PatternIndex[_Bucket]:
    by_action: dict[str, list[_Entry]] = {}
    for entry in entries:
        for action in entry.rule.actions:
            by_action.setdefault(action, []).append(entry)
    return PatternIndex(
        (_pattern(action, patterns), _by_resource(found, patterns)) for action, found in by_action.items()
    )


def _by_resource(entries: Iterable[_Entry], patterns: dict[str, Pattern]) -> _Bucket:
    return PatternIndex((_pattern(resource, patterns), entry) for entry in entries for resource in entry.rule.resources)


def _pattern(text: str, patterns: dict[str, Pattern]) -> Pattern:
    """Compile each text once."""
    if text not in patterns:
        patterns[text] = compile_pattern(text)
    return patterns[text]


def _strictness(rule: Rule) -> tuple[int, str, int, int, str]:
    return -_RANK[rule.effect], rule.span.file, rule.span.line, rule.span.column, rule.id


def _shown(requirement: Requirement) -> str:
    return quote(requirement.resource.replace(UNKNOWN, "(unknown)"))


def _refusal(policy: PolicySet, error: str) -> Decision:
    return Decision(Effect.DENY, (), (), policy.version, (error,))
