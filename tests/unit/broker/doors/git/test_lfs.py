"""Git LFS through its door: real plans and a real host behind it, the broker's decision is a test's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from broker.doors.git.lfs import MAX_BATCH_BYTES, serve_lfs
from broker.doors.git.lfs_request import LfsRequest
from broker.doors.git.places import Place, Want
from broker.exchange import Exchange
from broker.ids import IntentId
from broker.model import IntentDraft, IntentState, Session
from broker.outcome import Outcome, Problem, ProblemKind
from broker.settings import Settings
from connectors.base import Connection
from connectors.errors import ConnectorError, InvalidParamsError, UploadBrokenError, UpstreamRefusedError
from connectors.git.lfs.plans import plan_lfs
from connectors.git.lfs.transfer import execute_lfs
from connectors.guard import AddressGuard
from connectors.transport import HttpTransport
from tests.parts.lfs_server import LfsServer, lfs_server
from tests.unit.broker.doors.asgi import Client, Reply
from tests.unit.broker.doors.world import World
from vault.model import CredentialRef

DATA = b"large file " * 20_000
OID = hashlib.sha256(DATA).hexdigest()
SMALL = b"small"
HOME = "https://ostiary.test"
PLACE = "/info/lfs/"


@dataclass
class LfsWorld(World):
    """Plans and executes what is asked, unless a test says what becomes of it."""

    host: LfsServer = field(default_factory=LfsServer)
    transport: HttpTransport = field(default_factory=lambda: HttpTransport(AddressGuard(["127.0.0.1"])))
    says: Outcome | None = None
    large_bytes: int = 1000
    cut_after: int = -1
    received: int = 0

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
        assert draft.joins
        self.drafts.append(draft)
        intent_id = IntentId(self.new_id("int"))
        if self.says is not None:
            return replace(self.says, intent_id=self.says.intent_id or intent_id)
        connection = Connection(draft.connection, "git", CredentialRef("git/acme"), {"url": self.host.url})
        try:
            plan = replace(plan_lfs(draft.action, draft.params, connection), stream=exchange.upload)
            result = await execute_lfs(plan, self.host.authorization, self.transport)
            done = Outcome(intent_id, IntentState.SUCCEEDED, result.data)
            if result.body is None:
                return done
            body = b"".join([piece async for piece in result.body])
        except ConnectorError as error:
            return Outcome(intent_id, IntentState.FAILED, problem=_problem(error))
        if len(body) < self.large_bytes or exchange.outlet is None:
            return replace(done, body=body)
        await exchange.outlet.begin(intent_id, result.data, result.media_type)
        await exchange.outlet.write(body[: self.cut_after])
        if self.cut_after < 0:
            await exchange.outlet.write(body[self.cut_after :])
        return replace(done, streamed=self.cut_after < 0)


def _problem(error: ConnectorError) -> Problem:
    if isinstance(error, UpstreamRefusedError):
        extra = {"upstream_status": error.status}
        return Problem(ProblemKind.UPSTREAM_REFUSED, str(error), reason=error.code, extra=extra)
    kinds = {InvalidParamsError: ProblemKind.INVALID_PARAMS, UploadBrokenError: ProblemKind.UPLOAD_BROKEN}
    return Problem(kinds[type(error)], str(error))


@pytest.fixture(scope="module")
def host() -> Iterator[LfsServer]:
    with lfs_server() as server:
        yield server


@pytest.fixture
async def world(tmp_path: Path, host: LfsServer) -> AsyncIterator[LfsWorld]:
    host.stored.clear()
    host.verified.clear()
    made = LfsWorld(Settings(config=tmp_path), host=host)
    yield made
    await made.transport.aclose()


@pytest.fixture
def client(world: LfsWorld) -> Client:
    session = world.session_of(world.pusher_token)

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        async def counted() -> Message:
            world.received += 1
            return await receive()

        place = Place("forge", "acme/app", Want.LFS, scope["path"].removeprefix(PLACE))
        await serve_lfs(world, LfsRequest(scope, counted, send, session, place, HOME, "198.51.100.7"))

    return Client(door)


async def batch(client: Client, operation: str, *objects: tuple[str, int], **more: object) -> Reply:
    listed = [{"oid": oid, "size": size} for oid, size in objects]
    document = {"operation": operation, "transfers": ["lfs-standalone-file", "basic"], "objects": listed, **more}
    return await client.call("POST", f"{PLACE}objects/batch", body=json.dumps(document).encode())


def href(oid: str = OID, size: int = len(DATA)) -> str:
    return f"{PLACE}objects/{oid}?size={size}"


async def test_an_upload_and_a_download_go_by_addresses_of_this_door(client: Client, world: LfsWorld) -> None:
    offered = await batch(client, "upload", (OID, len(DATA)), ref={"name": "refs/heads/main"}, hash_algo="sha256")
    url = f"{HOME}/git/forge/acme/app.git/info/lfs/objects/{OID}?size={len(DATA)}"
    expected = {"oid": OID, "size": len(DATA), "actions": {"upload": {"href": url}}}
    assert offered.json() == {"transfer": "basic", "objects": [expected]}
    assert offered.headers["content-type"] == "application/vnd.git-lfs+json"
    pieces = [DATA[:100_000], DATA[100_000:]]
    assert (await client.call("PUT", href(), body=pieces)).status == 200
    assert (world.host.stored[OID], world.host.verified) == (DATA, [OID])
    offered = await batch(client, "download", (OID, len(DATA)), ("b" * 64, 1))
    missing = {"oid": "b" * 64, "size": 1, "error": {"code": 404, "message": "Object does not exist"}}
    assert offered.json()["objects"] == [{**expected, "actions": {"download": {"href": url}}}, missing]
    got = await client.call("GET", href())
    assert (got.status, got.body, got.headers["content-length"]) == (200, DATA, str(len(DATA)))
    assert [(draft.action, draft.params["what"]) for draft in world.drafts] == [
        ("git:lfs-write", "batch"),
        ("git:lfs-write", "upload"),
        ("git:lfs-read", "batch"),
        ("git:lfs-read", "download"),
    ]
    assert {(draft.connection, draft.source_ip) for draft in world.drafts} == {("forge", "198.51.100.7")}
    assert world.host.ticket.encode() not in offered.body


async def test_an_object_the_host_has_is_not_asked_for(client: Client, world: LfsWorld) -> None:
    oid = world.host.put(SMALL)
    offered = await batch(client, "upload", (oid, 5))
    assert offered.json()["objects"] == [{"oid": oid, "size": 5}]


async def test_a_host_without_an_offer_has_no_object(client: Client, world: LfsWorld) -> None:
    result = {"objects": [{"oid": OID, "size": 1, "present": False}]}
    world.says = Outcome("", IntentState.SUCCEEDED, result)
    offered = await batch(client, "download", (OID, 1))
    assert offered.json()["objects"][0]["error"]["code"] == 404


async def test_a_small_object_comes_whole(client: Client, world: LfsWorld) -> None:
    got = await client.call("GET", href(world.host.put(SMALL), 5))
    assert (got.status, got.body) == (200, SMALL)


async def test_an_object_of_another_size_is_not_sent(client: Client, world: LfsWorld) -> None:
    world.says = Outcome("", IntentState.SUCCEEDED, {}, body=SMALL)
    assert (await client.call("GET", href(size=6))).status == 502


async def test_an_object_that_breaks_off_is_seen_to_be_cut(client: Client, world: LfsWorld) -> None:
    world.host.put(DATA)
    world.cut_after = 5000
    got = await client.call("GET", href())
    assert (got.body, got.complete) == (DATA[:5000], False)


@pytest.mark.parametrize(
    "pieces",
    [[DATA[:-1], b"X"], [DATA[:-1]], [DATA[:9], DATA[9:] + b"X"], [DATA, b"X"], [b""]],
    ids=["other", "short", "long", "behind", "empty"],
)
async def test_a_body_that_is_not_the_object_is_not_stored(
    client: Client, world: LfsWorld, pieces: list[bytes]
) -> None:
    put = await client.call("PUT", href(), body=pieces)
    assert put.status == 400
    assert not world.host.stored


async def test_a_body_nobody_wants_is_read_so_that_its_sender_comes_to_the_answer(
    client: Client, world: LfsWorld
) -> None:
    world.says = Outcome("", IntentState.DENIED, problem=Problem(ProblemKind.DENIED, "no"))
    assert (await client.call("PUT", href(), body=[DATA[:9], DATA[9:]])).status == 403
    assert world.received == 2


async def test_a_body_of_another_length_is_refused_before_it_is_read(client: Client, world: LfsWorld) -> None:
    assert (await client.call("PUT", href(), body=SMALL)).status == 422
    assert not world.drafts


async def test_what_people_allowed_is_sent_from_where_it_is_kept(client: Client, world: LfsWorld) -> None:
    world.says = Outcome("", IntentState.SUCCEEDED, {"oid": OID}, output_bytes=len(DATA))
    gone = await client.call("GET", href())
    assert gone.status == 410

    async def kept(size: int) -> Reply:
        intent_id = IntentId(f"int_{size}")
        world.outputs.chunks[intent_id] = [DATA[:9], DATA[9:]]
        world.says = Outcome(intent_id, IntentState.SUCCEEDED, {"oid": OID}, output_bytes=size)
        return await client.call("GET", href())

    whole = await kept(len(DATA))
    assert (whole.body, whole.complete) == (DATA, True)
    assert (await kept(3)).status == 410


@pytest.mark.parametrize(
    ("outcome", "status", "words"),
    [
        (Outcome("", IntentState.DENIED, problem=Problem(ProblemKind.DENIED, "no", rule="a.yaml:3")), 403, "a.yaml:3"),
        (Outcome("", IntentState.PENDING_APPROVAL, approval_id="apr_1"), 403, f"{HOME}/v1/approvals/apr_1"),
        (Outcome("", IntentState.APPROVED), 403, "approved"),
        (Outcome("", IntentState.SUCCEEDED, {"withheld": "x"}), 403, "withheld"),
        (Outcome("", IntentState.FAILED, problem=Problem(ProblemKind.SESSION_EXPIRED, "over")), 401, "over"),
        (
            Outcome(
                "",
                IntentState.FAILED,
                problem=Problem(ProblemKind.UPSTREAM_REFUSED, "no", extra={"upstream_status": 401}),
            ),
            424,
            "no",
        ),
        (
            Outcome("", IntentState.FAILED, problem=Problem(ProblemKind.TOO_BUSY, "busy", retry_after_seconds=7)),
            429,
            "busy",
        ),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
async def test_a_no_is_told_in_the_form_of_the_api(
    client: Client, world: LfsWorld, outcome: Outcome, status: int, words: str, method: str
) -> None:
    world.says = outcome
    if method == "POST":
        told = await batch(client, "upload", (OID, 1))
    else:
        told = await client.call(method, href(), body=DATA if method == "PUT" else b"")
    assert (told.status, told.headers["content-type"]) == (status, "application/vnd.git-lfs+json")
    assert words in told.json()["message"]
    assert told.json()["request_id"].startswith("int_")
    assert ("lfs-authenticate" in told.headers) is (status == 401)
    assert told.headers.get("retry-after") == ("7" if status == 429 else None)


async def test_an_object_that_is_not_there_is_not_found(client: Client) -> None:
    assert (await client.call("GET", href())).status == 404


async def test_there_are_no_locks(client: Client, world: LfsWorld) -> None:
    for method, path in (("POST", "locks"), ("GET", "locks?path=a"), ("POST", "locks/verify")):
        told = await client.call(method, PLACE + path)
        assert (told.status, told.headers["content-type"]) == (404, "application/vnd.git-lfs+json")
    assert not world.drafts


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "objects/batch", 405),
        ("DELETE", f"objects/{OID}?size=1", 405),
        ("GET", f"objects/{OID}", 422),
        ("GET", f"objects/{OID}?size=-1", 422),
        ("GET", f"objects/{OID}?size=1&size=2", 422),
        ("GET", f"objects/{OID}?size=9999999999999999", 422),
        ("GET", f"objects/{OID.upper()}?size=1", 404),
        ("GET", f"objects/{OID}/verify", 404),
        ("GET", "objects/../locks", 404),
        ("GET", "", 404),
        ("GET", f"objects/{OID}?size=99999999999999", 422),
    ],
)
async def test_what_is_no_request_of_the_api_is_refused(client: Client, method: str, path: str, status: int) -> None:
    assert (await client.call(method, PLACE + path)).status == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"operation": "upload", "operation": "download"}', 400),
        (b"{}", 422),
        (json.dumps({"operation": "download", "objects": []}).encode(), 422),
        (json.dumps({"operation": "delete", "objects": [{"oid": OID, "size": 1}]}).encode(), 422),
        (json.dumps({"operation": "download", "objects": [{"oid": "x", "size": 1}]}).encode(), 422),
        (json.dumps({"operation": "download", "objects": [{"oid": OID, "size": -1}]}).encode(), 422),
        (json.dumps({"operation": "download", "objects": [{"oid": OID, "size": 1}] * 2}).encode(), 422),
        (json.dumps({"operation": "download", "objects": [{"oid": OID, "size": 1}] * 101}).encode(), 413),
        (json.dumps({"operation": "upload", "transfers": ["tus"], "objects": [{"oid": OID, "size": 1}]}).encode(), 422),
        (json.dumps({"operation": "upload", "hash_algo": "x", "objects": [{"oid": OID, "size": 1}]}).encode(), 409),
        (b" " * (MAX_BATCH_BYTES + 1), 400),
    ],
)
async def test_a_batch_that_is_none_is_refused(client: Client, body: bytes, status: int) -> None:
    assert (await client.call("POST", f"{PLACE}objects/batch", body=[body])).status == status
