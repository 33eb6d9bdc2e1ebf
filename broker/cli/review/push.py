"""The effect of a push: refs, commits, files, what rules and scans found, and the first lines of the diff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from broker.cli.review.members import flag, mapping, mappings, number, text, texts
from broker.cli.review.sheet import Piece, Sheet

ALARM: Final = "bold red"
"""What may be lost, or must not get out."""
NOTICE: Final = "bold yellow"
"""What somebody wanted to be asked about."""

OID_CHARS: Final = 9
"""Of an object's id; the whole of it is in the JSON."""
_DAY_CHARS: Final = 10
_MAX_COMMITS: Final = 20
_MAX_FILES: Final = 40
_MAX_LEAKS: Final = 50
_DANGEROUS: Final = frozenset({"force", "delete"})
_SIGNS: Final = {"+": "green", "-": "red", "@": "cyan"}
_ZERO: Final = "0"


def put_push(sheet: Sheet, preview: Mapping[str, Any], *, diff: bool) -> None:
    """Put the effect of a push on a sheet.

    Args:
        sheet: Where.
        preview: Of the kind ``git.push``.
        diff: Whether to show the diff.
    """
    totals = mapping(preview, "totals")
    if totals:
        counts = f"{number(totals, 'commits')} commits, {number(totals, 'files')} files"
        sheet.row("in all", f"{counts}, +{number(totals, 'added')} -{number(totals, 'removed')} lines")
    for ref in mappings(preview, "refs"):
        _put_ref(sheet, ref)
    put_leaks(sheet, mappings(preview, "leaks"))
    put_triggered(sheet, mappings(preview, "triggered"))
    if diff:
        _put_diff(sheet, mappings(preview, "diff"))
    elif mappings(preview, "diff"):
        sheet.say(("the diff is not shown (`--no-diff`)", "dim"), indent=2)


def put_files(sheet: Sheet, holder: Mapping[str, Any], *, indent: int) -> None:
    """Put the files of a change, with the count of lines of each."""
    files = mappings(holder, "files")
    total = max(number(holder, "file_count"), len(files))
    if total:
        sheet.say(f"{total} files", indent=indent)
    # Those a rule asks about first: they are why the page is read.
    ordered = sorted(files, key=lambda each: flag(each, "triggered") is not True)
    for each in ordered[:_MAX_FILES]:
        asks = flag(each, "triggered") is True
        lines = "binary" if flag(each, "binary") else f"+{number(each, 'added')} -{number(each, 'removed')}"
        status = text(each, "status")
        # What others named comes last on its line, so that it cannot pass for what we say of it.
        sheet.say(
            f"{lines}  ",
            (f"{status}  " if status else "", "dim"),
            ("! a rule asks about it: " if asks else "", NOTICE),
            (text(each, "path"), NOTICE if asks else ""),
            indent=indent + 2,
        )
    sheet.more(total - min(len(files), _MAX_FILES), "files", indent=indent + 2)


def put_leaks(sheet: Sheet, leaks: list[Mapping[str, Any]]) -> None:
    """Put what looks like secrets; the secrets themselves are nowhere."""
    for leak in leaks[:_MAX_LEAKS]:
        place = f"{text(leak, 'path')}:{text(leak, 'line')}"
        commit = text(leak, "commit")[:OID_CHARS]
        where = f"{place} in {commit}" if commit else place
        sheet.say((f"! looks like a secret ({text(leak, 'rule')}): {where}", ALARM), indent=2)
    sheet.more(len(leaks) - _MAX_LEAKS, "of what looks like secrets", indent=2)


def put_triggered(sheet: Sheet, rules: list[Mapping[str, Any]]) -> None:
    """Put the rules that ask because of paths."""
    for rule in rules:
        sheet.say((f"! asks because of paths: {text(rule, 'rule')}", NOTICE), indent=2)
        paths = texts(rule, "paths")
        for path in paths:
            sheet.say(path, indent=6)
        if not paths:
            sheet.say(("the paths could not be told one by one", "dim"), indent=6)
        sheet.more(number(rule, "path_count") - len(paths), "paths", indent=6)


def _put_ref(sheet: Sheet, ref: Mapping[str, Any]) -> None:
    name, change = text(ref, "ref"), text(ref, "change")
    sheet.say((name, "bold"), f"  {change}", f"  {_oid(ref, 'old')} → {_oid(ref, 'new')}", *_warnings(ref), indent=2)
    commits = mappings(ref, "commits")
    total = max(number(ref, "commit_count"), len(commits))
    if total:
        sheet.say(f"{total} commits", indent=4)
    for commit in commits[:_MAX_COMMITS]:
        _put_commit(sheet, commit)
    sheet.more(total - min(len(commits), _MAX_COMMITS), "commits", indent=6)
    put_files(sheet, ref, indent=4)


def _warnings(ref: Mapping[str, Any]) -> list[Piece]:
    change, name, protected = text(ref, "change"), text(ref, "ref"), flag(ref, "protected")
    said = [
        (f"  ! {change.upper()}" if change in _DANGEROUS else "", ALARM),
        ("  ! default branch" if flag(ref, "default_branch") else "", NOTICE),
        ("  ! protected" if protected else "", NOTICE),
        # Absence of a word must not pass for a no.
        ("  protection not known" if protected is None else "", "dim"),
        # A Cyrillic letter in `main` looks like the Latin one.
        (f"  ! not ASCII: {ascii(name)[1:-1]}" if not name.isascii() else "", ALARM),
    ]
    return [(words, style) for words, style in said if words]


def _put_commit(sheet: Sheet, commit: Mapping[str, Any]) -> None:
    author, committer = text(commit, "author"), text(commit, "committer")
    others = f" (committed by {committer})" if committer and committer != author else ""
    # A signature that is there is not yet one that somebody verified.
    signed = "carries a signature" if flag(commit, "signed") else "unsigned"
    sheet.say(
        (_oid(commit, "oid"), "cyan"),
        (f"  {text(commit, 'date')[:_DAY_CHARS]}  {signed}  {author}{others}  ", "dim"),
        text(commit, "subject"),
        indent=6,
    )


def _put_diff(sheet: Sheet, files: list[Mapping[str, Any]]) -> None:
    if files:
        sheet.title("diff", "first lines of each file")
    for each in files:
        sheet.say((text(each, "path"), "bold"), indent=2)
        for line in texts(each, "lines"):
            sheet.say(("│ ", "dim"), (line.expandtabs(4), _SIGNS.get(line[:1], "")), indent=2)
        if flag(each, "truncated"):
            sheet.say(("│ … more of this file is not shown", "dim"), indent=2)


def _oid(holder: Mapping[str, Any], name: str) -> str:
    oid = text(holder, name)
    return oid[:OID_CHARS] if oid.strip(_ZERO) else "(none)"
