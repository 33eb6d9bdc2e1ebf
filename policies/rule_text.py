"""One rule as text, ``action[,action…] on resource``, to its canonical actions and its full resource pattern.

Exactly three words, separated by exactly one ASCII space: a fourth word is an option that lost its colon's space or a
rule that lost its dash, and a space that is none would hide one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from policies.actions import NO_OPERATIONS, parse_action
from policies.errors import PatternError, RuleTextError, quote
from policies.model import Effect
from policies.patterns import compile_pattern
from policies.resources import parse_resource

_WORDS: Final = 3
_ON: Final = " on "
_CROSSING: Final = re.compile(r"\*\*.")


@dataclass(frozen=True, slots=True)
class ParsedRule:
    """A rule's canonical parts.

    Args:
        actions: Action patterns, at least one, without repetition.
        resource: Full resource pattern.
        crossing: True when the resource has an inner ``**``.
        notices: What the author should know, each with its place in characters from the rule's beginning.
    """

    actions: tuple[str, ...]
    resource: str
    crossing: bool
    notices: tuple[tuple[int, str], ...]


def parse_rule(
    rule: str,
    effect: Effect,
    known_actions: Collection[str] | None = None,
    operations: Mapping[str, Collection[str]] = NO_OPERATIONS,
) -> ParsedRule:
    """Read a rule without its leading ``deny``.

    Args:
        rule: As written.
        effect: What the rule will say; short forms of resources depend on it.
        known_actions: Every action the connectors can ask for; None leaves names unchecked.
        operations: For each operation the actions it asks for; only used in messages.

    Raises:
        RuleTextError: it is no rule, or it could never apply.
    """
    words = _words(rule)
    notices: list[tuple[int, str]] = []
    actions: list[str] = []
    services: set[str] = set()
    place = 0
    for name in words[0].split(","):
        with _at(place):
            action = parse_action(name, known_actions, operations)
        actions.append(action.text)
        services.add(action.service)
        if action.notice:
            notices.append((place, action.notice))
        place += len(name) + 1
    place = len(words[0]) + len(_ON)
    with _at(place):
        resource = parse_resource(words[2], frozenset(services), effect)
        compile_pattern(resource)
    if not resource.isascii():
        notices.append((place, f"{quote(words[2])} holds letters outside ASCII, which may look like others"))
    crossing = _CROSSING.search(resource) is not None
    return ParsedRule(tuple(dict.fromkeys(actions)), resource, crossing, tuple(notices))


def _words(rule: str) -> list[str]:
    for index, char in enumerate(rule):
        if char != " " and (char.isspace() or not char.isprintable()):
            message = f"the character U+{ord(char):04X} in {quote(rule)} only looks like a space or like nothing"
            raise RuleTextError(message, "type the rule again by hand", index)
    words = rule.split(" ")
    if "" in words:
        place = len(" ".join(words[: words.index("")]))
        raise RuleTextError(f"a space too many in {quote(rule)}", "separate words by one space", place)
    if words[0] == "allow" and len(words) > 1:
        raise RuleTextError("a bare rule allows already", "leave out the word `allow`", 0)
    if len(words) > _WORDS and words[1] == "on":
        fix = "a resource has no spaces; begin the next rule with `- `, put a space after an option's colon"
        place = len(" ".join(words[:_WORDS])) + 1
        raise RuleTextError(f"more text after the resource: {quote(' '.join(words[_WORDS:]))}", fix, place)
    if len(words) != _WORDS or words[1] != "on":
        raise RuleTextError(f"not a rule: {quote(rule)}", "write `action on resource`", 0)
    return words


@contextmanager
def _at(offset: int) -> Iterator[None]:
    """Give the pattern errors raised inside their place in the rule."""
    try:
        yield
    except PatternError as error:
        raise RuleTextError(str(error), error.fix, offset) from None
