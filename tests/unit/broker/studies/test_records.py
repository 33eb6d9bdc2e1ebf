from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.ledger.events import UnreadableEventError
from broker.ledger.log import Ledger
from broker.store.base import Change, Event, EventType
from broker.store.database import open_database
from broker.store.reader import SqlReader
from broker.store.schema import migrate
from broker.studies import records
from broker.studies.records import RecordedIntent, recorded
from policies.model import Effect, Requirement
from tests.house import ManualClock

AT = 1_800_000_000_000_000_000


@dataclass
class Told:
    """A real ledger that a test tells of intents, one nanosecond after the other."""

    ledger: Ledger
    reader: SqlReader
    count: int = 0

    async def tell(self, kind: EventType, intent: str, data: dict[str, Any]) -> None:
        self.count += 1
        event = Event(
            f"evt_{self.count}", kind, AT + self.count, agent="ci", project="desk", session_id="ses_1",
            intent_id=intent, action="desk:Read", data=data,
        )  # fmt: skip
        await self.ledger.commit(Change(event))

    async def all(self, since_ns: int = 0, until_ns: int = 0, **more: Any) -> list[RecordedIntent]:
        return [each async for each in recorded(self.reader, since_ns, until_ns, **more)]


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Told]:
    database = open_database(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    migrate(database)
    ledger = Ledger(database, ManualClock())
    ledger.start()
    yield Told(ledger, SqlReader(database))
    await ledger.aclose()
    database.close()


def decided(effect: str, resource: str = "sheets/a/b", **more: Any) -> dict[str, Any]:
    reason = {"action": "desk:Read", "resource": resource, "effect": effect, "rule": "ci-L2", "file": "", "line": 2}
    return {"effect": effect, "policy_version": "", "reasons": [{**reason, "layer": "agent"}], **more}


async def test_an_intent_that_was_executed_is_one_record_with_what_policy_was_asked(told: Told) -> None:
    await told.tell(EventType.INTENT_EXECUTING, "int_1", decided("allow", context={"source_ip": "10.0.0.1"}))
    await told.tell(EventType.INTENT_SUCCEEDED, "int_1", {"duration_us": 5})
    (found,) = await told.all()
    assert (found.intent_id, found.session_id, found.agent, found.project) == ("int_1", "ses_1", "ci", "desk")
    assert found.requirements == (Requirement("desk:Read", "sheets/a/b"),)
    assert (found.effect, found.rules, found.at_ns) == (Effect.ALLOW, ("ci-L2",), AT + 1)
    assert found.request().context == {"source_ip": "10.0.0.1"}
    assert found.request().now_ns == AT + 1


async def test_an_intent_that_waited_counts_once_however_it_ended(told: Told) -> None:
    await told.tell(EventType.INTENT_PARKED, "int_1", decided("require_approval", context={}))
    await told.tell(EventType.INTENT_PARKED, "int_2", decided("require_approval", context={}))
    await told.tell(EventType.APPROVAL_APPROVED, "int_1", {})
    await told.tell(EventType.APPROVAL_REJECTED, "int_2", {})
    await told.tell(EventType.INTENT_EXECUTING, "int_1", decided("allow", context={}))
    await told.tell(EventType.INTENT_SUCCEEDED, "int_1", {})
    found = await told.all()
    assert [(each.intent_id, each.effect) for each in found] == [
        ("int_1", Effect.REQUIRE_APPROVAL),
        ("int_2", Effect.REQUIRE_APPROVAL),
    ]


async def test_an_intent_that_waited_before_the_window_is_told_of_by_its_second_decision(told: Told) -> None:
    await told.tell(EventType.INTENT_PARKED, "int_1", decided("require_approval"))
    await told.tell(EventType.APPROVAL_APPROVED, "int_1", {})
    await told.tell(EventType.INTENT_EXECUTING, "int_1", decided("require_approval"))
    found = await told.all(since_ns=AT + 2)
    assert [(each.effect, each.at_ns) for each in found] == [(Effect.REQUIRE_APPROVAL, AT + 3)]


async def test_what_was_turned_away_before_policy_was_asked_is_no_record(told: Told) -> None:
    await told.tell(EventType.INTENT_DENIED, "int_1", {"problem": {}})
    await told.tell(EventType.INTENT_REFUSED, "int_2", {"problem": {}})
    await told.tell(EventType.SESSION_STARTED, "", {})
    await told.tell(EventType.INTENT_DENIED, "int_3", decided("deny"))
    assert [each.intent_id for each in await told.all()] == ["int_3"]


async def test_a_parked_intent_whose_event_names_no_requirements_is_a_record_without_any(told: Told) -> None:
    await told.tell(EventType.INTENT_PARKED, "int_1", {"rule": "ci.yaml:2 (ci-L2)"})
    (found,) = await told.all()
    assert (found.requirements, found.effect, found.complete) == ((), Effect.REQUIRE_APPROVAL, False)


async def test_more_events_than_a_page_are_all_read_and_the_window_holds(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "PAGE", 2)
    for number in range(5):
        await told.tell(EventType.INTENT_EXECUTING, f"int_{number}", decided("allow"))
    assert [each.intent_id for each in await told.all()] == [f"int_{number}" for number in range(5)]
    assert [each.intent_id for each in await told.all(AT + 2, AT + 4)] == ["int_1", "int_2"]


async def test_facts_that_are_recorded_or_surely_were_not_there_are_known(told: Told) -> None:
    context = {"session.branch": "main", "n": 3, "on": True, "tags": ["a", 1.5, "b"], "odd": None}
    await told.tell(EventType.INTENT_EXECUTING, "int_1", decided("allow", context=context))
    await told.tell(EventType.INTENT_EXECUTING, "int_2", decided("allow"))
    whole, bare = await told.all()
    assert whole.context == {"session.branch": "main", "n": 3, "on": True, "tags": ("a", "b")}
    assert [whole.knows(fact) for fact in ("source_ip", "params.Key", "agent.owner")] == [True, False, False]
    assert not bare.knows("source_ip")


async def test_the_owner_of_an_agent_comes_from_the_configuration(told: Told) -> None:
    await told.tell(EventType.INTENT_EXECUTING, "int_1", decided("allow"))
    (found,) = await told.all(owners={"ci": "olivia"})
    assert found.context == {"agent.owner": "olivia"}
    assert found.knows("agent.owner")
    assert not found.knows("session.id")


async def test_a_denial_by_the_sessions_own_scope_is_told_apart(told: Told) -> None:
    data = decided("deny")
    data["reasons"][0]["layer"] = "session"
    await told.tell(EventType.INTENT_DENIED, "int_1", data)
    await told.tell(EventType.INTENT_DENIED, "int_2", decided("deny"))
    assert [each.out_of_scope for each in await told.all()] == [True, False]


@pytest.mark.parametrize(
    "data",
    [
        {**decided("allow"), "effect": "maybe"},
        {**decided("allow"), "effect": None},
        {"reasons": []},
        {**decided("allow"), "reasons": [{"action": "desk:Read"}]},
        {**decided("allow"), "reasons": ["desk:Read"]},
        {**decided("allow"), "reasons": 5},
        {**decided("allow"), "context": ["source_ip"]},
        {**decided("allow"), "context": None},
    ],
)
async def test_an_event_that_holds_no_readable_decision_is_said_to_be_unreadable(
    told: Told, data: dict[str, Any]
) -> None:
    await told.tell(EventType.INTENT_EXECUTING, "int_1", data)
    with pytest.raises(UnreadableEventError):
        await told.all()
