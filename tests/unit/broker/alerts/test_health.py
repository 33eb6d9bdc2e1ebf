from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from broker.alerts.health import HealthWatch
from broker.alerts.model import AlertKind, Severity
from broker.errors import LedgerUnavailableError
from broker.store.base import Change, Position
from tests.unit.broker.alerts.desk import Desk


class Checks:
    """What the checks say, and a ledger that may be away."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.answers: dict[str, bool | str] = {"ledger": True, "vault": True, "store": True, "queue": "ok"}
        self.away = False
        self.commits = 0

    async def __call__(self) -> dict[str, bool | str]:
        return self.answers

    def submit(self, change: Change, *, patient: bool = False) -> asyncio.Future[Position]:
        return self.desk.ledger.submit(change, patient=patient)

    async def commit(self, change: Change) -> Position:
        self.commits += 1
        if self.away:
            raise LedgerUnavailableError("disk full")
        return await self.desk.ledger.commit(change)

    async def look(self, *watches: HealthWatch, seconds: int) -> None:
        for _ in range(0, seconds, 5):
            self.desk.clock.advance(5)
            for watch in watches:
                await watch.look()


@pytest.fixture
def checks(desk: Desk) -> Checks:
    return Checks(desk)


@pytest.mark.req("L3")
@pytest.mark.parametrize(
    ("name", "answer", "kind", "severity"),
    [
        ("vault", "sealed: no key", AlertKind.VAULT, Severity.CRITICAL),
        ("vault", False, AlertKind.VAULT, Severity.CRITICAL),
        ("queue", "degraded: unreachable", AlertKind.QUEUE, Severity.WARNING),
        ("limits", "degraded: this process alone", AlertKind.QUEUE, Severity.WARNING),
        ("store", "unreachable", AlertKind.LEDGER, Severity.CRITICAL),
    ],
)
async def test_trouble_that_lasts_is_told_once_by_all_processes(
    desk: Desk, checks: Checks, name: str, answer: bool | str, kind: AlertKind, severity: Severity
) -> None:
    watches = [HealthWatch(checks, checks, desk.clock) for _ in range(3)]
    await checks.look(*watches, seconds=60)
    assert await desk.told() == []
    checks.answers[name] = answer
    await checks.look(*watches, seconds=30)
    assert await desk.told() == []
    await checks.look(*watches, seconds=600)
    [row] = await desk.told()
    assert checks.commits == len(watches)
    assert (row.alert.kind, row.alert.severity, row.alert.facts["check"]) == (kind, severity, name)
    checks.answers[name] = True
    await checks.look(*watches, seconds=60)
    assert len(await desk.told()) == 1


async def test_what_is_over_soon_is_not_told(desk: Desk, checks: Checks) -> None:
    watch = HealthWatch(checks, checks, desk.clock)
    for _ in range(5):
        checks.answers["vault"] = False
        await checks.look(watch, seconds=25)
        checks.answers["vault"] = True
        await checks.look(watch, seconds=5)
    assert await desk.told() == []


@pytest.mark.req("L3")
async def test_a_ledger_that_was_away_is_told_when_it_is_back_with_how_long_it_was(desk: Desk, checks: Checks) -> None:
    watch = HealthWatch(checks, checks, desk.clock)
    checks.answers["ledger"], checks.away = "disk full", True
    with capture_logs() as logs:
        await checks.look(watch, seconds=60)
    assert {log["event"] for log in logs} == {"alert_waits_for_the_ledger"}
    checks.answers["ledger"], checks.away = True, False
    await checks.look(watch, seconds=10)
    [row] = await desk.told()
    assert row.alert.kind is AlertKind.LEDGER
    assert row.alert.facts["since"] < row.alert.facts["until"]
    await checks.look(watch, seconds=60)
    assert len(await desk.told()) == 1


async def test_trouble_that_comes_back_before_it_could_be_told_is_told_anew(desk: Desk, checks: Checks) -> None:
    watch = HealthWatch(checks, checks, desk.clock)
    checks.answers["ledger"], checks.away = "disk full", True
    await checks.look(watch, seconds=40)
    checks.answers["ledger"] = True
    await checks.look(watch, seconds=5)
    checks.answers["ledger"] = "disk full again"
    await checks.look(watch, seconds=40)
    checks.away = False
    await checks.look(watch, seconds=5)
    [row] = await desk.told()
    assert row.alert.facts["why"] == "disk full again"
