"""What people are shown before they answer: the pull request that would be merged, or the fields that would change."""

from __future__ import annotations

from typing import Any, Final

from connectors.base import Access, JsonObject, Plan
from connectors.github.refusal import clean
from connectors.inspection import Ask

MAX_FILES: Final = 100
_MAX_ITEMS: Final = 100
_MAX_TEXT_CHARS: Final = 2000
_MAX_FIELDS: Final = 40
_MERGES: Final = frozenset({"github:pulls.merge", "github:pulls.merge-async"})


def preview_asks(plan: Plan) -> tuple[Ask, ...]:
    """Return what is read before people are asked: of a merge the pull request as it is now, files, checks, reviews."""
    if plan.action not in _MERGES:
        return ()
    number, sha = plan.trace["number"], plan.trace["sha"]
    owner, _, repo = plan.trace["repo"].partition("/")
    there = {"owner": owner, "repo": repo}
    return (
        Ask("github:pulls.get", {**there, "pull_number": number}, optional=True),
        Ask("github:pulls.list-files", {**there, "pull_number": number, "per_page": MAX_FILES}, optional=True),
        Ask("github:checks.list-for-ref", {**there, "ref": sha, "per_page": _MAX_ITEMS}, optional=True),
        Ask("github:pulls.list-reviews", {**there, "pull_number": number, "per_page": _MAX_ITEMS}, optional=True),
    )


def preview_of(plan: Plan, seen: JsonObject, answers: tuple[JsonObject | None, ...]) -> JsonObject:
    """Return what people are shown of a plan.

    Args:
        plan: What they are asked about.
        seen: What was found out before it was planned.
        answers: To `preview_asks`.
    """
    if plan.action in _MERGES:
        return _merge(plan, seen.get("pull", {}), [_body(each) for each in answers])
    if plan.access is Access.READ:
        return {}
    return _write(plan, seen)


def _merge(plan: Plan, pull: JsonObject, bodies: list[Any]) -> JsonObject:
    now, files, checks, reviews = (*bodies, *[None] * 4)[:4]
    now = now if isinstance(now, dict) else {}
    runs = checks.get("check_runs") if isinstance(checks, dict) else None
    return {
        "kind": "github.merge",
        "repo": plan.trace["repo"],
        "number": plan.trace["number"],
        **{name: pull.get(name) for name in ("title", "author", "base", "head", "draft")},
        "head_sha": plan.trace["sha"],
        "method": plan.call["body"].get("merge_method", "merge"),
        "mergeable": now.get("mergeable"),
        "mergeable_state": clean(now.get("mergeable_state")),
        "file_count": now.get("changed_files"),
        "added": now.get("additions"),
        "removed": now.get("deletions"),
        "files": [_file(each) for each in _dicts(files, MAX_FILES)],
        "checks": [
            {"name": clean(each.get("name")), "state": clean(each.get("conclusion") or each.get("status"))}
            for each in _dicts(runs, _MAX_ITEMS)
        ],
        "reviews": [
            {"user": clean(_login(each)), "state": clean(each.get("state")).lower()}
            for each in _dicts(reviews, _MAX_ITEMS)
        ],
    }


def _file(each: JsonObject) -> JsonObject:
    return {
        "path": clean(each.get("filename")),
        "added": each.get("additions"),
        "removed": each.get("deletions"),
        "status": clean(each.get("status")),
    }


def _write(plan: Plan, seen: JsonObject) -> JsonObject:
    """Every field that is sent, and what it is now where that was found out."""
    body = plan.call.get("body")
    fields = body if isinstance(body, dict) else {} if body is None else {"body": body}
    before = seen.get("pull") or seen.get("issue") or {}
    shown = [
        {"name": name, "new": _short(value), **({"old": _short(before[name])} if name in before else {})}
        for name, value in list(fields.items())[:_MAX_FIELDS]
    ]
    if "old" in seen:
        shown.append({"name": "points to", "old": seen["old"], "new": fields.get("sha", "")})
    return {
        "kind": "github.write",
        "method": plan.call["method"],
        "path": plan.call["path"],
        "fields": shown,
        "field_count": len(fields),
        **({"title": before["title"]} if before.get("title") else {}),
    }


def _short(value: Any) -> Any:  # noqa: ANN401 - JSON of any type
    text = value if isinstance(value, str) else None
    if text is None:
        return value if isinstance(value, (int, float, bool, type(None))) else str(value)[:_MAX_TEXT_CHARS]
    return text if len(text) <= _MAX_TEXT_CHARS else f"{text[:_MAX_TEXT_CHARS]}… ({len(text)} characters)"


def _body(answer: JsonObject | None) -> Any:  # noqa: ANN401 - JSON of any type
    return answer.get("body") if answer else None


def _dicts(items: Any, limit: int) -> list[JsonObject]:  # noqa: ANN401 - JSON of any type
    return [each for each in items[:limit] if isinstance(each, dict)] if isinstance(items, list) else []


def _login(each: JsonObject) -> Any:  # noqa: ANN401 - JSON of any type
    user = each.get("user")
    return user.get("login") if isinstance(user, dict) else ""
