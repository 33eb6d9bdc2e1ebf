from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import _AsyncGeneratorContextManager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from connectors.base import CallResult, Connection, Plan, UpstreamResponse
from connectors.errors import NotSentError, OutcomeUnknownError, UploadBrokenError, UpstreamRefusedError
from connectors.git.lfs.plans import plan_lfs
from connectors.git.lfs.transfer import execute_lfs
from connectors.guard import AddressGuard
from connectors.streams import read_all
from connectors.transport import HttpTransport
from tests.fakes import Answer, FakeTransport
from tests.parts.lfs_server import LfsServer, lfs_server
from vault.model import CredentialRef

DATA = b"large file " * 20_000
OID = hashlib.sha256(DATA).hexdigest()
SECRET = "Bearer s3cret-token"


class Stream:
    """A body that keeps the contract of an upload: it breaks when it is not what was declared."""

    trailers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, *pieces: bytes, broken: bool = False) -> None:
        self.pieces = pieces
        self.broken = broken
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            self.read += len(piece)
            yield piece
        if self.broken:
            raise UploadBrokenError("not what was declared")


@pytest.fixture
def host() -> Iterator[LfsServer]:
    with lfs_server() as server:
        yield server


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    made = HttpTransport(AddressGuard(["127.0.0.1"]))
    yield made
    await made.aclose()


def plan_for(action: str, url: str, *, oid: str = OID, size: int = len(DATA), stream: Stream | None = None) -> Plan:
    connection = Connection("forge", "git", CredentialRef("git/acme"), {"url": url})
    params: dict[str, Any] = {"repo": "acme/app", "oid": oid, "size": size}
    if action == "git:lfs-write":
        params["body"] = {"upload": {"bytes": size, "sha256": oid}}
    return replace(plan_lfs(action, params, connection), stream=stream)


async def collect(result: CallResult, seen: list[bytes]) -> None:
    assert result.body is not None
    async for piece in result.body:
        seen += [piece]


async def body_of(result: CallResult) -> bytes:
    assert result.body is not None
    return await read_all(result.body, 1 << 30)


async def test_an_object_is_stored_verified_and_read_back(host: LfsServer, transport: HttpTransport) -> None:
    stream = Stream(DATA[:1000], DATA[1000:])
    put = await execute_lfs(plan_for("git:lfs-write", host.url, stream=stream), host.authorization, transport)
    assert put.data == {"oid": OID, "size": len(DATA), "stored": True}
    assert (host.stored[OID], host.verified) == (DATA, [OID])
    got = await execute_lfs(plan_for("git:lfs-read", host.url), host.authorization, transport)
    assert await body_of(got) == DATA
    assert host.ticket not in json.dumps(put.data | got.data)


async def test_an_object_the_host_has_is_read_to_its_end_and_not_sent(
    host: LfsServer, transport: HttpTransport
) -> None:
    host.put(DATA)
    stream = Stream(DATA)
    put = await execute_lfs(plan_for("git:lfs-write", host.url, stream=stream), host.authorization, transport)
    assert (put.data["stored"], stream.read) == (False, len(DATA))
    assert host.seen == ["POST /acme/app.git/info/lfs/objects/batch"]
    with pytest.raises(UploadBrokenError):
        await execute_lfs(
            plan_for("git:lfs-write", host.url, stream=Stream(b"x", broken=True)), host.authorization, transport
        )


async def test_a_store_of_the_same_host_takes_the_credential_of_the_connection(
    host: LfsServer, transport: HttpTransport
) -> None:
    host.wants_ticket = False
    await execute_lfs(plan_for("git:lfs-write", host.url, stream=Stream(DATA)), host.authorization, transport)
    assert host.verified == [OID]


async def test_an_empty_object_is_looked_at_before_it_is_sent(host: LfsServer, transport: HttpTransport) -> None:
    empty = hashlib.sha256(b"").hexdigest()
    broken = plan_for("git:lfs-write", host.url, oid=empty, size=0, stream=Stream(broken=True))
    with pytest.raises(UploadBrokenError):
        await execute_lfs(broken, host.authorization, transport)
    assert not host.stored
    good = plan_for("git:lfs-write", host.url, oid=empty, size=0, stream=Stream())
    await execute_lfs(good, host.authorization, transport)
    got = await execute_lfs(plan_for("git:lfs-read", host.url, oid=empty, size=0), host.authorization, transport)
    assert (await body_of(got), host.stored) == (b"", {empty: b""})


async def test_a_body_that_breaks_leaves_nothing_stored(host: LfsServer, transport: HttpTransport) -> None:
    plan = plan_for("git:lfs-write", host.url, stream=Stream(DATA[:70_000], broken=True))
    with pytest.raises(UploadBrokenError):
        await execute_lfs(plan, host.authorization, transport)
    assert not host.stored


