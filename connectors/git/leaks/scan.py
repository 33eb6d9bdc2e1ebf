"""Finds secrets in lines that were added: what an agent is about to publish.

Lines are searched in batches for the keywords of all rules at once (Aho-Corasick); a rule is tried only where a
keyword of its own stands, and its work there is bounded, so that the cost grows with the bytes and with nothing else.

What is known from documentation (the example keys of a provider, `changeme`, `${VARIABLE}`, digests) does not count.
There is no mark by which a line excuses itself: whoever writes the line would write the mark too. Paths excuse nothing
either. What must go out all the same is for policy to allow.

NOT found: secrets that are encoded, encrypted, cut in pieces or spread over lines, secrets in binary files, and values
that neither their form nor their name gives away. Whoever means to smuggle can; this catches accidents.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from ahocorasick_rs import BytesAhoCorasick, Implementation

from connectors.git.leaks.checks import entropy_bits, is_placeholder
from connectors.git.leaks.clouds import CLOUDS
from connectors.git.leaks.forges import FORGES
from connectors.git.leaks.keys import KEYS
from connectors.git.leaks.model import Leak, Rule
from connectors.git.leaks.services import MESSAGING, MODELS, OBSERVABILITY, PAYMENT

RULES: Final[tuple[Rule, ...]] = (*CLOUDS, *FORGES, *MESSAGING, *PAYMENT, *MODELS, *OBSERVABILITY, *KEYS)

MAX_LEAKS: Final = 100
"""Places that are told of: one is enough to refuse, more help to mend."""
_BATCH_CHARACTERS: Final = 256 << 10
"""Large enough that searching costs more than preparing it, small enough to stay in a processor's cache."""
_NAME_BEFORE: Final = re.compile(rb"[ \t]*(?:export |set |ENV |ARG |env |- )?[ \t]*[\w.-]*\Z", re.ASCII)
_NAME_BYTES: Final = 96
"""A setting's name and its indent; a longer start of a line is no setting."""
_WRITTEN_OUT: Final = re.compile(rb"\\[nrt]|%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}", re.ASCII)
"""What ends with a letter or digit and is a break all the same, where text is written in text."""
_WRITTEN_BYTES: Final = 6

