from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.errors import NotSentError, OutcomeUnknownError
from connectors.guard import AddressGuard
from connectors.streams import read_all
from connectors.transport import HttpTransport, Limits, Timeouts
from tests.parts.raw_http import RawServer, answering, raw_server
from tests.unit.connectors.test_transport_guard import ScriptedDns

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-One: a\r\nx-one: b\r\n\r\nhi"
METHODS = ["GET", "HEAD", "PUT", "DELETE", "POST"]


@asynccontextmanager
async def transport_to(
    server: RawServer, *, timeouts: Timeouts | None = None, limits: Limits | None = None
) -> AsyncIterator[HttpTransport]:
    transport = HttpTransport(AddressGuard([server.endpoint]), timeouts=timeouts, limits=limits)
    try:
        yield transport
    finally:
        await transport.aclose()


async def fetch(transport: HttpTransport, url: str, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
    async with transport.request(method, url, headers={}, body=body) as response:
        return response.status, await read_all(response.body, 1 << 20)


async def test_url_headers_and_body_are_sent_byte_for_byte() -> None:
    target = "/b/a/../x//y/./%2e%2e/~!*()'%41?b=2&a=%2F&&b=1+%20"
    async with raw_server(answering(OK)) as server, transport_to(server) as transport:
        headers = {"x-amz-date": "now", "authorization": "AWS4"}
        async with transport.request("PUT", server.origin + target, headers=headers, body=b"\x00\xff") as response:
            assert response.status == 200
            assert response.headers["x-one"] == "a, b"
            assert await read_all(response.body, 10) == b"hi"
    lines = server.heads[0].decode().split("\r\n")
    assert lines[0] == f"PUT {target} HTTP/1.1"
    assert sorted(lines[1:-2]) == [
        "Content-Length: 2",
        f"Host: {server.endpoint}",
        "authorization: AWS4",
        "x-amz-date: now",
    ]
    assert server.bodies == [b"\x00\xff"]


async def test_a_connection_read_to_its_end_is_used_again() -> None:
    async with raw_server(answering(OK, OK)) as server, transport_to(server) as transport:
        assert await fetch(transport, server.origin + "/1") == (200, b"hi")
        assert await fetch(transport, server.origin + "/2") == (200, b"hi")
        assert server.connections == 1


async def test_leaving_early_cuts_the_connection() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\npart"
    async with raw_server(answering(endless)) as server, transport_to(server) as transport:
        async with transport.request("GET", server.origin + "/", headers={}) as response:
            assert await anext(response.body) == b"part"
            assert server.open == 1
        await asyncio.wait_for(server.idle.wait(), 10)
        with pytest.raises(StopAsyncIteration):
            await anext(response.body)


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    moved = b"HTTP/1.1 307 Moved\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(answering(moved)) as server, transport_to(server) as transport:
        async with transport.request("GET", server.origin + "/", headers={}) as response:
            assert (response.status, response.headers["location"]) == (307, "http://169.254.169.254/")
        assert len(server.heads) == 1


async def test_cookies_are_not_kept() -> None:
    baked = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(answering(baked, OK)) as server, transport_to(server) as transport:
        await fetch(transport, server.origin + "/")
        await fetch(transport, server.origin + "/")
        assert b"cookie" not in server.heads[1].lower()


async def test_a_compressed_body_is_handed_on_as_it_is() -> None:
    packed = gzip.compress(b"plain")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    async with raw_server(answering(head + packed)) as server, transport_to(server) as transport:
        assert await fetch(transport, server.origin + "/") == (200, packed)


async def test_the_proxy_variables_and_netrc_of_the_machine_are_not_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with raw_server(answering(OK)) as server, transport_to(server) as transport:
        assert await fetch(transport, server.origin + "/") == (200, b"hi")
        assert b"uthorization" not in server.heads[0]


async def test_a_header_with_foreign_bytes_can_still_be_written_as_json() -> None:
    odd = b"HTTP/1.1 200 OK\r\nx-amz-meta-a: \xff\xc3\xa9\r\nContent-Length: 0\r\n\r\n"
    async with (
        raw_server(answering(odd)) as server,
        transport_to(server) as transport,
        transport.request("GET", server.origin + "/", headers={}) as response,
    ):
        assert response.headers["x-amz-meta-a"] == "\ufffdé"


@pytest.mark.parametrize("method", METHODS)
async def test_a_kept_connection_that_dies_under_a_request_is_unknown_and_the_request_is_sent_once(method: str) -> None:
    async with raw_server(answering(OK)) as server, transport_to(server) as transport:
        await fetch(transport, server.origin + "/first")
        with pytest.raises(OutcomeUnknownError):
            await fetch(transport, server.origin + "/second", method, b"x" if method in {"PUT", "POST"} else b"")
        assert [head.split()[1] for head in server.heads] == [b"/first", b"/second"]
        assert server.connections == 1


@pytest.mark.parametrize("method", METHODS)
async def test_a_new_connection_that_dies_under_a_request_is_unknown_and_the_request_is_sent_once(method: str) -> None:
    async with raw_server(answering()) as server, transport_to(server) as transport:
        with pytest.raises(OutcomeUnknownError, match="no complete answer came"):
            await fetch(transport, server.origin + "/", method)
        assert len(server.heads) == server.connections == 1


async def test_a_refused_connection_is_not_sent() -> None:
    async with raw_server(answering()) as server:
        pass
    async with transport_to(server) as transport:
        with pytest.raises(NotSentError, match="the connection was not made"):
            await fetch(transport, server.origin + "/", "PUT", b"x")


async def test_a_name_that_does_not_resolve_is_not_sent() -> None:
    class NoDns(ScriptedDns):
        async def resolve(self, *_args: object, **_kwargs: object) -> list[object]:  # type: ignore[override]  # only fails
            raise OSError(-2, "unknown")

    transport = HttpTransport(AddressGuard(), resolver=NoDns())
    with pytest.raises(NotSentError, match="does not resolve"):
        await fetch(transport, "http://nowhere.test/")
    await transport.aclose()


async def test_a_name_that_leads_inside_is_not_sent_and_nothing_is_connected() -> None:
    async with raw_server(answering(OK)) as server:
        transport = HttpTransport(AddressGuard(), resolver=ScriptedDns(["127.0.0.1"]))
        with pytest.raises(NotSentError, match="refused by the address guard"):
            await fetch(transport, f"http://rebind.test:{server.port}/")
        await transport.aclose()
        assert server.connections == 0


async def test_a_name_of_an_explicit_endpoint_may_lead_inside() -> None:
    async with raw_server(answering(OK)) as server:
        guard = AddressGuard([f"minio.test:{server.port}"])
        transport = HttpTransport(guard, resolver=ScriptedDns(["127.0.0.1"]))
        assert await fetch(transport, f"http://minio.test:{server.port}/") == (200, b"hi")
        await transport.aclose()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.0.0.1..",
        "[::1]",
        "[::1%25lo]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "169.254.169.254",
        "2130706433",
        "017700000001",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "0xa",
        "0177.0.0.1",
        "localhost",
        "localhost.",
    ],
)
async def test_an_address_inside_is_not_sent_however_it_is_written(host: str) -> None:
    async with raw_server(answering(OK)) as server:
        transport = HttpTransport(AddressGuard(), timeouts=Timeouts(connect=2))
        with pytest.raises(NotSentError):
            await fetch(transport, f"http://{host}:{server.port}/")
        await transport.aclose()
        assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "//example.com/",
        "http:///path",
        "http://user:secret@example.com/",
        "http://example.com/a b",
        "http://example.com/\r\nX: y",
        "http://example.com/é",
        "http://exámple.com/",
        "http://example.com/#part",
        "http://example.com:port/",
        "http://[::1/",
        "",
    ],
)
async def test_a_url_that_is_not_exact_is_not_sent(url: str) -> None:
    transport = HttpTransport(AddressGuard(allow_private=True))
    with pytest.raises(NotSentError) as caught:
        await fetch(transport, url)
    assert "secret" not in str(caught.value)
    await transport.aclose()


