"""What every kind of channel does: takes one message, and says what went wrong in a word of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from broker.alerts.book import Delivery
from broker.alerts.model import AlertRow
from broker.config.alerting import Channel


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to one channel.

    Args:
        delivery: Which try of what.
        row: The alert.
        channel: Where to.
        url: Where people read the alert: an address, or a path when nobody said where the API is reached.
        at_ns: Now.
    """

    delivery: Delivery
    row: AlertRow
    channel: Channel
    url: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a channel did not take a message.

    Args:
        error: One word of ours; never the words of a library, which hold addresses and tokens.
        lasting: Trying again would not help.
    """

    error: str
    lasting: bool = False


class Sender(Protocol):
    """Sends over one kind of channel."""

    async def send(self, outgoing: Outgoing) -> Fault | None:
        """Send a message; return why it was not taken, None when it was."""