_BLOCKS: Final = frozenset(("private-key", "putty-private-key"))
"""Rules that know the first line of a key, after which the key comes."""
_BLOCK_BYTES: Final = 32 << 10
"""The largest key in such a form: RSA of 16384 bits has some 13 kB."""
_BLOCK_END: Final = re.compile(rb"-----END [A-Z ]{1,40}-----|Private-MAC: [0-9a-f]{1,128}", re.ASCII)
_BLOCK_RUN: Final = re.compile(rb"[\w+/=\s\\:,.@-]*+", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Lines that are searched together."""

    numbers: list[int]
    texts: list[str]

    def line_at(self, starts: list[int], offset: int) -> int:
        """Return the number of the line that an offset lies in."""
        return self.numbers[bisect_right(starts, offset) - 1]

    def starts(self) -> list[int]:
        """Return where each line begins in the bytes."""
        return [0, *accumulate(len(_encoded(text)) + 1 for text in self.texts)][:-1]


class LeakRules:
    """Rules, ready to be searched for; building them takes some 30 ms, so one is made for a process. Holds no state.

    Args:
        rules: What to look for; names are unique.
    """

    def __init__(self, rules: Iterable[Rule] = RULES) -> None:
        every = tuple(rules)
        self._exact = _Keywords([rule for rule in every if not rule.folded])
        self._folded = _Keywords([rule for rule in every if rule.folded])

    def scan(self, path: str, lines: Iterable[tuple[int, str]], *, limit: int = MAX_LEAKS) -> list[Leak]:
        """Return where secrets stand, each rule once for a line, in the order of the lines.

        Args:
            path: What the lines are of; only passed on.
            lines: Number and text of each, without its line break; read as far as needed.
            limit: Stop after so many leaks.
        """
        found: list[Leak] = []
        for batch in _batches(lines):
            found += self._scan(path, batch)
            if len(found) >= limit:
                break
        return found[:limit]

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return from where to where secrets stand in bytes, as offsets, for whoever masks them; they may overlap.

        A key that stands in several lines is told to its end. Nothing is quiet here: of two rules that tell of the same
        place both count.
        """
        hits = [*self._exact.hits(data, data), *self._folded.hits(data, data.lower())]
        return sorted((start, _end_of(rule, data, stop)) for _, (start, stop), rule in hits)

    def _scan(self, path: str, batch: _Batch) -> list[Leak]:
        data = _encoded("\n".join(batch.texts))
        hits = [*self._exact.hits(data, data), *self._folded.hits(data, data.lower())]
        if not hits:
            return []
        starts = batch.starts()
        told: dict[int, dict[str, bool]] = {}
        for offset, _, rule in hits:
            told.setdefault(batch.line_at(starts, offset), {})[rule.name] = rule.generic
        return [
            Leak(rule, path, line)
            for line, names in sorted(told.items())
            for rule, generic in sorted(names.items())
            if not generic or all(names.values())
        ]


class _Keywords:
    """The keywords of rules, as one automaton, and what follows each."""

    def __init__(self, rules: list[Rule]) -> None:
        known: dict[str, list[tuple[Rule, re.Pattern[bytes]]]] = {}
        for rule in rules:
            rest = re.compile(rule.rest.encode(), re.ASCII)
            for keyword in rule.keywords:
                known.setdefault(keyword, []).append((rule, rest))
        self._rules = list(known.values())
        self._automaton = BytesAhoCorasick([keyword.encode() for keyword in known], implementation=Implementation.DFA)

    def hits(self, data: bytes, searched: bytes) -> Iterator[tuple[int, tuple[int, int], Rule]]:
        """Yield where rules match: where the keyword begins, and from where to where the secret stands.

        Args:
            data: What rules are tried on.
            searched: What keywords are looked for in: the data, or the data in lower case.
        """
        for number, start, end in self._automaton.find_matches_as_indexes(searched, overlapping=True):
            for rule, rest in self._rules[number]:
                match = rest.match(data, end) if _stands(rule, data, start) else None
                if match and _counts(rule, data[start:end], match):
                    yield start, match.span("secret") if _is_named(match) else (start, match.end()), rule


def _stands(rule: Rule, data: bytes, start: int) -> bool:
    """Tell whether what is before a keyword lets it begin there."""
    if rule.opens_line:
        opening = data[max(0, start - _NAME_BYTES) : start].rpartition(b"\n")
        return (bool(opening[1]) or start < _NAME_BYTES) and _NAME_BEFORE.match(opening[2]) is not None
    if rule.alone and start and data[start - 1 : start].isalnum():
        before = data[max(0, start - _WRITTEN_BYTES) : start]
        return any(match.end() == len(before) for match in _WRITTEN_OUT.finditer(before))
    return True


def _counts(rule: Rule, keyword: bytes, match: re.Match[bytes]) -> bool:
    """Tell whether a match is a secret: irregular enough, of no documentation, and right by its own check."""
    named = _is_named(match)
    measured = (match["secret"] if named else match.group()).decode("latin-1")
    secret = measured if named else keyword.decode() + measured
    if rule.min_entropy_bits and entropy_bits(measured) < rule.min_entropy_bits:
        return False
    return not is_placeholder(secret) and (rule.check is None or rule.check(secret))


def _is_named(match: re.Match[bytes]) -> bool:
    """Tell whether the rule says which part of a match is the secret."""
    return "secret" in match.re.groupindex


def _end_of(rule: Rule, data: bytes, stop: int) -> int:
    """Return where a secret ends of which a match ends at ``stop``."""
    if rule.name not in _BLOCKS:
        return stop
    most = min(len(data), stop + _BLOCK_BYTES)
    found = _BLOCK_END.search(data, stop, most) or _BLOCK_RUN.match(data, stop, most)
    return found.end() if found else stop


def _batches(lines: Iterable[tuple[int, str]]) -> Iterator[_Batch]:
    numbers: list[int] = []
    texts: list[str] = []
    size = 0
    for number, text in lines:
        numbers.append(number)
        texts.append(text)
        size += len(text)
        if size >= _BATCH_CHARACTERS:
            yield _Batch(numbers, texts)
            numbers, texts, size = [], [], 0
    if texts:
        yield _Batch(numbers, texts)


def _encoded(text: str) -> bytes:
    """Bytes of a text, whatever it was read from; every character of a secret is ASCII."""
    return text.encode("utf-8", "surrogatepass")
