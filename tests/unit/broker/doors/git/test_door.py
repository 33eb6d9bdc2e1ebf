"""Who may come in by the git door, what a read asks of the broker, and what git gets for each answer."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from broker.clock import NS_PER_SECOND
from broker.doors.app import create_app
from broker.doors.git.door import GitDoor, unverified_token
from broker.exchange import ClientGoneError, Exchange
from broker.ids import IntentId
from broker.model import IntentDraft, IntentState, Session
from broker.outcome import Outcome, ProblemKind
from broker.settings import Settings
from connectors.git.wire.fetch_request import MAX_REQUEST_BYTES
from tests.unit.broker.doors.asgi import Client, Reply
from tests.unit.broker.doors.git.git_world import ASKED, INTENT, GitWorld, at_once, done, failed
from tests.unit.broker.doors.world import World

HOME = "/git/forge/acme/app.git"
READ = f"{HOME}/info/refs?service=git-upload-pack"
FETCH = f"{HOME}/git-upload-pack"
PUSH_REFS = f"{HOME}/info/refs?service=git-receive-pack"
TYPE = {"Content-Type": "application/x-git-upload-pack-request"}
REQUEST = b"0032want " + b"a" * 40 + b"\n0000"

ADVERTISED = "application/x-git-upload-pack-advertisement"


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    made = GitWorld(Settings(data=tmp_path), play=at_once(replace(done(), body=b"REFS")))
    made.add_connection("forge")
    return made


@pytest.fixture
def client(world: GitWorld) -> Client:
    return Client(create_app(world))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.req("A3")
@pytest.mark.parametrize("scheme", ["Bearer {}", "bearer {}", "Bearer  {}", "BASIC"])
async def test_a_session_comes_in_by_bearer_or_as_password(client: Client, world: GitWorld, scheme: str) -> None:
    token = world.pusher_token
    value = basic("whoever", token).replace("Basic", "basic") if scheme == "BASIC" else scheme.format(token)
    reply = await client.call("GET", READ, headers={"Authorization": value})
    assert (reply.status, reply.body) == (200, b"REFS")
    assert reply.headers["content-type"] == "application/x-git-upload-pack-advertisement"
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.req("A3")
@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        basic("user", ""),
        "Basic " + base64.b64encode(b"user:\xff").decode(),
        "Digest abc",
        "Bearer ost_s_wrong",
        "Bearer " + "x" * 3000,
        basic("x", "y" * 3000),
    ],
)
@pytest.mark.parametrize(("method", "target"), [("GET", READ), ("GET", PUSH_REFS), ("POST", FETCH)])
async def test_anybody_else_is_asked_for_a_password(
    client: Client, world: GitWorld, value: str, method: str, target: str
) -> None:
    headers = {"Authorization": value} if value else {}
    reply = await client.call(method, target, headers={**headers, **TYPE}, body=b"x" if method == "POST" else b"")
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith('Basic realm="ostiary"')
    assert b"ostiary: " in reply.body
    assert world.drafts == []


async def test_an_operator_and_a_session_that_is_over_are_told_so_and_not_asked_for_a_password(
    client: Client, world: GitWorld
) -> None:
    reply = await client.call("GET", READ, token=world.ana)
    assert (reply.status, "www-authenticate" in reply.headers) == (403, False)
    session = world.session_of(world.pusher_token)
    world.sessions_by_id[session.id] = replace(session, expires_at_ns=world.clock.now_ns() - NS_PER_SECOND)
    reply = await client.call("GET", READ, token=world.pusher_token)
    assert (reply.status, world.drafts) == (401, [])


def test_no_token_is_read_out_of_garbage() -> None:
    assert unverified_token("Bearer a b ") == "a b"
    assert unverified_token(basic("a", "b:c")) == "b:c"
    long, dirty = "x" * 3000, base64.b64encode(b"user:token").decode() + "!"
    for value in ("Token x", f"Bearer {long}", basic("a", long), f"Basic {dirty}", f"Basic {dirty[1:]}"):
        assert unverified_token(value) is None


ELSEWHERE = [
    ("GET", "/git/"),
    ("GET", HOME),
    ("GET", f"{HOME}/info/refs"),
    ("GET", f"{HOME}/info/refs?service=git-upload-archive"),
    ("GET", f"{READ}&x=y"),
    ("GET", f"{HOME}/HEAD"),
    ("GET", f"{HOME}/objects/info/packs"),
    ("GET", FETCH),
    ("POST", READ),
    ("POST", f"{FETCH}?x=y"),
    ("GET", "/git/forge/acme/app.git/../other.git/info/refs?service=git-upload-pack"),
    ("GET", "/git/forge/acme/%61pp.git/info/refs?service=git-upload-pack"),
    ("GET", "/git/forge/acme//app.git/info/refs?service=git-upload-pack"),
    ("GET", "/git/forge/../app.git/info/refs?service=git-upload-pack"),
    ("GET", f"{HOME}/info/refs/?service=git-upload-pack"),
    ("GET", "/git/forge/acme/team/app.git/info/refs?service=git-upload-pack"),
]


@pytest.mark.req("A3")
@pytest.mark.parametrize(("method", "target"), ELSEWHERE)
async def test_any_other_path_is_nothing_here(client: Client, world: GitWorld, method: str, target: str) -> None:
    reply = await client.call(method, target, token=world.pusher_token)
    assert (reply.status, world.drafts) == (404, [])


@pytest.mark.parametrize(
    ("sent", "taken"), [("", ""), ("version=2", "version=2"), ("version=1", "version=1"), ("version=0", "")]
)
async def test_a_listing_is_a_read_of_the_repository_in_the_clients_protocol(
    client: Client, world: GitWorld, sent: str, taken: str
) -> None:
    await client.call("GET", READ, token=world.pusher_token, headers={"Git-Protocol": sent} if sent else {})
    (draft,) = world.drafts
    params = {"repo": "acme/app", "what": "advertisement", "protocol": taken}
    assert draft == IntentDraft("git:read", params, connection="forge", source_ip="127.0.0.1", joins=True)
    assert world.waits == [world.settings.wire_approval_wait_seconds]


@pytest.mark.parametrize("sent", ["version=3", "version=2:agent=x", "VERSION=2"])
async def test_a_protocol_nobody_speaks_is_refused(client: Client, world: GitWorld, sent: str) -> None:
    reply = await client.call("GET", READ, token=world.pusher_token, headers={"Git-Protocol": sent})
    assert (reply.status, world.drafts) == (400, [])


async def test_a_listing_to_push_to_is_made_by_us_whatever_the_protocol(client: Client, world: GitWorld) -> None:
    reply = await client.call("GET", PUSH_REFS, token=world.pusher_token, headers={"Git-Protocol": "version=2"})
    assert world.drafts[0].params == {"repo": "acme/app", "what": "push-refs"}
    assert reply.headers["content-type"] == "application/x-git-receive-pack-advertisement"


@pytest.mark.parametrize("encoding", ["", "gzip", "x-gzip", "identity"])
async def test_a_fetch_is_asked_for_byte_for_byte_packed_or_not(client: Client, world: GitWorld, encoding: str) -> None:
    body = gzip.compress(REQUEST) if encoding.endswith("gzip") else REQUEST
    headers = {**TYPE, "Git-Protocol": "version=1", **({"Content-Encoding": encoding} if encoding else {})}
    reply = await client.call("POST", FETCH, token=world.pusher_token, headers=headers, body=[body[:9], body[9:]])
    assert (reply.status, reply.headers["content-type"]) == (200, "application/x-git-upload-pack-result")
    request = base64.b64encode(REQUEST).decode()
    params = {"repo": "acme/app", "what": "fetch", "protocol": "version=1", "request": request}
    assert world.drafts[0].params == params


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x" * (MAX_REQUEST_BYTES + 1), {}),
        (gzip.compress(b"0" * (MAX_REQUEST_BYTES + 1)), {"Content-Encoding": "gzip"}),
        (b"no gzip", {"Content-Encoding": "gzip"}),
        (gzip.compress(REQUEST)[:-4], {"Content-Encoding": "gzip"}),
        (gzip.compress(REQUEST) * 2, {"Content-Encoding": "gzip"}),
        (REQUEST, {"Content-Encoding": "deflate"}),
        (REQUEST, {"Content-Encoding": "gzip, gzip"}),
    ],
    ids=["large", "a bomb", "broken", "cut", "two", "deflate", "twice"],
)
async def test_a_request_that_cannot_be_read_asks_nobody(
    client: Client, world: GitWorld, body: bytes, headers: dict[str, str]
) -> None:
    reply = await client.call("POST", FETCH, token=world.pusher_token, headers={**TYPE, **headers}, body=body)
    assert (reply.status, world.drafts) == (400, [])
    assert reply.body.startswith(b"ostiary: ")


async def test_a_fetch_of_another_media_type_asks_nobody(client: Client, world: GitWorld) -> None:
    for kind in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-git-receive-pack-request"}):
        reply = await client.call("POST", FETCH, token=world.pusher_token, headers=kind, body=REQUEST)
        assert (reply.status, world.drafts) == (415, [])


async def test_a_repository_is_spelled_as_its_connection_takes_it(client: Client, world: GitWorld) -> None:
    for name, options in (("forge", {}), ("exact", {"case_sensitive": True}), ("folded", {"case_sensitive": False})):
        world.add_connection(name, **options)
    for name in ("forge", "exact", "folded", "nowhere"):
        await client.call("GET", READ.replace("forge/acme/app", f"{name}/Acme/App"), token=world.pusher_token)
    assert [(draft.connection, draft.params["repo"]) for draft in world.drafts] == [
        ("forge", "acme/app"),
        ("exact", "Acme/App"),
        ("folded", "acme/app"),
        ("nowhere", "acme/app"),
    ]


@pytest.mark.req("A3")
async def test_a_denial_is_text_that_git_shows_with_rule_and_fix(client: Client, world: GitWorld) -> None:
    more = {"rule": "policies/a.yaml:3 (a)", "fix": "ask for it", "retry_after_seconds": 7}
    world.play = at_once(failed(ProblemKind.DENIED, "policy denies it", **more))
    reply = await client.call("GET", READ, token=world.pusher_token)
    assert (reply.status, reply.headers["content-type"]) == (403, "text/plain; charset=utf-8")
    assert reply.headers["retry-after"] == "7"
    assert reply.body.decode().splitlines() == [
        "ostiary: policy denies it",
        "ostiary: rule: policies/a.yaml:3 (a)",
        "ostiary: fix: ask for it",
        "ostiary: try again in 7 s",
    ]


async def test_a_read_people_are_asked_about_says_where(client: Client, world: GitWorld) -> None:
    world.play = at_once(ASKED)
    reply = await client.call("GET", READ, token=world.pusher_token, headers={"Host": "ostiary.test"})
    assert (reply.status, reply.body) == (403, b"ostiary: pending approval http://ostiary.test/v1/approvals/apr_1\n")


async def test_an_answer_that_was_kept_for_later_is_given_out_whole_or_not_at_all(
    client: Client, world: GitWorld
) -> None:
    async def got(size: int, *chunks: bytes, **result: object) -> Reply:
        world.outputs.chunks[INTENT] = list(chunks)
        world.play = at_once(replace(done(**result), output_bytes=size, output_media_type=ADVERTISED))
        return await client.call("GET", READ, token=world.pusher_token)

    kept = await got(6, b"one", b"two")
    assert (kept.status, kept.body) == (200, b"onetwo")
    assert (kept.headers["content-type"], kept.complete) == (ADVERTISED, True)
    assert (await got(6)).status == 410
    assert not (await got(7, b"one", b"two")).complete
    assert not (await got(5, b"one", b"two")).complete
    inline = {"encoding": "base64", "data": base64.b64encode(b"tiny").decode()}
    assert (await got(-1, body=inline)).body == b"tiny"
    assert (await got(-1)).body == b""


@dataclass
class Streaming(GitWorld):
    """Sends its answer through the door, and perhaps not all of it."""

    whole: bool = True
    gone: bool = False

    async def submit(
        self,
        session: Session,
        draft: IntentDraft,
        *,
        wait_seconds: float,
        exchange: Exchange | None = None,
        on_parked: Callable[[Outcome], None] | None = None,
    ) -> Outcome:
        assert exchange is not None
        assert exchange.outlet is not None
        await exchange.outlet.begin(IntentId(INTENT), {}, "application/x-git-upload-pack-result")
        try:
            for piece in (b"one", b"two"):
                await exchange.outlet.write(piece)
        except ClientGoneError:
            self.gone = True
            return failed(ProblemKind.UPSTREAM_REFUSED)
        if not self.whole:
            return failed(ProblemKind.OUTCOME_UNKNOWN)
        return replace(done(), streamed=True)


@pytest.mark.parametrize("whole", [True, False])
async def test_a_pack_streams_and_one_that_was_cut_has_no_end(tmp_path: Path, whole: bool) -> None:
    world = Streaming(Settings(data=tmp_path), whole=whole)
    reply = await Client(create_app(world)).call("POST", FETCH, token=world.pusher_token, headers=TYPE, body=REQUEST)
    assert (reply.status, reply.body, reply.complete) == (200, b"onetwo", whole)
    assert reply.headers["ostiary-intent"] == INTENT
    assert reply.headers["content-type"] == "application/x-git-upload-pack-result"
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1, "nobody watches the connection any more"


async def test_a_client_that_goes_away_ends_the_stream(tmp_path: Path) -> None:
    world = Streaming(Settings(data=tmp_path))
    reply = await Client(create_app(world)).call(
        "POST", FETCH, token=world.pusher_token, headers=TYPE, body=REQUEST, stop_after=2
    )
    assert world.gone
    assert not reply.complete


async def test_a_broker_that_fails_at_a_read_is_a_fault_and_leaves_nothing_open(
    client: Client, world: GitWorld
) -> None:
    async def play(_on_parked: Callable[[Outcome], None]) -> Outcome:
        raise RuntimeError("boom")

    world.play = play
    assert (await client.call("GET", READ, token=world.pusher_token)).status == 500
    assert len(asyncio.all_tasks()) == 1


async def test_large_files_are_sent_on_to_their_part_of_the_door(client: Client, world: GitWorld) -> None:
    world.play = at_once(done(objects=[]))
    batch = {"operation": "download", "transfers": ["basic"], "objects": [{"oid": "a" * 64, "size": 1}]}
    headers = {"Content-Type": "application/vnd.git-lfs+json", "Accept": "application/vnd.git-lfs+json"}
    await client.call(
        "POST",
        f"{HOME.replace('acme', 'Acme')}/info/lfs/objects/batch",
        token=world.pusher_token,
        headers=headers,
        body=json.dumps(batch).encode(),
    )
    (draft,) = world.drafts
    assert (draft.action, draft.params["repo"], draft.connection) == ("git:lfs-read", "acme/app", "forge")


async def test_a_scope_without_a_raw_path_is_read_by_its_path(world: GitWorld) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    path, _, query = READ.partition("?")
    token = f"Bearer {world.pusher_token}".encode()
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "query_string": query.encode()}
    scope |= {"headers": [(b"authorization", token)], "client": ("127.0.0.1", 1)}
    await GitDoor(world)(scope, receive, send)
    assert sent[0]["status"] == 200


@pytest.mark.req("A3")
@pytest.mark.parametrize(
    "more",
    [
        {"evidence": {"found": {"updates": []}, "facts": {"leaks": []}}},
        {"part_of": INTENT},
        {"joins": True},
        {"alternatives": []},
        {"source_ip": "127.0.0.1"},
        {"notes": []},
    ],
    ids=str,
)
async def test_nobody_can_send_evidence_with_an_intent(tmp_path: Path, more: dict[str, Any]) -> None:
    world = World(Settings(data=tmp_path))
    body = {"action": "git:push", "params": {"repo": "acme/app"}, **more}
    reply = await Client(create_app(world)).call("POST", "/v1/intents", token=world.pusher_token, json_body=body)
    assert (reply.status, world.drafts) == (400, [])


async def test_a_pending_read_that_was_approved_says_so(client: Client, world: GitWorld) -> None:
    world.play = at_once(replace(ASKED, state=IntentState.APPROVED))
    reply = await client.call("GET", READ, token=world.pusher_token)
    assert (reply.status, reply.body) == (403, b"ostiary: approved, not yet carried out\n")
