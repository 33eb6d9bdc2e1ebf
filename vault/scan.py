"""The leak scan: finds secrets in bytes, in the vault; masks them, where the bytes are.

`vault.index` lives in the vault process and tells where something is. `Mask` lives where a result streams through: it
holds back the end of a stream from the first place on where a form of a secret may have begun, so that one which
crosses any number of borders is seen whole before its first byte is released, and masks in place, so that lengths do
not change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

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
        spans = merged([*self._spans, *found.spans])
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


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans ascending, those that overlap or touch as one."""
    apart: list[Span] = []
    for start, stop in sorted(spans):
        if apart and start <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(apart[-1][1], stop))
        else:
            apart.append((start, stop))
    return tuple(apart)
