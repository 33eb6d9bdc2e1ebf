"""The actions that can be asked for, put together where a set of rules cannot tell them apart."""

from __future__ import annotations

import string
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policies.analysis.languages import Automaton, read
from policies.language.actions import KnownActions, is_canonical
from policies.patterns.pattern import compile_pattern

_LETTERS: Final = (
    string.ascii_lowercase,
    ":" + string.ascii_lowercase + string.digits + "-",
    string.ascii_letters,
    string.ascii_letters + string.digits,
)
"""What may come next in a canonical action: at its beginning, in the service, after the colon, in the operation."""

_SERVICE: Final = 1
_OPERATION: Final = 3


@dataclass(frozen=True, slots=True)
class ActionClass:
    """Actions that the same patterns match.

    Args:
        action: A shortest one.
        patterns: The patterns that match it.
        members: All of them as far as they are known, shortest first.
    """

    action: str
    patterns: frozenset[str]
    members: tuple[str, ...]


def classes_of(lead: Sequence[str], patterns: Iterable[str], known: Collection[str] | None) -> tuple[ActionClass, ...]:
    """Return the classes of the actions that ``lead`` matches.

    Args:
        lead: Action patterns of a rule.
        patterns: Action patterns of all rules that are looked at.
        known: Actions that can be asked for; None for every canonical one. A lead that matches none of them is taken
            for what it says, since a connector may come.
    """
    others = tuple(dict.fromkeys((*lead, *patterns)))
    asked = _known(lead, known or ())
    found = _among(asked, others) if asked else _canonical(lead, others)
    classes: dict[frozenset[str], list[str]] = {}
    for action, matching in found:
        classes.setdefault(matching, []).append(action)
    return tuple(ActionClass(members[0], matching, tuple(members)) for matching, members in classes.items())


def _known(lead: Sequence[str], known: Collection[str]) -> list[str]:
    asked = {pattern for pattern in lead if is_canonical(pattern)} if known else set[str]()
    for pattern in lead:
        matches = compile_pattern(pattern).matches
        near = known.near(pattern) if isinstance(known, KnownActions) else known
        asked.update(action for action in near if matches(action))
    return sorted(asked, key=lambda action: (len(action), action))


def _among(asked: Iterable[str], patterns: Sequence[str]) -> Iterator[tuple[str, frozenset[str]]]:
    matchers = [(pattern, compile_pattern(pattern).matches) for pattern in patterns]
    for action in asked:
        yield action, frozenset(pattern for pattern, matches in matchers if matches(action))


def _canonical(lead: Sequence[str], patterns: Sequence[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Walk all canonical actions; the alphabet is small enough to try every letter."""
    automaton = Automaton([read(pattern) or () for pattern in patterns])
    wanted = Automaton([read(pattern) or () for pattern in lead])
    queue: deque[tuple[int, int, int, str]] = deque([(0, wanted.start, automaton.start, "")])
    seen: set[tuple[int, int, int]] = set()
    while queue:
        part, alive, states, word = queue.popleft()
        for letter in _LETTERS[part]:
            step = (_next(part, letter), wanted.step(alive, letter), automaton.step(states, letter))
            if not step[1] or step in seen:
                continue
            seen.add(step)
            queue.append((*step, word + letter))
            if step[0] == _OPERATION and step[1] & wanted.accept:
                yield word + letter, frozenset(patterns[number] for number in automaton.accepted(step[2]))


def _next(part: int, letter: str) -> int:
    if part < _SERVICE:
        return _SERVICE
    if part == _SERVICE:
        return _SERVICE + 1 if letter == ":" else _SERVICE
    return _OPERATION
