"""One rule as text, ``action[,action…] on resource``, to its canonical actions and its full resource pattern.

Exactly three words, separated by exactly one ASCII space: a fourth word is an option that lost its colon's space or a
rule that lost its dash, and a space that is none would hide one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from policies.errors import PatternError, RuleTextError, quote
from policies.language.actions import parse_action
from policies.model import Effect
from policies.patterns.pattern import compile_pattern
from policies.patterns.tokens import Star
from policies.resources.catalogue import UNCHECKED, Catalogue
from policies.resources.reading import Asked, read_resource

_WORDS: Final = 3
_ON: Final = " on "
_CACHED_ACTIONS: Final = 1024
"""Different lists of actions of rules; a file of ten thousand rules has a few dozen."""


@dataclass(frozen=True, slots=True)
class ParsedRule:
    """A rule's canonical parts.

    Args:
        actions: Action patterns, at least one, without repetition.
        resources: Full resource patterns, at least one, without repetition.
        crossing: True when one of them has an inner ``**``.
        notices: What the author should know, each with its place in characters from the rule's beginning.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    crossing: bool
    notices: tuple[tuple[int, str], ...]


def parse_rule(rule: str, effect: Effect, catalogue: Catalogue = UNCHECKED) -> ParsedRule:
    """Read a rule without its leading ``deny``.

    Args:
        rule: As written.
        effect: What the rule will say; what a short form leaves out depends on it.
        catalogue: The actions and the types of resources that connectors offer.

    Raises:
        RuleTextError: it is no rule, or it could never apply.
    """
    words = _words(rule)
    actions = _read_actions(words[0], catalogue)
    notices = actions.notices
    place = len(words[0]) + len(_ON)
    with _at(place):
        resources = read_resource(words[2], actions.asked, effect)
        patterns = [compile_pattern(resource) for resource in resources]
    if not words[2].isascii():
        notices = (*notices, (place, f"{quote(words[2])} holds letters outside ASCII, which may look like others"))
    crossing = any(Star.ANYTHING in pattern.tokens[:-1] for pattern in patterns)
    return ParsedRule(actions.names, resources, crossing, notices)


@dataclass(frozen=True, slots=True)
class _Actions:
    """The first word of a rule."""

    names: tuple[str, ...]
    asked: tuple[Asked, ...]
    notices: tuple[tuple[int, str], ...]


@lru_cache(maxsize=_CACHED_ACTIONS)
def _read_actions(text: str, catalogue: Catalogue) -> _Actions:
    found: dict[str, Asked] = {}
    notices: list[tuple[int, str]] = []
    place = 0
    for name in text.split(","):
        with _at(place):
            action = parse_action(name, catalogue.actions, catalogue.operations)
        found[action.text] = Asked(action.text, catalogue.kinds_for(action.text), open=action.service == "*")
        if action.notice:
            notices.append((place, action.notice))
        place += len(name) + 1
    return _Actions(tuple(found), tuple(found.values()), tuple(notices))


def _words(rule: str) -> list[str]:
    for index, char in enumerate(rule if not (rule.isascii() and rule.isprintable()) else ""):
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
