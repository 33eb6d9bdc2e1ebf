from __future__ import annotations

from typing import Any

import pytest

from broker.doors.app import create_app
from broker.doors.github.graphql import MAX_BODY_BYTES
from broker.model import IntentState
from broker.outcome import Outcome, Problem, ProblemKind
from tests.unit.broker.doors.asgi import Client, Reply
from tests.unit.broker.doors.github.house import HOST, GitHubWorld, Seen
from tests.unit.broker.doors.parts import CANARY

pytestmark = pytest.mark.req("A4")

QUERY = {"query": '{ repository(owner: "acme", name: "app") { id } }'}
CLOSE = {
    "query": "mutation C($i: ClosePullRequestInput!) { closePullRequest(input: $i) { clientMutationId } }",
    "variables": {"i": {"pullRequestId": "PR_1"}},
    "operationName": "C",
}


async def ask(world: GitHubWorld, sent: Any = None, **more: Any) -> Reply:
    headers = {"Authorization": f"bearer {world.pusher_token}", **HOST}
    path = more.pop("path", "/api/graphql")
    return await Client(create_app(world)).call(
        more.pop("method", "POST"), path, headers=headers, json_body=sent, **more
    )


def answering(world: GitHubWorld, body: Any) -> None:
    async def act(seen: Seen) -> Outcome:
        return seen.done(body, headers={"x-ratelimit-remaining": "9", "set-cookie": "x"})

    world.act = act


def ending(world: GitHubWorld, state: IntentState, problem: Problem | None = None, **result: Any) -> None:
    async def act(seen: Seen) -> Outcome:
        return Outcome(seen.intent_id, state, result, problem=problem, approval_id="apr_1")

    world.act = act


@pytest.mark.parametrize("path", ["/api/graphql", "/graphql", "/github/hub/api/graphql", "/github/hub/graphql"])
async def test_a_query_is_one_intent_and_its_answer_is_githubs(world: GitHubWorld, path: str) -> None:
    answer = {"data": {"repository": {"id": "R_1", "url": "https://api.github.com/x"}}}
    answering(world, answer)
    reply = await ask(world, QUERY, path=path)
    assert (reply.status, reply.json()) == (200, answer)
    assert reply.headers["x-ratelimit-remaining"] == "9"
    assert "set-cookie" not in reply.headers
    (draft,) = world.seen
    assert draft.action == "github:graphql.query"
    assert draft.params == {"query": QUERY["query"], "variables": {}, "operation_name": ""}
    assert draft.connection == ("hub" if "hub" in path else "")
    assert draft.joins


async def test_a_mutation_is_a_write(world: GitHubWorld) -> None:
    answering(world, {"data": {}})
    assert (await ask(world, CLOSE)).status == 200
    assert world.seen[0].action == "github:graphql.mutate"
    assert world.seen[0].params == {
        "query": CLOSE["query"],
        "variables": CLOSE["variables"],
        "operation_name": CLOSE["operationName"],
    }


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"query": 7},
        {"query": "{ viewer { login } }", "variables": []},
        {"query": "{ viewer { login } }", "variables": "x"},
        {"query": "{ viewer { login } }", "operationName": 7},
        {"query": "{ viewer { login } }", "extensions": {}},
        {"query": "{ viewer { "},
        {"query": "{ nonsense }"},
        {"query": "subscription { x }"},
        {"query": "query A { viewer { login } } query B { viewer { login } }"},
    ],
)
async def test_what_cannot_be_read_is_refused_in_graphqls_form_and_nothing_is_asked(
    world: GitHubWorld, sent: dict[str, Any]
) -> None:
    reply = await ask(world, sent)
    assert reply.status == 200
    assert reply.json()["data"] is None
    assert reply.json()["errors"][0]["message"]
    assert not world.seen


