"""Unmodified clients of GitHub through the whole of Ostiary, against an emulator that says no where GitHub does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from github import Auth, Github, GithubException
from github.GithubException import BadCredentialsException, RateLimitExceededException, UnknownObjectException
from github.Repository import Repository

from tests.parts.gh import gh_client, needs_gh
from tests.parts.github import BRANCH, github_hub
from tests.parts.github_house import GitHubHouse, github_house
from tests.parts.github_script import ARCHIVE, DIFF, ETAG, scripted_github

pytestmark = pytest.mark.req("A4")


@pytest.fixture(scope="module")
def house() -> Iterator[GitHubHouse]:
    with github_hub() as hub, scripted_github() as odd, github_house(hub, odd) as running:
        yield running


@pytest.fixture
def token(house: GitHubHouse) -> str:
    return house.begin()


def client(house: GitHubHouse, token: str, prefix: str = "", **options: Any) -> Github:
    # Retries as they come; only the pauses between requests, which are politeness towards GitHub, are left out.
    pauses = {"seconds_between_requests": 0, "seconds_between_writes": 0}
    return Github(base_url=f"{house.url}{prefix}/api/v3", auth=Auth.Token(token), **{**pauses, **options})


@pytest.fixture
def odd(house: GitHubHouse) -> str:
    return house.begin("odd")


@pytest.fixture
def app(house: GitHubHouse, token: str) -> Repository:
    return client(house, token).get_repo("Acme/App")


def test_objects_lead_from_one_to_the_next_through_this_door(house: GitHubHouse, app: Repository) -> None:
    assert app.full_name == "acme/app"
    assert app.url.startswith(f"{house.url}/api/v3/repos/")
    issue = app.create_issue("first", body="from an agent")
    assert issue.url.startswith(f"{house.url}/api/v3/")
    comment = issue.create_comment("hello")
    assert comment.body.startswith("hello")
    assert app.get_issue(issue.number).title == "first"
    assert house.hub.get(f"/repos/acme/app/issues/{issue.number}")["title"] == "first"


def test_pages_follow_each_other_to_the_end(house: GitHubHouse, app: Repository) -> None:
    for number in range(36):
        house.hub.call("POST", "/repos/acme/app/issues", {"title": f"page-{number}"})
    titles = {issue.title for issue in app.get_issues(state="all")}
    assert {f"page-{number}" for number in range(36)} <= titles


def test_who_is_not_known_is_told_so_as_github_would(house: GitHubHouse) -> None:
    with pytest.raises(BadCredentialsException):
        client(house, "ost_s_nobody").get_user().login  # noqa: B018 - reading it asks


def test_a_denial_is_githubs_403_with_the_rule_and_is_not_repeated(
    house: GitHubHouse, token: str, app: Repository
) -> None:
    issue = app.create_issue("to lock")
    with pytest.raises(GithubException) as caught:
        issue.lock("spam")
    assert caught.value.status == 403
    assert "policies/octo.yaml" in refusal(caught.value)
    assert [each["type"] for each in house.events(token) if each["action"] == "github:issues.lock"] == ["intent.denied"]
    assert not house.hub.get(f"/repos/acme/app/issues/{issue.number}")["locked"]


def test_what_policy_does_not_name_is_denied_with_the_line_that_would_help(house: GitHubHouse, token: str) -> None:
    with pytest.raises(GithubException) as caught:
        client(house, token).get_repo("other/site")
    assert caught.value.status == 403
    assert "git:read" in refusal(caught.value)


def test_what_github_does_not_have_is_its_own_404(app: Repository) -> None:
    with pytest.raises(UnknownObjectException):
        app.get_issue(999_999)


def test_a_merge_waits_for_people_and_is_done_at_the_head_they_saw(
    house: GitHubHouse, token: str, app: Repository
) -> None:
    opened = house.hub.pull_request("feature/gated", {"a.txt": "a"})
    house.hub.approve(opened.number)
    pull = app.get_pull(opened.number)
    with pytest.raises(GithubException) as caught:
        pull.merge()
    assert caught.value.status == 403
    asked = house.approve(token)
    assert f"{house.url}/v1/approvals/{asked['id']}" in refusal(caught.value)
    assert house.ended(token, asked["intent"])["state"] == "succeeded"
    assert pull.merge().merged
    assert house.hub.get(f"/repos/acme/app/pulls/{opened.number}")["merged"]


def test_a_head_that_moved_after_people_looked_is_not_merged(house: GitHubHouse, token: str, app: Repository) -> None:
    opened = house.hub.pull_request("feature/moving", {"b.txt": "b"})
    house.hub.approve(opened.number)
    pull = app.get_pull(opened.number)
    with pytest.raises(GithubException):
        pull.merge(sha=opened.head)
    asked = house.pending(token)[0]
    house.hub.advance(opened.number)
    house.approve(token)
    ended = house.ended(token, asked["intent"])
    assert ended["state"] == "failed", ended
    assert not house.hub.get(f"/repos/acme/app/pulls/{opened.number}")["merged"]
    assert house.hub.tip(BRANCH) != opened.head
    with pytest.raises(GithubException) as caught:
        pull.merge(sha=opened.head)
    assert caught.value.status in {409, 422}


def test_several_connections_are_told_apart_by_name(house: GitHubHouse) -> None:
    token = house.begin("many")
    with pytest.raises(GithubException) as caught:
        client(house, token).get_repo("acme/app")
    assert caught.value.status == 422
    app = client(house, token, "/github/spare").get_repo("acme/app")
    assert app.url.startswith(f"{house.url}/github/spare/api/v3/repos/")


def test_what_has_not_changed_is_a_304(house: GitHubHouse, odd: str) -> None:
    app = client(house, odd).get_repo("acme/app")
    assert (app.full_name, app.etag, app.url) == ("acme/app", ETAG, f"{house.url}/api/v3/repos/acme/app")
    assert not app.update()
    assert app.requester.rate_limiting[0] in {-1, 59}


def test_links_that_name_a_repository_by_number_lead_on_by_its_name(house: GitHubHouse, odd: str) -> None:
    app = client(house, odd, lazy=True).get_repo("acme/app")
    assert [issue.number for issue in app.get_issues()] == [1, 2]
    assert house.odd.asked("GET")[-1] == "/repos/acme/app/issues?page=2"


def test_diffs_and_archives_come_through(house: GitHubHouse, odd: str) -> None:
    status, headers, body = fetched(house, odd, "/repos/acme/app/pulls/7", Accept="application/vnd.github.diff")
    assert (status, body, headers["content-type"]) == (200, DIFF, "application/vnd.github.diff; charset=utf-8")
    status, headers, body = fetched(house, odd, "/repos/acme/app/tarball/main")
    assert (status, body, headers["content-type"]) == (200, ARCHIVE, "application/x-gzip")
    assert "Authorization" not in house.odd.seen[-1][2]


def test_a_write_whose_outcome_is_not_known_is_sent_once(house: GitHubHouse, odd: str) -> None:
    app = client(house, odd, lazy=True).get_repo("acme/app")
    before = len(house.odd.asked("POST"))
    with pytest.raises(GithubException) as caught:
        app.create_issue("once")
    assert (caught.value.status, caught.value.data["code"]) == (422, "outcome-unknown")
    assert len(house.odd.asked("POST")) == before + 1


def test_a_limit_of_github_reaches_the_client_as_one(house: GitHubHouse, odd: str) -> None:
    app = client(house, odd, retry=None, lazy=True).get_repo("acme/app")
    with pytest.raises(RateLimitExceededException) as caught:
        list(app.get_labels())
    assert (caught.value.headers or {})["x-ratelimit-remaining"] == "0"


@needs_gh
def test_gh_writes_and_shows_why_not(house: GitHubHouse, token: str, tmp_path: Path) -> None:
    with gh_client(house.port, token, tmp_path) as gh:
        made = gh.run("api", "repos/acme/app/issues", "-f", "title=from gh")
        assert json.loads(made.stdout)["title"] == "from gh", made.stderr
        number = json.loads(made.stdout)["number"]
        denied = gh.run("api", "-X", "PUT", f"repos/acme/app/issues/{number}/lock")
        assert denied.returncode == 1
        assert "policies/octo.yaml" in denied.stderr
        assert "(HTTP 403)" in denied.stderr
        queried = gh.run("api", "graphql", "-f", 'query={repository(owner:"other",name:"site"){id}}')
        assert queried.returncode == 1
        assert "git:read" in queried.stderr


@needs_gh
def test_gh_finds_itself_signed_in(house: GitHubHouse, odd: str, tmp_path: Path) -> None:
    with gh_client(house.port, odd, tmp_path) as gh:
        status = gh.run("auth", "status")
    assert status.returncode == 0, status.stderr
    assert "ada" in status.stdout + status.stderr


def fetched(house: GitHubHouse, token: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent = {"Authorization": f"token {token}", **headers}
    with closing(HTTPConnection("127.0.0.1", house.port, timeout=30)) as connection:
        connection.request("GET", f"/api/v3{path}", headers=sent)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def refusal(error: GithubException) -> str:
    return str(error.data["message"])
