"""The objects a push names: the kind of its tips, the size of its files, what is readable in those that are no text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final

from connectors.errors import UpstreamRefusedError
from connectors.git.names import is_branch
from connectors.git.quarantine.case import Case
from connectors.git.quarantine.history import AddedText, History
from connectors.git.quarantine.local import broken
from connectors.git.quarantine.output import Output
from connectors.git.quarantine.scan import TOO_LARGE, Finding, readable
from connectors.git.quarantine.shown import shown_name
from connectors.git.wire.push_request import NULL_OID, RefUpdate

_SUBMODULE: Final = "160000"
_FORMAT: Final = "--batch-check=%(objectname) %(objecttype) %(objectsize)"


@dataclass(frozen=True, slots=True)
class Contents:
    """What was measured.

    Args:
        tips: New value of a ref to the commit it stands for.
        sizes: Object id to size in bytes, for every file content that was not there before.
    """

    tips: dict[str, str]
    sizes: dict[str, int]


async def measure(case: Case, updates: tuple[RefUpdate, ...], history: History) -> Contents:
    """Look up tips and files.

    Args:
        case: The push, all of whose objects are there.
        updates: As sent.
        history: What was read of it.

    Raises:
        UpstreamRefusedError: a tip is no commit, code ``not-a-commit``, or a file is too large, code ``too-large``.
        NotSentError, GitTimeoutError: git failed.
    """
    moved = [each for each in updates if each.new != NULL_OID]
    files = _new_files(history)
    asked = [form for each in moved for form in (each.new, f"{each.new}^{{commit}}")] + files
    lines = "".join(f"{form}\n" for form in asked).encode()
    answer, said = await case.git.parse(_answers, "cat-file", _FORMAT, stdin=lines)
    if not answer.ok or len(said) != len(asked):
        raise broken("looking up objects", answer)
    tips = {}
    for at, update in enumerate(moved):
        (_, kind, _), (commit, peeled, _) = said[2 * at], said[2 * at + 1]
        _check_tip(update, kind, peeled)
        tips[update.new] = commit
    sizes = {oid: size for oid, _, size in said[2 * len(moved) :]}
    if sizes and max(sizes.values()) > case.limits.blob_bytes:
        raise UpstreamRefusedError(f"a file has at most {case.limits.blob_bytes} bytes", code="too-large")
    return Contents(tips, sizes)


async def read_binaries(case: Case, history: History, sizes: dict[str, int]) -> tuple[list[AddedText], list[Finding]]:
    """Return what is readable in files that git does not compare, and a finding for each that is too large for it.

    Args:
        case: The push.
        history: What was read of it.
        sizes: Of its files.

    Raises:
        NotSentError, GitTimeoutError: git failed.
    """
    limits = case.limits
    chosen: dict[str, AddedText] = {}
    findings, room = [], limits.scan_bytes
    for commit, change in history.changes:
        size = sizes.get(change.new, 0)
        large = size > limits.scan_file_bytes
        if not (large or change.binary) or change.new in chosen:
            continue
        if large or size > room:
            findings.append(Finding(shown_name(change.name), 0, TOO_LARGE, commit))
        elif size:
            room -= size
            chosen[change.new] = AddedText(commit, change.name, 0, [])
    if chosen:
        asked = "".join(f"{oid}\n" for oid in chosen).encode()
        answer, runs = await case.git.parse(_runs, "cat-file", "--batch", stdin=asked)
        if not answer.ok or len(runs) != len(chosen):
            raise broken("reading files", answer)
        for text, lines in zip(chosen.values(), runs, strict=True):
            text.lines.extend(lines)
    return list(chosen.values()), findings


def _new_files(history: History) -> list[str]:
    """Ids of contents that some commit brings and none had before it; one that only moves is not new."""
    known, new = {NULL_OID}, set[str]()
    oldest_first = groupby(reversed(history.changes), key=itemgetter(0))
    for _, group in oldest_first:
        changes = [change for _, change in group]
        known |= {change.old for change in changes}
        # What an earlier one of these commits brought stays new, though a later one replaces it.
        new |= {change.new for change in changes if change.mode != _SUBMODULE} - known
    return sorted(new)


def _check_tip(update: RefUpdate, kind: str, peeled: str) -> None:
    if peeled != "commit" or (is_branch(update.ref) and kind != "commit"):
        raise UpstreamRefusedError(f"`{update.new}` for `{update.ref}` is a {kind}, not a commit", code="not-a-commit")


def _answers(pieces: Iterator[bytes]) -> list[tuple[str, str, int]]:
    """Name, type and size for each question; type `missing` where there is no such thing."""
    output, answers = Output(pieces), []
    while output.peek(1):
        name, kind, *size = output.until(b"\n").decode().split(" ")
        answers.append((name, kind, int(size[0]) if size else 0))
    return answers


def _runs(pieces: Iterator[bytes]) -> list[list[bytes]]:
    output, runs = Output(pieces), []
    while output.peek(1):
        size = int(output.until(b"\n").rpartition(b" ")[2])
        runs.append(readable(output.take(size)))
        output.take(1)
    return runs
