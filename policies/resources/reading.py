"""What a resource in a rule means: its text, read against the types its actions can touch, as full patterns.

`repos/*/branches/feature/*` in a rule on `git:push` becomes ``repos/*/*/branches/feature/*``: each part of the text is
bound to its part of the type, so that a branch called ``x/branches/feature/y`` is not below ``feature/``.

How a text is read, per type:

1. A reading of the whole template or of one of its short forms; two that differ are an error.
2. Otherwise one that ends in a final star inside the template: ``arn:aws:iam:**``.
3. Otherwise one in which an inner ``**`` stands for whole parts: the one in which it stands for the fewest. A deny rule
   takes every such reading besides the others, so that it cannot be too narrow.

What a short form leaves out is the type's default in a rule that allows, and any value in one that denies or asks.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from policies.conditions.facts import AGENT_ID, PROJECT, VARIABLE, is_variable
from policies.errors import PatternError, did_you_mean, quote
from policies.model import Effect
from policies.patterns.pattern import MAX_PATTERN_CHARS
from policies.patterns.variables import VARIABLE as PATTERN_VARIABLE
from policies.resources.alignment import Reading, align, split_text
from policies.resources.templates import Kind, Shape, Template

_EVERYTHING: Final = frozenset({"*", "**"})
_SHOWN_TYPES: Final = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """One action of a rule and what it can touch.

    Args:
        action: Action pattern.
        kinds: The types it can touch; empty when nobody declares any.
        open: True when its service is ``*``: other services may have other resources.
    """

    action: str
    kinds: tuple[Kind, ...]
    open: bool = False


def read_resource(text: str, asked: Sequence[Asked], effect: Effect) -> tuple[str, ...]:
    """Return the full patterns of a resource in a rule, without repetition, at least one.

    Args:
        text: As written; that every character shows is checked where the rule is taken apart.
        asked: The rule's actions.
        effect: What the rule will say.

    Raises:
        PatternError: it holds an unknown variable, could be read in two ways, or can never name what one of the
            actions touches.
    """
    if len(text) > MAX_PATTERN_CHARS:
        raise PatternError(f"a resource has at most {MAX_PATTERN_CHARS} characters, found {len(text)}")
    _check_spelling(text)
    if text in _EVERYTHING:
        return (text,)
    pieces = split_text(text)
    readings: dict[str, _Readings] = {}
    typed: dict[str, None] = {}
    for each in asked:
        for kind in each.kinds:
            if kind.type.name not in readings:
                readings[kind.type.name] = _read(kind, pieces, effect)
        patterns = _chosen([readings[kind.type.name] for kind in each.kinds], effect)
        if each.kinds and not patterns and not each.open:
            raise _misfit(text, pieces, each)
        typed.update(dict.fromkeys(patterns))
    if all(each.kinds and not each.open for each in asked):
        return tuple(typed)
    if any(not each.open for each in asked) and not typed.keys() <= {text}:
        # The rule would be read by the type for one action and by the letter for another.
        raise PatternError(f"{quote(text)} means different things to these actions", "write one rule per service")
    return (text, *(pattern for pattern in typed if pattern != text))


def _check_spelling(text: str) -> None:
    if text.isascii() and "${" not in text:
        return
    if not unicodedata.is_normalized("NFC", text):
        raise PatternError(f"a resource is written in composed letters (NFC): {quote(text)}", "type it again")
    if "${" in VARIABLE.sub("", text):
        raise PatternError(f"a variable without its end in {quote(text)}", "write `${name}`")
    for match in VARIABLE.finditer(text):
        # What patterns do not know as a variable they take by the letter, so both readers must agree.
        if not is_variable(match[1]) or PATTERN_VARIABLE.fullmatch(match[0]) is None:
            known = f"known are `{AGENT_ID}`, `{PROJECT}` and `session.LABEL`, the label without `/`"
            fix = did_you_mean(match[1], (AGENT_ID, PROJECT)) or known
            raise PatternError(f"unknown variable {quote(match[1])} in {quote(text)}", fix)


@dataclass(frozen=True, slots=True)
class _Readings:
    """What a text means by one type.

    Args:
        plain: The one pattern it means when no ``**`` absorbs parts; empty when there is none.
        crossing: The other patterns and how many parts their ``**`` absorb.
    """

    plain: str
    crossing: tuple[tuple[str, int], ...]


_NOTHING: Final = _Readings("", ())


def _read(kind: Kind, pieces: list[str], effect: Effect) -> _Readings:
    found = [
        (form, each)
        for form in kind.forms
        for each in align(form, pieces, keywords=kind.keywords, into_rest=effect is Effect.DENY)
        # A short form's literal says nothing about where in the full name the star begins.
        if form is kind.full or each.cut is None or form.parts[each.cut].shape is not Shape.LITERAL
    ]
    if not found:
        return _NOTHING
    plain = _best(kind, [pair for pair in found if not pair[1].absorbed])
    patterns = dict.fromkeys(_written(kind, form, each, effect) for form, each in plain)
    if len(patterns) > 1:
        ways = " or ".join(f"`{pattern}`" for pattern in patterns)
        raise PatternError(f"{quote(''.join(pieces))} could be read in two ways", f"spell it out: {ways}")
    crossing = _best(kind, [pair for pair in found if pair[1].absorbed])
    more = tuple((_written(kind, form, each, effect), each.absorbed) for form, each in crossing)
    return _Readings(next(iter(patterns), ""), more)


def _best(kind: Kind, found: list[tuple[Template, Reading]]) -> list[tuple[Template, Reading]]:
    """Return the full readings; else those that end inside the template, behind its first part where possible."""
    full = [pair for pair in found if pair[1].cut is None]
    return full or [(form, each) for form, each in found if form is not kind.full or each.cut] or found


def _chosen(readings: list[_Readings], effect: Effect) -> list[str]:
    """Return the patterns of one action: all for a deny rule, those in which ``**`` stands for the fewest otherwise."""
    plain = [each.plain for each in readings if each.plain]
    crossing = [pair for each in readings for pair in each.crossing]
    if effect is Effect.DENY:
        return plain + [pattern for pattern, _ in crossing]
    if plain or not crossing:
        return plain
    fewest = min(absorbed for _, absorbed in crossing)
    return [pattern for pattern, absorbed in crossing if absorbed == fewest]


def _written(kind: Kind, form: Template, reading: Reading, effect: Effect) -> str:
    """Return a reading as a full pattern."""
    given = dict(reading.given)
    defaults = kind.type.defaults if effect is Effect.ALLOW else {}
    cut = None if reading.cut is None else form.parts[reading.cut]
    written = ""
    for part in kind.full.parts:
        written += part.before
        # A short form is cut at a variable, which the full template has under the same name.
        if part is cut or (
            cut is not None and form is not kind.full and (part.text, part.shape) == (cut.text, cut.shape)
        ):
            return written + reading.tail
        if part.shape is Shape.LITERAL:
            written += part.text
        elif part.text in given:
            written += given[part.text]
        elif part.text in form.variables:
            written += part.shape.value  # a `**` of the text absorbed it
        else:
            written += defaults.get(part.text, part.shape.value)
    return written


def _misfit(text: str, pieces: list[str], asked: Asked) -> PatternError:
    """Return the error for a resource that cannot belong to its action, with the nearest one that can."""
    shortest = (min((form.plain for form in kind.forms), key=len) for kind in asked.kinds[:_SHOWN_TYPES])
    fix = _mended(pieces, asked.kinds) or "write " + " or ".join(f"`{form}`" for form in shortest)
    return PatternError(f"{quote(text)} is no resource of {quote(asked.action)}", fix)


def _mended(pieces: list[str], kinds: Sequence[Kind]) -> str:
    """Return what the author may have meant: the text with one segment replaced by a near literal."""
    parts = (part for kind in kinds for form in kind.forms for part in form.parts)
    literals = sorted({part.text for part in parts if part.shape is Shape.LITERAL and part.text})
    for place in range(0, len(pieces), 2):
        for near in difflib.get_close_matches(pieces[place][:64], literals, n=2):
            mended = [*pieces[:place], near, *pieces[place + 1 :]]
            if pieces[place] != near and any(_read(kind, mended, Effect.ALLOW) != _NOTHING for kind in kinds):
                return f"did you mean {quote(''.join(mended))}?"
    return ""
