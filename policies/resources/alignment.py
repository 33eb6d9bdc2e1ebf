"""Aligning the text of a rule with one template: which piece of the text stands for which part.

A full reading gives every part its piece. A prefix reading ends inside the template, which only a text with a final
star may do: the star then stands for the rest. ``**`` as a whole segment inside the text may absorb whole parts, from
one border of parts to another. A piece never stands for more than its part, whatever the values of the other parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policies.conditions.facts import VARIABLE
from policies.errors import PatternError, quote
from policies.patterns.pattern import compile_pattern
from policies.resources.templates import SEPARATOR, Shape, Template

_PIECE: Final = re.compile(r"\$\{[^{}]*\}|[/:]|[^/:$]+|\$")
_PAIR_NAME: Final = re.compile(r"[A-Za-z0-9._*-]*")
"""One of two names that make one, as the owner and the name of a repository; look-alike letters are kept out."""
_STARS: Final = frozenset({"*", "**"})

_Given = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a text.

    Args:
        given: The pattern of each variable the text speaks of.
        cut: Index of the part from which on a final star stands for the rest; None for a full reading.
        tail: The pattern of that part, with the star.
        absorbed: How many parts a ``**`` stands for.
    """

    given: _Given
    cut: int | None
    tail: str
    absorbed: int


def split_text(text: str) -> list[str]:
    """Return the segments of a rule's text at even places and its separators at odd ones; variables stay whole."""
    if "${" not in text:
        return SEPARATOR.split(text)
    pieces = [""]
    for piece in _PIECE.findall(text):
        if piece in "/:":
            pieces += [piece, ""]
        else:
            pieces[-1] += piece
    return pieces


def align(template: Template, pieces: list[str], *, keywords: frozenset[str], into_rest: bool) -> list[Reading]:
    """Return every reading of a text against a template.

    Args:
        template: The type's template or one of its short forms.
        pieces: From `split_text`.
        keywords: Literals that follow a pair in some type: behind a star they are no name.
        into_rest: Let an inner ``**`` also reach into the variable that takes the rest, as a deny rule means it.

    Raises:
        PatternError: the text could be read in two ways, or a piece of it breaks a limit.
    """
    first = template.parts[0]
    if first.shape is Shape.LITERAL and first.text != pieces[0] and "*" not in pieces[0]:
        return []  # most texts and templates have nothing to do with each other
    return list(_Aligner(template, pieces, keywords, into_rest).read(0, 0, (), 0))


