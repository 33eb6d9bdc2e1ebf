from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from broker.alerts import volume, watch
from broker.alerts.memory import HOUR_NS, Memory, hour_of
from broker.alerts.model import AlertKind
from broker.alerts.places import Place
from broker.config.alerting import WorkingHours
from broker.errors import LedgerUnavailableError, StoreUnavailableError
from broker.store.base import Change, EventType, Position
from tests.unit.broker.alerts.desk import DAY_NS, FRIDAY_NOON_NS, Desk

DENIAL = {"problem": {"kind": "denied", "rule": "policies/ci.yaml:3 (no)"}, "resources": ["sheets/x"]}


class CrashError(Exception):
    """The process dies here."""


class Dying:
    """A ledger whose process dies at the n-th change it is given: before it is written, or right after."""

    def __init__(self, desk: Desk, at: int, *, after: bool) -> None:
        self._desk, self._left, self._after = desk, at, after

    def submit(self, change: Change, *, patient: bool = False) -> asyncio.Future[Position]:
        return self._desk.ledger.submit(change, patient=patient)

    async def commit(self, change: Change) -> Position:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise CrashError
        done = await self._desk.ledger.commit(change)
        if self._left == 0:
            raise CrashError
        return done


@pytest.mark.req("L3")
async def test_five_hundred_denials_in_a_minute_are_two_alerts(desk: Desk) -> None:
    looking = desk.watch()
    for _ in range(50):
        await desk.happen(EventType.INTENT_DENIED, 10, data=DENIAL)
        desk.clock.advance(1.2)
        await looking.look()
    assert [row.count for row in await desk.told()] == [1]
    desk.clock.advance(600)
    await looking.look()
    assert [row.count for row in await desk.told()] == [1, 499]
    desk.clock.advance(3600)
    await looking.look()
    assert len(await desk.told()) == 2
    assert len(await desk.events(EventType.ALERT_RAISED)) == 2


@pytest.mark.req("L3")
async def test_every_sort_of_trouble_on_the_ledger_is_told(desk: Desk) -> None:
    night = WorkingHours(frozenset({1}), 0, 60)
    project = replace(desk.configuration.projects["web"], hours=night)
    desk.configuration = replace(desk.configuration, projects={"web": project})
    looking = desk.watch()
    await desk.happen(EventType.INTENT_EXECUTING, data={"resources": ["sheets/a"]})
    await looking.look()
    desk.clock.advance(2 * 86_400)
    await desk.happen(EventType.INTENT_EXECUTING, data={"resources": ["sheets/b"], "throttled_ms": 5})
    await desk.happen(EventType.INTENT_DENIED, data=DENIAL)
    await desk.happen(EventType.BREAKER_OPENED, data={"key": "k"})
    await desk.happen(EventType.HALT_STARTED, operator="ana", data={"scope": "everything"})
    await desk.happen(EventType.SESSION_KILLED, operator="ana")
    await desk.happen(EventType.VAULT_CHANGED, data={"change": "rotation-stopped", "credential": "aws/prod"})
    await desk.happen(EventType.VAULT_CHANGED, data={"change": "rotation-begun", "credential": "aws/prod"})
    await desk.happen(EventType.SESSION_STARTED)
    await looking.look()
    assert Counter(row.alert.kind for row in await desk.told()) == {
        AlertKind.OFF_HOURS: 1, AlertKind.NEW_RESOURCE: 1, AlertKind.RATE: 1, AlertKind.DENIED: 1,
        AlertKind.BREAKER: 1, AlertKind.HALT: 2, AlertKind.ROTATION: 1,
    }  # fmt: skip


@pytest.mark.req("L3")
async def test_ten_times_the_usual_volume_is_told_also_by_a_watch_that_just_began(desk: Desk) -> None:
    for hours in range(48, 0, -6):
        desk.clock.time_ns = FRIDAY_NOON_NS - hours * HOUR_NS
        await desk.happen(EventType.INTENT_EXECUTING, 6)
        await desk.watch().look()
    desk.clock.time_ns = FRIDAY_NOON_NS
    for _ in range(5):
        await desk.happen(EventType.INTENT_EXECUTING, 20)
        await desk.watch().look()
    [row] = await desk.told(AlertKind.VOLUME)
    assert row.alert.facts == {"calls_this_hour": 60, "usual_in_an_hour": 6, "known_hours": 8}


