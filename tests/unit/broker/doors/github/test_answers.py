from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from broker.doors.app import create_app
from broker.errors import StoreUnavailableError
from broker.model import IntentState
from broker.outcome import Outcome, Problem, ProblemKind
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.github.house import (
    API,
    HOST,
    MERGE,
    PIECE,
    GitHubWorld,
    Seen,
    answering,
    ask,
    make_github_world,
    refusing,
)
from tests.unit.broker.doors.parts import CANARY

pytestmark = pytest.mark.req("A4")


async def test_an_answer_has_githubs_status_headers_and_body_and_our_addresses(
    world: GitHubWorld, client: Client
) -> None:
    headers = {
        "link": f'<{API}/repositories/1/issues?page=2>; rel="next"',
        "etag": 'W/"abc"',
        "x-ratelimit-remaining": "4999",
        "location": f"{API}/repos/a/b/issues/1",
        "set-cookie": "secret=1",
        "x-poll-interval": "6\r\n0",
    }
    body = {"url": f"{API}/repos/a/b/issues/1", "body": f"see {API}/x", "number": 1}
    answering(world, body, 201, headers)
    reply = await ask(client, world, "POST", "/api/v3/repos/a/b/issues", json_body={"title": "x"})
    assert reply.status == 201
    assert reply.json() == {**body, "url": "http://ostiary.test/api/v3/repos/a/b/issues/1"}
    assert reply.headers["location"] == "http://ostiary.test/api/v3/repos/a/b/issues/1"
    assert reply.headers["link"] == '<http://ostiary.test/api/v3/repos/a/b/issues?page=2>; rel="next"'
    assert (reply.headers["etag"], reply.headers["x-ratelimit-remaining"]) == ('W/"abc"', "4999")
    assert reply.headers["x-github-request-id"].startswith("int_")
    assert not {"set-cookie", "x-poll-interval"} & reply.headers.keys()
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_has_none(world: GitHubWorld, client: Client, status: int) -> None:
    answering(world, None, status, {"etag": '"x"'})
    reply = await ask(client, world, "GET", "/api/v3/repos/a/b")
    assert (reply.status, reply.body, reply.headers["etag"]) == (status, b"", '"x"')
    assert not {"content-length", "content-type"} & reply.headers.keys()


async def test_a_head_is_a_get_without_its_body(world: GitHubWorld, client: Client) -> None:
    answering(world, {"id": 7})
    reply = await ask(client, world, "HEAD", "/api/v3/repos/a/b")
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "8")
    assert world.seen[0].action == "github:repos.get"


async def test_where_people_reach_the_api_is_as_set_else_as_the_client_did(tmp_path: Path) -> None:
    for settings, host, wanted in (
        ({"public_url": "https://o.test"}, "evil.test", "https://o.test"),
        ({}, "o.test:8700", "http://o.test:8700"),
        ({}, "[::1]:8700", "http://[::1]:8700"),
        ({}, "o.test/x", ""),
    ):
        world = make_github_world(tmp_path, **settings)
        answering(world, {"url": f"{API}/user"})
        reply = await ask(Client(create_app(world)), world, "GET", "/api/v3/user", headers={"Host": host})
        assert reply.json() == {"url": f"{wanted}/api/v3/user"}


async def test_with_several_connections_and_no_name_addresses_stay(world: GitHubWorld, client: Client) -> None:
    answering(world, {"url": f"{API}/user"})
    reply = await client.call("GET", "/api/v3/user", headers={"Authorization": f"token {world.reader_token}", **HOST})
    assert reply.json() == {"url": f"{API}/user"}


async def test_a_denial_says_the_rule_and_the_fix(world: GitHubWorld, client: Client) -> None:
    refusing(world, Problem(ProblemKind.DENIED, "policy denies it", "no", "p.yaml:3 (x)", "ask"), IntentState.DENIED)
    reply = await ask(client, world, "PUT", MERGE)
    assert reply.status == 403
    assert reply.json()["message"] == "policy denies it by p.yaml:3 (x): no; to do: ask"
    assert reply.json()["documentation_url"] == "http://ostiary.test/v1/openapi.json"


async def test_what_waits_for_people_links_to_the_approval(world: GitHubWorld, client: Client) -> None:
    async def act(seen: Seen) -> Outcome:
        return Outcome(seen.intent_id, IntentState.PENDING_APPROVAL, approval_id="apr_1")

    world.act = act
    reply = await ask(client, world, "PUT", MERGE)
    assert reply.status == 403
    assert "http://ostiary.test/v1/approvals/apr_1" in reply.json()["message"]


@pytest.mark.parametrize(
    ("error", "method", "path", "status"),
    [
        (StoreUnavailableError(CANARY), "GET", "/api/v3/user", 503),
        (RuntimeError(CANARY), "GET", "/api/v3/user", 500),
        (RuntimeError(CANARY), "PUT", MERGE, 422),
    ],
)
async def test_a_fault_after_a_write_was_handed_on_is_not_asked_again(
    world: GitHubWorld, client: Client, error: Exception, method: str, path: str, status: int
) -> None:
    async def act(seen: Seen) -> Outcome:
        raise error

    world.act = act
    reply = await ask(client, world, method, path)
    assert reply.status == status
    assert CANARY not in json.dumps(reply.json())


