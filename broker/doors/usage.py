"""``/v1/usage``: what calls of models came to, by session, model, day. An agent sees its own session's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo, available_timezones

from fastapi import APIRouter, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from broker.clock import NS_PER_SECOND, rfc3339
from broker.doors.documents import problems
from broker.doors.events import Name
from broker.doors.principals import READERS, Broker, Principal, require
from broker.doors.problems import refused
from broker.doors.views import View
from broker.model import Session
from broker.outcome import ProblemKind
from broker.store.spending import TooManyRowsError
from broker.usage import MAX_ROWS, By, Spent, UsageFilter, UsageRow, answer, dollars, hours, total

PATH: Final = "/v1/usage"
DAY_SECONDS: Final = 86_400

router = APIRouter(tags=["usage"])


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("expected the IANA name of a time zone")
    return name


class UsageQuery(BaseModel):
    """Which calls, and what their sums are split by; an unknown filter is refused, as it would show too much."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: AwareDatetime | None = Field(None, description="RFC 3339, rounded down to its hour; a day ago if not given")
    until: AwareDatetime | None = Field(None, description="RFC 3339, rounded up to its hour")
    project: Name = ""
    agent: Name = ""
    session: Name = Field("", description="id of a session")
    model: Name = Field("", description="as in `anthropic/claude-opus-4-8`")
    by: list[By] = Field(default_factory=lambda: [By.MODEL], max_length=len(By))
    zone: Annotated[str, AfterValidator(_known_zone)] = Field("UTC", max_length=64, description="of days and hours")


class SpentView(View):
    """Sums of calls."""

    calls: int
    estimated_calls: int = Field(description="calls whose usage the upstream did not say to the end")
    input_tokens: int = Field(description="all that was read, caches included")
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    nano_dollars: int = Field(description="US dollars times 10**9")
    dollars: str = Field(description="the same as a decimal number", pattern=r"^[0-9]+\.[0-9]{9}$")


class UsageRowView(View):
    """One row: what it is split by, and its sums."""

    key: dict[By, str]
    spent: SpentView


class UsageView(View):
    """What calls came to."""

    since: str
    until: str | None
    zone: str
    by: list[By]
    rows: list[UsageRowView] = Field(description="the dearest first; by day or hour, in order of time")
    total: SpentView


@router.get(PATH, responses=problems())
async def usage(broker: Broker, principal: Principal, wanted: Annotated[UsageQuery, Query()]) -> UsageView:
    """Sum up what calls of models came to."""
    now_ns = broker.clock.now_ns()
    chosen = hours(
        UsageFilter(
            since_ns=_ns(wanted.since) if wanted.since else now_ns - DAY_SECONDS * NS_PER_SECOND,
            until_ns=_ns(wanted.until) if wanted.until else 0,
            project=wanted.project,
            agent=wanted.agent,
            model=wanted.model,
            sessions=(wanted.session,) if wanted.session else (),
            by=tuple(dict.fromkeys(wanted.by)),
        )
    )
    if isinstance(principal, Session):
        chosen = _own(chosen, principal)
    else:
        require(principal, *READERS)
    try:
        rows = answer(chosen.by, await broker.reader.usage(chosen), ZoneInfo(wanted.zone))
    except TooManyRowsError:
        detail = f"the answer has more than {MAX_ROWS} rows"
        raise refused(ProblemKind.INVALID_PARAMS, detail, fix="ask for less time, or split it by less") from None
    return UsageView(
        since=rfc3339(chosen.since_ns),
        until=rfc3339(chosen.until_ns) if chosen.until_ns else None,
        zone=wanted.zone,
        by=list(chosen.by),
        rows=[_row(each) for each in rows],
        total=_spent(total(rows)),
    )


def _own(chosen: UsageFilter, session: Session) -> UsageFilter:
    """Return the filter held to a session: an agent sees what its session came to and nothing else."""
    if chosen.sessions not in ((), (session.id,)) or chosen.agent not in ("", session.agent):
        raise refused(ProblemKind.FORBIDDEN, "an agent sees the usage of its own session only")
    return UsageFilter(
        chosen.since_ns, chosen.until_ns, model=chosen.model, sessions=(session.id,), by=chosen.by, agent=session.agent
    )


def _row(row: UsageRow) -> UsageRowView:
    return UsageRowView(key=dict(row.key), spent=_spent(row.spent))


def _spent(spent: Spent) -> SpentView:
    sums = {name: getattr(spent, name) for name in Spent.__dataclass_fields__}
    return SpentView(**sums, dollars=dollars(spent.nano_dollars))


def _ns(moment: datetime) -> int:
    return max(int(moment.timestamp()), 0) * NS_PER_SECOND
