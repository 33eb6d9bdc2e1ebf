"""What the ids in a request name: asked of GitHub by one fixed query, before policy is asked about the request.

Ids are opaque: which repository one is of, only GitHub knows. The answer is evidence for the plan of the request that
named the id. It holds what a rule or a person needs to know of a thing, and no text of it but titles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from connectors.base import JsonObject
from connectors.errors import UpstreamRefusedError
from connectors.github.graphql.words import full_name, refused, shown
from connectors.github.names import check_sha

MAX_IDS: Final = 50
"""Of one request."""


class Kind(StrEnum):
    """What an id may name; everything else is refused."""

    REPOSITORY = "Repository"
    PULL_REQUEST = "PullRequest"
    ISSUE = "Issue"
    ISSUE_COMMENT = "IssueComment"
    REVIEW = "PullRequestReview"
    REVIEW_THREAD = "PullRequestReviewThread"
    REVIEW_COMMENT = "PullRequestReviewComment"
    REF = "Ref"
    LABEL = "Label"
    MILESTONE = "Milestone"
    RELEASE = "Release"
    COMMIT = "Commit"
    CHECK_RUN = "CheckRun"
    CHECK_SUITE = "CheckSuite"


RESOLVE: Final = """\
query OstiaryResolve($ids: [ID!]!) {
  nodes(ids: $ids) {
    __typename
    id
    ... on Repository { nameWithOwner }
    ... on PullRequest {
      number title isDraft pullState: state headRefOid headRefName baseRefName headRepository { nameWithOwner }
      author { login } labels(first: 100) { nodes { name } } repository { nameWithOwner }
    }
    ... on Issue {
      number title issueState: state author { login } labels(first: 100) { nodes { name } }
      repository { nameWithOwner }
    }
    ... on IssueComment { issue { number } commented: pullRequest { number } repository { nameWithOwner } }
    ... on PullRequestReview { pullRequest { number } repository { nameWithOwner } }
    ... on PullRequestReviewThread { pullRequest { number } repository { nameWithOwner } }
    ... on PullRequestReviewComment { pullRequest { number } repository { nameWithOwner } }
    ... on Ref { ref: name prefix target { oid } repository { nameWithOwner } }
    ... on Label { repository { nameWithOwner } }
    ... on Milestone { repository { nameWithOwner } }
    ... on Release { repository { nameWithOwner } }
    ... on Commit { repository { nameWithOwner } }
    ... on CheckRun { repository { nameWithOwner } }
    ... on CheckSuite { repository { nameWithOwner } }
  }
}
"""
"""Sent with ``{"ids": […]}``; valid in GitHub's own schema, where one name must have one type."""


@dataclass(frozen=True, slots=True)
class Node:
    """What an id names.

    Args:
        kind: What it is.
        repository: ``owner/name`` it belongs to, lower case.
        number: Of the pull request or issue, its own or the one it belongs to; 0 for none.
        is_pull_request: Whether ``number`` is one of a pull request.
        ref: Full name of a branch or tag; of a pull request, the branch it comes from.
        head_repository: ``owner/name`` that branch is in; empty when it is gone.
        head: Object id the pull request, branch or tag is at.
        base: Branch a pull request goes to.
        title: Of the pull request or issue.
        facts: What conditions may look at.
    """

    kind: Kind
    repository: str
    number: int = 0
    is_pull_request: bool = False
    ref: str = ""
    head_repository: str = ""
    head: str = ""
    base: str = ""
    title: str = ""
    facts: JsonObject = field(default_factory=dict)

    @property
    def thread(self) -> str:
        """Resource of the pull request or issue."""
        return f"repos/{self.repository}/{'pull-requests' if self.is_pull_request else 'issues'}/{self.number}"


