from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from connectors.github.catalogue import actions
from connectors.github.params import HEADERS
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.github.house import API, HOST, MERGE, GitHubWorld, answering, ask

pytestmark = pytest.mark.req("A4")


@pytest.mark.parametrize(
    ("method", "path", "body", "action", "params"),
    [
        ("GET", "/", None, "meta.root", {}),
        ("GET", "", None, "meta.root", {}),
        ("GET", "/meta", None, "meta.get", {}),
        ("GET", "/rate_limit", None, "rate-limit.get", {}),
        ("GET", "/user", None, "users.get-authenticated", {}),
        ("GET", "/repos/Acme/App", None, "repos.get", {"owner": "Acme", "repo": "App"}),
        (
            "GET",
            "/repos/a/b/issues?state=all&page=2&per_page=100",
            None,
            "issues.list-for-repo",
            {"owner": "a", "repo": "b", "state": "all", "page": 2, "per_page": 100},
        ),
        (
            "PUT",
            "/repos/a/b/pulls/7/merge",
            {"sha": "f" * 40, "merge_method": "squash"},
            "pulls.merge",
            {"owner": "a", "repo": "b", "pull_number": 7, "sha": "f" * 40, "merge_method": "squash"},
        ),
        ("PUT", "/repos/a/b/pulls/7/merge", None, "pulls.merge", {"owner": "a", "repo": "b", "pull_number": 7}),
        (
            "POST",
            "/repos/a/b/issues/7/labels",
            ["bug"],
            "issues.add-labels",
            {"owner": "a", "repo": "b", "issue_number": 7, "labels": ["bug"]},
        ),
        (
            "PATCH",
            "/repos/a/b/actions/variables/OLD",
            {"name": "NEW"},
            "actions.update-repo-variable",
            {"owner": "a", "repo": "b", "name": "OLD", "new_name": "NEW"},
        ),
        (
            "GET",
            "/repos/a/b/contents/docs/read%20me.md?ref=main",
            None,
            "repos.get-content",
            {"owner": "a", "repo": "b", "path": "docs/read me.md", "ref": "main"},
        ),
        (
            "GET",
            "/repos/a/b/contents/docs%2Fx.md",
            None,
            "repos.get-content",
            {"owner": "a", "repo": "b", "path": "docs/x.md"},
        ),
        (
            "DELETE",
            "/repos/a/b/git/refs/heads/feature/x",
            None,
            "git.delete-ref",
            {"owner": "a", "repo": "b", "ref": "heads/feature/x"},
        ),
        (
            "GET",
            "/repos/a/b/branches/feature%2Fx",
            None,
            "repos.get-branch",
            {"owner": "a", "repo": "b", "branch": "feature/x"},
        ),
    ],
)
async def test_a_request_is_the_intent_that_octokit_would_name(
    world: GitHubWorld, client: Client, method: str, path: str, body: Any, action: str, params: dict[str, Any]
) -> None:
    answering(world, {"ok": True})
    reply = await ask(client, world, method, "/api/v3" + path, json_body=body)
    assert (reply.status, reply.json()) == (200, {"ok": True})
    (draft,) = world.seen
    assert (draft.action, draft.params) == (f"github:{action}", params)
    assert (draft.connection, draft.joins, draft.source_ip, world.waits) == ("", True, "127.0.0.1", [7])


async def test_headers_that_change_the_answer_are_params(world: GitHubWorld, client: Client) -> None:
    answering(world)
    sent = {
        "Accept": "application/vnd.github.diff",
        "If-None-Match": 'W/"1"',
        "If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT",
        "X-GitHub-Api-Version": "2022-11-28",
        "X-HTTP-Method-Override": "DELETE",
    }
    await ask(client, world, "GET", "/api/v3/repos/a/b/pulls/7", headers=sent)
    await ask(client, world, "PUT", "/api/v3/repos/a/b/pulls/7/merge", headers={**sent, "Accept": "*/*"})
    assert world.seen[0].params == {
        "owner": "a",
        "repo": "b",
        "pull_number": 7,
        "accept": "application/vnd.github.diff",
        "if_none_match": 'W/"1"',
        "if_modified_since": "Thu, 01 Jan 2026 00:00:00 GMT",
        "api_version": "2022-11-28",
    }
    assert world.seen[1].params == {"owner": "a", "repo": "b", "pull_number": 7, "api_version": "2022-11-28"}


async def test_a_connection_is_named_by_the_path(world: GitHubWorld, client: Client) -> None:
    answering(world, {"url": f"{API}/repos/a/b"}, headers={"link": f'<{API}/x?page=2>; rel="next"'})
    reply = await ask(client, world, "GET", "/github/hub/api/v3/repos/a/b/issues")
    assert world.seen[0].connection == "hub"
    assert reply.json() == {"url": "http://ostiary.test/github/hub/api/v3/repos/a/b"}
    assert reply.headers["link"] == '<http://ostiary.test/github/hub/api/v3/repos/a/b/issues?page=2>; rel="next"'


