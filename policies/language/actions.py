"""Names of actions in rules: one spelling each, checked against what the connectors offer.

An action is ``service:Operation``. ``aws:ecs:UpdateService`` is another spelling of ``ecs:UpdateService``. In a rule
the operation may hold wildcards, the service is written out or is ``*``; ``*`` alone is every action. A dot, as in
``github:pulls.merge``, is a character like a letter, not a separator: a wildcard runs over it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

from policies.errors import PatternError, did_you_mean, quote
from policies.patterns.pattern import compile_pattern

MAX_ACTION_CHARS: Final = 128

ANNOUNCED: Final = frozenset({"git:comment"})
"""Actions of the documents whose service is known here and whose connector comes later; a rule may name them."""

NO_OPERATIONS: Final[Mapping[str, Collection[str]]] = MappingProxyType({})

_TYPED_OFF: Final = 6
"""Characters by which a mistyped action may differ in length from the one that was meant."""

_ALIAS: Final = "aws:"
_PATTERN: Final = re.compile(r"(?P<service>\*|[a-z][a-z0-9-]*):(?P<operation>[A-Za-z0-9*][A-Za-z0-9*.-]*)")
_CANONICAL: Final = re.compile(r"[a-z][a-z0-9-]*:[A-Za-z][A-Za-z0-9.-]*")


class KnownActions(frozenset[str]):
    """Every action the connectors can ask policy for; there can be tens of thousands, so they are found by service."""

    @cached_property
    def by_service(self) -> Mapping[str, tuple[str, ...]]:
        """The actions of each service, in order."""
        found: dict[str, list[str]] = {}
        for name in sorted(self):
            found.setdefault(name.partition(":")[0], []).append(name)
        return MappingProxyType({service: tuple(names) for service, names in found.items()})

    @cached_property
    def by_initial(self) -> Mapping[str, tuple[str, ...]]:
        """The actions of all services by the first letter of their operation, in lower case."""
        found: dict[str, list[str]] = {}
        for name in sorted(self):
            found.setdefault(name.partition(":")[2][:1].lower(), []).append(name)
        return MappingProxyType({initial: tuple(names) for initial, names in found.items()})

    def near(self, pattern: str) -> Collection[str]:
        """Return the actions a pattern can mean by its service: that service's; for ``*`` those of its first letter."""
        service, _, operation = pattern.partition(":")
        if "*" not in service:
            return self.by_service.get(service, ())
        initial = operation[:1].lower()
        return self if initial in {"", "*"} else self.by_initial.get(initial, ())

    def alike(self, pattern: str) -> Collection[str]:
        """Return those of `near` that somebody who mistyped may have meant: nearly as long."""
        return [name for name in self.near(pattern) if abs(len(name) - len(pattern)) <= _TYPED_OFF]


NO_ACTIONS: Final = KnownActions()


@dataclass(frozen=True, slots=True)
class ActionPattern:
    """One action of a rule, in canonical spelling.

    Args:
        text: ``service:Operation`` with wildcards, or ``*``.
        service: The service written out, or ``*``.
        notice: What the author should know; empty when there is nothing.
    """

    text: str
    service: str
    notice: str = ""


def canonical_action(action: str) -> str:
    """Return an asked action in its one spelling; says nothing about whether it exists."""
    rest = action.removeprefix(_ALIAS)
    return rest if _CANONICAL.fullmatch(rest) is not None else action


def is_canonical(action: str) -> bool:
    """Tell whether an asked action has the canonical form, which holds no wildcard."""
    return len(action) <= MAX_ACTION_CHARS and _CANONICAL.fullmatch(action) is not None


def parse_action(
    text: str, known_actions: KnownActions | None, operations: Mapping[str, Collection[str]] = NO_OPERATIONS
) -> ActionPattern:
    """Read one action of a rule.

    Args:
        text: As written.
        known_actions: Every action the connectors can ask for; None leaves names unchecked.
        operations: For each operation the actions it asks for, to help an author who named the operation.

    Raises:
        PatternError: it is no action, or the service is known and has no such operation.
    """
    _check_characters(text)
    if text == "*":
        return ActionPattern("*", "*")
    bare = text.removeprefix(_ALIAS) if text.count(":") > 1 else text
    match = _PATTERN.fullmatch(bare)
    if match is None:
        raise PatternError(f"not an action: {quote(text)}", "write `service:Operation`, as in `s3:GetObject`")
    if (text != bare and match["service"] == "*") or text == "aws:*":
        # Stripping the alias here would turn "everything in AWS" into "everything".
        raise PatternError(f"`aws:` needs a service: {quote(text)}", "write one rule per service, as in `s3:*`")
    compile_pattern(bare)
    if "**" in bare:
        raise PatternError(f"`**` means nothing in an action: {quote(text)}", "write `*`")
    if known_actions is None:
        return ActionPattern(bare, match["service"])
    asked = operations.get(bare, ())
    if asked and bare not in known_actions:
        names = ", ".join(f"`{name}`" for name in asked)
        raise PatternError(f"{quote(bare)} is never asked: that operation asks for {names}", "name what it asks for")
    return ActionPattern(bare, match["service"], _check_known(bare, match["service"], known_actions))


def _check_characters(text: str) -> None:
    if not text.isascii() or not text.isprintable():
        raise PatternError(
            f"an action is written in ASCII letters: {quote(ascii(text)[1:-1])}", "type it again by hand"
        )
    if len(text) > MAX_ACTION_CHARS:
        raise PatternError(f"an action has at most {MAX_ACTION_CHARS} characters, found {len(text)}")


def _check_known(action: str, service: str, known_actions: KnownActions) -> str:
    """Return a notice for an action of a service nobody serves yet; raise for an unknown operation of a known one."""
    same_service = known_actions.near(action)
    if service not in known_actions.by_service and (service != "*" or not known_actions):
        hint = did_you_mean(service, known_actions.by_service)
        return f"no connector here serves `{service}`, so {quote(action)} is never asked{f'; {hint}' if hint else ''}"
    matches = compile_pattern(action).matches
    if any(matches(known) for known in same_service):
        return ""
    if any(matches(announced) for announced in ANNOUNCED):
        return f"no connector here offers {quote(action)} yet, so it is never asked"
    by_lower = {known.lower(): known for known in same_service}
    hint = f"did you mean `{by_lower[action.lower()]}`?" if action.lower() in by_lower else ""
    raise PatternError(f"unknown action {quote(action)}", hint or did_you_mean(action, known_actions.alike(action)))
