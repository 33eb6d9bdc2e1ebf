"""What the connectors offer, as the policy room sees it: actions, operations and types of resources.

Wiring builds one catalogue from all connectors and hands it to whoever reads rules or names of resources, so that this
room knows no connector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import combinations
from types import MappingProxyType
from typing import Final

from policies.errors import PatternError, quote
from policies.language.actions import ANNOUNCED, NO_ACTIONS, NO_OPERATIONS, KnownActions
from policies.model import ResourceType
from policies.patterns.pattern import UNKNOWN, compile_pattern
from policies.resources.templates import CatalogueError, Kind, compile_type

ANY: Final = "*"
"""The service of an action pattern that means all services."""

_CACHED_PATTERNS: Final = 4_096
"""Action patterns whose types are remembered; a policy has far fewer."""

__all__ = ["UNCHECKED", "Catalogue", "CatalogueError", "build_catalogue"]


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Actions and types of resources; two catalogues are equal only when they are one.

    Args:
        types: As declared.
        operations: For each operation the actions it asks policy for.
        actions: Every action that is asked; None leaves names unchecked.
        kinds: The types with their templates compiled, in the same order.
        by_service: The same by the services whose actions can touch them.
        secret_operations: Operations whose answer holds secrets.
        secret_actions: Every action one of these asks for.
        only_secret_actions: Those no other operation asks for.
    """

    types: tuple[ResourceType, ...] = ()
    operations: Mapping[str, Collection[str]] = field(default_factory=lambda: NO_OPERATIONS)
    actions: KnownActions | None = None
    kinds: tuple[Kind, ...] = ()
    by_service: Mapping[str, tuple[Kind, ...]] = field(default_factory=lambda: MappingProxyType({}))
    secret_operations: frozenset[str] = frozenset()
    secret_actions: frozenset[str] = frozenset()
    only_secret_actions: frozenset[str] = frozenset()

    def returns_secrets(self, action: str) -> bool:
        """Tell whether somebody who asks about an action, and names no operation, means one that returns secrets.

        Args:
            action: Canonical action; the operation of its name is meant, else whatever asks for it.
        """
        named = self.secret_operations if action in self.operations else self.only_secret_actions
        return action in named

    def near(self, action_pattern: str) -> tuple[Kind, ...]:
        """Return the kinds that actions of a pattern's service can touch; all of them for ``*``."""
        service = _service(action_pattern)
        return self.kinds if service == ANY else self.by_service.get(service, self.by_service.get(ANY, ()))

    def type_of(self, action: str, resource: str) -> tuple[ResourceType, Mapping[str, str]] | None:
        """Return the type of a concrete resource and the values of its variables; None when it has none.

        Args:
            action: Canonical action; tells which types come into question.
            resource: Full name of one thing.
        """
        found = self.kind_of(action, resource)
        return None if found is None else (found[0].type, MappingProxyType(found[1]))

    def kind_of(self, action: str, resource: str) -> tuple[Kind, dict[str, str]] | None:
        """Return the compiled type of a concrete resource and the values of its variables; None when it has none."""
        for kind in self.kinds_for(action):
            values = kind.full.parse(resource)
            if values is not None:
                return kind, values
        return None

    def full_name(self, action: str, resource: str) -> str:
        """Return a resource that a person typed in full; unchanged when it is no short form of the action's types.

        Args:
            action: Canonical action.
            resource: Full or in a short form; what that leaves out becomes the type's default, else
                `policies.patterns.pattern.UNKNOWN`.
        """
        if self.type_of(action, resource) is not None:
            return resource
        for kind in self.kinds_for(action):
            for form in kind.forms[1:]:
                values = form.parse(resource)
                if values is not None:
                    rest = dict.fromkeys(kind.full.variables, UNKNOWN) | dict(kind.type.defaults)
                    return kind.full.render(rest | values)
        return resource

    def types_for(self, action_pattern: str) -> tuple[ResourceType, ...]:
        """Return the types that the actions of a pattern can touch."""
        return tuple(kind.type for kind in self.kinds_for(action_pattern))

    def kinds_for(self, action_pattern: str) -> tuple[Kind, ...]:
        """Return the compiled types that the actions of a pattern can touch.

        Where connectors serve the pattern's service, these are the types of their actions; elsewhere every type one of
        whose actions the pattern may mean.
        """
        return _kinds_for(self, action_pattern)