@pytest.mark.parametrize("lie", [DATA[:-1] + b"X", DATA[:-1], DATA + b"X", b""])
async def test_an_object_that_is_not_what_it_is_named_is_never_whole(
    host: LfsServer, transport: HttpTransport, lie: bytes
) -> None:
    host.put(DATA)
    host.lie = lie
    got = await execute_lfs(plan_for("git:lfs-read", host.url), host.authorization, transport)
    seen: list[bytes] = []
    with pytest.raises(OutcomeUnknownError):
        await collect(got, seen)
    assert len(b"".join(seen)) < len(DATA)


async def test_a_batch_says_what_is_there_and_nothing_of_where(host: LfsServer, transport: HttpTransport) -> None:
    host.put(DATA)
    connection = Connection("forge", "git", CredentialRef("git/acme"), {"url": host.url})
    items = [{"oid": OID, "size": len(DATA)}, {"oid": "b" * 64, "size": 1}]
    params = {"repo": "acme/app", "what": "batch", "objects": items}
    answers = {}
    for action in ("git:lfs-read", "git:lfs-write"):
        plan = plan_lfs(action, params, connection)
        answers[action] = (await execute_lfs(plan, host.authorization, transport)).data["objects"]
    missing = {"code": 404, "message": "Object does not exist"}
    assert answers["git:lfs-read"] == [{**items[0], "present": True}, {**items[1], "error": missing}]
    assert answers["git:lfs-write"] == [{**items[0], "present": True}, {**items[1], "present": False}]


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, UpstreamRefusedError), (302, UpstreamRefusedError), (500, OutcomeUnknownError), (408, OutcomeUnknownError)],
)
async def test_a_store_that_says_no_or_fails_is_told_apart(
    host: LfsServer, transport: HttpTransport, status: int, error: type[Exception]
) -> None:
    host.store_status = status
    plan = plan_for("git:lfs-write", host.url, stream=Stream(DATA))
    with pytest.raises(error):
        await execute_lfs(plan, host.authorization, transport)
    assert not host.verified


async def test_an_object_the_host_does_not_verify_is_not_stored(host: LfsServer, transport: HttpTransport) -> None:
    host.verify_status = 404
    plan = plan_for("git:lfs-write", host.url, stream=Stream(DATA))
    with pytest.raises(UpstreamRefusedError) as caught:
        await execute_lfs(plan, host.authorization, transport)
    assert caught.value.code == "not-found"


@pytest.mark.parametrize("action", ["git:lfs-read", "git:lfs-write"])
async def test_a_credential_the_host_does_not_take_is_a_definite_no(
    host: LfsServer, transport: HttpTransport, action: str
) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await execute_lfs(plan_for(action, host.url, stream=Stream(DATA)), SECRET, transport)
    assert caught.value.code == "unauthorized"


async def test_an_object_that_is_not_there_is_not_found(host: LfsServer, transport: HttpTransport) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await execute_lfs(plan_for("git:lfs-read", host.url), host.authorization, transport)
    assert (caught.value.code, caught.value.status) == ("not-found", 404)


URL = "https://git.test"
STORE = "https://store.test/x"


def answer(actions: object, *, transfer: str = "", **more: object) -> Answer:
    document = {"transfer": transfer, "objects": [{"oid": OID, "size": len(DATA), "actions": actions, **more}]}
    return Answer(chunks=(json.dumps(document).encode(),))


class Counting(FakeTransport):
    """Counts requests when they begin."""

    begun = 0

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes] = b"",
        patience_seconds: float = 0.0,
    ) -> _AsyncGeneratorContextManager[UpstreamResponse]:
        self.begun += 1
        return super().request(method, url, headers=headers, body=body, patience_seconds=patience_seconds)


async def test_a_body_without_bytes_is_looked_at_before_anything_is_sent() -> None:
    empty = hashlib.sha256(b"").hexdigest()
    document = {"objects": [{"oid": empty, "actions": {"upload": {"href": STORE}}}]}
    transport = Counting(Answer(chunks=(json.dumps(document).encode(),)))
    plan = plan_for("git:lfs-write", URL, oid=empty, size=0, stream=Stream(broken=True))
    with pytest.raises(UploadBrokenError):
        await execute_lfs(plan, SECRET, transport)
    assert transport.begun == 1


async def test_an_object_with_something_behind_it_is_not_whole() -> None:
    transport = FakeTransport(answer({"download": {"href": STORE}}), Answer(chunks=(DATA, b"X")))
    got = await execute_lfs(plan_for("git:lfs-read", URL), SECRET, transport)
    with pytest.raises(OutcomeUnknownError):
        await body_of(got)


@pytest.mark.parametrize(
    ("href", "told", "sent"),
    [
        (f"{URL}/x", False, True),
        (f"{URL}/x", True, False),
        (STORE, False, False),
        ("https://git.test:444/x", False, False),
        ("https://git.test.evil.test/x", False, False),
        ("https://git.test@evil.test/x", False, False),
    ],
)
async def test_the_credential_of_the_connection_goes_to_its_own_host_only(href: str, told: bool, sent: bool) -> None:
    transport = FakeTransport(answer({"download": {"href": href}}, authenticated=told), Answer(chunks=(DATA,)))
    got = await execute_lfs(plan_for("git:lfs-read", URL), SECRET, transport)
    assert await body_of(got) == DATA
    assert transport.sent[0].headers["Authorization"] == SECRET
    assert (SECRET in transport.sent[1].headers.values()) is sent
    assert transport.open == 0


