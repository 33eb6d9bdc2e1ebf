"""Alerts as signed POSTs, by the Standard Webhooks specification (version 1.0.0, symmetric signatures).

The request goes out by a transport like that of upstreams: the address guard holds, no redirect is followed.
``webhook-id`` is that of the delivery and stays the same at every try.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Final

from standardwebhooks import Webhook

from broker.alerts.channels.base import Fault, Outgoing
from broker.alerts.channels.message import payload_of
from broker.alerts.channels.secret_files import SecretFileError, read_secret_file
from broker.canonical import canonical_bytes
from broker.clock import NS_PER_SECOND
from connectors.base import Transport
from connectors.errors import ConnectorError, NotSentError

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with
MIN_SECRET_BYTES: Final = 24
"""The specification: "between 24 bytes (192 bits) and 64 bytes (512 bits)"."""
MAX_SECRET_BYTES: Final = 64

_GONE: Final = 410
"""The specification: the receiver wants no more of them."""


class WebhookSender:
    """Sends signed POSTs.

    Args:
        transport: The guarded way out; whoever makes it lets its guard permit the addresses of the channels.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, outgoing: Outgoing) -> Fault | None:
        """Sign and send a message."""
        try:
            secret = signing_secret(read_secret_file(outgoing.channel.secret_file))
        except SecretFileError as error:
            return Fault(str(error))
        body = canonical_bytes(payload_of(outgoing))
        now = datetime.fromtimestamp(outgoing.at_ns // NS_PER_SECOND, UTC)
        headers = {
            "content-type": "application/json",
            "user-agent": "ostiary",
            "webhook-id": outgoing.delivery.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(outgoing.delivery.id, now, body.decode()),
        }
        try:
            async with self._transport.request("POST", outgoing.channel.url, headers=headers, body=body) as answer:
                status = answer.status
        except NotSentError:
            return Fault("unreachable")
        except (ConnectorError, TimeoutError):
            return Fault("no-answer")
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP
            return None
        return Fault(f"status-{status}", lasting=status == _GONE)


def signing_secret(written: str) -> bytes:
    """Return the bytes of a secret as people keep it.

    Args:
        written: ``whsec_`` and base 64.

    Raises:
        SecretFileError: it is no such secret, or too short to sign with.
    """
    try:
        secret = base64.b64decode(written.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise SecretFileError("secret-malformed") from None
    if not written.startswith(SECRET_PREFIX) or not MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES:
        raise SecretFileError("secret-malformed")
    return secret
