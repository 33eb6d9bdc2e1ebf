"""What each kind of operation asks policy for, and that no name can be made to mean more than one thing."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import InvalidParamsError
from connectors.github.names import UNKNOWN
from tests.unit.connectors.github.desk import GITHUB, HEAD, OLD, THERE, connection, needs, planned, pull

pytestmark = pytest.mark.req("A4")

REPO = "repos/acme/app"
ISSUE = {"title": "slow", "body": "", "state": "open", "user": {"login": "octocat"}, "labels": []}
REF = {"ref": "refs/heads/x", "object": {"sha": OLD}}
FORK = pull(head={"ref": "fix", "sha": HEAD, "repo": {"full_name": "Guest/App"}})
GONE = pull(head={"ref": "fix", "sha": HEAD, "repo": None})
FILE = {**THERE, "path": "a.txt", "message": "m", "content": "aGk="}


@pytest.mark.parametrize(
    ("action", "params", "answers", "asked"),
    [
        ("pulls.get", {**THERE, "pull_number": 7}, [], [f"git:read on {REPO}"]),
        ("orgs.get", {"org": "Acme"}, [], ["git:read on orgs/acme"]),
        ("search.code", {"q": "x"}, [], ["git:read on search"]),
        ("users.get-authenticated", {}, [], ["git:read on user"]),
        ("meta.get-zen", {}, [], ["git:read on github"]),
        ("markdown.render", {"text": "x"}, [], ["git:read on github"]),
        ("gists.get", {"gist_id": "aa5a"}, [], ["git:read on gists/aa5a"]),
        (
            "issues.create-comment",
            {**THERE, "issue_number": 7, "body": "x"},
            [ISSUE],
            [f"git:comment on {REPO}/issues/7"],
        ),
        (
            "issues.create-comment",
            {**THERE, "issue_number": 7, "body": "x"},
            [{**ISSUE, "pull_request": {}}],
            [f"git:comment on {REPO}/pull-requests/7"],
        ),
        ("issues.update", {**THERE, "issue_number": 7}, [ISSUE], [f"github:issues.update on {REPO}/issues/7"]),
        ("pulls.create-review", {**THERE, "pull_number": 7}, [pull()], [f"git:review on {REPO}/pull-requests/7"]),
        ("pulls.merge", {**THERE, "pull_number": 7}, [pull()], [f"git:merge on {REPO}/pull-requests/7"]),
        ("pulls.create", {**THERE, "base": "main", "head": "x"}, [], [f"git:open-pr on {REPO}"]),
        ("pulls.create", {**THERE, "base": "main", "head": "acme:x"}, [], [f"git:open-pr on {REPO}"]),
        (
            "pulls.create",
            {**THERE, "base": "main", "head": "Guest:x"},
            [],
            [f"git:open-pr on {REPO}", f"git:read on repos/guest/{UNKNOWN}"],
        ),
        (
            "pulls.create",
            {**THERE, "base": "main", "head": "x", "head_repo": "Guest/Fork"},
            [],
            [f"git:open-pr on {REPO}", "git:read on repos/guest/fork"],
        ),
        (
            "pulls.create",
            {**THERE, "base": "main", "head": "guest:x", "head_repo": "fork"},
            [],
            [f"git:open-pr on {REPO}", "git:read on repos/guest/fork"],
        ),
        (
            "repos.compare-commits-with-basehead",
            {**THERE, "basehead": "main...guest:secret:x"},
            [],
            [f"git:read on {REPO}", "git:read on repos/guest/secret"],
        ),
        (
            "repos.compare-commits-with-basehead",
            {**THERE, "basehead": "guest:y..x"},
            [],
            [f"git:read on {REPO}", f"git:read on repos/guest/{UNKNOWN}"],
        ),
        (
            "actions.create-or-update-environment-secret",
            {**THERE, "environment_name": "Production", "secret_name": "key", "encrypted_value": "x", "key_id": "1"},
            [],
            [f"github:actions.create-or-update-environment-secret on {REPO}/environments/production/secrets/KEY"],
        ),
        (
            "dependabot.delete-repo-secret",
            {**THERE, "secret_name": "key"},
            [],
            [f"github:dependabot.delete-repo-secret on {REPO}/secrets/KEY"],
        ),
        (
            "teams.add-or-update-repo-permissions-in-org",
            {**THERE, "org": "acme", "team_slug": "Devs"},
            [],
            [
                "github:teams.add-or-update-repo-permissions-in-org on orgs/acme/teams/devs",
                f"github:teams.add-or-update-repo-permissions-in-org on {REPO}",
            ],
        ),
        (
            "actions.create-workflow-dispatch",
            {**THERE, "workflow_id": "build.yml", "ref": "main"},
            [],
            [f"github:actions.create-workflow-dispatch on {REPO}/workflows/build.yml"],
        ),
        (
            "actions.create-workflow-dispatch",
            {**THERE, "workflow_id": 12, "ref": "main"},
            [{"path": ".github/workflows/build.yml"}],
            [f"github:actions.create-workflow-dispatch on {REPO}/workflows/build.yml"],
        ),
        (
            "repos.transfer",
            {**THERE, "new_owner": "Guest"},
            [],
            [f"github:repos.transfer on {REPO}", "github:repos.transfer on orgs/guest"],
        ),
        ("repos.create-fork", THERE, [], [f"github:repos.create-fork on {REPO}", "github:repos.create-fork on user"]),
    ],
)
async def test_an_operation_asks_for(action: str, params: Any, answers: list[Any], asked: list[str]) -> None:
    assert needs(await planned(f"github:{action}", params, *answers)) == asked


@pytest.mark.parametrize(
    ("action", "params", "answers", "asked"),
    [
        ("git.create-ref", {**THERE, "ref": "refs/heads/x", "sha": HEAD}, [], [f"git:push on {REPO}/branches/x"]),
        ("git.create-ref", {**THERE, "ref": "refs/tags/v1", "sha": HEAD}, [], [f"git:push on {REPO}/tags/v1"]),
        ("git.update-ref", {**THERE, "ref": "heads/a/b", "sha": HEAD}, [REF], [f"git:push on {REPO}/branches/a/b"]),
        (
            "git.update-ref",
            {**THERE, "ref": "heads/x", "sha": HEAD, "force": True},
            [REF],
            [f"git:force-push on {REPO}/branches/x"],
        ),
        ("git.update-ref", {**THERE, "ref": "tags/v1", "sha": HEAD}, [REF], [f"git:force-push on {REPO}/tags/v1"]),
        ("git.delete-ref", {**THERE, "ref": "heads/x"}, [REF], [f"git:delete-ref on {REPO}/branches/x"]),
        ("repos.create-or-update-file-contents", {**FILE, "branch": "x"}, [], [f"git:push on {REPO}/branches/x"]),
        (
            "repos.create-or-update-file-contents",
            FILE,
            [{"default_branch": "trunk"}],
            [f"git:push on {REPO}/branches/trunk"],
        ),
        ("repos.merge", {**THERE, "base": "main", "head": "x"}, [], [f"git:push on {REPO}/branches/main"]),
        ("repos.merge-upstream", {**THERE, "branch": "main"}, [], [f"git:push on {REPO}/branches/main"]),
        (
            "repos.rename-branch",
            {**THERE, "branch": "x", "new_name": "main"},
            [],
            [
                f"github:repos.rename-branch on {REPO}/branches/x",
                f"git:delete-ref on {REPO}/branches/x",
                f"git:push on {REPO}/branches/main",
            ],
        ),
        ("pulls.update-branch", {**THERE, "pull_number": 7}, [pull()], [f"git:push on {REPO}/branches/feature/login"]),
        ("pulls.update-branch", {**THERE, "pull_number": 7}, [FORK], ["git:push on repos/guest/app/branches/fix"]),
        (
            "pulls.update-branch",
            {**THERE, "pull_number": 7},
            [GONE],
            [f"git:push on repos/{UNKNOWN}/{UNKNOWN}/branches/{UNKNOWN}"],
        ),
        (
            "repos.create-release",
            {**THERE, "tag_name": "v1"},
            [],
            [f"github:repos.create-release on {REPO}", f"git:push on {REPO}/tags/v1"],
        ),
        (
            "repos.update-release",
            {**THERE, "release_id": 3, "tag_name": "v2", "draft": False},
            [{"tag_name": "v1"}],
            [f"github:repos.update-release on {REPO}", f"git:push on {REPO}/tags/v2", f"git:push on {REPO}/tags/v1"],
        ),
        (
            "repos.create-deployment",
            {**THERE, "ref": "prod"},
            [],
            [f"github:repos.create-deployment on {REPO}", f"git:push on {REPO}/branches/prod"],
        ),
        (
            "repos.create-deployment",
            {**THERE, "ref": HEAD, "auto_merge": False},
            [],
            [f"github:repos.create-deployment on {REPO}"],
        ),
        (
            "code-scanning.commit-autofix",
            {**THERE, "alert_number": 3, "target_ref": "refs/heads/x"},
            [],
            [f"github:code-scanning.commit-autofix on {REPO}", f"git:push on {REPO}/branches/x"],
        ),
    ],
)
async def test_what_moves_a_ref_asks_what_a_push_would(
    action: str, params: Any, answers: list[Any], asked: list[str]
) -> None:
    assert needs(await planned(f"github:{action}", params, *answers)) == asked


@pytest.mark.parametrize(
    "branch",
    ["refs/heads/main", "heads/main", "tags/v1", "HEAD", "a..b", "a@{1}", "-x", "a b", "m\u0430in", "a/../b", "a//b",
     "x.lock", "", "a\x00", "refs/pull/1/head", "x" * 300],
)  # fmt: skip
def test_a_branch_that_could_be_read_as_another_is_refused(branch: str) -> None:
    for action, params in (
        ("repos.merge", {**THERE, "base": branch, "head": "x"}),
        ("repos.rename-branch", {**THERE, "branch": "x", "new_name": branch}),
        ("git.create-ref", {**THERE, "ref": f"refs/heads/{branch}", "sha": HEAD}),
    ):
        with pytest.raises(InvalidParamsError):
            GITHUB.plan(f"github:{action}", params, connection())


@pytest.mark.parametrize("ref", ["refs/heads/main", "pull/1/head", "heads", "heads/../heads/main", "notes/x"])
async def test_a_ref_in_a_path_is_a_branch_or_a_tag(ref: str) -> None:
    with pytest.raises(InvalidParamsError):
        await planned("github:git.update-ref", {**THERE, "ref": ref, "sha": HEAD}, REF)


@pytest.mark.parametrize("sha", ["main", "1dc5c17", HEAD.upper(), HEAD + "0"])
def test_a_ref_is_moved_to_a_whole_commit_id(sha: str) -> None:
    with pytest.raises(InvalidParamsError):
        GITHUB.plan("github:git.create-ref", {**THERE, "ref": "refs/heads/x", "sha": sha}, connection())


def test_one_repository_has_one_name_however_it_is_written() -> None:
    plan = GITHUB.plan("github:repos.get", {"owner": "ACME", "repo": "App"}, connection())
    assert needs(plan) == [f"git:read on {REPO}"]
    assert plan.call["path"] == "/repos/acme/app"


@pytest.mark.parametrize(
    ("owner", "repo"),
    [("acme", ".."), ("acme", "."), ("acme", "app.git"), ("acme", "a/b"), ("acme", ""), ("", "app"), ("a*", "app"),
     ("acme", "*"), ("\u212aacme", "app"), ("acme", "app\n"), ("acme/app", "x"), ("..", "app")],
)  # fmt: skip
def test_a_name_that_is_no_repository_is_refused(owner: str, repo: str) -> None:
    with pytest.raises(InvalidParamsError):
        GITHUB.plan("github:repos.get", {"owner": owner, "repo": repo}, connection())


@pytest.mark.parametrize("end", ["a:b:c:d", "..:x", "acme:..:x"])
def test_a_comparison_names_repositories_or_none(end: str) -> None:
    params = {**THERE, "basehead": f"main...{end}"}
    with pytest.raises(InvalidParamsError):
        GITHUB.plan("github:repos.compare-commits-with-basehead", params, connection())


def test_an_action_that_is_not_there_is_refused() -> None:
    for action in ("github:pulls.nothing", "github:*", "pulls.merge"):
        with pytest.raises(InvalidParamsError):
            GITHUB.plan(action, {}, connection())
        assert not GITHUB.inspects(action)
