"""A mark in what is posted, so that it can be found again when nobody heard whether it was posted.

It is an HTML comment with the name of the attempt, which GitHub keeps and does not show. It is put in when the plan is
executed: two attempts at one plan have two marks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from connectors.base import JsonObject

MARKED: Final[Mapping[str, bool]] = MappingProxyType(
    {
        "github:issues.create": True,
        "github:issues.create-comment": True,
        "github:pulls.create": True,
        "github:pulls.create-review": False,
        "github:pulls.create-review-comment": True,
        "github:pulls.create-reply-for-review-comment": True,
    }
)
"""Operations whose ``body`` gets a mark -> whether it gets one when no text is given, too."""


def mark_of(attempt: str) -> str:
    """Return the mark of an attempt."""
    return f"<!-- ostiary:{attempt} -->"


def marked(action: str, body: Any, attempt: str) -> Any:  # noqa: ANN401 - JSON of any type
    """Return the body of a request with the mark of an attempt, where the operation has one."""
    if not attempt or action not in MARKED or not isinstance(body, dict):
        return body
    # A pull request made of an issue has the text of that.
    if "issue" in body or not (MARKED[action] or body.get("body")):
        return body
    text = str(body.get("body") or "")
    return {**body, "body": f"{text}\n\n{mark_of(attempt)}".lstrip()}


def has_mark(item: Any, attempt: str) -> bool:  # noqa: ANN401 - JSON of any type
    """Tell whether something that was posted has the mark of an attempt."""
    return isinstance(item, dict) and bool(attempt) and mark_of(attempt) in str(item.get("body") or "")


def unmarked(item: JsonObject, attempt: str) -> JsonObject:
    """Return something that was posted without the mark, as it would have been answered to whoever posted it."""
    return {**item, "body": str(item.get("body") or "").replace(mark_of(attempt), "").rstrip()}
