"""The HTTP answer to a client of AWS, from the JSON of a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connectors.aws.model import ApiOperation
from connectors.aws.wire_in.services import REST, Protocol
from connectors.aws.wire_out.errors import RenderError
from connectors.aws.wire_out.listings import encoded
from connectors.aws.wire_out.outputs import Output, output_of, read_headers
from connectors.base import JsonObject

_OK: Final = 200
_NO_CONTENT: Final = 204
_PARTIAL: Final = 206
_REDIRECTS: Final = 300
_RANGE: Final = "content-range"
_TYPE: Final = "content-type"
_LENGTH: Final = "content-length"
_CBOR_SIGN: Final = "rpc-v2-cbor"


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """An answer, ready to send.

    Args:
        status: HTTP status.
        headers: Lower-case names; values are text whose bytes are UTF-8, as the upstream's were read.
        body: Empty for HEAD, where ``content-length`` says what GET would send.
    """

    status: int
    headers: dict[str, str]
    body: bytes


def render(
    api: ApiOperation, protocol: Protocol, data: JsonObject, *, request_id: str, body: bytes | None = None
) -> WireAnswer:
    """Return the answer that says a result.

    Args:
        api: The operation.
        protocol: The one the client spoke, among those of the service.
        data: The parsed part of the result. Members of no model are left out, but for ``ExpiresString``; a listing of
            S3 with ``EncodingType`` is percent-encoded here.
        request_id: Ours, so that the call can be found on the ledger.
        body: The bytes of an output that streams, when they are at hand.

    Raises:
        RenderError: the result does not fit the output, or the protocol cannot hold it.
    """
    output = output_of(api, protocol)
    try:
        headers = _headers(output, protocol, data, request_id)
        status = _status(output, data, headers)
        if output.bodiless or (status == _NO_CONTENT and not body and _says_nothing(output, data)):
            return WireAnswer(status, headers, b"")
        written = output.body.write(encoded(api.service, api.name, data), request_id) if body is None else body
    except (RecursionError, ValueError) as error:  # nesting, and text that is no Unicode
        raise RenderError(f"the result can't be written: {type(error).__name__}") from None
    if output.media_type:
        headers[_TYPE] = output.media_type
    headers[_LENGTH] = str(len(written))
    return WireAnswer(_OK if status == _NO_CONTENT else status, headers, written)


def head(api: ApiOperation, data: JsonObject, *, request_id: str) -> tuple[int, dict[str, str]]:
    """Return status and headers of an answer whose body follows by itself.

    Args:
        api: An operation whose output streams.
        data: The parsed part of the result.
        request_id: As `render`.

    Returns:
        Status, and headers by lower-case names; ``content-length``, and ``content-type`` of an output that has a member
        for it, only where the result says them.

    Raises:
        RenderError: as `render`.
    """
    protocol = Protocol(api.protocol)
    output = output_of(api, protocol)
    try:
        headers = _headers(output, protocol, data, request_id)
    except (RecursionError, ValueError) as error:
        raise RenderError(f"the result can't be written: {type(error).__name__}") from None
    if output.media_type:
        headers[_TYPE] = output.media_type
    return _status(output, data, headers), headers


def _headers(output: Output, protocol: Protocol, data: JsonObject, request_id: str) -> dict[str, str]:
    headers = {"x-amzn-requestid": request_id, "x-amz-request-id": request_id}
    if protocol is Protocol.CBOR:
        headers["smithy-protocol"] = _CBOR_SIGN
    elif protocol in REST:
        read_headers(output, data, headers)
    return headers


def _status(output: Output, data: JsonObject, headers: dict[str, str]) -> int:
    """Return the status: the result's own, 206 for a part of a body, else the model's."""
    said = data.get(output.status_member)
    if type(said) is int and _OK <= said < _REDIRECTS:
        return said
    return _PARTIAL if _RANGE in headers else output.status


def _says_nothing(output: Output, data: JsonObject) -> bool:
    """Tell whether nothing of a result stands in the body; where something does, the status was another one."""
    return all(data.get(name) is None for name in output.names)
