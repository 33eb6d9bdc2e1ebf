"""The one way out for HTTP: one request, sent at most once, to an address the guard permits.

What it never does: follow a redirect, retry (aiohttp would, on a stale kept-alive connection), look at the proxy
variables or ``.netrc`` of the machine, keep cookies, decompress, change a byte of the URL. What it always does: verify
TLS with the system's certificates (``SSL_CERT_FILE`` is honoured by OpenSSL), cap times and sizes, and tell apart
"no byte left us" (`NotSentError`) from "something was sent" (`OutcomeUnknownError`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from connectors.base import UpstreamResponse
from connectors.errors import ConnectorError, NotSentError, OutcomeUnknownError
from connectors.guard import AddressGuard, AddressRefusedError, GuardedResolver

_AUTO_HEADERS: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers aiohttp adds by itself; the signed request has exactly the headers its maker chose."""
_SAFE_URL: Final = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('"<>\\^`{|}#')


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a call may take, in seconds.

    Args:
        connect: Wait for a free connection, resolve, connect and do the TLS handshake.
        answer: From the start until the head of the answer is here; the upload is inside.
        read: Between two pieces of the answer.
        total: All of it, with a streamed body.
    """

    connect: float = 10.0
    answer: float = 60.0
    read: float = 60.0
    total: float = 3600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one call may take.

    Args:
        body_bytes: Largest body of an answer.
        field_bytes: Longest status line or header field of an answer.
        fields: Most header fields of an answer.
        connections: Most open connections.
        connections_per_host: Most open connections to one host and port.
        idle_seconds: How long a connection is kept for the next call.
    """

    body_bytes: int = 5 << 30
    field_bytes: int = 16 << 10
    fields: int = 128
    connections: int = 256
    connections_per_host: int = 128
    idle_seconds: float = 15.0