@pytest.mark.parametrize(
    "more",
    [
        {"method": "GET"},
        {"path": "/graphql?query=x", "sent": QUERY},
        {"body": b"[]"},
        {"body": b'{"query":"a","query":"b"}'},
        {"body": b"x" * (MAX_BODY_BYTES + 1)},
    ],
)
async def test_only_a_post_of_strict_json_is_graphql(world: GitHubWorld, more: dict[str, Any]) -> None:
    reply = await ask(world, **more)
    assert reply.json()["errors"][0]["type"] in {"NOT_FOUND", "MALFORMED_REQUEST", "REQUEST_TOO_LARGE"}
    assert not world.seen


@pytest.mark.parametrize(
    ("kind", "status", "type_"),
    [
        (ProblemKind.DENIED, 200, "FORBIDDEN"),
        (ProblemKind.APPROVAL_REJECTED, 200, "FORBIDDEN"),
        (ProblemKind.INVALID_PARAMS, 200, "INVALID_PARAMS"),
        (ProblemKind.UPSTREAM_REFUSED, 200, "UPSTREAM_REFUSED"),
        (ProblemKind.OUTCOME_UNKNOWN, 200, "OUTCOME_UNKNOWN"),
        (ProblemKind.TOO_BUSY, 429, ""),
        (ProblemKind.STORE_UNAVAILABLE, 503, ""),
    ],
)
async def test_a_no_is_graphqls_unless_it_may_be_asked_again(
    world: GitHubWorld, kind: ProblemKind, status: int, type_: str
) -> None:
    ending(world, IntentState.FAILED, Problem(kind, "it did not work", rule="p.yaml:3 (x)"))
    reply = await ask(world, QUERY)
    assert reply.status == status
    if type_:
        (error,) = reply.json()["errors"]
        assert error["type"] == type_
        assert error["message"].startswith("it did not work")
    else:
        assert reply.headers["retry-after"]


async def test_a_fault_after_a_mutation_was_handed_on_is_not_asked_again(world: GitHubWorld) -> None:
    async def act(seen: Seen) -> Outcome:
        raise RuntimeError(CANARY)

    world.act = act
    reply = await ask(world, CLOSE)
    assert (reply.status, reply.json()["errors"][0]["type"]) == (200, "OUTCOME_UNKNOWN")
    assert CANARY.encode() not in reply.body
    assert (await ask(world, QUERY)).status == 500


async def test_githubs_own_errors_are_passed_on(world: GitHubWorld) -> None:
    errors = [{"type": "NOT_FOUND", "message": "Could not resolve", "path": ["repository"]}]
    extra = {"upstream_status": 404, "details": {"errors": errors}}
    ending(world, IntentState.FAILED, Problem(ProblemKind.UPSTREAM_REFUSED, "Could not resolve", extra=extra))
    assert (await ask(world, QUERY)).json() == {"data": None, "errors": errors}


async def test_what_waits_for_people_says_where(world: GitHubWorld) -> None:
    ending(world, IntentState.PENDING_APPROVAL)
    (error,) = (await ask(world, CLOSE)).json()["errors"]
    assert error["type"] == "FORBIDDEN"
    assert "http://ostiary.test/v1/approvals/apr_1" in error["message"]


async def test_what_was_done_and_cannot_be_told_is_no_success(world: GitHubWorld) -> None:
    ending(world, IntentState.SUCCEEDED, withheld="the result could not be scanned")
    (error,) = (await ask(world, CLOSE)).json()["errors"]
    assert "it was done" in error["message"]


async def test_an_answer_that_streams_is_json(world: GitHubWorld) -> None:
    async def act(seen: Seen) -> Outcome:
        assert seen.exchange.outlet is not None
        await seen.exchange.outlet.begin(seen.intent_id, {"headers": {"x-ratelimit-used": "1"}}, "text/plain")
        await seen.exchange.outlet.write(b'{"data":{}}')
        return seen.done(streamed=True)

    world.act = act
    reply = await ask(world, QUERY)
    assert (reply.complete, reply.json(), reply.headers["x-ratelimit-used"]) == (True, {"data": {}}, "1")
    assert reply.headers["content-type"].startswith("application/json")
