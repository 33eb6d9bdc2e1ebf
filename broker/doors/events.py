"""``/v1/events``: the ledger, filtered, page by page. Record bodies are shown as they were written."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from broker.clock import NS_PER_SECOND
from broker.doors.documents import problems
from broker.doors.ports import BrokerPort
from broker.doors.principals import READERS, Broker, operator_with
from broker.doors.views import EventsView, EventView
from broker.model import Operator
from broker.store.base import EventFilter, EventType, StoredEvent

MAX_LIMIT: Final = 1000
_MAX_SEQ: Final = (1 << 63) - 1

Name = Annotated[str, Field(max_length=128, pattern=r"^[!-~]*$")]
"""A filter's value: visible ASCII, so that no control character gets as far as the database."""

router = APIRouter(tags=["events"])


class Order(StrEnum):
    """Order of a page, by place in the ledger."""

    OLDEST_FIRST = "asc"
    NEWEST_FIRST = "desc"


class PageQuery(BaseModel):
    """Where a page begins and how long it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: int = Field(0, ge=0, le=_MAX_SEQ, description="only records after this place")
    before: int = Field(0, ge=0, le=_MAX_SEQ, description="only records before this place; 0 for no bound")
    order: Order = Order.OLDEST_FIRST
    limit: int = Field(100, ge=1, le=MAX_LIMIT)


class EventsQuery(PageQuery):
    """Which records; an empty filter does not filter. An unknown filter is refused, as it would show too much."""

    session: Name = ""
    agent: Name = ""
    project: Name = ""
    action: Name = ""
    type: EventType | None = None
    intent: Name = ""
    since: AwareDatetime | None = Field(None, description="RFC 3339, inclusive")
    until: AwareDatetime | None = Field(None, description="RFC 3339")


@router.get("/v1/events", responses=problems())
async def search_events(
    broker: Broker,
    _operator: Annotated[Operator, Depends(operator_with(*READERS))],
    wanted: Annotated[EventsQuery, Query()],
) -> EventsView:
    """Search the ledger."""
    chosen = EventFilter(
        session_id=wanted.session,
        agent=wanted.agent,
        project=wanted.project,
        action=wanted.action,
        type=wanted.type.value if wanted.type else "",
        intent_id=wanted.intent,
        since_ns=_ns(wanted.since),
        until_ns=_ns(wanted.until),
    )
    return await page_of(broker, chosen, wanted)


async def page_of(broker: BrokerPort, chosen: EventFilter, page: PageQuery) -> EventsView:
    """Return one page of the records ``chosen`` names."""
    newest_first = page.order is Order.NEWEST_FIRST
    # One more than asked tells whether there is a next page.
    bounds = replace(
        chosen, after_seq=page.after, before_seq=page.before, newest_first=newest_first, limit=page.limit + 1
    )
    found = await broker.reader.events(bounds)
    shown = found[: page.limit]
    more = len(found) > len(shown)
    return EventsView(events=[_view(event) for event in shown], next=shown[-1].seq if more else None)


def _view(event: StoredEvent) -> EventView:
    return EventView(seq=event.seq, leaf=event.leaf.hex(), event=orjson.loads(event.body))


def _ns(moment: datetime | None) -> int:
    if moment is None:
        return 0
    # Whole seconds and microseconds apart: a float of nanoseconds would lose digits.
    return max(int(moment.replace(microsecond=0).timestamp()) * NS_PER_SECOND + moment.microsecond * 1000, 0)
