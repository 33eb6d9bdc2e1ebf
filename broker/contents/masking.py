"""Masking what looks like a secret in prompts and answers, byte for byte, so that nothing moves.

A rule of `connectors.git.leaks` is about lines of text, and a prompt is JSON, an answer often a stream of events. So
the rules look three times: at the bytes as they are; at the same bytes with what JSON strings escape written out, which
makes lines of it; and, of a stream, at the text of its events put together, since a model writes a token of forty
characters in a dozen events.

What is masked is what a rule knows. Not found are secrets that are encoded (base64, escapes of single letters), that
belong to no provider and have no telling name, or are split among events of several choices or tools at once.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from connectors.git.leaks.scan import LeakRules

Spans = list[tuple[int, int]]

_MASK: Final = b"*"
_STREAM: Final = re.compile(rb"\A\s*(?:event|data|id|retry|):|\ndata:")
_TEXTS: Final = re.compile(
    rb'"(text|partial_json|thinking|content|delta|arguments|reasoning|reasoning_content|refusal|input|completion)"'
    rb'[ \t]{0,8}+:[ \t]{0,8}+"((?:[^"\\]|\\.)*+)"',
    re.ASCII,
)
"""Where events of the dialects have text: Anthropic's deltas, those of chat, of responses."""
_STARS: Final = re.compile(rb"\*+")
_CUT_OFF: Final = re.compile(rb"[\w+/=.~-]{1,4096}\Z", re.ASCII)
_WRITTEN: Final = ((b'\\"', b" \0"), (b'"', b"\n"), (b"\0", b'"'), (b"\\n", b" \n"), (b"\\r", b" \n"), (b"\\t", b"  "))


@dataclass(slots=True)
class Texts:
    """Texts of one kind in a stream, put together.

    Args:
        joined: One after another.
        starts: Where each begins in ``joined``, ascending.
        places: Where each begins in the stream.
    """

    joined: bytearray = field(default_factory=bytearray)
    starts: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    def add(self, text: bytes, place: int) -> None:
        """Add the next text."""
        if text:
            self.starts.append(len(self.joined))
            self.places.append(place)
            self.joined += text

    def back(self, spans: Iterable[tuple[int, int]]) -> Spans:
        """Return the places in the stream of spans of what was put together."""
        found: Spans = []
        for start, stop in spans:
            at = start
            number = bisect_right(self.starts, at) - 1
            while at < stop:
                following = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.joined)
                end, place = min(stop, following), self.places[number] - self.starts[number]
                found.append((at + place, end + place))
                at, number = end, number + 1
        return found


def texts_of(data: bytes) -> Sequence[Texts]:
    """Return the texts of a stream of events, one entry for each name they have; empty when it is none."""
    found: dict[bytes, Texts] = {}
    if _STREAM.search(data):
        for match in _TEXTS.finditer(data):
            found.setdefault(match[1], Texts()).add(match[2], match.start(2))
    return tuple(found.values())


def leaks_of(rules: LeakRules, data: bytes, *, cut: bool) -> Spans:
    """Return where something looks like a secret.

    Args:
        rules: What to look for.
        data: A prompt or an answer.
        cut: It has no end; then what may be the beginning of a secret there is one.
    """
    found = rules.spans(data) + rules.spans(_written_out(data))
    for texts in texts_of(data):
        joined = bytes(texts.joined)
        found += texts.back(rules.spans(joined) + rules.spans(_written_out(joined)))
        if cut:
            found += texts.back(_cut_off(joined))
    return found + (_cut_off(data) if cut else [])


def changed(before: bytes, masked: bytes) -> Spans:
    """Return where bytes were masked that are as long as before."""
    spans = (match.span() for match in _STARS.finditer(masked))
    return [(start, stop) for start, stop in spans if before[start:stop] != masked[start:stop]]


def mask(data: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    """Return the bytes with everything in the spans written over."""
    masked = bytearray(data)
    for start, stop in spans:
        masked[start:stop] = _MASK * (stop - start)
    return bytes(masked)


def is_text(data: bytes, *, cut: bool) -> bool:
    """Tell whether bytes are UTF-8, so that rules can look at them.

    Args:
        data: The bytes.
        cut: The last character may be in part.
    """
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=not cut)
    except UnicodeDecodeError:
        return False
    return True


def _written_out(data: bytes) -> bytes:
    """Return the bytes with the marks of JSON strings as what they stand for, at the same places."""
    for mark, text in _WRITTEN:
        data = data.replace(mark, text)
    return data


def _cut_off(data: bytes) -> Spans:
    match = _CUT_OFF.search(data, max(0, len(data) - 4096))
    return [match.span()] if match else []
