"""Where two sides decide differently: the exact search behind differences and the containment of scopes.

A *side* is the layers of one agent as they were, or as they are to be. A *lead* is a rule in whose language a
difference is looked for. The search walks the resources of the lead, the resource patterns of all rules that can meet
it run beside, and after each text both sides are asked for their level in every scenario of the conditions that meet
there.

A variable whose value is not known is taken as a value that no rule spells out, and then as the first
`policies.analysis.arena.MAX_VALUES` values that rules near the lead do spell out, one variable at a time.

Requests that return secrets are asked of one more layer (`policies.lookup.secrets`). Where it is not known whether they
do, that layer allows everything while the term `policies.analysis.terms.Harmless` holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policies.analysis.action_classes import ActionClass, classes_of
from policies.analysis.arena import Arena, Block, World
from policies.analysis.languages import NO_VALUES, Automaton, Tokens, unknowns, word_of
from policies.analysis.levels import Level, Voice, can_reach, level_of
from policies.analysis.scenarios import Scenario, scenarios
from policies.analysis.terms import ALWAYS, Harmless, Terms, restricts, terms_of
from policies.analysis.walk import BUDGET, UndecidedError, Word, walk
from policies.lookup.secrets import grants_secrets, secrets_of
from policies.model import Effect, Layer, PolicySet, Requirement, Rule, Span
from policies.patterns.pattern import compile_pattern

Change = tuple[Level, Level]
"""What was permitted and what is to be."""

_STYLES: Final = ("{}", "some-{}", "x")
"""How a value is made up for a variable that could have any; the first that no rule minds is taken."""

_HARMLESS: Final[Terms] = frozenset({Harmless()})
_EVERYTHING: Final = Rule("", Effect.ALLOW, ("*",), ("**",), Span("", 0))
"""What the layer that grants secrets says of a request that returns none."""

_OLD: Final = 0
_NEW: Final = 1


@dataclass(frozen=True, slots=True)
class Found:
    """One requirement the sides decide differently.

    Args:
        requirement: A shortest one.
        change: What the sides permit.
        scenario: Which terms hold then; empty when nothing depends on any.
        values: Values of variables that were taken for it.
    """

    requirement: Requirement
    change: Change
    scenario: Scenario
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a search came to.

    Args:
        found: For each change a shortest requirement.
        decided: False when the budget ended the search, so that there may be more.
    """

    found: Mapping[Change, Found]
    decided: bool = True


