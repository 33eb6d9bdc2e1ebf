"""A connection is GitHub or an Enterprise Server; with an App each plan gets a token for what it does."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.errors import InvalidParamsError
from connectors.github.connection import GitHubConnection, options_of
from tests.unit.connectors.github.desk import GITHUB, HEAD, THERE, connection, planned, pull
from vault.model import GitHubTokenRequest

ISSUE = {"title": "slow", "body": "", "state": "open", "user": {"login": "octocat"}, "labels": []}
FILE = {**THERE, "message": "m", "content": "aGk=", "branch": "x"}


@pytest.mark.parametrize(
    ("url", "web", "host"),
    [
        ("https://api.github.com", "https://github.com", "api.github.com"),
        ("https://ghe.example/api/v3/", "https://ghe.example", "ghe.example"),
        ("https://ghe.example:8443/api/v3", "https://ghe.example:8443", "ghe.example:8443"),
        ("http://127.0.0.1:4000", "http://127.0.0.1:4000", "127.0.0.1:4000"),
        ("http://localhost:4000/api/v3", "http://localhost:4000", "localhost:4000"),
    ],
)
def test_an_api_has_an_address_and_a_page_for_people(url: str, web: str, host: str) -> None:
    options = GitHubConnection(url=url)
    assert (options.web, options.host) == (web, host)
    assert GitHubConnection(url=url, web_url="https://code.example/").web == "https://code.example"


@pytest.mark.parametrize(
    "url",
    ["", "api.github.com", "ftp://api.github.com", "http://api.github.com", "https://user@api.github.com",
     "https://api.github.com/v3", "https://api.github.com?x", "https://api.github.com#x", "https://API.github.com",
     "https://api.github.com:99999", "https://[::1", "https://api git.com", "https://", "https://-x.example"],
)  # fmt: skip
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        GitHubConnection(url=url)
    with pytest.raises(ValidationError):
        GitHubConnection(url="https://api.github.com", web_url=url or "x")


def test_files_are_kept_on_the_hosts_that_are_named() -> None:
    options = GitHubConnection(url="https://ghe.example/api/v3", download_hosts=["*.files.example", "x.example:8443"])
    for host in ("a.files.example", "a.b.files.example", "x.example:8443", "ghe.example"):
        assert options.may_download(host)
    for host in ("files.example", "afiles.example", "x.example", "codeload.github.com", "", "a.files.example:8443"):
        assert not options.may_download(host)
    assert not GitHubConnection(url="https://ghe.example/api/v3", download_hosts=[]).may_download("x.example")
    with pytest.raises(ValidationError):
        GitHubConnection(url="https://ghe.example/api/v3", download_hosts=["*"])


@pytest.mark.parametrize(
    ("action", "params", "answers", "permissions"),
    [
        ("repos.get", THERE, [], [("metadata", "read")]),
        ("repos.delete", THERE, [], [("administration", "write")]),
        ("repos.replace-all-topics", {**THERE, "names": ["x"]}, [], [("administration", "write")]),
        ("pulls.list", THERE, [], [("pull_requests", "read")]),
        ("pulls.merge", {**THERE, "pull_number": 7}, [pull()], [("contents", "write"), ("pull_requests", "write")]),
        ("issues.create-comment", {**THERE, "issue_number": 7, "body": "x"}, [ISSUE], [("issues", "write")]),
        (
            "issues.create-comment",
            {**THERE, "issue_number": 7, "body": "x"},
            [{**ISSUE, "pull_request": {}}],
            [("pull_requests", "write")],
        ),
        ("git.create-ref", {**THERE, "ref": "refs/heads/x", "sha": HEAD}, [], [("contents", "write")]),
        ("repos.create-or-update-file-contents", {**FILE, "path": "a"}, [], [("contents", "write")]),
        (
            "repos.create-or-update-file-contents",
            {**FILE, "path": ".github/workflows/a.yml"},
            [],
            [("contents", "write"), ("workflows", "write")],
        ),
        ("repos.get-combined-status-for-ref", {**THERE, "ref": "x"}, [], [("statuses", "read")]),
        ("actions.list-repo-secrets", THERE, [], [("secrets", "read")]),
        ("activity.set-repo-subscription", THERE, [], [("administration", "write")]),
        ("teams.list-members-in-org", {"org": "acme", "team_slug": "x"}, [], [("members", "read")]),
        ("orgs.update", {"org": "acme"}, [], [("organization_administration", "write")]),
    ],
)
async def test_a_token_of_an_app_is_for_what_the_plan_does(
    action: str, params: Any, answers: list[Any], permissions: list[tuple[str, str]]
) -> None:
    plan = await planned(f"github:{action}", params, *answers, app=True)
    repositories = ("app",) if "repo" in params else ()
    assert plan.mint == GitHubTokenRequest("acme", repositories, tuple(permissions), "https://api.github.com")


@pytest.mark.parametrize(
    "action", ["users.get-authenticated", "meta.get-zen", "activity.star-repo-for-authenticated-user"]
)
def test_an_app_is_no_person(action: str) -> None:
    params = THERE if "star" in action else {}
    with pytest.raises(InvalidParamsError):
        GITHUB.plan(f"github:{action}", params, connection(app=True))


def test_without_an_app_the_stored_credential_is_used() -> None:
    assert GITHUB.plan("github:repos.get", THERE, connection()).mint is None
    assert options_of(connection()).app is False


@pytest.mark.parametrize("account", ["acme/app", "../x", "a b", "-a", "a?b", "ä"])
def test_an_account_is_a_name(account: str) -> None:
    with pytest.raises(ValidationError):
        GitHubConnection(url="https://api.github.com", app=True, account=account)