async def test_headers_of_the_host_are_sent_but_for_those_about_the_connection() -> None:
    headers = {"authorization": "Ticket 1", "X-Signed": "2", "Host": "evil.test", "content-length": "9", "ACCEPT": "a"}
    transport = FakeTransport(answer({"download": {"href": f"{URL}/x", "header": headers}}), Answer(chunks=(DATA,)))
    await body_of(await execute_lfs(plan_for("git:lfs-read", URL), SECRET, transport))
    sent = transport.sent[1].headers
    assert {name: sent[name] for name in ("authorization", "X-Signed", "ACCEPT")} == {
        "authorization": "Ticket 1", "X-Signed": "2", "ACCEPT": "a",
    }  # fmt: skip
    assert sorted(sent) == ["ACCEPT", "Accept-Encoding", "User-Agent", "X-Signed", "authorization"]


@pytest.mark.parametrize(
    "first",
    [
        Answer(500),
        Answer(302),
        Answer(chunks=(b"<html>",)),
        Answer(chunks=(b"[" * 100_000,)),
        Answer(chunks=(b" " * (3 << 20),)),
        Answer(chunks=(b'{"objects": []}',)),
        answer({"download": {"href": STORE}}, transfer="tus"),
        answer({"download": {"href": "http://store.test/x"}}),
        answer({"download": {"href": "http://git.test/x"}}),
        answer({"download": {"href": "ftp://git.test/x"}}),
        answer({"download": {"href": "/x"}}),
        answer({"download": {"href": "http://[bad/x"}}),
        answer({"download": {"href": STORE, "header": {"X": "a\r\nY: b"}}}),
        answer({"download": {"href": STORE, "header": {"X y": "a"}}}),
        answer({"download": {"href": STORE, "header": {f"X{n}": "a" for n in range(40)}}}),
        answer({"download": {"href": 7}}),
        answer({}),
        answer(None),
        answer(None, error={"code": 410, "message": "gone \x1b s3cret-token"}),
        answer(None, error={"message": ""}),
    ],
)
async def test_an_answer_that_cannot_be_used_is_a_definite_no_without_secrets(first: Answer) -> None:
    transport = FakeTransport(first)
    with pytest.raises(UpstreamRefusedError) as caught:
        await execute_lfs(plan_for("git:lfs-read", URL), SECRET, transport)
    assert "s3cret" not in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(transport.sent) == 1


async def test_an_object_that_comes_encoded_or_not_at_all_is_refused() -> None:
    step = {"download": {"href": STORE}}
    for second in (Answer(headers={"Content-Encoding": "gzip"}, chunks=(DATA,)), Answer(404), Answer(206)):
        transport = FakeTransport(answer(step), second)
        with pytest.raises(UpstreamRefusedError):
            await execute_lfs(plan_for("git:lfs-read", URL), SECRET, transport)
        assert transport.open == 0


async def test_what_breaks_before_the_object_is_sent_stored_nothing() -> None:
    write = plan_for("git:lfs-write", URL, stream=Stream(DATA))
    with pytest.raises(NotSentError):
        await execute_lfs(write, SECRET, FakeTransport(OutcomeUnknownError("cut")))
    with pytest.raises(OutcomeUnknownError):
        await execute_lfs(plan_for("git:lfs-read", URL), SECRET, FakeTransport(OutcomeUnknownError("cut")))
    with pytest.raises(NotSentError):
        await execute_lfs(replace(write, stream=None), SECRET, FakeTransport(answer({"upload": {"href": STORE}})))


async def test_a_host_that_wants_no_verification_is_told_nothing_more() -> None:
    transport = FakeTransport(answer({"upload": {"href": STORE}}), Answer(201))
    put = await execute_lfs(plan_for("git:lfs-write", URL, stream=Stream(DATA)), SECRET, transport)
    assert (put.data["stored"], transport.sent[1].method, transport.sent[1].body) == (True, "PUT", DATA)
    assert transport.sent[1].headers["Content-Type"] == "application/octet-stream"


async def test_a_host_that_cannot_be_told_leaves_the_outcome_unknown() -> None:
    steps = {"upload": {"href": STORE, "header": {"content-type": "text/plain"}}, "verify": {"href": STORE}}
    transport = FakeTransport(answer(steps), Answer(), NotSentError("no connection"))
    with pytest.raises(OutcomeUnknownError):
        await execute_lfs(plan_for("git:lfs-write", URL, stream=Stream(DATA)), SECRET, transport)
    assert transport.sent[1].headers["content-type"] == "text/plain"
    assert transport.sent[1].headers["Content-Length"] == str(len(DATA))
    assert transport.sent[2].body == json.dumps({"oid": OID, "size": len(DATA)}, separators=(",", ":")).encode()