class Comparison:
    """Two sides, ready to be searched.

    Args:
        old: Layers as they were.
        new: Layers as they are to be.
        known: Actions that can be asked for; None when that is not known.
        values: Variables whose value is known.
        secrets: Whether the requests return secrets; None when both kinds are looked at.
    """

    __slots__ = ("_arenas", "_known", "_sides", "_values", "_voices")

    def __init__(
        self,
        old: Sequence[PolicySet],
        new: Sequence[PolicySet],
        *,
        known: Collection[str] | None = None,
        values: Mapping[str, str] = NO_VALUES,
        secrets: bool | None = False,
    ) -> None:
        self._known = known
        self._values = values
        self._arenas: dict[frozenset[str], Arena] = {}
        self._voices: dict[str, list[Voice]] = {}
        # While no rule grants secrets, both sides deny them all.
        either = secrets is None and any(map(grants_secrets, _rules(old, new)))
        self._sides = tuple(
            tuple(self._hear(side, policies, secrets=either or bool(secrets), either=either))
            for side, policies in enumerate((old, new))
        )

    def search(
        self, lead: Rule, changes: Collection[Change], *, shapes: Sequence[Tokens] = (), budget: int = BUDGET
    ) -> Findings:
        """Return a shortest requirement for each of the changes that the lead's language holds.

        Args:
            lead: Its actions and resources are searched.
            changes: What is looked for.
            shapes: When given, only resources that one of these covers count.
            budget: Steps for each action and resource of the lead.
        """
        best: dict[Change, Found] = {}
        decided = True
        for same in classes_of(lead.actions, self._voices, self._known):
            try:
                for found in self._in_class(same, lead, changes, shapes, budget):
                    known = best.get(found.change)
                    if known is None or _length(found) < _length(known):
                        best[found.change] = found
            except UndecidedError:
                decided = False
        return Findings(best, decided)

    def change_at(self, requirement: Requirement, scenario: Scenario, values: Mapping[str, str]) -> Change | None:
        """Return what both sides permit one requirement; None when that depends on a term outside the scenario.

        Args:
            requirement: Written out.
            scenario: Which terms hold.
            values: Values of variables; one that has none matches nothing.
        """
        voices = self.speaking(requirement, values)
        if any(term not in scenario for voice in voices for term in voice.terms):
            return None
        return self._change(voices, scenario)

    def speaking(self, requirement: Requirement, values: Mapping[str, str]) -> list[Voice]:
        """Return the rules of both sides that match one requirement, whatever their conditions.

        Args:
            requirement: Written out.
            values: Values of variables; one that has none matches nothing.
        """
        patterns = frozenset(text for text in self._voices if compile_pattern(text).matches(requirement.action))
        letters = tuple(requirement.resource)
        blocks = self._arena(patterns).blocks({**values, **self._values}, near=letters)
        return _voices_of(blocks, Automaton([block.tokens for block in blocks]).run(letters))

    def confirms(self, found: Found) -> bool:
        """Tell whether the sides decide a requirement as a finding says."""
        return self.change_at(found.requirement, found.scenario, found.values) == found.change

    def _hear(self, side: int, policies: Sequence[PolicySet], *, secrets: bool, either: bool) -> Iterator[Layer]:
        """Take the rules of one side in, and yield its layers."""
        number = 0
        for policy in policies:
            own = secrets and policy.layer is Layer.AGENT
            for asked in (policy, secrets_of(policy)) if own else (policy,):
                for rule in asked.rules:
                    terms, takes = terms_of(rule, policy.layer), restricts(rule, policy.layer)
                    self._add(Voice(side, number, rule.effect, terms, takes, rule))
                yield policy.layer
                number += 1
            if own and either:
                self._add(Voice(side, number - 1, Effect.ALLOW, _HARMLESS, False, _EVERYTHING))  # noqa: FBT003 - fields

    def _add(self, voice: Voice) -> None:
        for action in voice.rule.actions:
            self._voices.setdefault(action, []).append(voice)

    def _arena(self, patterns: frozenset[str]) -> Arena:
        if patterns not in self._arenas:
            voices = (voice for pattern in sorted(patterns) for voice in self._voices.get(pattern, ()))
            # A rule may match by several of its actions and speaks once.
            self._arenas[patterns] = Arena(dict.fromkeys(voices))
        return self._arenas[patterns]

    def _in_class(
        self, same: ActionClass, lead: Rule, changes: Collection[Change], shapes: Sequence[Tokens], budget: int
    ) -> Iterator[Found]:
        arena = self._arena(same.patterns)
        for resource in lead.resources:
            for world in arena.worlds(resource, forbids=lead.effect is Effect.DENY, values=self._values):
                wanted = {change for change in changes if self._can_be(change, world)}
                for word, change, scenario in self._look(world, wanted, shapes, budget):
                    yield self._settled(same.action, word, world, change, scenario)

    def _settled(self, action: str, word: Word, world: World, change: Change, scenario: Scenario) -> Found:
        """Write out unknown variables by values that no rule minds."""
        settled = [
            Found(
                Requirement(action, word_of(word, style)), change, scenario, {**world.values, **unknowns(word, style)}
            )
            for style in _STYLES
        ]
        if len(settled[0].values) == len(world.values):
            return settled[0]
        return next((one for one in settled if self.confirms(one)), settled[-1])

    def _can_be(self, change: Change, world: World) -> bool:
        voices = [voice for block in world.blocks for voice in block.voices]
        return all(
            can_reach(self._sides[side], [voice for voice in voices if voice.side == side], level)
            for side, level in enumerate(change)
        )

    def _look(
        self, world: World, wanted: set[Change], shapes: Sequence[Tokens], budget: int
    ) -> Iterator[tuple[Word, Change, Scenario]]:
        """Yield the first word for each wanted change."""
        if not wanted:
            return
        blocks = world.blocks
        beside = Automaton([*(block.tokens for block in blocks), *shapes])
        exact = sum(mask for mask, block in zip(beside.masks, blocks, strict=False) if not _is_sure_denial(block))
        exact |= sum(beside.masks[len(blocks) :])
        met: set[frozenset[int]] = set()
        for word, states in walk(world.lead, beside, exact=exact, budget=budget):
            numbers = beside.accepted(states)
            if numbers in met:
                continue
            met.add(numbers)
            if shapes and max(numbers, default=-1) < len(blocks):
                continue
            voices = _voices_of(blocks, (number for number in numbers if number < len(blocks)))
            for change, scenario in self._changes(voices):
                if change in wanted:
                    wanted.discard(change)
                    yield word, change, scenario
            if not wanted:
                return

    def _changes(self, voices: Sequence[Voice]) -> Iterator[tuple[Change, Scenario]]:
        for scenario in scenarios(voice.terms for voice in voices):
            change = self._change(voices, scenario)
            if change[_OLD] is not change[_NEW]:
                yield change, scenario

    def _change(self, voices: Sequence[Voice], scenario: Scenario) -> Change:
        old, new = (
            level_of(self._sides[side], (voice for voice in voices if voice.side == side), scenario)
            for side in (_OLD, _NEW)
        )
        return old, new


def _voices_of(blocks: Sequence[Block], numbers: Iterable[int]) -> list[Voice]:
    return [voice for number in sorted(numbers) for voice in blocks[number].voices]


def _rules(*sides: Sequence[PolicySet]) -> Iterator[Rule]:
    return (rule for side in sides for policy in side for rule in policy.rules)


def _is_sure_denial(block: Block) -> bool:
    """Tell whether a pattern denies on both sides whatever else matches, so that meeting it is of no interest."""
    denied = {voice.side for voice in block.voices if voice.effect is Effect.DENY and voice.terms == ALWAYS}
    return denied == {_OLD, _NEW}


def _length(found: Found) -> tuple[int, str, str]:
    asked = found.requirement
    return len(asked.action) + len(asked.resource), asked.action, asked.resource