def resolved(ids: Sequence[str], answer: JsonObject) -> JsonObject:
    """Return what GitHub answered to `RESOLVE`, by id, as it is kept.

    Args:
        ids: As they were asked.
        answer: Parsed body of the answer.

    Raises:
        UpstreamRefusedError: an id names nothing the credential can see, or the answer is not one.
    """
    data = answer.get("data")
    found = data.get("nodes") if isinstance(data, dict) else None
    if not isinstance(found, list) or len(found) != len(ids):
        raise UpstreamRefusedError(f"the ids were not resolved{_said(answer)}", code="not-resolved")
    nodes = {}
    for asked, each in zip(ids, found, strict=True):
        if not isinstance(each, dict):
            raise UpstreamRefusedError(f"`{shown(asked)}` names nothing that can be seen", code="not-found", status=404)
        nodes[asked] = each
    return {"nodes": nodes}


def node_of(asked: str, evidence: Mapping[str, Any]) -> Node:
    """Return what an id names.

    Args:
        asked: The id.
        evidence: What `resolved` returned.

    Raises:
        InvalidParamsError: it was not resolved, or to nothing that can be mapped to a repository.
    """
    raw = evidence.get("nodes", {}).get(asked)
    if not isinstance(raw, dict):
        raise refused(f"it is not known what `{asked}` names")
    kind = raw.get("__typename")
    if not isinstance(kind, str) or kind not in set(Kind):
        raise refused(f"`{asked}` names a `{kind}`, which is not served by id")
    repo = raw if kind == Kind.REPOSITORY else _part(raw, "repository")
    issue, pull = _part(raw, "issue"), _part(raw, "commented") or _part(raw, "pullRequest")
    own = raw if kind in {Kind.PULL_REQUEST, Kind.ISSUE} else pull or issue
    target = raw.get("headRefOid") or _part(raw, "target").get("oid")
    return Node(
        kind=Kind(kind),
        repository=full_name(repo.get("nameWithOwner")),
        number=_number(own.get("number")),
        is_pull_request=kind == Kind.PULL_REQUEST or bool(pull),
        ref=_ref(raw),
        head_repository=_optional_name(_part(raw, "headRepository").get("nameWithOwner")),
        head=check_sha(target, "headRefOid") if isinstance(target, str) else "",
        base=str(raw.get("baseRefName") or ""),
        title=str(raw.get("title") or ""),
        facts=_facts(raw) if raw.get("__typename") in {Kind.PULL_REQUEST, Kind.ISSUE} else {},
    )


def _facts(raw: JsonObject) -> JsonObject:
    """As the operations of REST name them, see `connectors.github.findings`."""
    labels = _part(raw, "labels").get("nodes")
    state = str(raw.get("pullState") or raw.get("issueState") or "").lower()
    facts: JsonObject = {
        "author": str(_part(raw, "author").get("login") or ""),
        "labels": [str(each.get("name")) for each in labels if isinstance(each, dict)]
        if isinstance(labels, list)
        else [],
        "pull_request": "headRefName" in raw,
        "state": "closed" if state == "merged" else state,
    }
    if "headRefName" in raw:
        head_repo = _optional_name(_part(raw, "headRepository").get("nameWithOwner"))
        facts |= {
            "base": str(raw.get("baseRefName")),
            "draft": raw.get("isDraft") is True,
            "fork": head_repo != full_name(_part(raw, "repository").get("nameWithOwner")),
            "head": str(raw["headRefName"]),
            "head_repo": head_repo,
        }
    return facts


def _ref(raw: JsonObject) -> str:
    if "headRefName" in raw:
        return f"refs/heads/{raw['headRefName']}"
    return f"{raw.get('prefix') or ''}{raw.get('ref') or ''}"


def _part(raw: JsonObject, name: str) -> JsonObject:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _optional_name(value: object) -> str:
    return full_name(value) if value else ""


def _said(answer: JsonObject) -> str:
    errors = answer.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    said = first.get("message") if isinstance(first, dict) else None
    return f": {shown(str(said))}" if said else ""
