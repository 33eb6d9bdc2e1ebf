"""What is found out before an intent is planned: by reads of the same session, never from what a client says."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.ids import ApprovalId
from broker.ledger.events import parse_event
from broker.model import IntentDraft, IntentState, Session
from broker.outcome import Outcome, ProblemKind
from broker.store.base import EventFilter
from connectors.base import CallResult, Connection, JsonObject, Plan
from connectors.errors import NotSentError, UpstreamRefusedError
from connectors.inspection import Ask, Evidence, Inquiry
from tests.house import SCRIBE_YAML, SECRET, House, PaperConnector, open_house, write_policy
from tests.parts.streams import PaperExchange, PaperUpload

BODY = b"the body"
POLICY = """
  - allow: paper:Write on sheets/counted
    when: {params.lines: {max: 3}}
"""


class Probing(PaperConnector):
    """Looks into writes: reads a sheet first, counts the lines of what comes in, and plans with that."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: tuple[Ask, ...] = (Ask("paper:Read", {"name": "free"}),)
        self.shown_asks: tuple[Ask, ...] = ()
        self.evidence = Evidence(found={"lines": 1}, facts={"lines": 1}, preview={"lines": 1})
        self.fault: Exception | None = None
        self.seen: list[Inquiry] = []
        self.left = 0
        self.deed = self.answer

    def inspects(self, action: str) -> bool:
        return action == "paper:Write"

    def asks(self, action: str, params: JsonObject, connection: Connection) -> tuple[Ask, ...]:
        return self.asked

    @asynccontextmanager
    async def inspect(
        self, action: str, params: JsonObject, connection: Connection, inquiry: Inquiry
    ) -> AsyncGenerator[Evidence, None]:
        self.seen.append(inquiry)
        if self.fault:
            raise self.fault
        evidence = self.evidence
        if inquiry.upload is not None:
            body = b"".join([piece async for piece in inquiry.upload])
            said = {"upload": {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}}
            evidence = replace(evidence, params={"name": params["name"], "body": said}, upload=Again(body))
        yield evidence
        self.left += 1

    def plan_on(self, action: str, params: JsonObject, connection: Connection, found: JsonObject) -> Plan:
        plan = self.plan(action, params, connection)
        return replace(plan, call={**plan.call, "found": found}, trace={"name": params["name"]})

    def preview_asks(self, plan: Plan) -> tuple[Ask, ...]:
        return self.shown_asks

    def preview(self, plan: Plan, seen: JsonObject, answers: tuple[JsonObject | None, ...]) -> JsonObject:
        return {"kind": "paper.write", **seen, "answers": list(answers)}

    async def answer(self, plan: Plan) -> CallResult:
        taken = b"" if plan.stream is None else b"".join([piece async for piece in plan.stream])
        return CallResult({"name": plan.call["name"], "taken": taken.decode(), "attempt": plan.attempt})


class Again:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self.trailers: dict[str, str] = {}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


@pytest.fixture
async def probe(tmp_path: Path) -> AsyncIterator[tuple[House, Probing]]:
    connector = Probing()
    write_policy(tmp_path, SCRIBE_YAML + POLICY)
    async with open_house(tmp_path, connector=connector) as house:
        yield house, connector


async def ask(house: House, session: Session, name: str = "free", exchange: Any = None, **more: Any) -> Outcome:
    draft = IntentDraft("paper:Write", {"name": name, **more})
    return await house.broker.submit(session, draft, wait_seconds=0, exchange=exchange)


def kind(outcome: Outcome) -> ProblemKind | None:
    return outcome.problem.kind if outcome.problem else None


async def test_a_plan_rests_on_reads_that_are_intents_of_the_same_session(probe: tuple[House, Probing]) -> None:
    house, connector = probe
    session = await house.session()
    outcome = await ask(house, session)
    assert outcome.state is IntentState.SUCCEEDED
    assert [plan.action for plan in connector.sent] == ["paper:Read", "paper:Write"]
    assert connector.seen[0].answers == ({"name": "free", "taken": "", "attempt": connector.sent[0].attempt},)
    assert (connector.sent[1].call["found"], connector.left) == ({"lines": 1}, 1)
    events = [parse_event(each.body) for each in await house.reader.events(EventFilter(session_id=session.id))]
    read, write = (event.data for event in events if event.type == "intent.executing")
    assert (read["context"]["part_of"], write["trace"]) == (outcome.intent_id, {"name": "free"})
    assert connector.sent[1].attempt == outcome.intent_id


async def test_nobody_causes_a_read_they_may_not_do_themselves(probe: tuple[House, Probing]) -> None:
    house, connector = probe
    connector.asked = (Ask("paper:Read", {"name": "forbidden"}),)
    outcome = await ask(house, await house.session())
    assert (outcome.state, kind(outcome), connector.sent) == (IntentState.DENIED, ProblemKind.DENIED, [])


@pytest.mark.parametrize(
    "asked",
    [Ask("paper:Write", {"name": "free"}), Ask("paper:Reveal", {"name": "free"}), Ask("s3:GetObject", {"name": "x"})],
    ids=["a write", "a secret", "a service the project has not"],
)
async def test_what_is_asked_is_a_read_the_project_has(probe: tuple[House, Probing], asked: Ask) -> None:
    house, connector = probe
    connector.asked = (asked,)
    assert kind(await ask(house, await house.session())) is ProblemKind.DENIED
    assert connector.sent == []