@pytest.mark.req("L3")
async def test_what_was_touched_is_known_after_a_restart(desk: Desk) -> None:
    await desk.happen(EventType.INTENT_EXECUTING, data={"resources": ["sheets/a"]})
    await desk.watch().look()
    desk.clock.advance(2 * 86_400)
    await desk.happen(EventType.INTENT_EXECUTING, 3, data={"resources": ["sheets/a"]})
    await desk.watch().look()
    assert await desk.told() == []
    await desk.happen(EventType.INTENT_EXECUTING, 3, data={"resources": ["sheets/b"]})
    await desk.watch().look()
    assert [row.alert.facts["resource"] for row in await desk.told()] == ["s3 sheets/b"]


@pytest.mark.req("L3")
async def test_many_watches_on_one_store_raise_each_alert_once_and_count_each_call_once(desk: Desk) -> None:
    watches = [desk.watch(f"ins_{number}") for number in range(4)]
    for _ in range(6):
        await desk.happen(EventType.INTENT_DENIED, 7, data=DENIAL)
        await desk.happen(EventType.HALT_STARTED, operator="ana")
        await asyncio.gather(*(each.look() for each in watches))
        desk.clock.advance(11)  # so that others may take over the reading
    desk.clock.advance(600)
    await asyncio.gather(*(each.look() for each in watches))
    rows = await desk.told()
    assert [row.count for row in rows if row.alert.kind is AlertKind.DENIED] == [1, 41]
    assert sum(row.alert.kind is AlertKind.HALT for row in rows) == 6
    hours = await desk.places.hours(["ci-runner"], 0)
    assert sum(calls for _, calls in hours["ci-runner"]) == 42


@pytest.mark.req("L3")
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_watch_that_dies_while_it_raises_loses_none_and_raises_none_twice(
    desk: Desk, at: int, after: bool
) -> None:
    await desk.happen(EventType.INTENT_DENIED, 5, data=DENIAL)
    await desk.happen(EventType.HALT_STARTED, 2, operator="ana")
    dying = desk.watch(committer=Dying(desk, at, after=after))
    with pytest.raises(CrashError):
        await dying.look()
    await desk.happen(EventType.INTENT_DENIED, 5, data=DENIAL)
    await desk.watch("ins_2").look()
    await dying.look()  # and when it was no death, only a fault
    rows = await desk.told()
    assert Counter(row.alert.kind for row in rows) == {AlertKind.DENIED: 1, AlertKind.HALT: 2}
    assert len(await desk.events(EventType.ALERT_RAISED)) == 3
    assert (await desk.places.current()).state[next(iter((await desk.places.current()).state))]["more"] == 9


@pytest.mark.req("L3")
async def test_a_watch_that_dies_before_it_moves_counts_nothing_twice(desk: Desk) -> None:
    class Stuck:
        def __getattr__(self, name: str) -> Any:
            return getattr(desk.places, name)

        async def move(self, old: Place, new: Place, memory: Memory) -> bool:
            raise StoreUnavailableError("no answer")

    looking = desk.watch()
    await desk.happen(EventType.INTENT_DENIED, 2, data=DENIAL)
    await looking.look()
    await desk.happen(EventType.INTENT_DENIED, 3, data=DENIAL)
    looking._places = Stuck()  # type: ignore[assignment]  # it fails where the real one writes
    with pytest.raises(StoreUnavailableError):
        await looking.look()
    looking._places = desk.places
    await looking.look()
    await desk.watch("ins_2").look()
    [row] = await desk.told()
    assert row.count == 1
    desk.clock.advance(601)
    await looking.look()
    assert [each.count for each in await desk.told()] == [1, 4]
    assert (await desk.places.hours(["ci-runner"], 0))["ci-runner"] == [(hour_of(FRIDAY_NOON_NS), 5)]