@pytest.mark.parametrize("scheme", ["token", "Bearer", "basic"])
async def test_a_session_shows_its_token_in_any_form(world: GitHubWorld, client: Client, scheme: str) -> None:
    answering(world, [])
    token = world.pusher_token
    value = b64encode(f"agent:{token}".encode()).decode() if scheme == "basic" else token
    reply = await client.call("GET", "/api/v3/user", headers={"Authorization": f"{scheme} {value}", **HOST})
    assert reply.status == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 401),
        ({"Authorization": "token nonsense"}, 401),
        ({"Authorization": "Basic bm9uc2Vuc2U="}, 401),
        ({"Authorization": "Negotiate abc"}, 401),
    ],
)
async def test_who_is_not_known_gets_githubs_401_and_nothing_is_asked(
    world: GitHubWorld, client: Client, sent: dict[str, str], status: int
) -> None:
    for method, path in (("GET", "/api/v3/user"), ("POST", "/api/graphql"), ("GET", "/api/v3/nonsense")):
        reply = await client.call(method, path, headers={**sent, **HOST}, body=[b"x"] * 3)
        assert reply.status == status
        assert {"message", "documentation_url", "status"} <= reply.json().keys()
        assert reply.headers["www-authenticate"]
    assert not world.seen


async def test_an_operator_is_no_agent(world: GitHubWorld, client: Client) -> None:
    reply = await client.call("GET", "/api/v3/user", headers={"Authorization": f"token {world.ana}", **HOST})
    assert (reply.status, world.seen) == (403, [])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v3/nonsense", 404),
        ("GET", "/api/v3/repos/a", 404),
        ("GET", "/api/v3/repos/a/b/../c", 404),
        ("POST", "/api/v3/repos/a/b", 404),
        ("TRACE", "/api/v3/repos/a/b", 404),
        ("GET", "/api/v4/repos/a/b", 404),
        ("GET", "/github/hub/repos/a/b", 404),
        ("POST", "/api/uploads/repos/a/b/releases/1/assets?name=x", 404),
        ("GET", "/api/v3/repos/a/b/issues?page=1&page=2", 400),
        ("GET", "/api/v3/repos/a/b/issues?pagee=1", 422),
        ("GET", "/api/v3/repos/a/b/issues?owner=x", 422),
        ("GET", "/api/v3/repos/a/b/issues?accept=x", 422),
        ("GET", "/api/v3/repos/a/b/pulls/7?if_none_match=x", 422),
    ],
)
async def test_what_is_not_there_or_unclear_is_refused_and_nothing_is_asked(
    world: GitHubWorld, client: Client, method: str, path: str, status: int
) -> None:
    reply = await ask(client, world, method, path)
    assert (reply.status, reply.json()["status"]) == (status, str(status))
    assert status != 404 or "Not Found" in reply.json()["message"]
    assert not world.seen


@pytest.mark.parametrize(
    ("path", "body", "media_type", "status"),
    [
        (MERGE, b"{", "application/json", 400),
        (MERGE, b'{"sha":"a","sha":"b"}', "application/json", 400),
        (MERGE, b'{"sha":"\xff"}', "application/json", 400),
        (MERGE, b'"sha"', "application/json", 422),
        (MERGE, b'["sha"]', "application/json", 422),
        (MERGE, b'{"owner":"x"}', "application/json", 422),
        (MERGE, b'{"accept":"x"}', "application/json", 422),
        (MERGE, b'{"_method":"DELETE"}', "application/json", 422),
        (MERGE, b"{}", "text/xml", 400),
        (MERGE, b"[" * 60 + b"]" * 60, "application/json", 400),
        ("/api/v3/repos/a/b/pulls/7/update-branch", b"x" * (8 << 20) + b"x", "application/json", 422),
    ],
)
async def test_a_body_with_two_readings_or_none_is_refused_and_nothing_is_asked(
    world: GitHubWorld, client: Client, path: str, body: bytes, media_type: str, status: int
) -> None:
    reply = await ask(client, world, "PUT", path, body=body, headers={"Content-Type": media_type})
    assert reply.status == status
    assert not world.seen


def test_no_operation_has_a_param_of_the_name_of_a_header() -> None:
    for entry in actions().values():
        assert HEADERS.keys().isdisjoint({*entry.in_path, *entry.in_query, *entry.in_body})


async def test_a_body_that_says_nothing_is_none(world: GitHubWorld, client: Client) -> None:
    answering(world, None, 204)
    assert (await ask(client, world, "PUT", "/api/v3/user/starred/a/b", json_body={})).status == 204
    assert world.seen[0].params == {"owner": "a", "repo": "b"}


async def test_a_read_takes_no_body(world: GitHubWorld, client: Client) -> None:
    assert (await ask(client, world, "GET", "/api/v3/user", json_body={"a": 1})).status == 422
    assert not world.seen


async def test_a_text_is_taken_where_github_takes_one(world: GitHubWorld, client: Client) -> None:
    answering(world)
    sent = ((b"# hi", "text/x-markdown", 200), (b"#", "application/json", 400), (b"\xff", "text/plain", 400))
    for body, media_type, status in sent:
        headers = {"Content-Type": media_type}
        reply = await ask(client, world, "POST", "/api/v3/markdown/raw", body=body, headers=headers)
        assert reply.status == status
    assert [draft.params for draft in world.seen] == [{"body": "# hi"}]


async def test_files_of_releases_are_not_taken(world: GitHubWorld, client: Client) -> None:
    reply = await ask(client, world, "POST", "/api/v3/repos/a/b/releases/1/assets?name=x", body=b"\0")
    assert (reply.status, world.seen) == (400, [])
