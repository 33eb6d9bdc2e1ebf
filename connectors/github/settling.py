"""What became of a write whose outcome is unknown, read back: a mark, a merged pull request, a ref at its place.

pulls.merge             is it merged, at the head that was approved?
git.create-ref          does it point to the commit?
git.update-ref          likewise, and it did not before
issues.create-comment   and all else that is posted: is there one with the mark of the attempt?
pulls.update            and issues.update: are the fields what they were to become, and were they not before?
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.base import JsonObject
from connectors.github.catalogue import Entry
from connectors.github.marks import has_mark, unmarked
from connectors.github.moves import full_ref
from connectors.github.params import Checked
from connectors.inspection import Ask, Settlement

_PER_PAGE: Final = 100
_MERGES: Final = frozenset({"github:pulls.merge", "github:pulls.merge-async"})
_REFS: Final = frozenset({"github:git.create-ref", "github:git.update-ref"})
_UPDATES: Final = {"github:issues.update": "issue", "github:pulls.update": "pull"}
_FIELDS: Final = ("state", "title")
_NEWEST: Final[JsonObject] = {"sort": "created", "direction": "desc", "per_page": _PER_PAGE}
_LISTS: Final[Mapping[str, tuple[str, JsonObject]]] = {
    "github:issues.create": ("github:issues.list-for-repo", {**_NEWEST, "state": "all"}),
    "github:issues.create-comment": ("github:issues.list-comments-for-repo", _NEWEST),
    "github:pulls.create": ("github:pulls.list", {**_NEWEST, "state": "all"}),
    "github:pulls.create-review": ("github:pulls.list-reviews", {"per_page": _PER_PAGE}),
    "github:pulls.create-review-comment": ("github:pulls.list-review-comments-for-repo", _NEWEST),
    "github:pulls.create-reply-for-review-comment": ("github:pulls.list-review-comments-for-repo", _NEWEST),
}
"""What is posted -> the list in which it is looked for, newest first where GitHub can."""


def trace_of(action: str, entry: Entry, checked: Checked, found: JsonObject) -> JsonObject:
    """Return what the ledger keeps of a write so that it can be looked for; empty when nothing would tell."""
    if action in _MERGES:
        sha = checked.body.get("sha") or found["pull"]["head_sha"]
        return {"repo": checked.repo, "number": int(checked.path["pull_number"]), "sha": sha}
    if action in _REFS:
        ref = full_ref(checked.path["ref"]) if "ref" in checked.path else checked.body["ref"]
        return {"repo": checked.repo, "ref": ref, "sha": checked.body["sha"], "old": found.get("old", "")}
    number = checked.path.get("pull_number") or checked.path.get("issue_number")
    if action in _UPDATES:
        before = found[_UPDATES[action]]
        wanted = {name: checked.body[name] for name in _FIELDS if name in checked.body}
        # What was so before tells nothing, and texts are not compared: GitHub may change them.
        telling = wanted.keys() == checked.body.keys() and any(before[name] != wanted[name] for name in wanted)
        return {"repo": checked.repo, "number": int(number or 0), "fields": wanted} if telling else {}
    if action in _LISTS and entry.method == "POST":
        return {"repo": checked.repo, **({"number": int(number)} if number else {})}
    return {}


def look_of(action: str, trace: JsonObject) -> Ask | None:
    """Return the read that would tell what became of a write; None when none would."""
    owner, _, repo = str(trace.get("repo", "")).partition("/")
    there = {"owner": owner, "repo": repo}
    if not repo:
        return None
    if action in _MERGES:
        return Ask("github:pulls.get", {**there, "pull_number": trace["number"]})
    if action in _REFS:
        return Ask("github:git.get-ref", {**there, "ref": str(trace["ref"]).removeprefix("refs/")})
    if action in _UPDATES:
        return Ask("github:issues.get", {**there, "issue_number": trace["number"]})
    if action in _LISTS:
        listing, params = _LISTS[action]
        numbered = {"pull_number": trace["number"]} if listing == "github:pulls.list-reviews" else {}
        return Ask(listing, {**there, **numbered, **params})
    return None


def settled(action: str, trace: JsonObject, data: JsonObject) -> Settlement | None:
    """Return what an answer to `look_of` proves; None when it proves nothing, or nothing yet."""
    body = data.get("body")
    if action in _MERGES and isinstance(body, dict):
        return _merge(trace, body)
    if action in _REFS and isinstance(body, dict):
        return _ref(trace, body)
    if action in _UPDATES and isinstance(body, dict):
        same = all(body.get(name) == value for name, value in trace["fields"].items())
        how = "its fields are what they were to become"
        return Settlement(happened=True, how=how, data=_result(200, body)) if same else None
    if action in _LISTS and isinstance(body, list):
        attempt = str(trace.get("attempt", ""))
        posted = next((each for each in body if has_mark(each, attempt)), None)
        if posted is not None:
            status = 200 if action == "github:pulls.create-review" else 201
            return Settlement(
                happened=True,
                how="what was posted is there, with our mark",
                data=_result(status, unmarked(posted, attempt)),
            )
    return None


def _merge(trace: JsonObject, body: JsonObject) -> Settlement | None:
    head = body.get("head")
    here = isinstance(head, dict) and head.get("sha") == trace["sha"]
    if body.get("merged") is True and here:
        result = {"sha": body.get("merge_commit_sha"), "merged": True, "message": "Pull Request successfully merged"}
        return Settlement(happened=True, how=f"the pull request is merged at {trace['sha']}", data=_result(200, result))
    if isinstance(head, dict) and isinstance(head.get("sha"), str) and not here:
        return Settlement(happened=False, how="the pull request has another head, which the merge did not allow")
    return None


def _ref(trace: JsonObject, body: JsonObject) -> Settlement | None:
    target = body.get("object")
    sha = target.get("sha") if isinstance(target, dict) else None
    if sha == trace["sha"] and trace["old"] != trace["sha"]:
        result = _result(200 if trace["old"] else 201, body)
        return Settlement(happened=True, how=f"{trace['ref']} points to {sha}", data=result)
    return None


def _result(status: int, body: Any) -> JsonObject:  # noqa: ANN401 - JSON of any type
    return {"status": status, "headers": {}, "body": body}
