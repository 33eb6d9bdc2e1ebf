"""Which rules cover a rule, for all rules of a policy in one pass.

Patterns are kept as a tree of letters and stars. A pattern is looked up by its stand-in word, whose wildcards are
letters that only a star at least as wide takes: whatever is found certainly covers it. What several patterns cover only
together is not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from policies.analysis.containment import stand_in
from policies.analysis.languages import SEPARATORS, Automaton, Tokens, Wild, read
from policies.model import Rule

_NOTHING: Final[frozenset[int]] = frozenset()


class _Node:
    """One place in the tree; ``loop`` is the star that lets it repeat."""

    __slots__ = ("found", "loop", "next", "rest", "segment")

    def __init__(self, loop: Wild | None = None) -> None:
        self.loop = loop
        self.next: dict[str, _Node] = {}
        self.segment: _Node | None = None
        self.rest: _Node | None = None
        self.found: list[int] = []

    def child(self, token: str | Wild) -> _Node:
        if isinstance(token, str):
            return self.next.setdefault(token, _Node())
        if token is Wild.REST:
            self.rest = self.rest or _Node(token)
            return self.rest
        self.segment = self.segment or _Node(Wild.SEGMENT)
        return self.segment

    def takes(self, letter: str) -> bool:
        """Tell whether the star at this place takes a letter."""
        if self.loop is Wild.REST:
            return True
        return self.loop is not None and letter not in SEPARATORS and not letter.endswith("=**}")


class PatternTree:
    """Patterns with numbers, found by what they cover."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, tokens: Tokens, number: int) -> None:
        """Put a pattern in."""
        node = self._root
        for token in tokens:
            node = node.child(token)
        node.found.append(number)

    def covering(self, tokens: Tokens) -> frozenset[int]:
        """Return the numbers of patterns that cover another one."""
        places = _with_stars((self._root,))
        for letter in stand_in(tokens):
            stepped = [node.next[letter] for node in places if letter in node.next]
            places = [*(node for node in places if node.takes(letter)), *_with_stars(stepped)]
            # Two ways may lead to one place, and each would be walked again and again.
            places = list(dict.fromkeys(places))
        return frozenset(number for node in places for number in node.found)


def _with_stars(nodes: Iterable[_Node]) -> list[_Node]:
    """Return places with those that are reached when a star takes nothing."""
    found = list(nodes)
    for node in found:
        found.extend(child for child in (node.segment, node.rest) if child is not None)
    return found


class CoverIndex:
    """The rules of a policy, found by the rules they cover.

    Args:
        rules: The rules; a number is a place in it.
    """

    __slots__ = ("_actions", "_automata", "_by_action", "_by_service", "_memo")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._by_action: dict[str, PatternTree] = {}
        self._memo: dict[tuple[str, str], frozenset[int]] = {}
        for number, rule in enumerate(rules):
            for action in rule.actions:
                tree = self._by_action.setdefault(action, PatternTree())
                for resource in rule.resources:
                    tree.add(read(resource) or (), number)
        self._by_service: dict[str, list[str]] = {}
        for pattern in self._by_action:
            self._by_service.setdefault(pattern.partition(":")[0], []).append(pattern)
        self._automata: dict[str, tuple[list[str], Automaton]] = {}
        self._actions: dict[str, tuple[PatternTree, ...]] = {}

    def covering(self, rule: Rule) -> frozenset[int]:
        """Return the numbers of the rules each of which covers all of another one; a rule covers itself."""
        found: frozenset[int] | None = None
        for action in rule.actions:
            for resource in rule.resources:
                both = self._covering(action, resource)
                found = both if found is None else found & both
                if not found:
                    return _NOTHING
        return found or _NOTHING

    def _covering(self, action: str, resource: str) -> frozenset[int]:
        key = action, resource
        if key not in self._memo:
            tokens = read(resource) or ()
            self._memo[key] = _NOTHING.union(*(tree.covering(tokens) for tree in self._trees(action)))
        return self._memo[key]

    def _trees(self, action: str) -> tuple[PatternTree, ...]:
        if action not in self._actions:
            patterns, automaton = self._of_service(action.partition(":")[0])
            wide = automaton.run(stand_in(read(action) or ()))
            self._actions[action] = tuple(self._by_action[patterns[number]] for number in sorted(wide))
        return self._actions[action]

    def _of_service(self, service: str) -> tuple[list[str], Automaton]:
        """Return the action patterns that can cover one of a service, which are its own and those of all services."""
        if service not in self._automata:
            patterns = [*self._by_service.get(service, ()), *(self._by_service.get("*", ()) if service != "*" else ())]
            self._automata[service] = patterns, Automaton([read(pattern) or () for pattern in patterns])
        return self._automata[service]
