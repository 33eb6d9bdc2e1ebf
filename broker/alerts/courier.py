"""The courier: tries one delivery once, in the worker, and writes down what became of it.

    1 look       it is pending and due, and this is the try the message names
    2 claim      by compare-and-set, with the moment of the next try: a courier that dies here is followed by another
    3 send       one message to one channel
    4 tell       taken, or given up: on the ledger; to be tried again: in its row

A try that was taken and could not be told is made again, with the same id: receivers know it by that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import structlog

from broker.alerts.book import Book, Delivery, State
from broker.alerts.channels.base import Fault, Outgoing, Sender
from broker.alerts.dispatch import ended
from broker.clock import NS_PER_SECOND, Clock
from broker.config.alerting import Channel, ChannelKind
from broker.errors import ConflictError
from broker.store.base import Committer

log = structlog.get_logger(__name__)

PAUSES_SECONDS: Final = (10, 30, 120, 300, 900)
"""After the first try, the second, and so on."""
LOST_SECONDS: Final = 60
"""A try that is not heard of for so long is over; longer than any channel may take."""


class Courier:
    """Tries deliveries.

    Args:
        book: Alerts and deliveries.
        committer: Takes what became of them.
        clock: Time and entropy.
        channels: Those of the configuration in force, by name.
        senders: One for each kind.
        base_url: Where people reach the API, without a slash at the end; empty when nobody said.
    """

    def __init__(
        self,
        *,
        book: Book,
        committer: Committer,
        clock: Clock,
        channels: Callable[[], Mapping[str, Channel]],
        senders: Mapping[ChannelKind, Sender],
        base_url: str,
    ) -> None:
        self._book = book
        self._committer = committer
        self._clock = clock
        self._channels = channels
        self._senders = senders
        self._base_url = base_url

    async def deliver(self, delivery_id: str, attempt: int) -> None:
        """Try a delivery, if this try is still to be made.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: it is tried again.
        """
        delivery = await self._book.delivery(delivery_id)  # 1 look
        if delivery is None or delivery.state is not State.PENDING or delivery.attempts != attempt:
            return
        row, now_ns = await self._book.alert(delivery.alert_id), self._clock.now_ns()
        # Whoever can write messages must not be able to use up the tries while a channel is away.
        if row is None or attempt >= delivery.tries or now_ns < delivery.next_at_ns:
            return
        if not await self._book.claim(delivery, next_at_ns=now_ns + LOST_SECONDS * NS_PER_SECOND, now_ns=now_ns):
            return  # 2 claim
        delivery = replace(delivery, attempts=attempt + 1)
        channel = self._channels().get(delivery.channel)
        if channel is None:
            fault: Fault | None = Fault("channel-gone", lasting=True)
        else:
            outgoing = Outgoing(delivery, row, channel, self._base_url + row.path, now_ns)
            fault = await self._senders[channel.kind].send(outgoing)  # 3 send
        await self._tell(delivery, fault)  # 4 tell

    async def _tell(self, delivery: Delivery, fault: Fault | None) -> None:
        if fault is not None:
            log.warning("alert_not_taken", delivery=delivery.id, channel=delivery.channel, error=fault.error)
            if not fault.lasting and delivery.attempts < delivery.tries:
                now_ns = self._clock.now_ns()
                pause = PAUSES_SECONDS[min(delivery.attempts, len(PAUSES_SECONDS)) - 1]
                await self._book.missed(delivery, fault.error, next_at_ns=now_ns + pause * NS_PER_SECOND, now_ns=now_ns)
                return
        state = State.DELIVERED if fault is None else State.FAILED
        try:
            await self._committer.commit(ended(self._clock, delivery, state, fault.error if fault else ""))
        except ConflictError:
            log.warning("alert_ended_elsewhere", delivery=delivery.id)