def streaming(world: GitHubWorld, *, whole: bool, pieces: int = 3) -> None:
    async def act(seen: Seen) -> Outcome:
        outlet = seen.exchange.outlet
        assert outlet is not None
        await outlet.begin(seen.intent_id, {"status": 200, "headers": {"etag": '"x"'}}, "application/gzip")
        for _ in range(pieces if whole else pieces - 1):
            await outlet.write(PIECE)
        return seen.done(streamed=whole)

    world.act = act


@pytest.mark.parametrize("whole", [True, False])
async def test_a_large_body_goes_out_while_it_comes_in_and_is_whole_or_cut(
    world: GitHubWorld, client: Client, whole: bool
) -> None:
    streaming(world, whole=whole)
    reply = await ask(client, world, "GET", "/api/v3/repos/a/b/tarball/main")
    assert (reply.status, reply.headers["content-type"], reply.headers["etag"]) == (200, "application/gzip", '"x"')
    assert reply.complete is whole
    assert reply.body == PIECE * (3 if whole else 2)


async def test_a_fault_while_a_body_goes_out_cuts_it(world: GitHubWorld, client: Client) -> None:
    async def act(seen: Seen) -> Outcome:
        assert seen.exchange.outlet is not None
        await seen.exchange.outlet.begin(seen.intent_id, {"status": 200}, "text/plain")
        raise RuntimeError(CANARY)

    world.act = act
    reply = await ask(client, world, "GET", "/api/v3/repos/a/b/tarball/main")
    assert (reply.status, reply.complete, reply.body) == (200, False, b"")


async def test_a_client_that_goes_away_ends_the_stream(world: GitHubWorld, client: Client) -> None:
    streaming(world, whole=True, pieces=20)
    reply = await ask(client, world, "GET", "/api/v3/repos/a/b/tarball/main", stop_after=2)
    assert not reply.complete
    assert len(reply.body) < 20 * len(PIECE)


async def test_a_small_body_has_the_type_github_gave_it(world: GitHubWorld, client: Client) -> None:
    async def act(seen: Seen) -> Outcome:
        result = {"status": 200, "headers": {"content-type": "text/html; charset=utf-8"}}
        return Outcome(seen.intent_id, IntentState.SUCCEEDED, result, body=b"<p>")

    world.act = act
    reply = await ask(client, world, "GET", "/api/v3/repos/a/b/readme")
    assert (reply.body, reply.headers["content-type"]) == (b"<p>", "text/html; charset=utf-8")
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")


async def test_what_a_worker_left_is_sent(world: GitHubWorld, client: Client) -> None:
    headers = {"content-type": "application/vnd.github.diff; charset=utf-8"}

    async def small(seen: Seen) -> Outcome:
        body = {"encoding": "base64", "data": b64encode(b"diff").decode()}
        return Outcome(seen.intent_id, IntentState.SUCCEEDED, {"status": 200, "headers": headers, "body": body})

    world.act = small
    reply = await ask(client, world, "GET", "/api/v3/repos/a/b/pulls/7")
    assert (reply.body, reply.headers["content-type"]) == (b"diff", headers["content-type"])

    async def large(seen: Seen) -> Outcome:
        world.outputs.chunks[seen.intent_id] = [PIECE, PIECE]
        return Outcome(
            seen.intent_id,
            IntentState.SUCCEEDED,
            {"status": 200, "headers": headers},
            output_bytes=2 * len(PIECE),
            output_media_type=headers["content-type"],
        )

    world.act = large
    reply = await ask(client, world, "GET", "/api/v3/repos/a/b/pulls/7")
    assert (reply.body, reply.complete, reply.headers["content-type"]) == (PIECE * 2, True, headers["content-type"])


@pytest.mark.parametrize(("kept", "size"), [(1, 2), (3, 2), (0, 2)])
async def test_a_kept_body_that_is_not_whole_is_never_sent_as_one(
    world: GitHubWorld, client: Client, kept: int, size: int
) -> None:
    async def act(seen: Seen) -> Outcome:
        world.outputs.chunks[seen.intent_id] = [PIECE] * kept
        return Outcome(
            seen.intent_id, IntentState.SUCCEEDED, {}, output_bytes=size * len(PIECE), output_media_type="text/plain"
        )

    world.act = act
    reply = await ask(client, world, "GET", "/api/v3/repos/a/b/tarball/main")
    assert reply.status == 422 or (not reply.complete and len(reply.body) < size * len(PIECE))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"encoding": "base64", "data": "aGk="}, {"content-type": "application/json; charset=utf-8"}),
        ({"encoding": "base64", "content": "aGk="}, {}),
    ],
)
async def test_githubs_json_is_json_whatever_its_members_are_called(
    world: GitHubWorld, client: Client, body: dict[str, str], headers: dict[str, str]
) -> None:
    answering(world, body, headers=headers)
    assert (await ask(client, world, "GET", "/api/v3/repos/a/b/git/blobs/" + "a" * 40)).json() == body


async def test_what_was_done_and_cannot_be_told_is_not_asked_again(world: GitHubWorld, client: Client) -> None:
    async def act(seen: Seen) -> Outcome:
        return Outcome(seen.intent_id, IntentState.SUCCEEDED, {"withheld": "the result could not be scanned"})

    world.act = act
    reply = await ask(client, world, "PUT", MERGE)
    assert reply.status == 422
    assert "it was done" in reply.json()["message"]
