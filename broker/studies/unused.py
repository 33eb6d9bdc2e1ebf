"""Which rules the recorded intents needed: how often, when last, and how much of what they grant.

A use is not read from the rule named in an event, which may have moved or changed since: every recorded requirement is
put to today's rules again. A rule was used when it applied and its layer said what it says; an allow under a deny was
not. A rule whose conditions ask for facts the ledger does not hold may have been used; that is counted apart, and such
a rule is never called unused.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from broker.clock import rfc3339
from broker.model import JsonObject
from broker.studies.matches import RANK, Match, Matcher
from broker.studies.narrower import narrower_rules
from broker.studies.records import RecordedIntent
from policies.layers import LayeredPolicy
from policies.model import Effect, Layer, Requirement, Rule
from policies.resources.catalogue import UNCHECKED, Catalogue

MAX_KEPT: Final = 1_000
"""Different requirements that are remembered of a rule; one that answered more is wide because it has to be."""


@dataclass(frozen=True, slots=True)
class RuleUse:
    """What became of one rule.

    Args:
        layer: Where it stands.
        rule: The rule.
        agents: For whom it stands, sorted.
        times: Requirements it surely answered.
        perhaps: Requirements it may have answered, as far as the ledger tells.
        last_ns: The last of these, nanoseconds since the epoch; 0 for never.
        narrower: Rules that would have sufficed instead; empty when none is narrower, or the ledger cannot tell.
    """

    layer: Layer
    rule: Rule
    agents: tuple[str, ...]
    times: int
    perhaps: int
    last_ns: int
    narrower: tuple[str, ...]

    @property
    def unused(self) -> bool:
        """Whether it surely answered nothing."""
        return not self.times and not self.perhaps

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "layer": self.layer.value,
            "rule": self.rule.id,
            "file": self.rule.span.file,
            "line": self.rule.span.line,
            "effect": self.rule.effect.value,
            "text": self.rule.text,
            "agents": list(self.agents),
            "times": self.times,
            "perhaps": self.perhaps,
            "last": rfc3339(self.last_ns) if self.last_ns else "",
            "narrower": list(self.narrower),
        }


@dataclass(frozen=True, slots=True)
class UnusedReport:
    """The use of every rule.

    Args:
        intents: How many recorded intents were looked at.
        incomplete: How many of them do not say what policy was asked.
        rules: By file, line and id.
    """

    intents: int
    incomplete: int
    rules: tuple[RuleUse, ...]

    @property
    def unused(self) -> tuple[RuleUse, ...]:
        """The rules that surely answered nothing."""
        return tuple(each for each in self.rules if each.unused)

    @property
    def wider(self) -> tuple[RuleUse, ...]:
        """The rules that grant more than was needed."""
        return tuple(each for each in self.rules if each.narrower)

    def to_json(self) -> JsonObject:
        """Return the report as JSON."""
        return {
            "intents": self.intents,
            "incomplete": self.incomplete,
            "unused": len(self.unused),
            "rules": [each.to_json() for each in self.rules],
        }


async def unused(
    records: AsyncIterable[RecordedIntent],
    policies: Mapping[str, LayeredPolicy],
    catalogue: Catalogue = UNCHECKED,
) -> UnusedReport:
    """Tell how the rules of ``policies`` were used.

    Args:
        records: As `recorded` yields them.
        policies: All layers of every agent; a rule that stands for several agents is told of once.
        catalogue: Types of resources, for the short forms of what is offered.

    Raises:
        StoreUnavailableError, UnreadableEventError: as `recorded`.
    """
    matchers = {agent: Matcher(policy) for agent, policy in policies.items()}
    tallies = _tallies(policies)
    intents = incomplete = 0
    async for record in records:
        intents += 1
        incomplete += not record.requirements
        matcher = matchers.get(record.agent)
        if matcher is None:
            continue
        for requirement in record.requirements:
            for match in _decisive(matcher.matches(record, requirement)):
                tallies[_key(match.layer, match.rule)].count(match, record, requirement)
    rules = sorted(tallies.values(), key=lambda each: (each.rule.span.file, each.rule.span.line, each.rule.id))
    return UnusedReport(intents, incomplete, tuple(each.result(catalogue) for each in rules))


def _tallies(policies: Mapping[str, LayeredPolicy]) -> dict[object, _Tally]:
    tallies: dict[object, _Tally] = {}
    for agent, policy in sorted(policies.items()):
        for layer in policy.layers:
            for rule in layer.policy.rules:
                key = _key(layer.policy.layer, rule)
                tallies.setdefault(key, _Tally(layer.policy.layer, rule)).agents.append(agent)
    return tallies


def _key(layer: Layer, rule: Rule) -> object:
    return layer, rule.span, rule.id


def _decisive(matches: Iterable[Match]) -> list[Match]:
    """Return the matches that say what their layer says, or may."""
    found = list(matches)
    strictest: dict[int, int] = {}
    for match in found:
        if not match.missing:
            strictest[match.depth] = max(strictest.get(match.depth, 0), RANK[match.rule.effect])
    return [match for match in found if RANK[match.rule.effect] >= strictest.get(match.depth, 0)]


@dataclass(slots=True)
class _Tally:
    """What is kept of a rule's uses: bounded, however many there are."""

    layer: Layer
    rule: Rule
    agents: list[str] = field(default_factory=list)
    times: int = 0
    perhaps: int = 0
    last_ns: int = 0
    needed: set[Requirement] = field(default_factory=set)

    def count(self, match: Match, record: RecordedIntent, requirement: Requirement) -> None:
        """Count one use, or perhaps one."""
        self.last_ns = max(self.last_ns, record.at_ns)
        if match.missing:
            self.perhaps += 1
        else:
            self.times += 1
        if len(self.needed) <= MAX_KEPT:
            self.needed.add(requirement)

    def result(self, catalogue: Catalogue) -> RuleUse:
        """Return what is told of the rule."""
        agents = tuple(sorted(set(self.agents)))
        # A narrower gate would let more through unasked, and a narrower denial more at all.
        narrows = self.rule.effect is Effect.ALLOW and len(self.needed) <= MAX_KEPT
        narrower = narrower_rules(self.needed, self.rule, catalogue) if narrows else ()
        return RuleUse(self.layer, self.rule, agents, self.times, self.perhaps, self.last_ns, narrower)
