"""Whom an alert reaches: the channels of the configuration, each at most so often an hour.

An agent that makes noise must not hide what others do: of the `MOST_PER_HOUR` messages a channel gets, only critical
ones may use the last few, and one agent may use no more than `MOST_OF_ONE_AGENT`. What is beyond is held, and one
message tells how many were; the list has them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from broker.alerts.book import Book, Delivery, State
from broker.alerts.model import AlertKind, AlertRow, Severity
from broker.clock import NS_PER_SECOND, Clock, fresh_id
from broker.config.alerting import Alerting
from broker.store.base import Insert

HOUR_NS: Final = 3600 * NS_PER_SECOND
MOST_PER_HOUR: Final = 30
MOST_ORDINARY: Final = 24
"""Of those, how many may be less than critical."""
MOST_OF_ONE_AGENT: Final = 12
HELD_NS: Final = 300 * NS_PER_SECOND
"""How long held alerts gather before one message tells of them."""
TRIES: Final = 6
"""The first and five more."""


class Router:
    """Decides whom alerts reach.

    Args:
        book: Alerts and deliveries.
        alerting: What the configuration in force says.
        clock: Time and entropy.
    """

    def __init__(self, book: Book, alerting: Callable[[], Alerting], clock: Clock) -> None:
        self._book = book
        self._alerting = alerting
        self._clock = clock

    async def round(self) -> None:
        """Decide on every new alert, and tell of what was held.

        Raises:
            StoreUnavailableError: the next round goes on.
        """
        for row in await self._book.unrouted():
            await self._book.route(row.id, await self._deliveries(row))
        await self._tell_of_held()

    async def _deliveries(self, row: AlertRow) -> list[Delivery]:
        alerting, now_ns = self._alerting(), self._clock.now_ns()
        if alerting.kinds and row.alert.kind not in alerting.kinds:
            return []
        found = []
        for channel in alerting.channels:
            sent = await self._book.sent_since(channel, now_ns - HOUR_NS)
            state = State.PENDING if is_within(sent, row) else State.HELD
            found.append(new_delivery(self._clock, row.id, channel, agent=row.alert.agent, state=state, tries=TRIES))
        return found

    async def _tell_of_held(self) -> None:
        now_ns = self._clock.now_ns()
        by_channel: dict[str, list[Delivery]] = defaultdict(list)
        for each in await self._book.held(now_ns - HELD_NS):
            by_channel[each.channel].append(each)
        for channel, held in by_channel.items():
            if any(each.more for each in await self._book.sent_since(channel, now_ns - HOUR_NS)):
                continue
            digest = new_delivery(self._clock, held[-1].alert_id, channel, tries=TRIES, more=len(held))
            await self._book.fold(digest, held)


def is_within(sent: Sequence[Delivery], row: AlertRow) -> bool:
    """Tell whether a channel may get one more.

    Args:
        sent: What it got in the last hour.
        row: The alert.
    """
    own = [each for each in sent if not each.more]
    if len(own) >= MOST_PER_HOUR:
        return False
    if row.alert.severity is Severity.CRITICAL or row.alert.kind is AlertKind.TEST:
        return True
    agent = row.alert.agent
    of_agent = sum(1 for each in own if each.agent == agent) if agent else 0
    return len(own) < MOST_ORDINARY and of_agent < MOST_OF_ONE_AGENT


def new_delivery(  # noqa: PLR0913 - the columns that differ
    clock: Clock,
    alert_id: str,
    channel: str,
    *,
    tries: int,
    agent: str = "",
    state: State = State.PENDING,
    more: int = 0,
) -> Delivery:
    """Return a delivery that is due now; see `Delivery`."""
    now_ns = clock.now_ns()
    return Delivery(
        fresh_id(clock, "dlv"), alert_id, channel, agent, state, 0, tries, more, now_ns, now_ns, now_ns
    )  # fmt: skip


def insertion(delivery: Delivery) -> Insert:
    """Return the step that adds a delivery."""
    return Insert("alert_deliveries", delivery.values())
