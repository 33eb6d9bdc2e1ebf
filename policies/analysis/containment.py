"""Whether what one pattern covers is covered by others, and what two patterns have in common; exact, with a witness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policies.analysis.languages import NO_VALUES, Automaton, Token, Tokens, Wild, compatible, read, word_of
from policies.analysis.walk import BUDGET, UndecidedError, meet, walk

_SEGMENT_LETTER: Final = "${}"
_CROSSING_LETTER: Final = "${=**}"
"""Values of variables without a name, of which there are none: only a wildcard takes them, and the second only one that
crosses segments."""


@dataclass(frozen=True, slots=True)
class Containment:
    """Whether a pattern is covered.

    Args:
        holds: True only when it certainly is.
        witness: A shortest text that is not covered; empty when there is none or the search gave up.
        decided: False when the search gave up, which counts as not covered.
    """

    holds: bool
    witness: str = ""
    decided: bool = True


def contained(
    pattern: str, within: Sequence[str], *, values: Mapping[str, str] = NO_VALUES, budget: int = BUDGET
) -> Containment:
    """Tell whether every non-empty text of a pattern is covered by one of others.

    A variable of ``pattern`` is any text of its shape; one of ``within`` covers the same variable only.

    Args:
        pattern: Action or resource pattern.
        within: Patterns of the same kind; none cover nothing.
        values: Variables whose value is known.
        budget: Steps of the search; when it is not enough the answer is no.
    """
    lead = read(pattern, values)
    if lead is None:
        return Containment(holds=True)
    covers = [tokens for tokens in (read(text, values) for text in within) if tokens is not None]
    others = Automaton(covers)
    if others.run(stand_in(lead)):
        return Containment(holds=True)
    try:
        # Only texts that reach as little of the others as possible are of interest, hence no exact positions.
        for word, states in walk(lead, others, exact=0, budget=budget):
            if not states & others.accept:
                return Containment(holds=False, witness=word_of(word))
    except UndecidedError:
        return Containment(holds=False, decided=False)
    return Containment(holds=True)


def overlap(one: str, other: str, *, values: Mapping[str, str] = NO_VALUES) -> str:
    """Return a shortest text that two patterns have in common; empty when there is none."""
    lead, beside = read(one, values), read(other, values)
    return "" if lead is None or beside is None else common(lead, beside)


def common(one: Tokens, other: Tokens) -> str:
    """Return a shortest text that two patterns in tokens have in common; empty when there is none."""
    return word_of(meet(one, other) or ()) if compatible(one, other) else ""


def stand_in(tokens: Tokens) -> list[str]:
    """Return one word that stands for all words of a pattern: whoever covers it covers the pattern.

    The reverse does not hold (two narrow patterns may cover a wide one together), so this is the quick test.
    """
    return [_stand_in(token) for token in tokens]


def _stand_in(token: Token) -> str:
    """Return the letter only a wildcard at least as wide as ``token`` takes."""
    if isinstance(token, str):
        return token
    return _CROSSING_LETTER if token is Wild.REST else _SEGMENT_LETTER