@pytest.mark.parametrize("headers", [{"a\r\nb": "c"}, {"a": "b\r\nc: d"}, {"a": "é"}, {"a": "\x00"}])
async def test_a_header_that_could_split_the_request_is_not_sent(headers: dict[str, str]) -> None:
    async with raw_server(answering(OK)) as server, transport_to(server) as transport:
        with pytest.raises(NotSentError, match="printable ASCII"):
            async with transport.request("GET", server.origin + "/", headers=headers):
                pass
        assert server.connections == 0


async def test_a_closed_transport_sends_nothing() -> None:
    transport = HttpTransport(AddressGuard(allow_private=True))
    await transport.aclose()
    with pytest.raises(NotSentError, match="closed"):
        await fetch(transport, "http://127.0.0.1:1/")


async def test_no_answer_in_time_is_unknown() -> None:
    async def silent(server: RawServer, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        await reader.read()

    async with raw_server(silent) as server, transport_to(server, timeouts=Timeouts(answer=0.2)) as transport:
        with pytest.raises(OutcomeUnknownError, match="timed out"):
            await fetch(transport, server.origin + "/", "PUT", b"x")
        assert len(server.heads) == 1


async def test_a_connection_that_is_not_made_in_time_is_not_sent() -> None:
    async def mute(_server: RawServer, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_server(mute) as server, transport_to(server, timeouts=Timeouts(connect=0.2)) as transport:
        with pytest.raises(NotSentError, match="timed out"):  # the TLS handshake gets no answer
            await fetch(transport, f"https://{server.endpoint}/", "PUT", b"x")


@pytest.mark.parametrize("timeouts", [Timeouts(read=0.2), Timeouts(total=0.2)])
async def test_a_body_that_stalls_is_unknown(timeouts: Timeouts) -> None:
    stalled = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart"
    async with raw_server(answering(stalled)) as server, transport_to(server, timeouts=timeouts) as transport:
        with pytest.raises(OutcomeUnknownError, match="timed out"):
            await fetch(transport, server.origin + "/")


async def test_a_body_that_is_cut_is_unknown() -> None:
    async def cut(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart")

    async with raw_server(cut) as server, transport_to(server) as transport:
        with pytest.raises(OutcomeUnknownError, match="ended early"):
            await fetch(transport, server.origin + "/")


async def test_a_body_over_the_cap_is_stopped() -> None:
    async with raw_server(answering(OK)) as server, transport_to(server, limits=Limits(body_bytes=1)) as transport:
        with pytest.raises(OutcomeUnknownError, match="larger than 1 bytes"):
            await fetch(transport, server.origin + "/")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 40 + b"\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
)
async def test_an_answer_that_is_no_reasonable_http_is_unknown(answer: bytes) -> None:
    limits = Limits(field_bytes=4096, fields=32)
    async with raw_server(answering(answer)) as server, transport_to(server, limits=limits) as transport:
        with pytest.raises(OutcomeUnknownError, match="not well-formed"):
            await fetch(transport, server.origin + "/")


@pytest.mark.req("V2")
@pytest.mark.parametrize("answer", [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"])
async def test_no_exception_on_the_chain_holds_the_headers_of_the_request(answer: bytes) -> None:
    async def cut(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        writer.write(answer)

    async with raw_server(cut) as server, transport_to(server) as transport:
        with pytest.raises(OutcomeUnknownError) as caught:
            async with transport.request("GET", server.origin, headers={"authorization": "canary"}) as response:
                await read_all(response.body, 100)
    link: BaseException | None = caught.value
    while link is not None:
        assert "canary" not in f"{link!r}{link}{vars(link)}"
        assert not isinstance(link, aiohttp.ClientError)
        link = link.__cause__ or link.__context__


async def test_a_cancelled_request_stays_cancelled_and_leaves_no_connection() -> None:
    async def silent(server: RawServer, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await server.read_request(reader)
        arrived.set()
        await reader.read()

    arrived = asyncio.Event()
    async with raw_server(silent) as server, transport_to(server) as transport:
        task = asyncio.create_task(fetch(transport, server.origin + "/"))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.idle.wait(), 10)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "minio.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("minio.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert, private


@pytest.mark.parametrize(("trusted", "host"), [(True, "minio.test"), (True, "other.test"), (False, "minio.test")])
async def test_tls_is_verified_with_the_certificates_the_environment_names(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, *, trusted: bool, host: str
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with raw_server(answering(OK), tls) as server:
        guard = AddressGuard(["minio.test", "other.test"])
        transport = HttpTransport(guard, resolver=ScriptedDns(["127.0.0.1"]))
        url = f"https://{host}:{server.port}/"
        if trusted and host == "minio.test":
            assert await fetch(transport, url) == (200, b"hi")
        else:
            with pytest.raises(NotSentError, match="TLS handshake failed"):
                await fetch(transport, url, "PUT", b"x")
            assert server.heads == []
        await transport.aclose()
