"""How much policies permit one requirement, given the rules that match it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from policies.analysis.scenarios import Scenario, applies
from policies.analysis.terms import Terms
from policies.model import Effect, Layer, Rule


class Level(IntEnum):
    """What is permitted, least first."""

    DENY = 0
    APPROVAL = 1
    ALLOW = 2

    @property
    def effect(self) -> Effect:
        """The effect a decision would have."""
        return _EFFECTS[self]


_EFFECTS: Final = MappingProxyType(
    {Level.DENY: Effect.DENY, Level.APPROVAL: Effect.REQUIRE_APPROVAL, Level.ALLOW: Effect.ALLOW}
)
LEVEL_OF: Final = MappingProxyType({effect: level for level, effect in _EFFECTS.items()})


@dataclass(frozen=True, slots=True)
class Voice:
    """One rule as one layer of one side says it.

    Args:
        side: 0 for what was, 1 for what is to be.
        layer: Place of its layer in that side.
        effect: The rule's effect.
        terms: What must hold for it to apply.
        restricts: Whether it only takes away.
        rule: The rule.
    """

    side: int
    layer: int
    effect: Effect
    terms: Terms
    restricts: bool
    rule: Rule


def level_of(layers: Sequence[Layer], voices: Iterable[Voice], scenario: Scenario) -> Level:
    """Return what the layers of one side permit.

    Args:
        layers: The layers of that side.
        voices: Its rules that match.
        scenario: Which terms hold.
    """
    strictest: dict[int, Level] = {}
    for voice in voices:
        if applies(voice.terms, scenario, restricts=voice.restricts):
            said = LEVEL_OF[voice.effect]
            strictest[voice.layer] = min(said, strictest.get(voice.layer, said))
    if all(layer is Layer.GUARDRAIL for layer in layers):
        return Level.DENY
    silence = ((number, Level.ALLOW if layer is Layer.GUARDRAIL else Level.DENY) for number, layer in enumerate(layers))
    return min(strictest.get(number, default) for number, default in silence)


def can_reach(layers: Sequence[Layer], voices: Iterable[Voice], level: Level) -> bool:
    """Tell whether rules like these could make a level at all; never wrongly no."""
    said = {(voice.layer, LEVEL_OF[voice.effect]) for voice in voices}
    needed = [number for number, layer in enumerate(layers) if layer is not Layer.GUARDRAIL]
    if level is Level.DENY:
        return True
    if level is Level.APPROVAL and all(found is not Level.APPROVAL for _, found in said):
        return False
    enough = (Level.ALLOW,) if level is Level.ALLOW else (Level.ALLOW, Level.APPROVAL)
    return bool(needed) and all(any((number, found) in said for found in enough) for number in needed)
