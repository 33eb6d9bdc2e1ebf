"""What is read before an action is planned, and what is taken out of the answers: small and typed.

pull_number in the path of a write    the pull request: head, base, author, labels, …
issue_number in the path of a write   the issue, and whether it is a pull request
a change of files                     the default branch, when none is named
a ref that is moved or deleted        where it points now
a release that is changed             its tag
a workflow by number                  its file
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from connectors.base import Access, JsonObject
from connectors.errors import InvalidParamsError, NotSentError, UpstreamRefusedError
from connectors.github.catalogue import Entry
from connectors.github.moves import default_branch, full_ref
from connectors.github.names import UNKNOWN, check_account, check_repository
from connectors.github.params import Checked
from connectors.github.verbs import access_of
from connectors.inspection import Ask

FILES: Final = frozenset({"github:repos.create-or-update-file-contents", "github:repos.delete-file"})
REFS: Final = frozenset({"github:git.update-ref", "github:git.delete-ref"})
HEADS: Final[Mapping[str, str]] = {
    "github:pulls.merge": "sha",
    "github:pulls.merge-async": "sha",
    "github:pulls.update-branch": "expected_head_sha",
}
"""Operations that are held to the head of a pull request -> the param that says so."""
MERGES: Final = frozenset({"github:pulls.merge", "github:pulls.merge-async"})
_RELEASE: Final = "github:repos.update-release"
_MAX_LABELS: Final = 100
_MAX_CHARS: Final = 1024
_MAX_BODY_CHARS: Final = 4096


def is_inspected(action: str, entry: Entry) -> bool:
    """Tell whether something must be found out before an action is planned."""
    if access_of(action, entry) is Access.READ:
        return False
    numbered = {"pull_number", "issue_number", "workflow_id"} & entry.in_path.keys()
    return bool(numbered) or action in FILES or action in REFS or action == _RELEASE


def asks_of(action: str, entry: Entry, checked: Checked) -> tuple[Ask, ...]:
    """Return what must be read."""
    if not is_inspected(action, entry):
        return ()
    owned = {name: checked.path[name] for name in ("owner", "repo") if name in checked.path}
    if "pull_number" in entry.in_path:
        return (Ask("github:pulls.get", {**owned, "pull_number": int(checked.path["pull_number"])}),)
    if "issue_number" in entry.in_path:
        return (Ask("github:issues.get", {**owned, "issue_number": int(checked.path["issue_number"])}),)
    if action in FILES:
        named = "branch" in checked.body or "branch" in checked.query
        return () if named else (Ask("github:repos.get", owned),)
    if action in REFS:
        return (Ask("github:git.get-ref", {**owned, "ref": full_ref(checked.path["ref"]).removeprefix("refs/")}),)
    if action == _RELEASE:
        return (Ask("github:repos.get-release", {**owned, "release_id": int(checked.path["release_id"])}),)
    workflow = checked.path.get("workflow_id", "")
    return (
        (Ask("github:actions.get-workflow", {**owned, "workflow_id": int(workflow)}),) if workflow.isdecimal() else ()
    )


def found_in(action: str, entry: Entry, checked: Checked, answers: tuple[JsonObject | None, ...]) -> JsonObject:
    """Return what the answers to `asks_of` say.

    Raises:
        NotSentError: an answer does not hold what is needed.
        UpstreamRefusedError: the head is not the one that was asked for; nothing was sent.
    """
    if not answers:
        return {}
    body = (answers[0] or {}).get("body")
    if not isinstance(body, dict):
        raise NotSentError("what the action rests on could not be found out")
    if "pull_number" in entry.in_path:
        found = _pull(body)
        _check_head(action, checked, found["pull"])
    elif "issue_number" in entry.in_path:
        found = _issue(body)
    elif action in FILES:
        found = {"default_branch": _text(body, "default_branch")}
    elif action in REFS:
        found = {"old": _text(_object(body, "object"), "sha")}
    elif action == _RELEASE:
        found = {"tag_name": _text(body, "tag_name")}
    else:
        found = {"workflow": _text(body, "path").rpartition("/")[2] or UNKNOWN}
    return found


def facts_of(action: str, entry: Entry, checked: Checked, found: JsonObject) -> JsonObject:
    """Return what conditions may look at; a name that is a param of the operation gets ``current_`` in front."""
    facts: JsonObject = {}
    if "pull" in found:
        names = ("author", "base", "draft", "fork", "head", "head_repo", "labels", "state")
        facts = {name: found["pull"][name] for name in names} | {"pull_request": True}
    elif "issue" in found:
        facts = {name: found["issue"][name] for name in ("author", "labels", "state")}
        facts["pull_request"] = found["is_pull"]
    elif action in FILES:
        # As a push says it, so that one rule on paths holds for both ways.
        path = checked.path["path"]
        folded = unicodedata.normalize("NFKC", path).lower()
        facts = {"paths": [path], "paths_folded": [folded], "branches": [default_branch(checked, found)]}
    taken = entry.in_body.keys() | entry.in_query.keys()
    return {f"current_{name}" if name in taken else name: value for name, value in facts.items()}


def before(action: str, path: str, found: JsonObject) -> JsonObject:
    """Return what must still be so just before an action is sent; empty when GitHub takes all of it as a condition.

    A ref is moved wherever it points, and a merge is held to a head by GitHub and not to a base.

    Args:
        action: The action.
        path: Of its request.
        found: What was found out.

    Returns:
        ``path`` of a read, and ``expect``: members of its answer, each with the value it must have.
    """
    if action in REFS:
        look = path.replace("/git/refs/", "/git/ref/", 1)
        return {"path": look, "expect": [{"member": ["object", "sha"], "value": needed(found, "old")}]}
    if action in MERGES:
        pull = needed(found, "pull")
        base = {"member": ["base", "ref"], "value": pull["base"]}
        head = {"member": ["head", "sha"], "value": pull["head_sha"]}
        return {"path": path.rpartition("/")[0], "expect": [base, head]}
    return {}


def needed(found: JsonObject, name: str) -> Any:  # noqa: ANN401 - JSON
    """Return what was found out under a name.

    Raises:
        InvalidParamsError: the action was not inspected.
    """
    if name not in found:
        raise InvalidParamsError("the action is planned from what is found out about it first")
    return found[name]


def _pull(body: JsonObject) -> JsonObject:
    head, base = _object(body, "head"), _object(body, "base")
    base_repo, head_repo = _object(base, "repo", optional=True), _object(head, "repo", optional=True)
    return {
        "pull": {
            "author": _text(_object(body, "user", optional=True), "login", optional=True),
            "base": _text(base, "ref"),
            "body": str(body.get("body") or "")[:_MAX_BODY_CHARS],
            "draft": body.get("draft") is True,
            "fork": head_repo.get("full_name") != base_repo.get("full_name"),
            "head": _text(head, "ref"),
            "head_repo": _full_name(head_repo),
            "head_sha": _text(head, "sha"),
            "labels": _labels(body),
            "state": _text(body, "state"),
            "title": _text(body, "title", optional=True),
        }
    }


def _issue(body: JsonObject) -> JsonObject:
    issue = {
        "author": _text(_object(body, "user", optional=True), "login", optional=True),
        "body": str(body.get("body") or "")[:_MAX_BODY_CHARS],
        "labels": _labels(body),
        "state": _text(body, "state"),
        "title": _text(body, "title", optional=True),
    }
    return {"issue": issue, "is_pull": isinstance(body.get("pull_request"), dict)}


def _check_head(action: str, checked: Checked, pull: JsonObject) -> None:
    wanted = checked.body.get(HEADS.get(action, ""))
    if wanted is not None and wanted != pull["head_sha"]:
        raise UpstreamRefusedError("the pull request has another head now", code="stale", status=409)


def _full_name(repo: JsonObject) -> str:
    owner, slash, name = str(repo.get("full_name") or "").partition("/")
    try:
        return f"{check_account(owner, 'head')}/{check_repository(name, 'head')}" if slash else ""
    except InvalidParamsError:
        return ""


def _labels(body: JsonObject) -> list[str]:
    labels = body.get("labels")
    found = [each.get("name") for each in labels if isinstance(each, dict)] if isinstance(labels, list) else []
    return [str(each)[:_MAX_CHARS] for each in found[:_MAX_LABELS] if each]


def _object(body: JsonObject, name: str, *, optional: bool = False) -> JsonObject:
    value = body.get(name)
    if isinstance(value, dict):
        return value
    if optional:
        return {}
    raise NotSentError(f"what the action rests on could not be found out: no `{name}`")


def _text(body: JsonObject, name: str, *, optional: bool = False) -> str:
    value = body.get(name)
    if isinstance(value, str) and (value or optional):
        return value[:_MAX_CHARS]
    if optional:
        return ""
    raise NotSentError(f"what the action rests on could not be found out: no `{name}`")
