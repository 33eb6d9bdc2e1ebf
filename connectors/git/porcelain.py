"""Reads what ``git push --porcelain`` reports, line by line as git-push(1) lists it, and nothing between the lines.

A line is ``<flag> TAB <from>:<to> TAB <summary>``, the report ends with ``Done``. Whatever does not fit (a flag never
asked for, a ref never pushed, a missing line) makes the report unclear, and an unclear report proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_LINE: Final = re.compile(r"(?P<flag>[ *=!+-])\t[0-9a-f]{40}:(?P<ref>\S+)\t(?P<summary>.+)")
_REJECTED: Final = re.compile(r"\[(?P<by>rejected|remote rejected)\](?: \((?P<why>.*)\))?")
_CODES: Final = {
    "stale info": "stale",
    "fetch first": "non-fast-forward",
    "non-fast-forward": "non-fast-forward",
    "already exists": "already-exists",
}


class Verdict(StrEnum):
    """What a report proves."""

    PUSHED = "pushed"
    REJECTED = "rejected"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a push.

    Args:
        verdict: PUSHED when every ref is reported done, REJECTED when at least one was refused and none moved.
        code: Why it was refused; empty otherwise.
        ref: The ref that was refused first; empty otherwise.
        why: The host's words for it, not cleaned; empty otherwise.
    """

    verdict: Verdict
    code: str = ""
    ref: str = ""
    why: str = ""


_UNCLEAR: Final = Report(Verdict.UNCLEAR)


def parse_report(stdout: bytes, pushed: Mapping[str, str], *, ok: bool) -> Report:
    """Read a report.

    Args:
        stdout: What git printed.
        pushed: The refs that were pushed, to their new object ids.
        ok: Whether git ended with success.
    """
    lines = stdout.decode("utf-8", "replace").splitlines()
    found: dict[str, tuple[str, str]] = {}
    for line in lines:
        if line.startswith("To ") or line == "Done":
            continue
        match = _LINE.fullmatch(line)
        if match is None or match["ref"] not in pushed or match["ref"] in found:
            return _UNCLEAR
        found[match["ref"]] = (match["flag"], match["summary"])
    if found.keys() != pushed.keys():
        return _UNCLEAR
    if all(flag in " *=" for flag, _ in found.values()):
        return Report(Verdict.PUSHED) if ok and lines[-1] == "Done" else _UNCLEAR
    # A moved ref beside a refused one cannot be in an atomic push; should it be, nothing is proven.
    if ok or any(flag not in "=!" for flag, _ in found.values()):
        return _UNCLEAR
    return _rejection(found)


def _rejection(found: Mapping[str, tuple[str, str]]) -> Report:
    refused = {ref: _REJECTED.fullmatch(summary) for ref, (flag, summary) in found.items() if flag == "!"}
    reports = []
    for ref, match in refused.items():
        if match is None:  # `[remote failure]`: the host did not say what it did
            return _UNCLEAR
        why = match["why"] or ""
        code = _CODES.get(why, "rejected") if match["by"] == "rejected" else "rejected"
        reports.append(Report(Verdict.REJECTED, code, ref, why))
    # In an atomic push one ref is at fault and the others say so; the one with words of its own is told first.
    return next((report for report in reports if not report.why.startswith("atomic")), reports[0])