async def test_the_ledger_may_be_away_and_nothing_is_lost(desk: Desk) -> None:
    class Away:
        async def commit(self, change: Change) -> Position:
            raise LedgerUnavailableError("away")

    await desk.happen(EventType.HALT_STARTED, operator="ana")
    with pytest.raises(LedgerUnavailableError):
        await desk.watch(committer=Away()).look()
    await desk.watch().look()
    assert len(await desk.told()) == 1


async def test_one_process_reads_at_a_time_and_another_takes_over(desk: Desk) -> None:
    await desk.happen(EventType.SESSION_STARTED)
    await desk.watch("ins_1").look()
    await desk.happen(EventType.HALT_STARTED, operator="ana")
    await desk.watch("ins_2").look()
    assert await desk.told() == []
    desk.clock.advance(11)
    await desk.watch("ins_2").look()
    assert len(await desk.told()) == 1
    # A clock that was ahead must not keep everybody else away for ever.
    desk.clock.time_ns -= 2 * DAY_NS
    await desk.happen(EventType.HALT_STARTED, operator="ana")
    await desk.watch("ins_3").look()
    assert len(await desk.told()) == 2


@pytest.mark.req("L3")
async def test_what_another_process_counted_meanwhile_counts(desk: Desk) -> None:
    watches = [desk.watch("ins_1"), desk.watch("ins_2")]
    for number in range(6):
        await desk.happen(EventType.INTENT_DENIED, 10, data=DENIAL)
        await watches[number % 2].look()
        desk.clock.advance(11)
    desk.clock.advance(600)
    await watches[0].look()
    assert [row.count for row in await desk.told()] == [1, 59]


async def test_a_long_absence_is_made_up_for_in_batches(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BATCH", 10)
    await desk.happen(EventType.INTENT_DENIED, 35, data=DENIAL)
    looking = desk.watch()
    await looking.look()
    assert (await desk.places.current()).seq == 36  # its own alert is an event, too
    before = (await desk.places.current()).version
    await looking.look()
    assert (await desk.places.current()).version == before


async def test_nothing_is_written_while_nothing_happens(desk: Desk) -> None:
    looking = desk.watch()
    await looking.look()
    await looking.look()
    assert (await desk.places.current()).version == 0


async def test_an_event_that_no_detector_understands_stops_nothing(desk: Desk) -> None:
    await desk.happen(EventType.INTENT_DENIED, data={"problem": "a text", "resources": 5})
    await desk.happen(EventType.HALT_STARTED, operator="ana")
    with capture_logs() as logs:
        await desk.watch().look()
    assert [row.alert.kind for row in await desk.told()] == [AlertKind.HALT]
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["alert_detector_failed"]


async def test_an_event_of_a_later_release_is_passed_over(desk: Desk) -> None:
    await desk.happen(EventType.HALT_STARTED, operator="ana")
    with desk.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE events SET body = CAST(REPLACE(CAST(body AS TEXT), 'halt.started', 'halt.invented') AS BLOB)"
        )
    await desk.happen(EventType.HALT_LIFTED, operator="ana")
    await desk.watch().look()
    assert [row.alert.subject for row in await desk.told()] == ["halt:2"]


async def test_hours_are_forgotten_after_two_weeks(desk: Desk) -> None:
    looking = desk.watch()
    await desk.happen(EventType.INTENT_EXECUTING)
    await looking.look()
    desk.clock.advance((volume.HISTORY_DAYS + 1) * 86_400)
    await looking.look()
    assert await desk.places.hours(["ci-runner"], 0) == {}


async def test_a_place_that_is_gone_is_no_place_to_begin_anew(desk: Desk) -> None:
    with desk.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM alert_cursor")
    with pytest.raises(StoreUnavailableError):
        await desk.watch().look()


async def test_what_an_agent_is_called_cannot_stop_the_watch(desk: Desk) -> None:
    await desk.happen(EventType.INTENT_EXECUTING, agent="a" * 1000, data={"resources": ["x\u202e" * 900, "", None]})
    desk.clock.advance(2 * 86_400)
    await desk.happen(EventType.INTENT_EXECUTING, agent="a" * 1000, data={"resources": ["y\u202e" * 900]})
    await desk.watch().look()
    assert (await desk.places.current()).version == 1
