from __future__ import annotations

import pytest

from broker.doors.llm.credentials import unverified_token
from broker.doors.problems import RefusedError
from broker.outcome import ProblemKind
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.llm.house import JSON, PATHS, RAW, LlmWorld, answering

pytestmark = pytest.mark.req("A5")

Sent = list[tuple[str, str]]


def scope_of(sent: Sent) -> dict[str, object]:
    return {"headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent]}


@pytest.mark.parametrize(
    "sent",
    [
        [("x-api-key", "T")],
        [("Authorization", "Bearer T")],
        [("Authorization", "bearer  T ")],
        [("api-key", " T\t")],
        [("x-api-key", "T"), ("Authorization", "Bearer T")],
        [("x-api-key", "T"), ("api-key", "T"), ("x-api-key", "T")],
    ],
)
def test_a_token_is_found_in_every_form_and_may_stand_there_twice(sent: Sent) -> None:
    assert unverified_token(scope_of(sent)) == "T"


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [("x-api-key", "")],
        [("Authorization", "Basic VDpU")],
        [("Authorization", "T")],
        [("x-api-key", "T"), ("Authorization", "Bearer U")],
        [("x-api-key", "T"), ("x-api-key", "U")],
        [("api-key", "U"), ("x-api-key", "T")],
        [("x-api-key", "T"), ("Authorization", "Basic VDpU")],
        [("x-api-key", "T"), ("api-key", "")],
        [("x-api-key", "T\xe9")],
        [("x-api-key", "T" * 513)],
    ],
)
def test_none_two_or_an_unreadable_one_is_no_token(sent: Sent) -> None:
    with pytest.raises(RefusedError) as caught:
        unverified_token(scope_of(sent))
    assert caught.value.problem.kind is ProblemKind.UNAUTHENTICATED


@pytest.mark.parametrize("name", ["x-api-key", "api-key", "Authorization"])
@pytest.mark.parametrize("path", PATHS.values())
async def test_a_session_is_known_in_every_format_by_every_header(
    world: LlmWorld, client: Client, name: str, path: str
) -> None:
    answering(world)
    value = f"Bearer {world.pusher_token}" if name == "Authorization" else world.pusher_token
    reply = await client.call("POST", path, headers={name: value, **JSON}, body=RAW)
    assert reply.status == 200
    assert world.pusher_token not in str(world.seen[0].draft)


@pytest.mark.parametrize("bad", ["nonsense", "ost_s_" + "a" * 47])
@pytest.mark.parametrize(("path", "status"), [("messages", 401), ("chat", 401), ("responses", 401), ("invoke", 403)])
async def test_who_is_not_known_is_told_so_and_nothing_of_the_body_is_read(
    world: LlmWorld, client: Client, path: str, status: int, bad: str
) -> None:
    reply = await client.call("POST", PATHS[path], headers={"x-api-key": bad, **JSON}, body=[b"x"] * 3)
    assert (reply.status, reply.headers["x-should-retry"]) == (status, "false")
    both = {"x-api-key": world.pusher_token, "Authorization": f"Bearer {world.reader_token}", **JSON}
    assert (await client.call("POST", PATHS[path], headers=both, body=RAW)).status == status
    assert not world.seen


async def test_an_operator_is_no_agent(world: LlmWorld, client: Client) -> None:
    reply = await client.call("POST", "/v1/messages", headers={"x-api-key": world.ana, **JSON}, body=RAW)
    assert (reply.status, reply.json()["error"]["type"]) == (403, "permission_error")
    assert not world.seen


async def test_a_session_that_is_over_is_told_so_in_a_way_that_stops_every_client(
    world: LlmWorld, client: Client
) -> None:
    world.clock.at_ns += 10**15
    found = {}
    for name, path in PATHS.items():
        reply = await client.call("POST", path, headers={"x-api-key": world.pusher_token, **JSON}, body=RAW)
        assert reply.headers["x-should-retry"] == "false"
        found[name] = reply.status
    # Codex repeats 401, and never looks at the header.
    assert found == {"messages": 401, "chat": 400, "responses": 400, "invoke": 403}