@lru_cache(maxsize=_CACHED_PATTERNS)
def _kinds_for(catalogue: Catalogue, action_pattern: str) -> tuple[Kind, ...]:
    served = catalogue.actions or NO_ACTIONS
    try:
        means = compile_pattern(action_pattern).matches
    except PatternError:  # somebody asked about what is no action, so nothing is touched
        return ()

    def touches(takes: str) -> bool:
        if _service(takes) not in served.by_service:
            return _overlap(action_pattern, takes)
        taking = _taking(catalogue, takes)
        return any(map(means, taking)) if "*" in action_pattern else action_pattern in taking

    return tuple(kind for kind in catalogue.near(action_pattern) if any(map(touches, kind.type.actions)))


@lru_cache(maxsize=_CACHED_PATTERNS)
def _taking(catalogue: Catalogue, takes: str) -> frozenset[str]:
    """Return the actions that one of a type's patterns means."""
    near = (catalogue.actions or NO_ACTIONS).near(takes)
    return frozenset(filter(compile_pattern(takes).matches, (*near, *ANNOUNCED)))


UNCHECKED: Final = Catalogue()
"""Knows no types and leaves names unchecked: every resource of a rule is taken by the letter."""


def build_catalogue(
    types: Iterable[ResourceType], operations: Mapping[str, Collection[str]], secret_operations: Iterable[str] = ()
) -> Catalogue:
    """Return the catalogue of what connectors declare.

    Args:
        types: Types of all connectors.
        operations: For each operation the actions it asks policy for, at least one.
        secret_operations: Those of them whose answer holds secrets.

    Raises:
        CatalogueError: a type contradicts itself, two have one name, or two that one action can touch have a resource
            in common.
    """
    kinds = tuple(compile_type(each) for each in types)
    names = Counter(kind.type.name for kind in kinds)
    if len(names) < len(kinds):
        raise CatalogueError(f"two types are called {quote(names.most_common(1)[0][0])}")
    for same in _by_service(kinds).values():
        for kind, other in combinations(same, 2):
            _check_apart(kind, other)
    keywords = frozenset(word for kind in kinds for word in kind.own_keywords())
    kinds = tuple(replace(kind, keywords=keywords) for kind in kinds)
    actions = KnownActions(action for asked in operations.values() for action in asked)
    types = tuple(kind.type for kind in kinds)
    secret = frozenset(secret_operations)
    secret_actions = frozenset(action for name in secret for action in operations[name])
    others = (asked for name, asked in operations.items() if name not in secret) if secret else ()
    return Catalogue(
        types,
        MappingProxyType(dict(operations)),
        actions,
        kinds,
        _by_service(kinds),
        secret,
        secret_actions,
        secret_actions.difference(*others),
    )


def _by_service(kinds: Iterable[Kind]) -> Mapping[str, tuple[Kind, ...]]:
    """Return the kinds by the services of the actions that can touch them, in the order given.

    A kind that actions of any service can touch is there for every service, and alone under `ANY`.
    """
    declared = [(kind, {_service(action) for action in kind.type.actions}) for kind in kinds]
    services = {ANY}.union(*(touching for _, touching in declared))
    return MappingProxyType(
        {
            service: tuple(kind for kind, touching in declared if service in touching or ANY in touching)
            for service in sorted(services)
        }
    )


def _check_apart(kind: Kind, other: Kind) -> None:
    shared = any(_overlap(mine, theirs) for mine in kind.type.actions for theirs in other.type.actions)
    if shared and kind.full.overlaps(other.full):
        raise CatalogueError(f"a resource can be of {quote(kind.type.name)} and of {quote(other.type.name)}")


def _service(action: str) -> str:
    return action.partition(":")[0]


def _overlap(left: str, right: str) -> bool:
    """Tell whether some action is meant by both of two action patterns."""
    if "*" in {left, right}:
        return True
    mine, theirs = left.partition(":"), right.partition(":")
    return all(_globs_meet(*pair) for pair in zip(mine, theirs, strict=True))


def _globs_meet(left: str, right: str) -> bool:
    """Tell whether two globs have a text in common; a star is any characters."""
    if "*" not in left and "*" not in right:
        return left == right
    mine, theirs = left.partition("*")[0], right.partition("*")[0]
    if not mine.startswith(theirs) and not theirs.startswith(mine):
        return False
    places = _behind_stars({0}, right)
    for char in left:
        if char == "*":
            # It can spell out any piece of the other glob, so every later place can be reached.
            places = set(range(min(places), len(right) + 1))
        else:
            stays = {place for place in places if right.startswith("*", place)}
            moves = {place + 1 for place in places if right.startswith(char, place)}
            places = _behind_stars(stays | moves, right)
        if not places:
            return False
    return len(right) in places


def _behind_stars(places: set[int], glob: str) -> set[int]:
    """Add to places in a glob those that follow when its stars are empty."""
    found = set(places)
    for place in range(len(glob)):
        if place in found and glob[place] == "*":
            found.add(place + 1)
    return found
