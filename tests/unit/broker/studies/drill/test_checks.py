"""What the checks say of a broker that does not do as it should: a real one, seen through a part that lies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from broker.config.model import Configuration
from broker.ids import ApprovalId
from broker.model import Approval, ApprovalState, IntentDraft, IntentState, Session
from broker.outcome import Outcome
from broker.store.base import EventFilter, EventType, StoredEvent
from broker.studies.drill.checks import AgentDrill
from broker.studies.drill.report import Check, CheckName, Verdict
from broker.studies.drill.scratch import DrillError, Scratch, open_scratch
from connectors.base import Connector
from connectors.usage import Estimate
from tests.house import ManualClock, PaperConnector
from tests.unit.broker.studies.drill.folder import MAIN, SCRIBE, configured


@dataclass
class Stage:
    """A drill about to be held."""

    scratch: Scratch
    configuration: Configuration
    connectors: dict[str, Connector]

    async def checks(self, *, broker: Any = None, reader: Any = None) -> dict[CheckName, Check]:
        """The scribe's checks, with a part of the broker in place of the real one."""
        built = replace(self.scratch.built, broker=broker) if broker else self.scratch.built
        scratch = replace(self.scratch, built=built, reader=reader or self.scratch.reader)
        found = await AgentDrill(scratch, self.configuration, self.connectors, "scribe").run()
        return {each.name: each for each in found}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    connectors: dict[str, Connector] = {"paper": PaperConnector()}
    configuration = configured(tmp_path, connectors, MAIN, scribe=SCRIBE)
    async with open_scratch(configuration, connectors, ManualClock(), tmp_path / "scratch") as scratch:
        yield Stage(scratch, configuration, connectors)


class Careless:
    """A broker that tells dry runs the truth and then does everything."""

    def __init__(self, broker: Any) -> None:
        self._broker = broker
        self.treasury = broker.treasury

    async def submit(self, session: Session, draft: IntentDraft, *, wait_seconds: float) -> Outcome:
        outcome: Outcome = await self._broker.submit(session, draft, wait_seconds=wait_seconds)
        return outcome if draft.dry_run else replace(outcome, state=IntentState.SUCCEEDED, approval_id="", problem=None)


class Forgetful:
    """A reader that does not find events of some kind, and finds approvals as open as they were."""

    def __init__(self, reader: Any, *, without: EventType | None = None, undying: bool = False) -> None:
        self._reader = reader
        self._without = without
        self._undying = undying

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    async def events(self, wanted: EventFilter) -> list[StoredEvent]:
        found: list[StoredEvent] = await self._reader.events(wanted)
        return [] if wanted.type == self._without else found

    async def approvals(self, states: tuple[ApprovalState, ...], **wanted: Any) -> list[Approval]:
        found: list[Approval] = await self._reader.approvals(states, **wanted)
        return found

    async def approval(self, approval_id: ApprovalId) -> Approval | None:
        found: Approval | None = await self._reader.approval(approval_id)
        return replace(found, state=ApprovalState.PENDING) if found and self._undying else found


async def test_a_broker_that_does_what_it_should_deny_or_ask_about_fails_every_check(stage: Stage) -> None:
    found = await stage.checks(broker=Careless(stage.scratch.built.broker))
    for name in (CheckName.OUTSIDE_POLICY, CheckName.NEEDS_APPROVAL, CheckName.OTHER_PROJECT):
        assert found[name].verdict is Verdict.FAILED
        assert "succeeded" in found[name].found


async def test_a_denial_that_is_not_on_the_ledger_fails(stage: Stage) -> None:
    found = await stage.checks(reader=Forgetful(stage.scratch.reader, without=EventType.INTENT_DENIED))
    assert [each.verdict for each in found.values()] == [
        Verdict.FAILED, Verdict.PASSED, Verdict.NOT_CONFIGURED, Verdict.FAILED,
    ]  # fmt: skip


BUDGETED = MAIN.replace("scribe: {project: desk}", "scribe: {project: desk, budget: {max_tokens_per_day: 1000}}")


@pytest.fixture
async def budgeted(tmp_path: Path) -> AsyncIterator[Stage]:
    connector = PaperConnector()
    connector.estimate = Estimate(metered=True, input_tokens=10, output_tokens=5)
    connectors: dict[str, Connector] = {"paper": connector}
    configuration = configured(tmp_path, connectors, BUDGETED, scribe=SCRIBE)
    async with open_scratch(configuration, connectors, ManualClock(), tmp_path / "scratch") as scratch:
        yield Stage(scratch, configuration, connectors)


async def test_near_the_token_limit_an_alert_is_raised_and_a_call_beyond_it_is_held(budgeted: Stage) -> None:
    found = (await budgeted.checks())[CheckName.TOKEN_LIMIT]
    assert found.verdict is Verdict.PASSED, found
    assert "paper:Read" in found.found
    assert found.event > 0


async def test_a_broker_that_lets_calls_through_beyond_a_budget_fails(budgeted: Stage) -> None:
    found = await budgeted.checks(broker=Careless(budgeted.scratch.built.broker))
    assert found[CheckName.TOKEN_LIMIT].verdict is Verdict.FAILED
    assert "succeeded" in found[CheckName.TOKEN_LIMIT].found


async def test_a_threshold_without_an_alert_fails(budgeted: Stage) -> None:
    found = await budgeted.checks(reader=Forgetful(budgeted.scratch.reader, without=EventType.ALERT_RAISED))
    assert found[CheckName.TOKEN_LIMIT].verdict is Verdict.FAILED


async def test_a_request_that_is_not_on_the_ledger_fails(stage: Stage) -> None:
    found = await stage.checks(reader=Forgetful(stage.scratch.reader, without=EventType.INTENT_PARKED))
    assert found[CheckName.NEEDS_APPROVAL].verdict is Verdict.FAILED


async def test_an_approval_that_outlives_its_session_fails(stage: Stage) -> None:
    found = await stage.checks(reader=Forgetful(stage.scratch.reader, undying=True))
    assert (found[CheckName.NEEDS_APPROVAL].verdict, found[CheckName.OUTSIDE_POLICY].verdict) == (
        Verdict.FAILED, Verdict.PASSED,
    )  # fmt: skip


async def test_what_would_act_is_noted_and_gets_nothing(stage: Stage) -> None:
    session = await stage.scratch.session("scribe")
    outcome = await stage.scratch.built.broker.submit(session, IntentDraft("paper:Read", {"name": "a"}), wait_seconds=0)
    assert outcome.state is IntentState.FAILED
    assert [each.split()[0] for each in stage.scratch.outside.tried] == ["lease"]
    connector = stage.connectors["paper"]
    assert isinstance(connector, PaperConnector)
    assert connector.sent == []


async def test_an_agent_that_cannot_have_a_session_cannot_be_drilled(stage: Stage) -> None:
    with pytest.raises(DrillError, match="nobody"):
        await stage.scratch.session("nobody")
