"""The operation of REST a mutation stands for, where what is known of that one serves: previews, marks, settling.

`connectors.github.previews`, `.marks` and `.settling` know what people are shown of a merge, how a comment is found
again and what proves that a pull request was merged. A mutation borrows it under the name of its twin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from connectors.base import JsonObject, Plan
from connectors.github import marks, previews, settling
from connectors.github.graphql.changes import INPUT, Asked, Change
from connectors.inspection import Ask, Settlement

_MERGE: Final = "github:pulls.merge"
_POSTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "addComment": "github:issues.create-comment",
        "addPullRequestReview": "github:pulls.create-review",
        "addPullRequestReviewThreadReply": "github:pulls.create-reply-for-review-comment",
        "createIssue": "github:issues.create",
        "createPullRequest": "github:pulls.create",
    }
)
"""They post a text, which gets a mark."""
_STATES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "closeIssue": ("github:issues.update", "closed"),
        "closePullRequest": ("github:pulls.update", "closed"),
        "reopenIssue": ("github:issues.update", "open"),
        "reopenPullRequest": ("github:pulls.update", "open"),
    }
)
"""They set a state."""


def trace_of(asked: Asked, change: Change) -> JsonObject:
    """Return what the ledger keeps of a mutation so that it can be looked for; empty when nothing would tell."""
    subject = change.subject
    key = asked.field.alias.value if asked.field.alias else asked.name
    trace: JsonObject = {
        "repo": subject.repository,
        "key": key,
        **({"number": subject.number} if subject.number else {}),
    }
    if asked.name == "mergePullRequest":
        return {**trace, "twin": _MERGE, "sha": change.given["expectedHeadOid"]}
    if asked.name in _POSTS:
        return {**trace, "twin": _POSTS[asked.name]}
    twin, state = _STATES.get(asked.name, ("", ""))
    if twin and subject.facts.get("state") != state:  # what was so before tells nothing
        return {**trace, "twin": twin, "fields": {"state": state}}
    return {}


def seen_of(change: Change) -> JsonObject:
    """Return what was found out about what is changed, as `connectors.github.findings` says it."""
    subject = change.subject
    found = {"title": subject.title, **subject.facts}
    return {"pull" if subject.is_pull_request else "issue": found} if subject.facts else {}


def marked_variables(plan: Plan) -> JsonObject:
    """Return the variables of a plan, with the mark of the attempt in a text that is posted."""
    variables: JsonObject = plan.call["variables"]
    twin = plan.trace.get("twin", "")
    if INPUT not in variables or not twin:
        return variables
    return {**variables, INPUT: marks.marked(twin, variables[INPUT], plan.attempt)}


def preview_asks(plan: Plan) -> tuple[Ask, ...]:
    """Return what is read before people are asked about a mutation."""
    return previews.preview_asks(_as_twin(plan)) if INPUT in plan.call["variables"] else ()


def preview(plan: Plan, seen: JsonObject, answers: tuple[JsonObject | None, ...]) -> JsonObject:
    """Return what people are shown of a mutation; nothing of a read."""
    return previews.preview_of(_as_twin(plan), seen, answers) if INPUT in plan.call["variables"] else {}


def look(trace: JsonObject) -> Ask | None:
    """Return the read that would tell what became of a mutation; None when none would."""
    return settling.look_of(str(trace.get("twin", "")), trace)


def settle(trace: JsonObject, data: JsonObject) -> Settlement | None:
    """Return what an answer to `look` proves; the result is one of a mutation, whose answer is lost."""
    found = settling.settled(str(trace.get("twin", "")), trace, data)
    if found is None or not found.happened:
        return found
    body = {"data": {str(trace["key"]): {"clientMutationId": None}}}
    return replace(found, data={"status": 200, "headers": {}, "body": body})


def _as_twin(plan: Plan) -> Plan:
    given = plan.call["variables"][INPUT]
    body = (
        {"merge_method": str(given.get("mergeMethod", "MERGE")).lower()} if plan.trace.get("twin") == _MERGE else given
    )
    call = {"method": "mutation", "path": plan.call["mutation"], "body": body}
    return replace(plan, action=plan.trace.get("twin", plan.action), call=call)
