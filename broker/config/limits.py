"""What ``ostiary.yaml`` says about limits: budgets of agents and projects, rates, and when one speaks up.

agents:
  ci-runner:
    budget: {max_tokens_per_session: 100000, max_sessions_per_day: 50, alert_at: 80%}
    rate_limits: {max_requests_per_minute: 30, on_exceed: throttle_and_alert}
projects:
  data:
    project_budget: {monthly_limit: $500, alert_thresholds: [50%, 75%, 90%], on_exceed: pause_and_alert}
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broker.holds import Unit
from policies.document.nodes import Node, Reader


class Period(StrEnum):
    """When a budget begins anew."""

    SESSION = "session"
    """Never: it is that of one session and all below it."""
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    """Begins on Monday, ISO 8601."""
    MONTH = "month"


class OnExceed(StrEnum):
    """What becomes of a call that does not fit."""

    DENY = "deny"
    PAUSE_AND_ALERT = "pause_and_alert"
    """It is refused, and so is all that its owner asks for until the period is over or an operator resumes it."""
    ASK = "ask"
    """People are asked whether to grant a stated extra."""


class Mode(StrEnum):
    """How much is reserved for an answer whose length nobody knows yet."""

    STRICT = "strict"
    """All that the request allows; a budget is never overdrawn."""
    ADAPTIVE = "adaptive"
    """What such answers take, or what is left when that is less; a budget can be overdrawn by what the answers under
    way take beyond that."""


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """Most units of one kind in one period.

    Args:
        name: As written, ``max_tokens_per_session``; part of its key, and shown to people.
        unit: What is counted.
        period: When it begins anew.
        cap: Most units.
        actions: Pattern of the actions it counts, ``*`` in it stands for anything.
    """

    name: str
    unit: Unit
    period: Period
    cap: int
    actions: str = "*"


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom `OnExceed.ASK` asks, and for what.

    Args:
        channel: Where.
        timeout_seconds: How long silence may last.
        extra_percent: What a yes grants, in percent of the cap.
        approvers: Names of the operators who may answer; empty for every approver.
    """

    channel: str
    timeout_seconds: int
    extra_percent: int
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """All budgets of one agent or project.

    Args:
        lines: At least one.
        thresholds: Percents of a cap at which people are told, ascending, each 1 to 100.
        on_exceed: What becomes of a call that does not fit.
        mode: How much is reserved.
        zone: IANA name of the time zone in which periods begin.
        asking: Terms of `OnExceed.ASK`; None for the others.
    """

    lines: tuple[BudgetLine, ...]
    thresholds: tuple[int, ...] = (80,)
    on_exceed: OnExceed = OnExceed.DENY
    mode: Mode = Mode.ADAPTIVE
    zone: str = "UTC"
    asking: Asking | None = None


class OnRate(StrEnum):
    """What becomes of a request that comes too fast."""

    DENY = "deny"
    THROTTLE_AND_ALERT = "throttle_and_alert"
    """It waits for its turn, up to a bound; beyond that it is refused."""


class Per(StrEnum):
    """Whose requests a rate counts together."""

    SESSION = "session"
    AGENT = "agent"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How fast requests may come, and how many at once.

    Args:
        name: Unique among those of its owner; part of its key, and shown to people.
        per: Whose requests are counted together.
        per_minute: Most in a minute; 0 for no such limit.
        burst: How many may come at once after a pause, 1 or more.
        concurrent: Most at the same time; 0 for no such limit.
        actions: Pattern of the actions it counts.
        on_exceed: What becomes of one that comes too fast.
        max_delay_seconds: Longest wait of a throttled one.
    """

    name: str
    per: Per = Per.SESSION
    per_minute: int = 0
    burst: int = 1
    concurrent: int = 0
    actions: str = "*"
    on_exceed: OnRate = OnRate.DENY
    max_delay_seconds: float = 0.0


def read_budget(reader: Reader, node: Node, *, project: bool) -> Budget | None:
    """Read a ``budget`` of an agent or a ``project_budget``; faults go to the reader."""
    from broker.config.budgets import read  # which knows the types of this module

    return read(reader, node, project=project)


def read_rates(reader: Reader, node: Node, per: Per) -> tuple[RateLimit, ...]:
    """Read ``rate_limits`` of an agent or a connection; faults go to the reader."""
    from broker.config.rates import read_rate_limits

    return read_rate_limits(reader, node, per)
