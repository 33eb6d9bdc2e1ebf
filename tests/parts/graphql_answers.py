"""GitHub's GraphQL, answered from what its REST API says: one request at a time, with the token it came with.

The schema is the connector's part of GitHub's own, and what the broker itself asks besides; what the emulator does not
know (checks, reviews that are asked for, projects) is empty. As at GitHub, fields of one name may have several types.
Ids are opaque to clients: they say here what they name, and what that is is read with the caller's token, so an App
sees no more by id than by name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from graphql import ExecutionResult, GraphQLError, GraphQLSchema, execute_sync, extend_schema, parse, validate
from graphql.validation import OverlappingFieldsCanBeMergedRule, specified_rules

from connectors.github.graphql.schema import offer

Rest = Callable[[str, str, Any], tuple[int, Any]]
"""Method, path and body -> status and body."""
Node = dict[str, Any]

_TYPES: Final = {401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "NOT_FOUND"}
_REVIEWS: Final = {"APPROVE": "APPROVED", "COMMENT": "COMMENTED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
_PAGE: Final = 100
_REPOSITORY: Final = "repository: Repository!"
_MORE: Final = f"""
extend type IssueComment {{ issue: Issue! pullRequest: PullRequest {_REPOSITORY} }}
extend type PullRequestReview {{ pullRequest: PullRequest! {_REPOSITORY} }}
extend type PullRequestReviewThread {{ pullRequest: PullRequest! {_REPOSITORY} }}
extend type PullRequestReviewComment {{ pullRequest: PullRequest! {_REPOSITORY} }}
extend type Label {{ {_REPOSITORY} }}
extend type Milestone {{ {_REPOSITORY} }}
extend type Release {{ {_REPOSITORY} }}
extend type Commit {{ {_REPOSITORY} }}
extend type CheckRun {{ {_REPOSITORY} }}
extend type CheckSuite {{ {_REPOSITORY} }}
"""


class _NoError(Exception):
    """REST said no."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.kind = _TYPES.get(status, "UNPROCESSABLE")


def answer(rest: Rest, asked: Mapping[str, Any]) -> Node:
    """Return what stands in the body of an answer.

    Args:
        rest: The emulator, with the caller's token.
        asked: Parsed body of the request.
    """
    found = _executed(rest, asked)
    # An error of the request, and not of a field: nothing was begun, so there is no `data`.
    said: Node = {} if found.data is None and found.errors and not found.errors[0].path else {"data": found.data}
    if found.errors:
        said["errors"] = [_error(each) for each in found.errors]
    return said


@cache
def _schema() -> GraphQLSchema:
    """Return the schema; what the broker asks of an id is in GitHub's, and in no client's reach."""
    return extend_schema(offer().schema, parse(_MORE))


def _executed(rest: Rest, asked: Mapping[str, Any]) -> ExecutionResult:
    try:
        document = parse(str(asked.get("query")))
    except GraphQLError as error:
        return ExecutionResult(None, [error])
    rules = [each for each in specified_rules if each is not OverlappingFieldsCanBeMergedRule]
    errors = validate(_schema(), document, rules)
    if errors:
        return ExecutionResult(None, errors)
    given, name = asked.get("variables") or {}, asked.get("operationName") or None
    found = execute_sync(_schema(), document, _Roots(rest).fields(), variable_values=given, operation_name=name)
    assert isinstance(found, ExecutionResult)
    return found


def _error(error: GraphQLError) -> Node:
    said: Node = {"message": error.message, **({"path": error.path} if error.path else {})}
    cause = error.original_error
    return {"type": cause.kind, **said} if isinstance(cause, _NoError) else {**said, "extensions": {"code": "other"}}


