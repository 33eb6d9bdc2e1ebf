"""Looks for secrets in what a push adds: by their form, and by the vault's own values.

A finding names rule, file, line and commit, never the text. Files git compares line by line are scanned in their added
lines; of other files of moderate size, all readable runs are. Whatever is too large counts as a finding of its own, as
nobody can tell what is in it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from connectors.errors import NotSentError
from connectors.git.leaks.scan import LeakRules
from connectors.git.process import GitPrograms
from connectors.git.quarantine.history import AddedText
from connectors.git.quarantine.shown import shown_name
from connectors.inspection import Masker

VAULT_VALUE: Final = "vault-value"
"""Rule of a value that the vault keeps."""
TOO_LARGE: Final = "too-large-to-scan"
"""Rule of a file, or of a push, that was not scanned as a whole."""

_MAX_IN_FILE: Final = 10_000
"""More than anybody looks at, and enough that the findings of one rule cannot crowd out another."""
_SLICE_BYTES: Final = 1 << 20
"""How much goes to the vault at a time."""
_RUN: Final = re.compile(rb"[\x20-\x7e\t]{8,}")
"""Readable text in a file that is none; no secret is shorter."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A place where a secret stands; never the secret.

    Args:
        path: Of the file, fit to be shown; empty for the message of the commit.
        line: Its number, 0 when the file has no lines.
        rule: Stable id of the rule.
        commit: Id of the commit.
    """

    path: str
    line: int
    rule: str
    commit: str


def readable(data: bytes) -> list[bytes]:
    """Return the readable runs in a file that is no text."""
    return _RUN.findall(data)


class Scanner:
    """Scans texts.

    Args:
        programs: Whose threads the rules are tried in.
        rules: How secrets look.
        masker: Knows the vault's values.
    """

    def __init__(self, programs: GitPrograms, rules: LeakRules, masker: Masker) -> None:
        self._programs = programs
        self._rules = rules
        self._masker = masker

    async def scan(self, texts: list[AddedText]) -> list[Finding]:
        """Return what is found, in order, each place once for a rule.

        Raises:
            VaultError: the vault cannot say.
            NotSentError: what it said is not about the text.
        """
        by_form = await self._programs.in_thread(lambda: list(self._by_form(texts)), lambda: None)
        return sorted({*by_form, *[finding async for finding in self._by_value(texts)]})

    def _by_form(self, texts: list[AddedText]) -> Iterator[Finding]:
        for (commit, name), group in groupby(texts, lambda text: (text.commit, text.name)):
            path = shown_name(name)
            for leak in self._rules.scan(path, _numbered(group), limit=_MAX_IN_FILE):
                yield Finding(path, leak.line, leak.rule, commit)

    async def _by_value(self, texts: list[AddedText]) -> AsyncIterator[Finding]:
        batch: list[AddedText] = []
        size = 0
        for text in texts:
            batch.append(text)
            size += sum(map(len, text.lines))
            if size >= _SLICE_BYTES:
                for finding in await self._masked(batch):
                    yield finding
                batch, size = [], 0
        for finding in await self._masked(batch):
            yield finding

    async def _masked(self, texts: list[AddedText]) -> list[Finding]:
        lines = [line for text in texts for line in text.lines]
        data = b"\n".join(lines)
        masked, hits = await self._masker.scrub(data) if data else (data, 0)
        if len(masked) != len(data):
            raise NotSentError("the scan for secrets went wrong")
        if not hits:
            return []
        touched = set(_touched(lines, data, masked))
        found, at = [], 0
        for text in texts:
            for number in range(len(text.lines)):
                if at + number in touched:
                    line = text.line + number if text.line else 0
                    found.append(Finding(shown_name(text.name), line, VAULT_VALUE, text.commit))
            at += len(text.lines)
        return found

    async def touched(self, lines: list[tuple[str, bytes]]) -> dict[int, str]:
        """Return which lines hold a secret, by their place in the list, and by which rule; for what people are shown.

        Args:
            lines: Path and text of each.
        """
        texts = [AddedText("", path.encode(), number, [line]) for number, (path, line) in enumerate(lines)]
        by_value = await self._masked(texts)
        by_form = (
            (leak.line, leak.rule)
            for path, group in groupby(enumerate(lines), lambda item: item[1][0])
            for leak in self._rules.scan(path, ((number, _text(line)) for number, (_, line) in group))
        )
        return dict(by_form) | {finding.line: finding.rule for finding in by_value}


def _touched(lines: list[bytes], data: bytes, masked: bytes) -> Iterator[int]:
    at = 0
    for number, line in enumerate(lines):
        # With the line feed: a value may be one.
        if data[at : at + len(line) + 1] != masked[at : at + len(line) + 1]:
            yield number
        at += len(line) + 1


def _numbered(texts: Iterable[AddedText]) -> Iterator[tuple[int, str]]:
    for text in texts:
        for number, line in enumerate(text.lines):
            yield (text.line + number if text.line else 0), _text(line)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
