"""What the broker found out about the effect of an act, by kind; whatever has no page of its own is shown as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from broker.cli.review.members import flag, mapping, mappings, text
from broker.cli.review.push import ALARM, NOTICE, OID_CHARS, put_files, put_leaks, put_push, put_triggered
from broker.cli.review.sheet import LABEL_CHARS, Sheet

_MAX_LINES: Final = 30
"""Lines shown of one text."""
_MAX_NAMED: Final = 50
_KIND: Final = "kind"
_GOOD: Final = frozenset({"success", "neutral", "skipped", "approved"})
_BAD: Final = frozenset({"failure", "error", "cancelled", "timed_out", "action_required", "changes_requested"})


def put_effect(sheet: Sheet, preview: Mapping[str, Any], *, diff: bool) -> None:
    """Put the effect of an act on a sheet.

    Args:
        sheet: Where.
        preview: `ApprovalView.preview`; whatever it holds, something is shown.
        diff: Whether to show a diff.
    """
    kind = text(preview, _KIND)
    sheet.title("effect", "found out by the broker")
    if not preview:
        sheet.say(("nothing beyond the request itself is known", "dim"), indent=2)
    elif kind == "git.push" and mappings(preview, "refs"):
        put_push(sheet, preview, diff=diff)
    elif kind == "github.merge" and "number" in preview:
        _put_merge(sheet, preview)
    elif kind == "github.write" and mapping(preview, "fields"):
        _put_fields(sheet, mapping(preview, "fields"))
    else:
        _put_fields(sheet, preview)


def _put_merge(sheet: Sheet, preview: Mapping[str, Any]) -> None:
    sheet.row("repository", text(preview, "repo"))
    sheet.row("pull request", f"#{text(preview, 'number')}  {text(preview, 'title')}")
    sheet.row("author", text(preview, "author"))
    sheet.row("merges", f"{text(preview, 'head')} → {text(preview, 'base')}")
    sheet.row("head", text(preview, "head_sha")[:OID_CHARS])
    mergeable = flag(preview, "mergeable")
    told = {True: "yes", False: "no", None: "not known"}[mergeable]
    state = text(preview, "mergeable_state")
    sheet.row("mergeable", f"{told} ({state})" if state else told, "" if mergeable else NOTICE)
    if flag(preview, "draft"):
        sheet.say(("! it is a draft", NOTICE), indent=2)
    _put_states(sheet, "check", preview, "checks", "name")
    _put_states(sheet, "review", preview, "reviews", "user")
    put_files(sheet, preview, indent=2)
    put_leaks(sheet, mappings(preview, "leaks"))
    put_triggered(sheet, mappings(preview, "triggered"))


def _put_states(sheet: Sheet, label: str, preview: Mapping[str, Any], name: str, of: str) -> None:
    found = mappings(preview, name)
    if not found:
        sheet.row(label, "none known")
    for each in found[:_MAX_NAMED]:
        state = text(each, "state")
        style = "green" if state.lower() in _GOOD else ALARM if state.lower() in _BAD else NOTICE
        sheet.row(label, f"{state}  {text(each, of)}", style)
    sheet.more(len(found) - _MAX_NAMED, f"{label}s", indent=2)


def _put_fields(sheet: Sheet, fields: Mapping[str, Any]) -> None:
    """Put names and values; a text of several lines keeps them."""
    for name, value in fields.items():
        if isinstance(value, str) and "\n" in value:
            sheet.say((name, "dim"), indent=2)
            sheet.block(value, indent=4, most=_MAX_LINES)
        else:
            sheet.say((name.ljust(LABEL_CHARS), "dim"), (value, ""), indent=2)
