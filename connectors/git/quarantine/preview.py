"""What people are shown of a push: commits, files and the first lines of the changes, from the objects themselves.

    refs      ref, old, new, change; commits, commits_total; files, files_total, totals; diff
              for deletions, and beyond the first refs, without the details; a total that was not counted is null
    commits   oid, author, committer (name and address), date, subject, signed
    files     path, added, removed (null for a binary), binary, status
    totals    files, added, removed, binary over all files; null when there are too many to be counted
    diff      path, lines, more: the first lines of the first files; hidden characters escaped, long lines clipped, a
              line with a secret replaced by the name of the rule
    leaks     rule, path, line, commit; leaks_total
    cut       true when it was shortened to `MAX_PREVIEW_BYTES`

What a ref had, or where a new one branched off, is compared with what it is to have. The same push gives the same
preview, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import orjson

from connectors.base import JsonObject
from connectors.git.plans import Change
from connectors.git.quarantine.case import Case
from connectors.git.quarantine.graph import base_of, reached
from connectors.git.quarantine.held import JudgedUpdate
from connectors.git.quarantine.history import Commit, History, Person
from connectors.git.quarantine.local import EMPTY_TREE, broken
from connectors.git.quarantine.output import FileChange, Output, read_changes, read_patches
from connectors.git.quarantine.scan import Finding, Scanner
from connectors.git.quarantine.shown import shown_name, shown_text

MAX_PREVIEW_BYTES: Final = 48 << 10
MAX_DETAILED_REFS: Final = 8
"""Each costs a git of its own."""
MAX_COMMITS: Final = 20
MAX_FILES: Final = 100
MAX_DIFFS: Final = 20
MAX_LINES: Final = 40
MAX_LEAKS: Final = 50

_SHARES: Final = (1.0, 0.5, 0.25, 0.1, 0.0)
"""Parts of those bounds that are tried, until it fits."""
_LINE_BYTES: Final = 4096
_LINE_CHARS: Final = 200
_PATH_CHARS: Final = 300
_DIFF: Final = (
    *("diff-tree", "-r", "-z", "--raw", "--numstat", "--patch", "--no-renames", "--no-abbrev", "--no-color"),
    *("--no-ext-diff", "--no-textconv"),
)
_ENCODED: Final = re.compile(rb"[+ -]?\s*(?:[A-Za-z0-9+/=]{16,}|-----[A-Z ]+-----|[A-Za-z-]+: .*)?\s*")
"""How the lines of a key go on after the one that gives it away."""


@dataclass(slots=True)
class _FileDiff:
    path: str
    lines: list[bytes]
    more: bool = False


@dataclass(slots=True)
class _Compared:
    """Two trees; no files when there were too many, `stopped` when git had more to say."""

    files: list[FileChange] | None
    diffs: list[_FileDiff]
    stopped: bool


@dataclass(slots=True)
class _Details:
    """What one ref is shown with; no total and no files when there were too many."""

    commits: list[Commit]
    commits_total: int | None
    files: list[FileChange] | None
    diffs: list[_FileDiff]


@dataclass(frozen=True, slots=True)
class Previewer:
    """Makes previews.

    Args:
        case: The push.
        scanner: Finds secrets in what is shown.
    """

    case: Case
    scanner: Scanner

    async def preview(
        self, updates: tuple[JudgedUpdate, ...], history: History, findings: list[Finding], tips: dict[str, str]
    ) -> JsonObject:
        """Return what people are shown.

        Args:
            updates: What happens to each ref.
            history: What is new to them.
            findings: Secrets that were found.
            tips: New value of a ref to the commit it stands for.

        Raises:
            NotSentError, VaultError, GitTimeoutError, GitOutputError: it cannot be made.
        """
        details: dict[str, _Details] = {}
        for update in [each for each in updates if each.change is not Change.DELETE][:MAX_DETAILED_REFS]:
            details[update.ref] = await self._details(update, tips[update.new], history)
        masked = await self._masked(details)
        told = {finding.commit: finding.rule for finding in findings if not finding.path}
        for commit, rule in told.items():
            if commit in history.commits:
                history.commits[commit].message = [f"[{rule}]".encode()]
        for share in _SHARES:
            shown = {
                "refs": [_ref(each, details.get(each.ref), masked, share) for each in updates],
                "leaks": [asdict(finding) for finding in findings[: _part(MAX_LEAKS, share)]],
                "leaks_total": len(findings),
                "cut": share < 1,
            }
            if len(orjson.dumps(shown)) <= MAX_PREVIEW_BYTES:
                break
        return shown

    async def _details(self, update: JudgedUpdate, tip: str, history: History) -> _Details:
        commits = reached(history.commits, tip)
        total = None if history.overflow else len(commits)
        beyond = (self.case.state.trunk or EMPTY_TREE) if history.overflow else ""
        base = base_of(history.commits, update.old, tip, beyond=beyond)
        if base == tip:
            return _Details(commits, total, [], [])
        ended, compared = await self.case.git.parse(self._read, *_DIFF, base, tip)
        if not ended.ok and not compared.stopped:
            raise broken("comparing files", ended)
        return _Details(commits, total, compared.files, compared.diffs)

    def _read(self, pieces: Iterator[bytes]) -> _Compared:
        output = Output(pieces)
        changes = read_changes(output, self.case.limits.changes)
        if changes is None:
            return _Compared(None, [], stopped=True)
        diffs = [_FileDiff(shown_text(shown_name(each.name).encode(), _PATH_CHARS), []) for each in changes[:MAX_DIFFS]]
        by_change = {id(change): diff for change, diff in zip(changes, diffs, strict=False)}
        for hunk in read_patches(output, changes):
            diff = by_change.get(id(hunk.change))
            if diff is None:
                return _Compared(changes, diffs, stopped=True)
            room = MAX_LINES - len(diff.lines)
            lines = [hunk.header, *hunk.lines]
            diff.lines += [line[:_LINE_BYTES] for line in lines[:room]]
            diff.more |= len(lines) > room
        return _Compared(changes, diffs, stopped=False)

    async def _masked(self, details: dict[str, _Details]) -> dict[int, list[str]]:
        """Return the lines of each diff as they are shown, by the identity of the diff."""
        diffs = [diff for each in details.values() for diff in each.diffs]
        lines = [(diff.path, line) for diff in diffs for line in diff.lines]
        touched = await self.scanner.touched(lines)
        shown, number = {}, 0
        for diff in diffs:
            shown[id(diff)] = _hidden(diff.lines, {at - number: rule for at, rule in touched.items()})
            number += len(diff.lines)
        return shown


def _hidden(lines: list[bytes], touched: dict[int, str]) -> list[str]:
    """Lines fit to be shown, without secrets; a secret may go on in the lines that follow."""
    shown: list[str] = []
    rule = ""
    for number, line in enumerate(lines):
        rule = touched.get(number, rule if rule and _ENCODED.fullmatch(line) else "")
        sign = line[:1].decode("ascii", "replace")
        shown.append(f"{sign}[{rule}]" if rule else shown_text(line, _LINE_CHARS))
    return shown


def _ref(update: JudgedUpdate, details: _Details | None, masked: dict[int, list[str]], share: float) -> JsonObject:
    shown: JsonObject = {"ref": update.ref, "old": update.old, "new": update.new, "change": update.change.value}
    if details is None:
        return shown
    files = details.files
    return {
        **shown,
        "commits": [_commit(commit) for commit in details.commits[: _part(MAX_COMMITS, share)]],
        "commits_total": details.commits_total,
        "files": [_file(change) for change in (files or [])[: _part(MAX_FILES, share)]],
        "files_total": None if files is None else len(files),
        "totals": None if files is None else _totals(files),
        "diff": [
            _diff(diff, masked[id(diff)], _part(MAX_LINES, share)) for diff in details.diffs[: _part(MAX_DIFFS, share)]
        ],
    }


def _part(limit: int, share: float) -> int:
    return int(limit * share)


def _commit(commit: Commit) -> JsonObject:
    return {
        "oid": commit.oid,
        "author": _person(commit.author),
        "committer": _person(commit.committer),
        "date": commit.author.date,
        "subject": commit.subject,
        "signed": commit.signed,
    }


def _person(person: Person) -> str:
    return f"{person.name} <{person.email}>"


def _file(change: FileChange) -> JsonObject:
    return {
        "path": shown_text(shown_name(change.name).encode(), _PATH_CHARS),
        "added": change.added,
        "removed": change.removed,
        "binary": change.binary,
        "status": change.status,
    }


def _totals(files: list[FileChange]) -> JsonObject:
    return {
        "files": len(files),
        "added": sum(each.added or 0 for each in files),
        "removed": sum(each.removed or 0 for each in files),
        "binary": sum(each.binary for each in files),
    }


def _diff(diff: _FileDiff, lines: list[str], limit: int) -> JsonObject:
    return {"path": diff.path, "lines": lines[:limit], "more": diff.more or len(lines) > limit}
