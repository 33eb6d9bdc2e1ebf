"""An approval as the API shows it, and the page about it."""

from __future__ import annotations

from typing import Any

from broker.cli.review.page import page_of
from policies.conditions.moments import parse_moment

NOW_NS = parse_moment("2026-11-20T10:12:00Z") or 0
PUSH: dict[str, Any] = {
    "kind": "git.push",
    "repo": "acme/app",
    "totals": {"commits": 4, "files": 2, "added": 11, "removed": 2},
    "refs": [
        {
            "ref": "refs/heads/main",
            "old": "1a" * 20,
            "new": "2b" * 20,
            "change": "force",
            "default_branch": True,
            "protected": True,
            "commit_count": 4,
            "commits": [
                {
                    "oid": "2b" * 20,
                    "author": "Ana <ana@x>",
                    "committer": "Bot <bot@x>",
                    "date": "2026-11-19T10:00:00Z",
                    "subject": "fix it",
                    "signed": False,
                }
            ],
            "file_count": 3,
            "files": [
                {"path": "src/a.py", "added": 10, "removed": 2, "status": "modified", "triggered": False},
                {"path": "ci.yml", "added": 1, "removed": 0, "status": "added", "triggered": True},
                {"path": "logo.png", "binary": True, "status": "added"},
            ],
        }
    ],
    "diff": [{"path": "src/a.py", "lines": ["@@ -1 +1 @@", "-old", "+\tnew"], "truncated": True}],
    "leaks": [{"rule": "aws-key", "path": "src/a.py", "line": 3, "commit": "2b" * 20}],
    "triggered": [{"rule": "policies/ci.yaml:3 (ci)", "paths": ["ci.yml"], "path_count": 3}],
}
MERGE: dict[str, Any] = {
    "kind": "github.merge",
    "repo": "acme/app",
    "number": 7,
    "title": "Add a page",
    "author": "ana",
    "base": "main",
    "head": "page",
    "head_sha": "3c" * 20,
    "files": [{"path": "page.py", "added": 5, "removed": 1, "status": "added"}],
    "file_count": 1,
    "checks": [{"name": "tests", "state": "success"}, {"name": "lint", "state": "failure"}],
    "reviews": [{"user": "ben", "state": "approved"}],
    "mergeable": True,
    "mergeable_state": "clean",
    "draft": True,
}


def approval(preview: object, **members: Any) -> dict[str, Any]:
    return {
        "id": "apr_1",
        "state": "pending",
        "summary": "push 1 ref to acme/app: refs/heads/main",
        "connection": "code",
        "action": "git:push",
        "resources": ["repos/acme/app/branches/main"],
        "plan_digest": "ab" * 32,
        "agent": "ci",
        "project": "web",
        "session": "ses_1",
        "owner": "olivia",
        "rule": "policies/ci.yaml:4 (gate)",
        "policy_version": "cd" * 32,
        "channel": "ops",
        "approvers": [],
        "assurance": "web",
        "created_at": "2026-11-20T10:00:00Z",
        "expires_at": "2026-11-20T11:00:00Z",
        "decided_by": None,
        "decided_at": None,
        "decision_reason": None,
        "preview": preview,
        "reason": "please",
        **members,
    }


def page(preview: object, *, diff: bool = True, **members: Any) -> list[str]:
    """The lines of the page about an approval with a preview."""
    return [line.plain.strip() for line in page_of(approval(preview, **members), NOW_NS, diff=diff).lines]
