from __future__ import annotations

from pathlib import Path

import pytest

from connectors.base import Body
from connectors.errors import (
    ConnectorError,
    NotSentError,
    OutcomeUnknownError,
    UploadBrokenError,
    UpstreamRefusedError,
)
from connectors.git.advertisement import Service
from connectors.git.remote import PushBody
from connectors.git.smart_http import HttpReach, HttpRemote
from connectors.git.wire.report import MAX_REPORT_BYTES
from connectors.guard import AddressGuard
from tests.fakes import Answer, FakeTransport
from tests.parts.git_wire import OLD, packets
from tests.parts.streams import PaperUpload
from tests.unit.connectors.test_transport_guard import ScriptedDns

URL = "https://git.test/acme/app.git"
BEARER = "Bearer tok-1"
ADVERTISED = {"Content-Type": "application/x-git-upload-pack-advertisement"}
FETCHED = {"Content-Type": "application/x-git-upload-pack-result; charset=x"}
REPORTED = {"Content-Type": "application/x-git-receive-pack-result"}


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def remote(transport: FakeTransport, *addresses: str, url: str = URL, authorization: str = BEARER) -> HttpRemote:
    reach = HttpReach(AddressGuard(), ScriptedDns(list(addresses or ("8.8.8.8",))), None, 30)
    return HttpRemote(url, authorization, transport, reach)


async def whole(body: Body) -> bytes:
    return b"".join([piece async for piece in body])


async def test_refs_are_asked_for_with_the_credential() -> None:
    listed = b"001f# service=git-receive-pack\n0000" + packets(f"{OLD} refs/heads/main\0atomic") + b"0000"
    headers = {"Content-Type": "application/x-git-receive-pack-advertisement"}
    transport = FakeTransport(Answer(200, headers, (listed,)))
    assert (await remote(transport).refs(Service.PUSH)).refs == {"refs/heads/main": OLD}
    assert transport.sent[0].headers["Authorization"] == BEARER
    assert transport.sent[0].url == f"{URL}/info/refs?service=git-receive-pack"


@pytest.mark.parametrize("protocol", ["", "version=1", "version=2"])
async def test_an_advertisement_streams_in_the_protocol_asked_for(protocol: str) -> None:
    transport = FakeTransport(Answer(200, ADVERTISED, (b"one", b"two")))
    body = await remote(transport).advertise(protocol)
    assert transport.open == 1
    assert await whole(body) == b"onetwo"
    assert transport.open == 0
    (sent,) = transport.sent
    assert (sent.method, sent.url, sent.body) == ("GET", f"{URL}/info/refs?service=git-upload-pack", b"")
    assert sent.headers.get("Git-Protocol", "") == protocol
    assert sent.headers["Authorization"] == BEARER


async def test_a_fetch_is_one_post_of_the_very_request() -> None:
    transport = FakeTransport(Answer(200, FETCHED, (b"pack",)))
    assert await whole(await remote(transport).upload_pack(b"0000", "version=2")) == b"pack"
    (sent,) = transport.sent
    assert (sent.method, sent.url, sent.body) == ("POST", f"{URL}/git-upload-pack", b"0000")
    assert sent.headers["Content-Type"] == "application/x-git-upload-pack-request"
    assert sent.headers["Git-Protocol"] == "version=2"


async def test_an_answer_that_is_left_early_lets_its_connection_go() -> None:
    transport = FakeTransport(Answer(200, FETCHED, (b"one", b"two")), Answer(200, FETCHED, (b"one",)))
    body = await remote(transport).upload_pack(b"0000", "")
    await anext(body)
    await body.aclose()
    await (await remote(transport).upload_pack(b"0000", "")).aclose()
    assert transport.open == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(401), "unauthorized"),
        (Answer(403), "forbidden"),
        (Answer(404), "not-found"),
        (Answer(302, {"Location": "https://evil.test"}), "redirect"),
        (Answer(500), "http-error"),
        (Answer(200, {"Content-Type": "text/html"}, (b"<html>",)), "bad-answer"),
        (Answer(200, {}, (b"x",)), "bad-answer"),
    ],
)
async def test_a_read_that_gets_something_else_is_a_definite_no(answer: Answer, code: str) -> None:
    transport = FakeTransport(answer, answer)
    for asked in (remote(transport).advertise(""), remote(transport).upload_pack(b"0000", "")):
        with pytest.raises(UpstreamRefusedError) as caught:
            await asked
        assert caught.value.code == code
    assert transport.open == 0


