"""The commits a push brings to its refs: who made them, what they change, which text they add.

    commit <id> [(from <parent>)]     once for each parent of a merge, so that what differs from any of them is seen
    tree, parent, author, committer, other headers
    <empty line> message, indented
    <empty line> changes and patches  as in `connectors.git.quarantine.output`
    NUL

Read from ``git log -z --format=raw``: the headers as they are stored, in no encoding that the commit itself could
choose. That a header `gpgsig` is there says that somebody signed; whose signature it is, and of what, is NOT checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from connectors.git.quarantine.limits import YardLimits
from connectors.git.quarantine.output import FileChange, GitOutputError, Output, read_changes, read_patches
from connectors.git.quarantine.shown import shown_text

LOG: Final = (
    *("log", "--stdin", "-z", "--format=raw", "--topo-order", "-m", "--root", "--raw", "--no-renames", "--no-abbrev"),
    *("--encoding=none", "--no-notes", "--no-decorate", "--no-color", "--no-mailmap", "--no-show-signature"),
)
PATCHES: Final = ("--numstat", "--patch", "--unified=0", "--no-ext-diff", "--no-textconv")

_COMMIT: Final = re.compile(rb"commit ([0-9a-f]{40})(?: \(from [0-9a-f]{40}\))?")
_PERSON: Final = re.compile(rb"(.*?) ?<([^<>]*)> ([0-9]{1,12}) ([+-])([0-9]{2})([0-9]{2})")
_SIGNATURES: Final = (b"gpgsig", b"gpgsig-sha256")
_INDENT: Final = b"    "
_NAME_CHARS: Final = 120
_SUBJECT_CHARS: Final = 160


@dataclass(frozen=True, slots=True)
class Person:
    """An author or committer, as the commit says; nobody has verified it.

    Args:
        name: Fit to be shown.
        email: Likewise; empty when there is none.
        date: ISO 8601 with its offset, empty when it is no date.
    """

    name: str
    email: str
    date: str


@dataclass(slots=True)
class Commit:
    """One new commit.

    Args:
        oid: Its id.
        parents: Ids of its parents, in order.
        author: Who wrote it.
        committer: Who committed it.
        signed: Whether it carries a signature; which is not verified.
        message: Lines of its message.
    """

    oid: str
    parents: tuple[str, ...] = ()
    author: Person = field(default_factory=lambda: Person("", "", ""))
    committer: Person = field(default_factory=lambda: Person("", "", ""))
    signed: bool = False
    message: list[bytes] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """First line of its message, fit to be shown."""
        return next((shown_text(line, _SUBJECT_CHARS) for line in self.message if line.strip()), "")


@dataclass(frozen=True, slots=True)
class AddedText:
    """Neighbouring lines that a commit adds.

    Args:
        commit: Its id.
        name: Path of the file; empty for the commit's message.
        line: Number of the first one.
        lines: The lines.
    """

    commit: str
    name: bytes
    line: int
    lines: list[bytes]


@dataclass(slots=True)
class History:
    """What was read.

    Args:
        commits: By id, newest first.
        changes: Each with the id of its commit.
        added: What can be scanned for secrets.
        overflow: There are more commits or changes than were read.
        unscanned: There is more added text than was read; then `changes` stop short too.
        counted: Bytes in `added`.
    """

    commits: dict[str, Commit] = field(default_factory=dict)
    changes: list[tuple[str, FileChange]] = field(default_factory=list)
    added: list[AddedText] = field(default_factory=list)
    overflow: bool = False
    unscanned: bool = False
    counted: int = 0

    def join(self, other: History) -> None:
        """Take in what another reading found; commits that are in both count once."""
        self.changes += [change for change in other.changes if change[0] not in self.commits]
        self.added += [text for text in other.added if text.commit not in self.commits]
        self.counted += other.counted
        self.commits |= other.commits
        self.overflow |= other.overflow
        self.unscanned |= other.unscanned

    def add(self, text: AddedText) -> None:
        """Keep text that is to be scanned."""
        self.added.append(text)
        self.counted += sum(map(len, text.lines)) + len(text.lines)


def read_history(pieces: Iterator[bytes], limits: YardLimits) -> History:
    """Read the output of git log until its end, or until a limit is passed.

    Args:
        pieces: The output.
        limits: How much is read.

    Raises:
        GitOutputError: it does not have the form.
    """
    history, output = History(), Output(pieces)
    while not (history.overflow or history.unscanned) and output.peek(1):
        if output.peek(1) == b"\0":
            output.take(1)
        commit = _commit(output)
        if commit.oid not in history.commits:
            if len(history.commits) == limits.commits:
                history.overflow = True
                break
            history.commits[commit.oid] = commit
            history.add(AddedText(commit.oid, b"", 1, commit.message))
        _read_files(output, commit, history, limits)
    return history


def _read_files(output: Output, commit: Commit, history: History, limits: YardLimits) -> None:
    changes = read_changes(output, limits.changes - len(history.changes))
    if changes is None:
        history.overflow = True
        return
    history.changes += [(commit.oid, change) for change in changes]
    for hunk in read_patches(output, changes):
        lines = [line[1:] for line in hunk.lines if line[:1] == b"+"]
        history.add(AddedText(commit.oid, hunk.change.name, hunk.line, lines))
        if history.counted > limits.scan_bytes:
            history.unscanned = True
            return


def _commit(output: Output) -> Commit:
    match = _COMMIT.fullmatch(output.until(b"\n"))
    if match is None:
        raise GitOutputError("a commit has not the form it should have")
    commit = Commit(match[1].decode())
    headers: dict[bytes, bytes] = {}
    parents: list[str] = []
    while output.peek(1) not in (b"", b"\0") and (line := output.until(b"\n")):
        name, _, value = line.partition(b" ")
        if name == b"parent":
            parents.append(value.decode())
        headers.setdefault(name, value)
    commit.parents = tuple(parents)
    commit.author, commit.committer = (_person(headers.get(name, b"")) for name in (b"author", b"committer"))
    commit.signed = any(name in headers for name in _SIGNATURES)
    while output.peek(1) in (b" ", b"\n"):
        line = output.until(b"\n")
        if line.startswith(_INDENT):
            commit.message.append(line.removeprefix(_INDENT))
    return commit


def _person(raw: bytes) -> Person:
    match = _PERSON.fullmatch(raw)
    if match is None:
        return Person(shown_text(raw, _NAME_CHARS), "", "")
    name, email, seconds, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == b"-" else 1)
    return Person(shown_text(name, _NAME_CHARS), shown_text(email, _NAME_CHARS), _date(int(seconds), offset))


def _date(seconds: int, offset: timedelta) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone(timezone(offset)).isoformat()
    except (ValueError, OverflowError, OSError):  # a date beyond the year 9999, an offset of days
        return ""
