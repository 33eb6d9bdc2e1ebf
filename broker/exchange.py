"""The two streams of an intent whose door is still open: the body that comes in, the body that goes out.

A door that has them hands an `Exchange` to the broker with the intent. What passes through it is decided, recorded and
scanned as everything else, and is never whole in memory.
"""

from __future__ import annotations

from typing import Protocol

from broker.ids import IntentId
from broker.model import JsonObject
from connectors.base import UploadStream


class ClientGoneError(Exception):
    """The client closed the connection; nobody is left to be answered."""


class Outlet(Protocol):
    """The way out of a body, while its client waits for it."""

    async def begin(self, intent_id: IntentId, data: JsonObject, media_type: str) -> None:
        """Begin the answer of a body that streams out; called at most once, and never for a body that is small.

        Args:
            intent_id: The intent it answers.
            data: The parsed part of the result, scanned.
            media_type: Of the body.

        Raises:
            ClientGoneError: nobody reads on.
        """

    async def write(self, piece: bytes) -> None:
        """Hand on the next scanned piece; returns when there is room for more.

        The last piece comes after the outcome is durable. When none comes, the body was cut: the door breaks the
        connection off.

        Raises:
            ClientGoneError: nobody reads on.
        """


class Exchange(Protocol):
    """A door's side of one intent."""

    @property
    def upload(self) -> UploadStream | None:
        """The body as it comes in; None when the intent has none. It is not touched before policy allows the intent."""

    @property
    def outlet(self) -> Outlet | None:
        """Where a large body goes out; None to have it kept, as for an intent without a door.

        A small body does not go out this way even then: it is in `Outcome.body`.
        """