def push(*parts: bytes, size: int = -1, broken: str = "") -> PushBody:
    whole_size = sum(map(len, parts)) if size < 0 else size
    return PushBody(b"HEAD", aiter(PaperUpload(*parts, broken=broken)), whole_size)


async def test_a_push_is_one_post_of_commands_and_pack_with_its_length() -> None:
    transport = FakeTransport(Answer(200, REPORTED, (b"re", b"port")))
    assert await remote(transport).receive_pack(push(b"PACK", b"rest")) == b"report"
    (sent,) = transport.sent
    assert (sent.method, sent.url, sent.body) == ("POST", f"{URL}/git-receive-pack", b"HEADPACKrest")
    assert sent.headers["Content-Length"] == "12"
    assert sent.headers["Content-Type"] == "application/x-git-receive-pack-request"
    assert "Git-Protocol" not in sent.headers
    assert sent.headers["Authorization"] == BEARER


async def test_a_push_that_only_deletes_sends_the_commands_alone() -> None:
    transport = FakeTransport(Answer(200, REPORTED, (b"report",)))
    await remote(transport).receive_pack(PushBody(b"HEAD", None, 0))
    assert (transport.sent[0].body, transport.sent[0].headers["Content-Length"]) == (b"HEAD", "4")


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "unauthorized"), (403, "forbidden"), (404, "not-found"), (307, "redirect"), (413, "http-error")],
)
async def test_a_push_the_host_turns_away_is_a_definite_no(status: int, code: str) -> None:
    transport = FakeTransport(Answer(status, REPORTED))
    with pytest.raises(UpstreamRefusedError) as caught:
        await remote(transport).receive_pack(push(b"PACK"))
    assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500),
        Answer(502, REPORTED, (b"report",)),
        Answer(200, {"Content-Type": "text/html"}, (b"<html>",)),
        Answer(200, REPORTED, (b"re",), OutcomeUnknownError("cut")),
        Answer(200, REPORTED, (b"x" * (MAX_REPORT_BYTES // 2),) * 3),
        OutcomeUnknownError("cut"),
    ],
    ids=["500", "502", "a page", "a cut report", "an endless report", "a cut"],
)
async def test_a_push_without_a_whole_report_is_unknown(answer: Answer | Exception) -> None:
    transport = FakeTransport(answer)
    with pytest.raises(OutcomeUnknownError):
        await remote(transport).receive_pack(push(b"PACK"))
    assert transport.open == 0


async def test_a_pack_that_breaks_on_its_way_ends_the_push() -> None:
    with pytest.raises(UploadBrokenError):
        await remote(FakeTransport()).receive_pack(push(b"PACK", size=100, broken="cut"))


async def test_git_is_told_the_address_the_guard_permits_and_the_credential_in_memory(tmp_path: Path) -> None:
    async with remote(FakeTransport(), "8.8.8.8").fetch_access(tmp_path) as access:
        text = Path(access.config.path).read_text()  # noqa: ASYNC240 - memory
        assert "git.test:443:8.8.8.8" in text
        assert BEARER in text
        assert "lowSpeedTime = 30" in text
        assert (access.url, access.pinned, access.environment) == (URL, True, {})
        assert BEARER not in str(access.config.environment)
    assert left_in(tmp_path) == []
    numeric = remote(FakeTransport(), url="http://127.0.0.1:1/acme/app.git")
    async with numeric.fetch_access(tmp_path) as access:
        assert not access.pinned


@pytest.mark.parametrize(("address", "authorization"), [("10.0.0.1", BEARER), ("8.8.8.8", "Basic a\nb")])
async def test_a_host_git_may_not_go_to_gets_nothing(tmp_path: Path, address: str, authorization: str) -> None:
    with pytest.raises(NotSentError) as caught:
        async with remote(FakeTransport(), address, authorization=authorization).fetch_access(tmp_path):
            pytest.fail("it must not get here")
    assert authorization not in str(caught.value)
    assert left_in(tmp_path) == []


def test_the_credential_is_in_no_repr() -> None:
    assert "tok-1" not in repr(remote(FakeTransport()))


async def test_what_the_transport_says_of_a_push_goes_up_as_it_is() -> None:
    error: ConnectorError = NotSentError("no connection")
    with pytest.raises(NotSentError) as caught:
        await remote(FakeTransport(error)).receive_pack(push(b"PACK"))
    assert caught.value is error