class _Roots:
    """The root fields, by the functions that answer them."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def fields(self) -> Node:
        """Return the functions graphql-core calls, by field; each takes the field's arguments."""
        return {
            "repository": lambda _info, owner, name, **_: self._repository(f"{owner}/{name}"),
            "node": lambda _info, id: self._node(id),  # noqa: A006 - the field's own name
            "nodes": lambda _info, ids: [self._node(each) for each in ids],
            "search": lambda _info, query, **given: self._search(query, given),
            "viewer": lambda _info: _person(self._did("GET", "/user")),
            "createPullRequest": lambda _info, input: self._open(input),  # noqa: A006 - likewise, and below
            "mergePullRequest": lambda _info, input: self._merge(input),  # noqa: A006
            "closePullRequest": lambda _info, input: self._set(input["pullRequestId"], state="closed"),  # noqa: A006
            "reopenPullRequest": lambda _info, input: self._set(input["pullRequestId"], state="open"),  # noqa: A006
            "closeIssue": lambda _info, input: self._set(input["issueId"], state="closed"),  # noqa: A006
            "reopenIssue": lambda _info, input: self._set(input["issueId"], state="open"),  # noqa: A006
            "createIssue": lambda _info, input: self._issue(input),  # noqa: A006
            "addComment": lambda _info, input: self._comment(input),  # noqa: A006
            "addPullRequestReview": lambda _info, input: self._review(input),  # noqa: A006
        }

    def _did(self, method: str, path: str, body: Any = None) -> Any:
        status, found = self._rest(method, path, body)
        if not 200 <= status < 300:
            raise _NoError(status, str(found.get("message", status)) if isinstance(found, dict) else str(status))
        return found

    def _node(self, asked: str) -> Node | None:
        """Return what an id names; nothing where the caller may not see it, as GitHub does."""
        try:
            kind, repo, number = _named(asked)
            if kind == "Repository":
                return self._repository(repo)
            return self._pull(repo, number) if kind == "PullRequest" else self._one_issue(repo, number)
        except (_NoError, ValueError):
            return None

    def _repository(self, full_name: str) -> Node:
        raw = self._did("GET", f"/repos/{full_name}")
        repo, admin = raw["full_name"], (raw.get("permissions") or {}).get("admin")
        listed = {
            "pullRequests": lambda _info, **given: self._pulls(repo, given),
            "issues": lambda _info, **given: self._issues(repo, given),
            "pullRequest": lambda _info, number: self._pull(repo, number),
            "issue": lambda _info, number: self._one_issue(repo, number),
            "issueOrPullRequest": lambda _info, number: self._either(repo, number),
        }
        plain = {
            "__typename": "Repository",
            "id": _id("Repository", repo, 0),
            "nameWithOwner": repo,
            "owner": {"__typename": raw["owner"].get("type", "User"), "id": "O", "login": raw["owner"]["login"]},
            "url": raw["html_url"],
            "defaultBranchRef": {
                "__typename": "Ref",
                "id": "R",
                "name": raw["default_branch"],
                "prefix": "refs/heads/",
            },
            "isPrivate": raw["private"],
            "isArchived": raw["archived"],
            "isFork": raw["fork"],
            "visibility": str(raw["visibility"]).upper(),
            "viewerPermission": "ADMIN" if admin else "WRITE",
            "hasIssuesEnabled": raw["has_issues"],
            "hasWikiEnabled": raw["has_wiki"],
            "mergeCommitAllowed": True,
            "squashMergeAllowed": True,
            "rebaseMergeAllowed": True,
            "autoMergeAllowed": False,
            "viewerDefaultMergeMethod": "MERGE",
        }
        kept = {name: raw[name] for name in ("name", "description")}
        return {**kept, **plain, **listed}

    def _pulls(self, repo: str, given: Node) -> Node:
        rows = self._did("GET", f"/repos/{repo}/pulls?state=all&per_page={_PAGE}")
        head, states = given.get("headRefName"), given.get("states")
        made = [self._pull_of(repo, each) for each in rows if head in (None, each["head"]["ref"])]
        return _connection([each for each in made if not states or each["state"] in states], given)

    def _pull(self, repo: str, number: int) -> Node:
        return self._pull_of(repo, self._did("GET", f"/repos/{repo}/pulls/{number}"))

    def _pull_of(self, repo: str, raw: Node) -> Node:
        head = raw["head"]["repo"] or {}
        more = {
            "__typename": "PullRequest",
            "id": _id("PullRequest", repo, raw["number"]),
            "state": "MERGED" if raw["merged"] else raw["state"].upper(),
            "merged": raw["merged"],
            "isDraft": raw["draft"],
            "isCrossRepository": head.get("full_name") != repo,
            "maintainerCanModify": True,
            "baseRefName": raw["base"]["ref"],
            "headRefName": raw["head"]["ref"],
            "headRefOid": raw["head"]["sha"],
            "headRepository": {"__typename": "Repository", "id": "H", "name": head.get("name"),
                               "nameWithOwner": head.get("full_name")},
            "headRepositoryOwner": {"__typename": "Organization", "id": "O", "login": repo.partition("/")[0]},
            "mergeable": "MERGEABLE",
            "mergeStateStatus": "CLEAN",
            "additions": raw["additions"],
            "deletions": raw["deletions"],
            "changedFiles": raw["changed_files"],
            "isInMergeQueue": False,
            "isMergeQueueEnabled": False,
            "commits": {"totalCount": raw["commits"], "nodes": [_last(raw)], "pageInfo": _END},
            **dict.fromkeys(("reviewRequests", "reviews", "latestReviews", "files"), _EMPTY),
        }  # fmt: skip
        return {**self._thread(repo, raw), **more}

    def _either(self, repo: str, number: int) -> Node:
        issue = self._did("GET", f"/repos/{repo}/issues/{number}")
        status, _ = self._rest("GET", f"/repos/{repo}/pulls/{number}", None)
        return self._pull(repo, number) if status == HTTPStatus.OK else self._issue_of(repo, issue)

    def _issues(self, repo: str, given: Node) -> Node:
        rows = self._did("GET", f"/repos/{repo}/issues?state=all&per_page={_PAGE}")
        made = [self._issue_of(repo, each) for each in rows if not each.get("pull_request")]
        return _connection([each for each in made if each["state"] in (given.get("states") or [each["state"]])], given)

    def _one_issue(self, repo: str, number: int) -> Node:
        return self._issue_of(repo, self._did("GET", f"/repos/{repo}/issues/{number}"))

    def _issue_of(self, repo: str, raw: Node) -> Node:
        more = {"__typename": "Issue", "id": _id("Issue", repo, raw["number"]), "state": raw["state"].upper()}
        return {**self._thread(repo, raw), **more}

    def _thread(self, repo: str, raw: Node) -> Node:
        """What a pull request and an issue have both."""
        labels = [{"__typename": "Label", "id": "L", **each} for each in raw["labels"]]
        comments = f"/repos/{repo}/issues/{raw['number']}/comments"
        return {
            **{name: raw[name] for name in ("number", "title", "locked")},
            "body": raw["body"] or "",
            "url": raw["html_url"],
            "closed": raw["state"] == "closed",
            "author": _person(raw["user"]),
            "createdAt": raw["created_at"],
            "updatedAt": raw["updated_at"],
            "labels": _connection(labels, {}),
            "repository": lambda _info: self._repository(repo),
            "comments": lambda _info, **given: _connection(
                [_comment(each) for each in self._did("GET", comments)], given
            ),
            **dict.fromkeys(("assignees", "projectCards", "projectItems"), _EMPTY),
        }

    def _search(self, query: str, given: Node) -> Node:
        found = self._did("GET", f"/search/issues?per_page={_PAGE}&q={quote(query)}")
        repos = [each["repository_url"].partition("/repos/")[2] for each in found["items"]]
        nodes = [self._either(repo, each["number"]) for repo, each in zip(repos, found["items"], strict=True)]
        return {"issueCount": len(nodes), **_connection(nodes, given)}

    def _open(self, given: Node) -> Node:
        _, repo, _ = _named(given["repositoryId"])
        body = {"title": given["title"], "body": given.get("body"), "head": given["headRefName"],
                "base": given["baseRefName"], "draft": given.get("draft") is True}  # fmt: skip
        return {"pullRequest": self._pull_of(repo, self._did("POST", f"/repos/{repo}/pulls", body))}

    def _merge(self, given: Node) -> Node:
        _, repo, number = _named(given["pullRequestId"])
        body = {"merge_method": str(given.get("mergeMethod", "MERGE")).lower(), "sha": given.get("expectedHeadOid")}
        self._did("PUT", f"/repos/{repo}/pulls/{number}/merge", {name: each for name, each in body.items() if each})
        return {"pullRequest": self._pull(repo, number)}

    def _set(self, asked: str, **fields: str) -> Node:
        kind, repo, number = _named(asked)
        place = "pulls" if kind == "PullRequest" else "issues"
        self._did("PATCH", f"/repos/{repo}/{place}/{number}", fields)
        return {"pullRequest" if kind == "PullRequest" else "issue": self._node(asked)}

    def _issue(self, given: Node) -> Node:
        _, repo, _ = _named(given["repositoryId"])
        body = {"title": given["title"], "body": given.get("body") or ""}
        return {"issue": self._issue_of(repo, self._did("POST", f"/repos/{repo}/issues", body))}

    def _comment(self, given: Node) -> Node:
        _, repo, number = _named(given["subjectId"])
        made = self._did("POST", f"/repos/{repo}/issues/{number}/comments", {"body": given["body"]})
        return {"commentEdge": {"cursor": "1", "node": _comment(made)}}

    def _review(self, given: Node) -> Node:
        _, repo, number = _named(given["pullRequestId"])
        body = {"event": given["event"], "body": given.get("body") or "", "commit_id": given.get("commitOID")}
        self._did("POST", f"/repos/{repo}/pulls/{number}/reviews", {name: each for name, each in body.items() if each})
        return {"pullRequestReview": {"__typename": "PullRequestReview", "state": _REVIEWS[given["event"]]}}


