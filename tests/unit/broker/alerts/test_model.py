from __future__ import annotations

import pytest

from broker.alerts.model import AlertKind, Severity, raising
from broker.errors import ConflictError
from broker.store.base import EventType, Require
from tests.unit.broker.alerts.desk import Desk, some_alert


@pytest.mark.req("L3")
async def test_an_alert_is_a_row_and_an_event_with_the_same_id(desk: Desk) -> None:
    change = raising(desk.clock, some_alert(), count=3, operator="ana")
    await desk.ledger.commit(change)
    [event] = await desk.events(EventType.ALERT_RAISED)
    row = await desk.book.alert(event.data["alert"])
    assert row is not None
    assert row.alert == some_alert()
    assert (row.at_ns, row.count) == (event.at_ns, 3)
    assert row.path == f"/v1/alerts/{event.data['alert']}"
    assert (event.agent, event.project, event.session_id, event.operator) == ("ci-runner", "web", "ses_1", "ana")
    assert event.data["todo"] == "look at it"


async def test_of_one_kind_subject_and_window_there_is_one(desk: Desk) -> None:
    await desk.ledger.commit(raising(desk.clock, some_alert(), window="a"))
    with pytest.raises(ConflictError):
        await desk.ledger.commit(raising(desk.clock, some_alert(title="another"), window="a"))
    for other in (some_alert(subject="x"), some_alert(kind=AlertKind.RATE)):
        await desk.ledger.commit(raising(desk.clock, other, window="a"))
    await desk.ledger.commit(raising(desk.clock, some_alert(), window="b"))
    assert len(await desk.told()) == 4
    assert len(await desk.events(EventType.ALERT_RAISED)) == 4


async def test_without_a_window_each_is_told_and_a_step_that_loses_raises_none(desk: Desk) -> None:
    for _ in range(2):
        await desk.ledger.commit(raising(desk.clock, some_alert()))
    with pytest.raises(ConflictError):
        await desk.ledger.commit(raising(desk.clock, some_alert(), (Require("instances", {"id": "nobody"}),)))
    assert len(await desk.told()) == 2


async def test_texts_of_an_alert_are_made_harmless_before_they_are_stored(desk: Desk) -> None:
    hostile = "a\x1b[2J\u202e"
    row = await desk.raised(title=hostile, todo=hostile, subject=hostile, facts={"name": hostile, "list": [hostile]})
    alert = row.alert
    assert {alert.title, alert.todo, alert.subject, alert.facts["name"]} == {"a[2J\\u202e"}
    [event] = await desk.events(EventType.ALERT_RAISED)
    assert "\u202e" not in str(event)
    assert alert.severity is Severity.WARNING
