"""One request on its way through the door, and the models that are read off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from starlette.types import Receive, Scope, Send

from broker.doors.aws.bodies import Hold
from broker.doors.aws.exchange import WireExchange
from broker.doors.aws.refusals import Speech
from connectors.aws.wire_in.calls import Parsed
from connectors.aws.wire_in.errors_out import spoken
from connectors.aws.wire_in.request import WireRequest
from connectors.aws.wire_in.services import signed_as, summaries

T = TypeVar("T")


@dataclass(slots=True)
class Turn:
    """One request, and how far it has come.

    Args:
        scope, receive, send: Of the server.
        request: Its head; with the body once that was read whole.
        hold: Its share of the buffers.
        request_id: For an answer without an intent.
        signing_name: Service it is signed for, once that is known; not verified before it is admitted.
        parsed: What it asks, once that is known.
        exchange: Set when it is handed to the broker.
    """

    scope: Scope
    receive: Receive
    send: Send
    request: WireRequest
    hold: Hold
    request_id: str
    signing_name: str = ""
    parsed: Parsed | None = None
    exchange: WireExchange | None = None

    @property
    def speech(self) -> Speech:
        """How its client is to be answered."""
        protocol = self.parsed.protocol if self.parsed else spoken(self.request, self.signing_name)
        return Speech(protocol, self.signing_name, self.request.method)

    @property
    def begun(self) -> bool:
        """Whether the head of an answer has gone out."""
        return self.exchange is not None and self.exchange.begun


class Models:
    """Keeps the loop free while a service is spoken to for the first time: reading its model takes up to 200 ms."""

    def __init__(self) -> None:
        self._read: set[str] = set()
        self._named = False
        self._reading = asyncio.Lock()

    async def names(self) -> None:
        """Read the names of all services, once."""
        if not self._named:
            await asyncio.to_thread(summaries)
            self._named = True

    async def using(self, signing_name: str, call: Callable[[], T]) -> T:
        """Return what ``call`` returns; it runs in a thread until `read` was told of the service.

        Args:
            signing_name: Service whose model it uses.
            call: Pure but for the reading of models.
        """
        if signing_name in self._read:
            return call()
        async with self._reading:
            return await asyncio.to_thread(call)

    def read(self, signing_name: str) -> None:
        """Note that a service was spoken to; names that AWS does not have are not noted."""
        if signing_name not in self._read and signed_as(signing_name):
            self._read.add(signing_name)
