"""The leak scan: finds secrets in bytes, in the vault; masks them, where the bytes are.

`SecretIndex` lives in the vault process and tells where something is. `Mask` lives where a result streams through: it
holds back as many bytes as the longest form of a secret less one, so that one which crosses any number of borders is
seen whole before its first byte is released, and masks in place, so that lengths do not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, cast

import ahocorasick

from vault.variants import pieces, variants

MASK: Final = b"*"

Span = tuple[int, int]
"""Start and end of a range of bytes."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a scan of some bytes tells.

    Args:
        spans: Disjoint ranges to be masked, ascending.
        hits: Matches that end in the fresh part.
        keep: How many bytes at the end must be held back until more is seen.
    """

    spans: tuple[Span, ...]
    hits: int
    keep: int


NOTHING: Final = Found((), 0, 0)


class _Automaton(Protocol):
    """The part of ``ahocorasick.Automaton`` in use; it is built for text, so bytes go in as Latin-1."""

    def add_word(self, word: str, value: int, /) -> bool: ...

    def make_automaton(self) -> None: ...

    def iter(self, text: str, /) -> Iterator[tuple[int, int]]: ...


class SecretIndex:
    """Every form of a set of secrets, searched in one pass (Aho-Corasick).

    Args:
        secrets: Values of at least eight bytes; shorter ones have no form that is looked for.
    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        forms = {form for secret in secrets for piece in pieces(secret) for form in variants(piece)}
        self._automaton = cast("_Automaton", ahocorasick.Automaton())
        for form in forms:
            self._automaton.add_word(form.decode("latin-1"), len(form))
        self._automaton.make_automaton()
        self._longest = max(map(len, forms), default=0)

    def find(self, data: bytes, fresh: int = 0) -> Found:
        """Return where ``data`` must be masked.

        Args:
            data: What to scan.
            fresh: Matches that end before this offset are not counted as hits again.
        """
        if self._longest == 0:  # an automaton without words cannot be searched
            return NOTHING
        matches = [(last + 1 - size, last + 1) for last, size in self._automaton.iter(data.decode("latin-1"))]
        hits = len({match for match in matches if match[1] > fresh})
        return Found(_merged(matches), hits, self._longest - 1)


class Mask:
    """The state of one stream between its chunks; `window`, then a scan, then `release`."""

    def __init__(self) -> None:
        self._tail = b""
        self._spans: tuple[Span, ...] = ()
        self.hits = 0

    def window(self, chunk: bytes) -> tuple[bytes, int]:
        """Return the bytes to scan, and where the fresh ones begin."""
        return self._tail + chunk, len(self._tail)

    def release(self, window: bytes, found: Found, *, last: bool = False) -> bytes:
        """Return what may go on, masked.

        Args:
            window: What `window` returned.
            found: The scan's answer on it.
            last: Nothing follows; nothing is held back.
        """
        self.hits += found.hits
        # A span found before may begin in bytes that are gone, so it is not found again: it is remembered.
        spans = _merged([*self._spans, *found.spans])
        end = len(window) if last else max(0, len(window) - found.keep)
        self._tail = window[end:]
        self._spans = tuple((max(start, end) - end, stop - end) for start, stop in spans if stop > end)
        return masked(window, spans)[:end]


def masked(data: bytes, spans: Iterable[Span]) -> bytes:
    """Return ``data`` with the spans written over, its length unchanged."""
    out: bytearray | None = None
    for start, stop in spans:
        out = bytearray(data) if out is None else out
        out[start:stop] = MASK * (stop - start)
    return data if out is None else bytes(out)


def _merged(spans: list[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return tuple(merged)