class HttpTransport:
    """`connectors.base.Transport` over aiohttp, with a pool of kept-alive connections per host.

    It belongs to the event loop of its first request.

    Args:
        guard: Which addresses may be connected to.
        timeouts: How long a call may take.
        limits: How much a call may take.
        tls: TLS settings; the system's certificates when not given.
        resolver: Who asks the DNS; the system's when not given. The guard judges its answers.
    """

    def __init__(
        self,
        guard: AddressGuard,
        *,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.guard = guard
        self._timeouts = timeouts or Timeouts()
        self._limits = limits or Limits()
        self._tls = tls or ssl.create_default_context()
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes] = b"",
        patience_seconds: float = 0.0,
    ) -> AsyncIterator[UpstreamResponse]:
        """Send one request and yield its answer; leaving early cuts the connection.

        Args:
            method: HTTP method.
            url: Absolute http or https URL in its encoded form, sent byte for byte.
            headers: Sent as given; ``Host`` and ``Content-Length`` are derived when absent.
            body: Whole body, or its pieces; then ``headers`` must hold ``content-length``.
            patience_seconds: In the place of the time-outs for the answer and for a pause in it; 0 for those.

        Raises:
            NotSentError: no byte was sent.
            UploadBrokenError: the pieces ended in an error; the upstream got no whole request.
            OutcomeUnknownError: something was sent and no complete answer came.
        """
        response = await self._send(method, self._checked(url, headers), headers, body, patience_seconds)
        chunks = self._chunks(response)
        try:
            yield UpstreamResponse(response.status, _plain_headers(response), chunks)
        finally:
            await chunks.aclose()
            response.close()  # a no-op once the body was read to its end: the connection is back in the pool by then

    async def aclose(self) -> None:
        """Close every connection; later requests are refused."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _send(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes],
        patience_seconds: float,
    ) -> aiohttp.ClientResponse:
        made: list[aiohttp.ClientRequest] = []
        pieces = None if isinstance(body, bytes) else _Pieces(body)
        # The upload is bounded by its own pace, piece by piece, and by the total; the wait for the answer starts then.
        answer_seconds = self._timeouts.total if pieces else patience_seconds or self._timeouts.answer

        async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
            # aiohttp sends idempotent methods (PUT and DELETE among them) a second time when a kept connection turns
            # out to be dead. Turning its exception into ours here, inside that loop, is what ends it.
            made.append(request)
            try:
                return await handler(request)
            except (aiohttp.ClientError, OSError) as error:
                failure = _failure(error, made)
            raise failure

        try:
            async with asyncio.timeout(answer_seconds):
                return await self._open_session().request(
                    method,
                    url,
                    headers=headers,
                    data=pieces or body or None,
                    allow_redirects=False,
                    middlewares=(once,),
                    timeout=self._client_timeout(patience_seconds),
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _failure(error, made)
        except ConnectorError as error:
            failure = error
        # What broke the upload tells more than what aiohttp makes of it.
        raise (pieces and pieces.broken) or failure

    def _client_timeout(self, patience_seconds: float) -> aiohttp.ClientTimeout:
        times = self._timeouts
        return aiohttp.ClientTimeout(total=times.total, connect=times.connect, sock_read=patience_seconds or times.read)

    async def _chunks(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        left = self._limits.body_bytes
        try:
            async for chunk in response.content.iter_any():
                left -= len(chunk)
                if left < 0:
                    raise OutcomeUnknownError(f"the answer is larger than {self._limits.body_bytes} bytes")
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            failure = OutcomeUnknownError(f"the answer was cut: {_kind(error)}")
        else:
            return
        raise failure

    def _checked(self, url: str, headers: Mapping[str, str]) -> URL:
        if self._closed:
            raise NotSentError("the transport is closed")
        if not _SAFE_URL.issuperset(url):
            raise NotSentError("the URL is not in its encoded form")
        try:
            parsed = URL(url, encoded=True)
            host, port = parsed.raw_host, parsed.port
        except ValueError:
            raise NotSentError("the URL cannot be read") from None
        if parsed.scheme not in {"http", "https"} or not host or port is None or parsed.raw_user is not None:
            raise NotSentError("expected an absolute http or https URL without a user")
        if not self.guard.permits_literal(host, port):
            raise NotSentError(f"the address `{host}` is refused by the address guard")
        for name, value in headers.items():
            if not (name.isascii() and value.isascii() and name.isprintable() and value.isprintable()):
                raise NotSentError("a header holds a character that is not printable ASCII")
        return parsed

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=self._tls,
                resolver=GuardedResolver(self.guard, self._resolver),
                limit=self._limits.connections,
                limit_per_host=self._limits.connections_per_host,
                keepalive_timeout=self._limits.idle_seconds,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                request_class=_Request,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                skip_auto_headers=_AUTO_HEADERS,
                max_line_size=self._limits.field_bytes,
                max_field_size=self._limits.field_bytes,
                max_headers=self._limits.fields,
                timeout=self._client_timeout(0),
            )
        return self._session


class _Pieces:
    """A body in pieces that remembers with what it ended: aiohttp tells of a broken connection instead.

    Args:
        body: The pieces.
    """

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self.broken: ConnectorError | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._body:
                yield piece
        except ConnectorError as error:
            self.broken = error
            raise


class _Request(aiohttp.ClientRequest):
    """A request that remembers whether writing it to a connection has begun."""

    begun = False

    async def send(self, conn: Any) -> aiohttp.ClientResponse:  # noqa: ANN401 - aiohttp does not export the type
        self.begun = True
        return await super().send(conn)


def _failure(error: Exception, made: list[aiohttp.ClientRequest]) -> ConnectorError:
    """Return what an exception of aiohttp means, by whether writing had begun when it came.

    It is raised after the except block has ended: exceptions of aiohttp hold the headers of the request, so none may
    stay on the chain.
    """
    if any(not isinstance(request, _Request) or request.begun for request in made):
        return OutcomeUnknownError(f"no complete answer came: {_kind(error)}")
    return NotSentError(f"nothing was sent: {_kind(error)}")


def _kind(error: BaseException) -> str:
    """Return a few words of our own; the words of foreign exceptions hold URLs and addresses."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        refused = isinstance(error.os_error, AddressRefusedError)
        return "the address is refused by the address guard" if refused else "the host name does not resolve"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "the TLS handshake failed"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "the connection was not made"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is not well-formed HTTP"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the body ended early"
    return "the connection broke"


def _plain_headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    plain: dict[str, str] = {}
    for name, value in response.headers.items():
        # aiohttp keeps foreign bytes as lone surrogates, which no JSON can hold.
        text = value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        key = name.lower()
        plain[key] = f"{plain[key]}, {text}" if key in plain else text
    return plain