_END: Final = {"hasNextPage": False, "hasPreviousPage": False, "endCursor": None}
_EMPTY: Final = {"nodes": [], "totalCount": 0, "pageInfo": _END}


def _connection(rows: list[Node], given: Mapping[str, Any]) -> Node:
    """Return a page of rows: those after a cursor, as many as are asked for."""
    start = int(given.get("after") or 0)
    end = start + int(given.get("first") or _PAGE)
    page = {"hasNextPage": end < len(rows), "hasPreviousPage": start > 0, "endCursor": str(end)}
    return {"nodes": rows[start:end], "totalCount": len(rows), "pageInfo": page}


def _person(raw: Node | None) -> Node | None:
    return {"__typename": "User", "id": f"U_{raw['login']}", "login": raw["login"], "name": None} if raw else None


def _last(raw: Node) -> Node:
    """The commit at the head, of which no checks are known."""
    return {"commit": {"__typename": "Commit", "id": "C", "oid": raw["head"]["sha"], "statusCheckRollup": None}}


def _comment(raw: Node) -> Node:
    return {
        "__typename": "IssueComment",
        "id": f"IC_{raw['id']}",
        "author": _person(raw["user"]),
        "authorAssociation": "MEMBER",
        "body": raw["body"],
        "createdAt": raw["created_at"],
        "url": raw["html_url"],
        "includesCreatedEdit": False,
        "isMinimized": False,
        "reactionGroups": [],
        "viewerDidAuthor": True,
    }


def _id(kind: str, repo: str, number: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([kind, repo, number]).encode()).decode()


def _named(asked: str) -> tuple[str, str, int]:
    try:
        kind, repo, number = json.loads(base64.urlsafe_b64decode(asked))
    except ValueError:
        raise _NoError(HTTPStatus.NOT_FOUND, f"Could not resolve to a node with the global id of '{asked}'") from None
    return str(kind), str(repo), int(number)
