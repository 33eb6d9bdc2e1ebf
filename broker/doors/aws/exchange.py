"""Bodies that go out while they come in: the door's side of `broker.exchange.Exchange`."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Receive, Send

from broker.doors.aws.bodies import IncomingBody
from broker.doors.outlet import RawHeaders, StreamedAnswer
from broker.ids import IntentId
from broker.model import JsonObject
from connectors.aws.model import ApiOperation
from connectors.aws.wire_out.answer import head


class WireExchange(StreamedAnswer):
    """One request and its answer, while the broker is at work on it.

    `begin` raises RenderError when the result does not fit the operation's model.

    Args:
        api: The operation, which says how its answer begins.
        receive: Of the request.
        send: Of the answer.
        upload: The body that comes in, None when it was read already or there is none.
    """

    def __init__(self, api: ApiOperation, receive: Receive, send: Send, *, upload: IncomingBody | None) -> None:
        def begun(intent_id: IntentId, data: JsonObject, _media_type: str) -> tuple[int, RawHeaders]:
            status, headers = head(api, data, request_id=intent_id)
            return status, raw(headers)

        super().__init__(begun, receive, send, upload=upload)


def raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI wants them; the bytes of their values are UTF-8."""
    encoded = [(name.encode("ascii"), value.encode("utf-8", "surrogateescape")) for name, value in headers.items()]
    # Clients read `cache-control` as a property of the object, so the guard must not add its own; no cache keeps what
    # varies by everything (RFC 9110, 12.5.5).
    own = [] if "cache-control" in headers else [(b"cache-control", b"")]
    return [*encoded, *own, (b"vary", b"*")]
