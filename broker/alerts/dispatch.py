"""Sends deliveries whose time has come to the workers, and gives up those that were tried often enough.

The database is the truth, as for approved work: a message names a delivery and a try of it, and the compare-and-set in
the worker lets one of any number of messages act.
"""

from __future__ import annotations

import contextlib
from typing import Final, Protocol

from broker.alerts.book import Book, Delivery, State
from broker.clock import NS_PER_SECOND, Clock
from broker.errors import ConflictError, QueueUnavailableError
from broker.model import JsonObject
from broker.store.base import Change, Committer, EventType, Update, new_event

AGAIN_NS: Final = 10 * NS_PER_SECOND
"""How long a message may wait or be lost before it is sent again."""


class Post(Protocol):
    """The way to the workers; implemented by the queue."""

    async def post(self, delivery_id: str, attempt: int) -> bool:
        """Ask the workers to try a delivery; False when the same message waits already.

        Raises:
            QueueUnavailableError: the delivery waits in the database.
        """


class Dispatcher:
    """Sends what is due.

    Args:
        book: Deliveries.
        post: The way to the workers.
        committer: Takes what failed.
        clock: Time.
    """

    def __init__(self, book: Book, post: Post, committer: Committer, clock: Clock) -> None:
        self._book = book
        self._post = post
        self._committer = committer
        self._clock = clock
        self._posted: dict[tuple[str, int], int] = {}

    async def round(self) -> None:
        """Send everything that is due, once.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: the next round goes on.
        """
        now_ns = self._clock.now_ns()
        self._posted = {key: at_ns for key, at_ns in self._posted.items() if at_ns + AGAIN_NS > now_ns}
        for delivery in await self._book.due(now_ns):
            if delivery.attempts >= delivery.tries:
                with contextlib.suppress(ConflictError):  # another process was quicker
                    await self._committer.commit(ended(self._clock, delivery, State.FAILED, delivery.error))
                continue
            key = (delivery.id, delivery.attempts)
            if key in self._posted:
                continue
            try:
                await self._post.post(*key)
            except QueueUnavailableError:
                return  # it waits in the database
            self._posted[key] = now_ns


def ended(clock: Clock, delivery: Delivery, state: State, error: str = "") -> Change:
    """Return the change that ends a delivery, as the ledger is told it.

    Args:
        clock: Time and entropy.
        delivery: As it stands.
        state: DELIVERED or FAILED.
        error: What went wrong last, one word of ours.
    """
    kind = EventType.ALERT_DELIVERED if state is State.DELIVERED else EventType.ALERT_FAILED
    data: JsonObject = {
        "alert": delivery.alert_id,
        "delivery": delivery.id,
        "channel": delivery.channel,
        "attempts": delivery.attempts,
    }
    data |= ({"error": error} if error else {}) | ({"more": delivery.more} if delivery.more else {})
    event = new_event(clock, kind, data, agent=delivery.agent)
    where = {"id": delivery.id, "state": delivery.state.value, "attempts": delivery.attempts}
    values = {"state": state.value, "error": error, "updated_at_ns": event.at_ns}
    return Change(event, (Update("alert_deliveries", where, values),))
