"""The search all exact answers come from: the words of one pattern, shortest first, and what others say to them.

Breadth first over pairs (one position of the leading pattern, set of positions of all others). Letters that no pattern
names at a pair are tried once, as one fresh letter. The worst case is exponential, so the search has a budget; whoever
runs out of it must take the answer nobody can be hurt by.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import product
from typing import Final

from policies.analysis.languages import SEPARATORS, Automaton, Tokens, bits
from policies.errors import PolicyError

BUDGET: Final = 20_000
"""Pairs visited by one search; measured: a contained pair of rules needs less than 160, a thousand rules less than
this."""

_FRESH: Final = "xyzwvutsrqponmlkjihgfedcba0123456789XYZWVUTSRQPONMLKJIHGFEDCBA"

_Path = tuple["_Path", str] | None
Word = tuple[str, ...]


class UndecidedError(PolicyError):
    """The search ran out of its budget; the answer is not known."""


def walk(lead: Tokens, others: Automaton, *, exact: int = -1, budget: int = BUDGET) -> Iterator[tuple[Word, int]]:
    """Yield words that ``lead`` covers, shortest first, with the positions of ``others`` after each.

    Not every word: of words that leave both in the same place only a shortest one. The empty word is never yielded,
    since nothing has an empty name.

    Args:
        lead: The pattern whose words are asked for.
        others: What is run beside it.
        exact: Positions whose difference matters. Of the others, only fewer is of interest: a word is left out when
            one not longer leaves a part of them and the same exact ones.
        budget: Pairs to visit.

    Raises:
        UndecidedError: the budget was not enough.
    """
    leading = Automaton((lead,))
    fresh = fresh_letter(leading.alphabet | others.alphabet)
    queue: deque[tuple[int, int, _Path]] = deque([(leading.start, others.start, None)])
    seen: dict[tuple[int, int], list[int]] = {}
    while queue:
        position, states, path = queue.popleft()
        for letter in _letters(leading, others, position, states, fresh):
            after = others.step(states, letter)
            for reached in bits(leading.step(position, letter)):
                if not _is_news(seen.setdefault((reached, after & exact), []), after & ~exact):
                    continue
                budget -= 1
                if budget < 0:
                    raise UndecidedError("the search ran out of its budget")
                longer = (path, letter)
                if reached & leading.accept:
                    yield _word(longer), after
                queue.append((reached, after, longer))


def meet(one: Tokens, other: Tokens) -> Word | None:
    """Return a shortest non-empty word that two patterns have in common; None when there is none.

    Visits each pair of positions once, so that it needs no budget.
    """
    left, right = Automaton((one,)), Automaton((other,))
    fresh = fresh_letter(left.alphabet | right.alphabet)
    queue: deque[tuple[int, int, _Path]] = deque([(left.start, right.start, None)])
    seen: set[tuple[int, int]] = set()
    while queue:
        position, beside, path = queue.popleft()
        for letter in _letters(left, right, position, beside, fresh):
            longer = (path, letter)
            for pair in product(bits(left.step(position, letter)), bits(right.step(beside, letter))):
                if pair in seen:
                    continue
                seen.add(pair)
                if pair == (left.accept, right.accept):
                    return _word(longer)
                queue.append((*pair, longer))
    return None


def fresh_letter(named: frozenset[str]) -> str:
    """Return a readable letter that no pattern names."""
    readable = next((letter for letter in _FRESH if letter not in named), "")
    return readable or next(chr(code) for code in range(0xE0, 0x10000) if chr(code) not in named)


def _letters(lead: Automaton, others: Automaton, position: int, states: int, fresh: str) -> list[str]:
    named = lead.letters(position)
    if not lead.loops(position):
        return named
    return [fresh, *sorted({*named, *others.letters(states), *SEPARATORS})]


def _is_news(explored: list[int], rest: int) -> bool:
    if any(known & ~rest == 0 for known in explored):
        return False
    explored[:] = [known for known in explored if rest & ~known]
    explored.append(rest)
    return True


def _word(path: _Path) -> Word:
    letters = []
    while path is not None:
        path, letter = path
        letters.append(letter)
    return tuple(reversed(letters))