@dataclass(frozen=True, slots=True)
class _Aligner:
    template: Template
    pieces: list[str]
    keywords: frozenset[str]
    into_rest: bool

    def read(self, index: int, place: int, given: _Given, absorbed: int) -> Iterator[Reading]:
        """Read on from the part ``index`` and the segment at ``place``."""
        part, piece = self.template.parts[index], self.pieces[place]
        if piece == "**" and not self._is_last(place):
            yield from self._absorb(index, place, given, absorbed)
        match part.shape:
            case Shape.LITERAL:
                if piece == part.text or _covers(piece, part.text, last=self._is_last(place)):
                    yield from self._after(index, place + 2, given, piece, absorbed)
            case Shape.ONE:
                value = _segment(piece, last=self._is_last(place))
                if value:
                    yield from self._after(index, place + 2, (*given, (part.text, value)), value, absorbed)
            case Shape.PAIR:
                yield from self._pair(index, place, given, absorbed)
            case Shape.REST:
                yield from self._rest(index, place, given, absorbed)

    def _after(self, index: int, place: int, given: _Given, tail: str, absorbed: int) -> Iterator[Reading]:
        """Read on behind the part ``index``, or end here."""
        following = index + 1
        if place > len(self.pieces):
            if following == len(self.template.parts):
                yield Reading(given, None, "", absorbed)
            elif self.pieces[-1].endswith("*"):
                yield Reading(given, index, tail, absorbed)
        elif following < len(self.template.parts) and self.pieces[place - 1] == self.template.parts[following].before:
            yield from self.read(following, place, given, absorbed)

    def _absorb(self, index: int, place: int, given: _Given, absorbed: int) -> Iterator[Reading]:
        parts = self.template.parts
        for end in range(index + 1, len(parts)):
            if self.pieces[place + 1] == parts[end].before:
                yield from self.read(end, place + 2, given, absorbed + end - index)
        rest = len(parts) - 1
        if self.into_rest and parts[rest].shape is Shape.REST and index < rest:
            value = "".join(self.pieces[place:])
            yield Reading((*given, (parts[rest].text, value)), None, "", absorbed + rest - index)

    def _pair(self, index: int, place: int, given: _Given, absorbed: int) -> Iterator[Reading]:
        part, piece = self.template.parts[index], self.pieces[place]
        if self._is_whole(index, place):
            value = "*/*" if piece in _STARS else f"{piece[:-1]}=*/*}}"
            yield from self._after(index, place + 2, (*given, (part.text, value)), value, absorbed)
            return
        first = _name(piece, last=self._is_last(place))
        if self._is_last(place):
            if first.endswith("*"):
                yield Reading(given, index, first, absorbed)
        elif first and self.pieces[place + 1] == "/":
            second = _name(self.pieces[place + 2], last=self._is_last(place + 2))
            if second:
                value = f"{first}/{second}"
                yield from self._after(index, place + 4, (*given, (part.text, value)), value, absorbed)

    def _is_whole(self, index: int, place: int) -> bool:
        """Tell whether one segment stands for both of a pair: a star or a variable at the end or before a keyword."""
        piece = self.pieces[place]
        if piece not in _STARS and VARIABLE.fullmatch(piece) is None:
            return False
        if self._is_last(place):
            return index + 1 == len(self.template.parts)
        following = self.pieces[place + 2]
        if following not in self.keywords and following.rstrip("*") in self.keywords:
            raise PatternError(
                f"{quote(''.join(self.pieces))} could be read in two ways",
                f"write `{piece}/{following.rstrip('*')}/*`, or two names before it",
            )
        return following in self.keywords

    def _rest(self, index: int, place: int, given: _Given, absorbed: int) -> Iterator[Reading]:
        part = self.template.parts[index]
        if index + 1 == len(self.template.parts):
            value = _rest_value("".join(self.pieces[place:]))
            if value:
                yield Reading((*given, (part.text, value)), None, "", absorbed)
            return
        for end in range(place, len(self.pieces), 2):
            if self.pieces[end] == self.template.stop:
                return
            value = _rest_value("".join(self.pieces[place : end + 1]))
            # The star that ends a part stands for the rest of that part, also where other parts follow.
            wide = value + "*" if value.endswith("*") and not value.endswith("**") else value
            if value:
                yield from self._after(index, end + 2, (*given, (part.text, wide)), value, absorbed)

    def _is_last(self, place: int) -> bool:
        return place + 1 == len(self.pieces)


def _covers(piece: str, literal: str, *, last: bool) -> bool:
    """Tell whether a piece with stars covers a literal segment."""
    if "*" not in piece:
        return False
    glob = _segment(piece, last=last)
    return glob == "*" or (glob != "" and bool(compile_pattern(glob).matches(literal)))


def _segment(piece: str, *, last: bool) -> str:
    """Return the pattern of one segment; empty when the piece is none. ``**`` can only end the text."""
    if "**" not in piece:
        return piece
    return piece[:-1] if last and piece.index("**") == len(piece) - 2 else ""


def _name(piece: str, *, last: bool) -> str:
    """Return the pattern of one name of a pair; empty when the piece is none.

    Raises:
        PatternError: it holds a letter no such name has.
    """
    if _PAIR_NAME.fullmatch(VARIABLE.sub("", piece)) is None:
        raise PatternError(f"an owner and a name hold ASCII letters, digits, `.`, `_`, `-`, found {quote(piece)}")
    return _segment(piece, last=last)


def _rest_value(text: str) -> str:
    return f"{text[:-1]}=**}}" if VARIABLE.fullmatch(text) is not None else text
