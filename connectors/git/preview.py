"""What people are shown of a push: what was seen in quarantine, and which of its branches deserve a second look."""

from __future__ import annotations

from typing import Any, Final

from connectors.base import JsonObject, Plan
from connectors.git.names import is_branch
from connectors.git.plans import Change
from connectors.inspection import Ask

_MAX_BRANCH_ASKS: Final = 5
"""Branches whose protection is asked for before people are shown a push; each is a request to the host's API."""
_HEADS: Final = "refs/heads/"
_COUNTED: Final = ("files", "added", "removed")


def preview_asks_of(plan: Plan) -> tuple[Ask, ...]:
    """Return what is asked of the host's API, where the project has one: whether the branches are protected."""
    owner, _, name = str(plan.call["repo"]).partition("/")
    moved = [ref for ref, change in plan.call["changes"].items() if is_branch(ref) and change != Change.CREATE]
    return tuple(
        Ask(
            "github:repos.get-branch",
            {"owner": owner, "repo": name, "branch": ref.removeprefix(_HEADS)},
            optional=True,
        )
        for ref in moved[:_MAX_BRANCH_ASKS]
    )


def preview_of(plan: Plan, seen: JsonObject, answers: tuple[JsonObject | None, ...]) -> JsonObject:
    """Return what people are shown.

    Args:
        plan: The push.
        seen: From the quarantine (`connectors.git.quarantine.preview`), with ``protected``, the refs the operator calls
            so, and ``head``, the default branch.
        answers: To `preview_asks_of`.

    Returns:
        ``refs`` with what happens to each, its commits and files, ``default_branch`` and ``protected`` (null: not
        known); ``totals``; ``diff``, the first lines of each file; ``leaks``.
    """
    asks = preview_asks_of(plan)
    told = {ask.params["branch"]: _protection(answer) for ask, answer in zip(asks, answers, strict=False)}
    refs = list(seen.get("refs", ()))
    many = len(refs) > 1
    return {
        "kind": "git.push",
        "repo": plan.call["repo"],
        "refs": [_ref(each, seen, told) for each in refs],
        "totals": _totals(refs),
        "diff": [_diff(each["ref"] if many else "", diff) for each in refs for diff in each.get("diff") or ()],
        "leaks": seen.get("leaks", []),
        "leak_count": seen.get("leaks_total", 0),
        "cut": bool(seen.get("cut")),
    }


def _ref(each: JsonObject, seen: JsonObject, told: dict[str, bool | None]) -> JsonObject:
    name = str(each["ref"])
    by_option = name in seen.get("protected", ())
    return {
        "ref": name,
        "old": each.get("old"),
        "new": each.get("new"),
        "change": each.get("change"),
        "default_branch": name == seen.get("head"),
        "protected": True if by_option else told.get(name.removeprefix(_HEADS)) if is_branch(name) else None,
        "commits": each.get("commits", []),
        "commit_count": each.get("commits_total", 0),
        "files": each.get("files") or [],
        "file_count": each.get("files_total"),
    }


def _totals(refs: list[JsonObject]) -> dict[str, Any]:
    """Return the sums over all refs; a commit that two refs bring counts for both, as each of them changes by it."""
    totals = [each.get("totals") or {} for each in refs]
    sums = {name: sum(each.get(name) or 0 for each in totals) for name in _COUNTED}
    return {"commits": sum(each.get("commits_total") or 0 for each in refs), **sums}


def _diff(ref: str, diff: JsonObject) -> JsonObject:
    path = f"{ref}: {diff['path']}" if ref else diff["path"]
    return {"path": path, "lines": diff["lines"], "truncated": bool(diff.get("more"))}


def _protection(answer: JsonObject | None) -> bool | None:
    body = answer.get("body") if answer else None
    said = body.get("protected") if isinstance(body, dict) else None
    return said if isinstance(said, bool) else None
