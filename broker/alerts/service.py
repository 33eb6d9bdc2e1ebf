"""Alerts as operators see them: the list, one of them, and one to every channel to see whether it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from broker.alerts.book import Book, Delivery, State
from broker.alerts.dispatch import Post
from broker.alerts.model import Alert, AlertKind, AlertRow, Severity, raising
from broker.alerts.routing import insertion, new_delivery
from broker.clock import NS_PER_SECOND, Clock
from broker.config.alerting import Channel
from broker.errors import QueueUnavailableError
from broker.store.base import Committer, Update

POLL_SECONDS: Final = 0.1
"""Pause between two looks at deliveries somebody waits for."""


class Alerts:
    """Alerts, for operators.

    Args:
        book: Alerts and deliveries.
        committer: The ledger.
        post: The way to the workers.
        clock: Time and entropy.
        channels: Those of the configuration in force, by name.
    """

    def __init__(
        self,
        book: Book,
        committer: Committer,
        post: Post,
        *,
        clock: Clock,
        channels: Callable[[], Mapping[str, Channel]],
    ) -> None:
        self._book = book
        self._committer = committer
        self._post = post
        self._clock = clock
        self._channels = channels

    async def newest(self, *, kind: str = "", since_ns: int = 0, limit: int = 100) -> list[AlertRow]:
        """Return alerts, newest first; of one kind, and raised since then, when given."""
        return await self._book.alerts(kind=kind, since_ns=since_ns, limit=limit)

    async def get(self, alert_id: str) -> tuple[AlertRow, list[Delivery]] | None:
        """Return an alert and how far it came to each channel; None when there is none of that id."""
        row = await self._book.alert(alert_id)
        return None if row is None else (row, await self._book.deliveries(alert_id))

    async def test(self, operator: str, *, wait_seconds: float) -> tuple[AlertRow, list[Delivery]]:
        """Send one alert to every declared channel, by the way all alerts take, and wait for what becomes of it.

        Args:
            operator: Name of whoever wants to know.
            wait_seconds: How long to wait at most.

        Returns:
            The alert, and a delivery for each channel; one that is still pending waits for a worker.

        Raises:
            LedgerUnavailableError: nothing was sent.
        """
        alert = Alert(
            AlertKind.TEST,
            "test",
            f"a test, by operator `{operator}`",
            "nothing; this is how alerts reach you",
            Severity.INFO,
        )
        change = raising(self._clock, alert, operator=operator)
        alert_id = str(change.event.data["alert"])
        deliveries = [new_delivery(self._clock, alert_id, channel, tries=1) for channel in sorted(self._channels())]
        routed = Update("alerts", {"id": alert_id}, {"routed": 1})
        steps = (*change.steps, routed, *map(insertion, deliveries))
        await self._committer.commit(type(change)(change.event, steps))
        await self._send(deliveries)
        found = await self._settled(alert_id, wait_seconds)
        row = await self._book.alert(alert_id)
        assert row is not None  # noqa: S101 - it was made above, and alerts are never removed
        return row, found

    async def _send(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            try:
                await self._post.post(delivery.id, delivery.attempts)
            except QueueUnavailableError:
                return  # they wait in the database, as the answer says

    async def _settled(self, alert_id: str, seconds: float) -> list[Delivery]:
        end_ns = self._clock.monotonic_ns() + int(seconds * NS_PER_SECOND)
        while True:
            found = await self._book.deliveries(alert_id)
            if all(each.state is not State.PENDING for each in found) or self._clock.monotonic_ns() >= end_ns:
                return found
            await asyncio.sleep(POLL_SECONDS)
