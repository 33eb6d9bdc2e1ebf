"""A repository over smart HTTP (gitprotocol-http(5)), through the transport: no redirects, no retries, sizes capped.

Requests go out as they were checked, never compressed; answers stream. The credential is one header.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp.abc import AbstractResolver

from connectors.base import Body, Transport, UpstreamResponse
from connectors.errors import NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.git.address import pinned
from connectors.git.advertisement import Advertisement, Service, read_advertisement, refusal
from connectors.git.config import Upstream, config_file
from connectors.git.remote import FetchAccess, PushBody
from connectors.git.wire.report import MAX_REPORT_BYTES
from connectors.guard import AddressGuard
from connectors.streams import HeldBody, read_all

_OK: Final = 200
_SERVER_ERROR: Final = 500
_AGENT: Final = "git/2 (ostiary)"


@dataclass(frozen=True, slots=True)
class HttpReach:
    """How a host is reached.

    Args:
        guard: Which addresses it may have.
        resolver: Who asks the DNS; the system's when None.
        ca_file: Certificates git trusts; None for the system's.
        stall_seconds: How long a transfer of git's own may stand still.
    """

    guard: AddressGuard
    resolver: AbstractResolver | None
    ca_file: Path | None
    stall_seconds: int


@dataclass(frozen=True, slots=True)
class HttpRemote:
    """Implements `connectors.git.remote.Remote`.

    Args:
        url: URL of the repository.
        authorization: Value of the ``Authorization`` header.
        transport: The way out.
        reach: How git itself reaches the host.
    """

    url: str
    authorization: str = field(repr=False)
    transport: Transport
    reach: HttpReach

    async def refs(self, service: Service) -> Advertisement:
        """Return what the host has; see `Remote.refs`."""
        return await read_advertisement(self.transport, self.url, service, authorization=self.authorization)

    async def advertise(self, protocol: str) -> Body:
        """Return the host's advertisement for reading; see `Remote.advertise`."""
        headers = self._headers(protocol) | {"Accept": "*/*"}
        url = f"{self.url}/info/refs?service={Service.FETCH}"
        return await self._streamed("GET", url, headers, b"", f"application/x-{Service.FETCH}-advertisement")

    async def upload_pack(self, request: bytes, protocol: str) -> Body:
        """Return the host's answer to a request of a fetch; see `Remote.upload_pack`."""
        headers = self._headers(protocol) | _media(Service.FETCH)
        result = f"application/x-{Service.FETCH}-result"
        return await self._streamed("POST", f"{self.url}/{Service.FETCH}", headers, request, result)

    async def receive_pack(self, body: PushBody) -> bytes:
        """Send a push and return the report; see `Remote.receive_pack`."""
        size = len(body.head) + body.pack_bytes
        headers = self._headers("") | _media(Service.PUSH) | {"Content-Length": str(size)}
        sent = body.head if body.pack is None else _joined(body.head, body.pack)
        async with self.transport.request("POST", f"{self.url}/{Service.PUSH}", headers=headers, body=sent) as response:
            if response.status != _OK:
                raise _failed_push(response)
            if _media_type(response) != f"application/x-{Service.PUSH}-result":
                raise OutcomeUnknownError("the git host answered the push with something else than a report")
            return await read_all(response.body, MAX_REPORT_BYTES)

    @asynccontextmanager
    async def fetch_access(self, home: Path) -> AsyncGenerator[FetchAccess, None]:
        """Open what ``git fetch`` needs; see `Remote.fetch_access`."""
        resolve = await pinned(self.url, self.reach.guard, self.reach.resolver)
        upstream = Upstream(self.url, resolve, self.reach.ca_file, self.reach.stall_seconds)
        with ExitStack() as stack:
            try:
                config = stack.enter_context(config_file(upstream, self.authorization, home / "config"))
            except (OSError, ValueError) as error:
                raise NotSentError("no configuration for git could be made") from error
            yield FetchAccess(self.url, config, {}, pinned=bool(resolve))

    def _headers(self, protocol: str) -> dict[str, str]:
        headers = {"Authorization": self.authorization, "User-Agent": _AGENT}
        return headers | {"Git-Protocol": protocol} if protocol else headers

    async def _streamed(self, method: str, url: str, headers: Mapping[str, str], body: bytes, media_type: str) -> Body:
        async with AsyncExitStack() as stack:
            response = await stack.enter_async_context(self.transport.request(method, url, headers=headers, body=body))
            if response.status != _OK:
                raise refusal(response.status, response.headers)
            if _media_type(response) != media_type:
                raise UpstreamRefusedError(
                    "the answer of the git host is not of the smart protocol", code="bad-answer", status=_OK
                )
            return HeldBody(response.body, stack.pop_all())


def _media(service: Service) -> dict[str, str]:
    return {"Content-Type": f"application/x-{service}-request", "Accept": f"application/x-{service}-result"}


def _media_type(response: UpstreamResponse) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _joined(head: bytes, pack: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield head
    async for piece in pack:
        yield piece


def _failed_push(response: UpstreamResponse) -> UpstreamRefusedError | OutcomeUnknownError:
    """Tell a no of the host, which took nothing, from a fault somewhere on the way."""
    if response.status >= _SERVER_ERROR:
        return OutcomeUnknownError(f"the git host failed at the push ({response.status})")
    return refusal(response.status, response.headers)
