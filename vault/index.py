"""The index of the leak scan: every form of every secret, found in one pass over a part of the bytes.

Bytes are not looked at one by one. With a stride of *s* only every *s*-th byte is, and each form is known by anchors:
`ANCHOR_SAMPLES` samples from its middle, for each of the *s* ways the samples can fall on it. Where a form
stands, one of its anchors stands in the samples; so the samples are searched for all anchors at once (Aho-Corasick),
and at each place that is found the bytes themselves are compared with the whole form. What is told is exact; the stride
decides the speed only. The middle, because what forms of different secrets have in common stands at their ends: the
head of a JWT or a PEM file, the padding of base64.

The stride follows from the shortest form: one secret of eight bytes makes every scan look at every byte.

Of a stream, the end is held back as far as a form may begin there: from the first place on from which the bytes are the
head of a form up to their end. So text that holds no secret is not held back at all, however long the forms are.

An index is a list of segments, so that adding to it costs what the new secrets cost: a new one is a segment of its own,
and segments are merged as they come to be of a size, up to `MERGED_FORMS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ahocorasick_rs import BytesAhoCorasick, Implementation

from vault.scan import Found, Span, merged
from vault.variants import pieces, variants

FOREVER_NS: Final = 2**63 - 1

ANCHOR_SAMPLES: Final = 8
"""The shortest form has as many bytes; eight characters of a secret's alphabet agree by accident once in 2**32."""
_MAX_STRIDE: Final = 8
"""Beyond it, taking the samples costs more than searching them."""
_TABLE_STATES: Final = 32 << 10
"""Up to so many states, a full table (16 MiB, 50 ms to build) is searched, at twice the speed of the compact one."""
MERGED_FORMS: Final = 8192
"""Forms in a segment that grew by merging, some 300 secrets: the last of its merges stops the vault for 0.1 s."""


class SecretIndex:
    """Finds secrets in bytes.

    Args:
        secrets: Values of at least eight bytes; shorter ones have no form that is looked for.
        merged_forms: Most forms of a segment that grew by merging.
    """

    def __init__(self, secrets: Iterable[bytes] = (), *, merged_forms: int = MERGED_FORMS) -> None:
        forms = dict.fromkeys(_forms(secrets), FOREVER_NS)
        self._segments = [_Segment(forms)] if forms else []
        self._merged_forms = merged_forms
        self._now_ns = 0

    def add(self, secrets: Iterable[bytes], *, until_ns: int = FOREVER_NS) -> None:
        """Look for more secrets from now on.

        Args:
            secrets: As of the class.
            until_ns: When they need not be looked for any more, on the clock of `expire`.
        """
        forms = dict.fromkeys(_forms(secrets), until_ns)
        if not forms:
            return
        while self._segments and self._may_merge(len(self._segments[-1].forms), len(forms)):
            for form, other_ns in self._segments.pop().forms.items():
                if other_ns > self._now_ns:
                    forms[form] = max(other_ns, forms.get(form, 0))
        self._segments.append(_Segment(forms))

    def expire(self, now_ns: int) -> None:
        """Stop looking for secrets whose time is over; some are looked for as long as what was added with them."""
        self._now_ns = now_ns
        if any(segment.until_ns <= now_ns for segment in self._segments):
            self._segments = [segment for segment in self._segments if segment.until_ns > now_ns]

    def find(self, data: bytes, fresh: int = 0) -> Found:
        """Return where ``data`` must be masked.

        Args:
            data: What to scan.
            fresh: Matches that end before this offset are not counted as hits again.
        """
        return find_in((self,), data, fresh)

    @property
    def longest(self) -> int:
        """Length of the longest form, 0 when there is none."""
        return max((segment.longest for segment in self._segments), default=0)

    def matches(self, data: bytes) -> set[Span]:
        """Return where forms stand."""
        return {match for segment in self._segments for match in segment.matches(data)}

    def begun(self, data: bytes) -> int:
        """Return how many bytes at the end of ``data`` are the head of a form that may go on after it."""
        return max((segment.begun(data) for segment in self._segments), default=0)

    def _may_merge(self, before: int, new: int) -> bool:
        # Each segment is at least four times as large as the one after it: few passes for a scan, and each form is
        # built into segments a few times over its life, not once for every form that comes after it.
        return before <= 4 * new and before + new <= self._merged_forms


def find_in(indexes: Iterable[SecretIndex], data: bytes, fresh: int = 0) -> Found:
    """Return what the scan of several indexes tells; see `SecretIndex.find`."""
    matches: set[Span] = set()
    keep = 0
    for index in indexes:
        matches |= index.matches(data)
        keep = max(keep, index.begun(data))
    hits = sum(stop > fresh for _, stop in matches)
    return Found(merged(matches), hits, keep)


class _Segment:
    """Forms that are searched together, each with when it is over."""

    def __init__(self, forms: Mapping[bytes, int]) -> None:
        self.forms = forms
        self.until_ns = max(forms.values())
        self.longest = max(map(len, forms))
        self._stride = max(1, min(_MAX_STRIDE, min(map(len, forms)) // ANCHOR_SAMPLES))
        anchors: dict[bytes, list[tuple[bytes, int]]] = {}
        for form in forms:
            head = (len(form) - ANCHOR_SAMPLES * self._stride) // 2
            for shift in range(self._stride):
                samples = form[head + shift :: self._stride][:ANCHOR_SAMPLES]
                anchors.setdefault(samples, []).append((form, head + shift))
        self._known = list(anchors.values())
        small = sum(map(len, anchors)) <= _TABLE_STATES
        how = Implementation.DFA if small else Implementation.ContiguousNFA
        self._automaton = BytesAhoCorasick(list(anchors), implementation=how)
        # A head of this many bytes is looked for in the end of a stream; a shorter one is looked up as it is.
        heads: dict[bytes, list[bytes]] = {}
        for form in forms:
            heads.setdefault(form[:ANCHOR_SAMPLES], []).append(form)
        self._by_head = list(heads.values())
        self._heads = BytesAhoCorasick(list(heads), implementation=Implementation.ContiguousNFA)
        self._short = {head[:size] for head in heads for size in range(1, ANCHOR_SAMPLES)}

    def begun(self, data: bytes) -> int:
        """Return the length of the longest end of ``data`` that is the head of a form and not all of it."""
        end = data[-(self.longest - 1) :]
        for number, start, _ in self._heads.find_matches_as_indexes(end, overlapping=True):
            left = len(end) - start
            if any(len(form) > left and form.startswith(end[start:]) for form in self._by_head[number]):
                return left
        for size in range(min(ANCHOR_SAMPLES - 1, len(end)), 0, -1):
            if end[-size:] in self._short:
                return size
        return 0

    def matches(self, data: bytes) -> list[Span]:
        """Return where forms stand, in no order."""
        found: list[Span] = []
        for number, sample, _ in self._automaton.find_matches_as_indexes(data[:: self._stride], overlapping=True):
            for form, offset in self._known[number]:
                start = sample * self._stride - offset
                if start >= 0 and data.startswith(form, start):
                    found.append((start, start + len(form)))
        return found


def _forms(secrets: Iterable[bytes]) -> set[bytes]:
    return {form for secret in secrets for piece in pieces(secret) for form in variants(piece)}
