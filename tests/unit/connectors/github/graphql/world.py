"""What ids name, as GitHub answers it."""

from __future__ import annotations

from connectors.base import JsonObject

HEAD = "1f" * 20
_HERE: JsonObject = {"nameWithOwner": "Acme/App"}


def pull(**more: object) -> JsonObject:
    return {
        "__typename": "PullRequest", "id": "PR", "number": 12, "title": "Fix", "isDraft": False, "pullState": "OPEN",
        "headRefOid": HEAD, "headRefName": "feature", "baseRefName": "main",
        "headRepository": {"nameWithOwner": "Octocat/App"},
        "author": {"login": "octocat"}, "labels": {"nodes": [{"name": "bug"}, None]}, "repository": _HERE, **more,
    }  # fmt: skip


NODES: JsonObject = {
    "PR": pull(),
    "GONE": pull(headRepository=None, author=None, pullState="MERGED"),
    "ISSUE": {"__typename": "Issue", "number": 7, "title": "Broken", "issueState": "OPEN", "repository": _HERE},
    "REPO": {"__typename": "Repository", **_HERE},
    "FORK": {"__typename": "Repository", "nameWithOwner": "octocat/app"},
    "COMMENT": {
        "__typename": "IssueComment", "issue": {"number": 12}, "commented": {"number": 12}, "repository": _HERE,
    },
    "REVIEW": {"__typename": "PullRequestReview", "pullRequest": {"number": 12}, "repository": _HERE},
    "THREAD": {"__typename": "PullRequestReviewThread", "pullRequest": {"number": 12}, "repository": _HERE},
    "REF": {
        "__typename": "Ref", "ref": "feature/x", "prefix": "refs/heads/", "target": {"oid": HEAD}, "repository": _HERE,
    },
    "TAG": {"__typename": "Ref", "ref": "v1", "prefix": "refs/tags/", "target": {"oid": HEAD}, "repository": _HERE},
    "PERSON": {"__typename": "User", "id": "PERSON"},
    "ODD": {"__typename": "Issue", "number": 7, "repository": {"nameWithOwner": "acme/../app"}},
}  # fmt: skip


class NoMasker:
    """A `connectors.inspection.Masker` that finds nothing."""

    async def scrub(self, data: bytes) -> tuple[bytes, int]:
        return data, 0
