"""What a git host says it has: its refs and abilities, read with one GET through the transport.

The smart HTTP reference discovery of gitprotocol-http(5), protocol version 0, which every host speaks. git could read
it too, but says why it failed in prose only; here the HTTP status tells "not allowed" from "not there" from "not sent".
The parser takes nothing on trust: sizes are bounded, names decoded, anything malformed is a definite failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connectors.base import Transport, UpstreamResponse
from connectors.errors import UpstreamRefusedError

MAX_ADVERTISEMENT_BYTES: Final = 32 << 20
"""About 400 000 refs; the largest public repositories stay below it."""

_PKT_LENGTH_BYTES: Final = 4
_OID_CHARS: Final = 40
_HEX: Final = frozenset(b"0123456789abcdef")
_OK: Final = 200
_CODES: Final = {401: "unauthorized", 403: "forbidden", 404: "not-found", 410: "not-found", 429: "rate-limited"}
_WORDS: Final = {
    "unauthorized": "the git host does not accept the credential",
    "forbidden": "the git host forbids this to the credential",
    "not-found": "the git host has no such repository, or hides it from the credential",
    "rate-limited": "the git host takes no more requests for now",
    "redirect": "the git host redirects elsewhere; redirects are not followed",
    "http-error": "the git host failed",
}


class Service(StrEnum):
    """What the refs are wanted for; the host checks the right to it before it answers."""

    FETCH = "git-upload-pack"
    PUSH = "git-receive-pack"


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What the host has.

    Args:
        refs: Full ref name to object id, in the host's order; without peeled tags and ``HEAD``.
        head: Full name of the ref ``HEAD`` points to; empty when unknown.
        capabilities: The host's abilities, verbatim.
        request_id: The host's id of the answer, empty when it gave none.
    """

    refs: Mapping[str, str]
    head: str
    capabilities: frozenset[str]
    request_id: str


async def read_advertisement(
    transport: Transport, repository_url: str, service: Service, *, authorization: str
) -> Advertisement:
    """Ask a repository for its refs.

    Args:
        transport: The way out.
        repository_url: URL of the repository, ``…/owner/name.git``.
        service: What for.
        authorization: Value of the ``Authorization`` header.

    Raises:
        UpstreamRefusedError: the host said no, or answered with something else than refs of SHA-1 objects.
        NotSentError, OutcomeUnknownError: as raised by the transport.
    """
    url = f"{repository_url}/info/refs?service={service}"
    headers = {"Authorization": authorization, "Accept": "*/*", "User-Agent": "git/2 (ostiary)"}
    async with transport.request("GET", url, headers=headers) as response:
        if response.status != _OK:
            raise refusal(response.status, response.headers)
        if response.headers.get("content-type", "").partition(";")[0] != f"application/x-{service}-advertisement":
            raise _bad_answer("it is not a smart git host")
        return parse_advertisement(await _bounded_body(response), service, _request_id(response.headers))


def refusal(status: int, headers: Mapping[str, str]) -> UpstreamRefusedError:
    """Return the no that an HTTP status of a git host means; the host's own words are not repeated.

    Args:
        status: Of the answer, anything but 200.
        headers: Of the answer, lower-case names.
    """
    request_id = _request_id(headers)
    code = "redirect" if 300 <= status < 400 else _CODES.get(status, "http-error")  # noqa: PLR2004 - HTTP's classes
    return UpstreamRefusedError(f"{_WORDS[code]} ({status})", code=code, status=status, upstream_request_id=request_id)


def _request_id(headers: Mapping[str, str]) -> str:
    return headers.get("x-github-request-id", headers.get("x-request-id", ""))[:100]


def _bad_answer(detail: str) -> UpstreamRefusedError:
    return UpstreamRefusedError(f"the answer of the git host cannot be used: {detail}", code="bad-answer", status=_OK)


async def _bounded_body(response: UpstreamResponse) -> bytes:
    body = bytearray()
    async for chunk in response.body:
        body += chunk
        if len(body) > MAX_ADVERTISEMENT_BYTES:
            raise _bad_answer(f"its list of refs has more than {MAX_ADVERTISEMENT_BYTES} bytes")
    return bytes(body)


def parse_advertisement(body: bytes, service: Service, request_id: str) -> Advertisement:
    """Return what an answer to ``info/refs`` says.

    Args:
        body: The whole of it, bounded.
        service: What was asked for.
        request_id: The host's id of the answer, empty when it gave none.

    Raises:
        UpstreamRefusedError: it is malformed, reports an error, or is not about SHA-1 objects.
    """
    packets = _packets(body)
    if next(packets, None) != b"# service=" + service.encode() or next(packets, None) is not None:
        raise _bad_answer("it does not start with the service asked for")
    capabilities: frozenset[str] = frozenset()
    refs: dict[str, str] = {}
    for packet in packets:
        if packet is None:
            break
        if packet.startswith(b"ERR "):
            raise _bad_answer("it reports an error of its own")
        line, zero, abilities = packet.partition(b"\0")
        if zero:
            capabilities = frozenset(abilities.decode("utf-8", "backslashreplace").split())
        refs.update(_ref(line))
    if any(item.startswith("object-format=") and item != "object-format=sha1" for item in capabilities):
        raise _bad_answer("its objects are not named by sha-1")
    heads = [item.removeprefix("symref=HEAD:") for item in capabilities if item.startswith("symref=HEAD:")]
    return Advertisement(refs, heads[0] if len(heads) == 1 else "", capabilities, request_id)


def _packets(body: bytes) -> Iterator[bytes | None]:
    """Split pkt-lines: a line without its line feed, None for a flush; the body must end with a whole one."""
    at = 0
    while at < len(body):
        digits = body[at : at + _PKT_LENGTH_BYTES].lower()
        if len(digits) != _PKT_LENGTH_BYTES or not _HEX.issuperset(digits):
            raise _bad_answer("it is malformed")
        size = int(digits, 16)
        if size == 0:
            at += _PKT_LENGTH_BYTES
            yield None
            continue
        if size < _PKT_LENGTH_BYTES or at + size > len(body):
            raise _bad_answer("it ends early")
        yield body[at + _PKT_LENGTH_BYTES : at + size].removesuffix(b"\n")
        at += size


def _ref(line: bytes) -> dict[str, str]:
    oid, space, name = line[:_OID_CHARS], line[_OID_CHARS : _OID_CHARS + 1], line[_OID_CHARS + 1 :]
    if line.startswith(b"shallow "):
        return {}
    if len(oid) != _OID_CHARS or not _HEX.issuperset(oid) or space != b" " or not name:
        raise _bad_answer("a ref is malformed")
    # HEAD is told by symref=; `.have` lines and peeled tags name no ref; an empty repository sends `capabilities^{}`.
    if not name.startswith(b"refs/") or name.endswith(b"^{}"):
        return {}
    return {name.decode("utf-8", "backslashreplace"): oid.decode()}
