"""The rules of one layer, compiled: what they say about one requirement.

A part of a resource that the broker could not derive (`policies.patterns.pattern.UNKNOWN`) can only be granted by a
wildcard, and every deny or approval rule that *might* match for some value of it applies.

An approval rule is a grant with a gate: by itself it allows, after a human agreed. Conditions, limits of uses and
variables can keep a rule from matching; where they cannot be told, what grants does not apply and what restricts does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from policies.errors import PatternError, quote
from policies.language.actions import is_canonical
from policies.lookup.bounds import MAX_STEPS, MAX_UNINDEXED, BoundError, worst
from policies.lookup.buckets import Bucket
from policies.lookup.entries import UNSURE, Entry, Leaf, compile_entries, deciding
from policies.lookup.index import PatternIndex
from policies.lookup.possible import TooManyError
from policies.lookup.trie import split
from policies.model import AccessRequest, ApprovalTerms, Effect, Layer, PolicySet, Requirement
from policies.patterns.pattern import UNKNOWN, Pattern, compile_pattern

Verdict = tuple[Entry | None, tuple[ApprovalTerms, ...]]
"""The rule of a layer that decides a requirement, None when it is silent, and the terms of those that ask."""

_NEAREST_STEPS: Final = 40
"""Steps to find the nearest rule of one bucket."""
_ELSEWHERE_STEPS: Final = 1_000
"""Steps spent on finding a rule that grants another action on the same resource."""
_QUOTED_CHARS: Final = 96
"""Longest text that `quote` does not clip."""


class RuleBook:
    """The rules of one layer; immutable, so one can serve every thread and be swapped whole.

    ``guards`` tells whether its silence objects to nothing, ``limited`` names the rules with a limit of uses.

    Args:
        policy: What to compile. One without an agent speaks of any agent.

    Raises:
        PatternError: a pattern of the set breaks a limit; sets made by the loader never do.
        ConditionError: a condition cannot be used; sets made by the loader have none of these.
        BoundError: a decision could take too long.
    """

    __slots__ = ("_actions", "_by_action", "_named", "guards", "limited", "policy")

    gives: ClassVar[bool] = False
    """True for one that speaks of requests that return secrets, and of nothing else."""

    def __init__(self, policy: PolicySet) -> None:
        self.policy = policy
        self.guards = policy.layer is Layer.GUARDRAIL
        entries = compile_entries(policy)
        self.limited = frozenset(entry.key for entry in entries if entry.key)
        self._by_action = _buckets(entries)
        self._actions = PatternIndex(self._by_action)
        _check_steps(self._actions, self._by_action)
        literals = [pattern.text for pattern, _ in self._by_action if is_canonical(pattern.text)]
        self._named = {action: tuple(sorted(self._actions.find(action), key=_stars)) for action in literals}

    def knows(self, action: str) -> bool:
        """Tell whether a rule names an action literally, so that it is known to be a canonical one."""
        return action in self._named

    def weigh(self, requirement: Requirement, segments: Sequence[str], request: AccessRequest) -> Verdict:
        """Return what this layer says about one requirement.

        Args:
            requirement: What is asked.
            segments: Its resource, split.
            request: Where the requirement stands.
        """
        resource = requirement.resource
        buckets = self._buckets(requirement.action)
        found: list[Leaf] = []
        for bucket in buckets:
            found += bucket.find(resource, segments, request)
        if UNKNOWN in resource:
            return self._weigh_unknown(found, buckets, resource, request)
        return deciding(found, request) if found else (None, ())

    def nearest(self, requirement: Requirement, request: AccessRequest) -> str:
        """Return where the granting rule stands that came closest to a requirement no rule speaks of, in words.

        A rule about the same action is preferred, else one that grants something else on the same resource, as far as
        a bounded search finds one. Empty when there is none.
        """
        for bucket in self._buckets(requirement.action):
            nearest = bucket.nearest(requirement.resource)
            if nearest is not None:
                pattern, entry = nearest
                return f"{entry.said} it on {quoted(pattern)}"
        there = self._granted_there(requirement.resource, request)
        if there is None or there.rule is None:
            return ""
        return f"{there.said} `{', '.join(there.rule.actions)}` there"

    def _buckets(self, action: str) -> Sequence[Bucket]:
        named = self._named.get(action)
        return self._actions.find(action) if named is None else named

    def _weigh_unknown(
        self, found: list[Leaf], buckets: Sequence[Bucket], resource: str, request: AccessRequest
    ) -> Verdict:
        """Weigh what surely matches together with what only might.

        A gate that only might match adds its question to a grant, it grants nothing by itself. Beside a guardrail
        the grant is another layer's, so its gates always count.
        """
        sure, terms = deciding(found, request)
        if sure is not None and sure.effect is Effect.DENY:
            return sure, terms
        try:
            possible = [leaf for bucket in buckets for leaf in bucket.find_possible(resource, request)]
        except TooManyError:
            return UNSURE, ()
        if sure is None and not self.guards:
            possible = [tuple(entry for entry in leaf if entry.effect is Effect.DENY) for leaf in possible]
        return deciding([*found, *possible], request)

    def _granted_there(self, resource: str, request: AccessRequest) -> Entry | None:
        segments, steps = split(resource), 0
        for _, bucket in self._by_action:
            steps += bucket.steps
            if steps > _ELSEWHERE_STEPS:
                break
            for leaf in bucket.find(resource, segments, request):
                if leaf[-1].effect is not Effect.DENY:
                    return leaf[-1]
        return None


def quoted(text: str) -> str:
    """Return what `quote` returns, sooner for text of the usual kind."""
    return f"`{text}`" if len(text) <= _QUOTED_CHARS and text.isprintable() else quote(text)


def _buckets(entries: Iterable[Entry]) -> list[tuple[Pattern, Bucket]]:
    """Return the rules by action pattern.

    Raises:
        PatternError: a pattern breaks a limit.
        BoundError: too many patterns cannot be indexed.
    """
    patterns: dict[str, Pattern] = {}
    by_action: dict[str, list[tuple[Pattern, Entry]]] = {}
    for entry in entries:
        rule = entry.rule
        if rule is None:
            continue
        resources = [_pattern(text, patterns) for text in rule.resources]
        for action in rule.actions:
            text = _pattern(action, patterns).key
            by_action.setdefault(text, []).extend([(pattern, entry) for pattern in resources])
    unindexed = sum(not pattern.segmented for pattern in patterns.values())
    if unindexed > MAX_UNINDEXED:
        message = f"{unindexed} patterns hold an inner `**` or a variable, at most {MAX_UNINDEXED} may"
        raise BoundError(message, "write `*` for one segment instead of `**`")
    return [(_action(text), Bucket(text, rules)) for text, rules in by_action.items()]


def _stars(bucket: Bucket) -> int:
    return bucket.action.count("*")


def _pattern(text: str, patterns: dict[str, Pattern]) -> Pattern:
    """Compile each text once."""
    pattern = patterns.get(text)
    if pattern is None:
        pattern = patterns[text] = compile_pattern(text)
    return pattern


def _action(text: str) -> Pattern:
    pattern = compile_pattern(text)
    if pattern.variables:
        raise PatternError(f"an action holds no variable: {quote(text)}")
    return pattern


def _check_steps(actions: PatternIndex[Bucket], buckets: Iterable[tuple[Pattern, Bucket]]) -> None:
    """Refuse what could take too long.

    Raises:
        BoundError: the worst look-up takes more than `MAX_STEPS`.
    """
    steps = worst(actions, lambda bucket: bucket.steps + _NEAREST_STEPS)
    if steps <= MAX_STEPS:
        return
    heaviest = max((bucket for _, bucket in buckets), key=lambda bucket: bucket.steps)
    message = (
        f"one decision could take {steps:,} steps, at most {MAX_STEPS:,} may; "
        f"the rules about {quote(heaviest.action)} take most"
    )
    fix = (
        "too many of them can match one resource: write fewer wildcards before the last segment, fewer conditions on "
        f"one resource, or one rule instead of many, as near {heaviest.costliest.span}"
    )
    raise BoundError(message, fix)