async def test_an_optional_read_may_have_no_answer(probe: tuple[House, Probing]) -> None:
    house, connector = probe
    connector.asked = (Ask("s3:GetObject", {}, optional=True), Ask("paper:Read", {"name": "forbidden"}, optional=True))
    assert (await ask(house, await house.session())).state is IntentState.SUCCEEDED
    assert connector.seen[0].answers == (None, None)


async def test_a_read_that_people_must_allow_first_is_said_to_be_missing(probe: tuple[House, Probing]) -> None:
    house, _ = probe
    write_policy(
        house.broker.settings.data,
        SCRIBE_YAML.replace(
            "  - paper:Read on sheets/*\n", "  - allow: paper:Read on sheets/*\n    requires_approval: true\n"
        ),
    )
    assert await house.broker.reload() == []
    outcome = await ask(house, await house.session())
    assert kind(outcome) is ProblemKind.DENIED
    assert outcome.problem is not None
    assert outcome.problem.fix


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (UpstreamRefusedError("moved", code="stale"), ProblemKind.STALE_TARGET),
        (UpstreamRefusedError("too large", code="too-large"), ProblemKind.UPSTREAM_REFUSED),
        (NotSentError("no disk"), ProblemKind.UPSTREAM_UNREACHABLE),
    ],
)
async def test_what_cannot_be_looked_into_is_refused_and_recorded(
    probe: tuple[House, Probing], fault: Exception, expected: ProblemKind
) -> None:
    house, connector = probe
    connector.fault = fault
    session = await house.session()
    outcome = await ask(house, session)
    assert (outcome.state, kind(outcome)) == (IntentState.REFUSED, expected)
    assert (await house.event_types(session_id=session.id))[-1] == "intent.refused"
    assert [plan.action for plan in connector.sent] == ["paper:Read"]


async def test_what_was_found_out_is_a_fact_of_policy_and_wins_over_a_param(probe: tuple[House, Probing]) -> None:
    house, connector = probe
    session = await house.session()
    assert (await ask(house, session, "counted")).state is IntentState.SUCCEEDED
    connector.evidence = replace(connector.evidence, facts={"lines": 9})
    assert (await ask(house, session, "counted")).state is IntentState.DENIED


async def test_a_body_that_was_looked_into_is_sent_as_it_was(probe: tuple[House, Probing]) -> None:
    house, _ = probe
    outcome = await ask(
        house, await house.session(), exchange=PaperExchange(PaperUpload(BODY)), body={"upload": {"bytes": 0}}
    )
    assert outcome.result["taken"] == BODY.decode()


async def test_an_approved_intent_is_planned_from_what_people_were_shown(probe: tuple[House, Probing]) -> None:
    house, connector = probe
    outcome = await ask(
        house, await house.session(), "gated", PaperExchange(PaperUpload(BODY)), body={"upload": {"bytes": 0}}
    )
    approval = await house.reader.approval(ApprovalId(outcome.approval_id))
    assert approval is not None
    assert approval.preview == {"kind": "paper.write", "lines": 1, "answers": []}
    connector.evidence = replace(connector.evidence, found={"lines": 7})
    await house.approve(outcome.approval_id)
    (done,) = await house.work()
    assert done is not None
    assert (done.state, done.result["taken"]) == (IntentState.SUCCEEDED, BODY.decode())
    assert (connector.sent[-1].call["found"], len(connector.seen)) == ({"lines": 1}, 1)


async def test_what_people_are_shown_is_read_for_them_and_scanned(probe: tuple[House, Probing]) -> None:
    house, connector = probe
    connector.shown_asks = (Ask("paper:Read", {"name": "shown"}, optional=True), Ask("s3:GetObject", {}, optional=True))
    connector.evidence = replace(connector.evidence, preview={"quoted": f"see {SECRET.decode()}"})
    outcome = await ask(house, await house.session(), "gated")
    approval = await house.reader.approval(ApprovalId(outcome.approval_id))
    assert approval is not None
    assert approval.preview["quoted"] == "see " + "*" * len(SECRET)
    assert [answer and answer["name"] for answer in approval.preview["answers"]] == ["shown", None]


async def test_a_preview_too_large_to_show_says_so(probe: tuple[House, Probing]) -> None:
    house, connector = probe
    connector.evidence = replace(connector.evidence, preview={"quoted": "x" * (65 << 10)})
    outcome = await ask(house, await house.session(), "gated")
    approval = await house.reader.approval(ApprovalId(outcome.approval_id))
    assert approval is not None
    assert approval.preview.keys() == {"kind", "withheld"}


async def test_nothing_is_asked_of_people_while_the_scan_cannot_run(probe: tuple[House, Probing]) -> None:
    house, connector = probe
    connector.asked = ()
    session = await house.session()
    house.vault.sealed = True
    assert kind(await ask(house, session, "gated")) is ProblemKind.VAULT_UNAVAILABLE
    assert await house.reader.approvals(()) == []


async def test_a_dry_run_looks_into_the_draft_and_leaves_nothing(probe: tuple[House, Probing]) -> None:
    house, connector = probe
    draft = IntentDraft("paper:Write", {"name": "gated"}, dry_run=True)
    outcome = await house.broker.submit(await house.session(), draft, wait_seconds=0)
    assert (outcome.state, outcome.dry_run, connector.left) == (IntentState.PENDING_APPROVAL, True, 1)
    assert await house.reader.approvals(()) == []
