"""Prompts and answers are kept where a project wants it, sealed, for a time, and read on the record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker.config.content import Store
from broker.contents.capture import MAX_PART_BYTES, STEP_BYTES, ContentPart
from broker.contents.service import MAX_HELD_BYTES, MAX_WAITING, Contents, Kept, KeptPart, Parts
from broker.errors import LedgerUnavailableError
from broker.ids import IntentId
from broker.ledger.events import parse_event
from broker.model import IntentDraft, IntentState
from broker.outcome import Outcome, Problem, ProblemKind
from broker.store.base import EventFilter
from broker.store.contents import EXPIRED_AT_ONCE, Piece
from connectors.base import CallResult, Plan
from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.usage import Estimate
from tests.house import CONNECTION, OSTIARY_YAML, SECRET, House, PaperVault, open_house
from tests.parts.streams import PaperExchange, PaperUpload
from tests.unit.connectors.git.leaks.samples import filled

pytestmark = pytest.mark.req("L1")

TOKEN = filled("ghp_{C}").encode()
PROMPT = b'{"model": "m", "messages": ["my token is ' + TOKEN + b'"]}'
STARS = b"*" * len(SECRET)
DAY = 86_400


@pytest.fixture
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """A house whose project keeps what the test says; everything it does is metered."""
    terms = getattr(request, "param", "{store: full, retention_days: 7}")
    config = tmp_path / "config"
    (config / "policies").mkdir(parents=True)
    text = OSTIARY_YAML.replace("desk: {connections: [paper]}", f"desk: {{connections: [paper], content: {terms}}}")
    (config / "ostiary.yaml").write_text(text)
    (config / "policies" / "scribe.yaml").write_text(
        "version: 1\nagent: scribe\npolicies:\n  - paper:Read on sheets/*\n"
        "  - allow: paper:Write on sheets/gated\n    requires_approval: true\n    approval_timeout: 10m\n"
    )
    async with open_house(tmp_path) as opened:
        opened.connector.estimate = Estimate(metered=True)
        yield opened


def answering(*chunks: bytes, live: bool = False, error: Exception | None = None) -> Any:
    async def body() -> Any:
        for chunk in chunks:
            yield chunk
        if error:
            raise error

    async def deed(plan: Plan) -> CallResult:
        if plan.stream is not None:
            assert [piece async for piece in plan.stream]
        return CallResult({"status": 200}, body=body(), media_type="text/event-stream", live=live)

    return deed


async def ask(house: House, exchange: Any = None, *, prompt: bytes = PROMPT, verb: str = "Read") -> Outcome:
    exchange = exchange or PaperExchange(PaperUpload(prompt[:9], prompt[9:]))
    params = {"name": "gated" if verb == "Write" else "free", "body": {"upload": {"bytes": len(prompt)}}}
    outcome = await house.broker.submit(
        await house.session(), IntentDraft(f"paper:{verb}", params), wait_seconds=0, exchange=exchange
    )
    await house.built.contents.settled()
    return outcome


async def read(house: House, outcome: Outcome) -> Kept:
    kept = await house.built.contents.read(IntentId(outcome.intent_id), house.operator("olivia"))
    assert isinstance(kept, Kept)
    return kept


async def refused(house: House, outcome: Outcome) -> ProblemKind:
    kept = await house.built.contents.read(IntentId(outcome.intent_id), house.operator("olivia"))
    assert isinstance(kept, Problem)
    return kept.kind


def contents_of(house: House, vault: PaperVault) -> Contents:
    """What another process of the house would keep and read with."""
    return Contents(
        Parts(
            store=house.contents, outputs=house.outputs, encloser=vault, scrubber=vault, reader=house.reader,
            committer=house.ledger, clock=house.clock, configuration=house.policies,
        )
    )  # fmt: skip


def metered(house: House) -> Plan:
    return house.connector.plan("paper:Read", {"name": "free"}, CONNECTION)


def part(kept: Kept, name: ContentPart) -> KeptPart:
    return kept.parts[name]


async def test_prompt_and_answer_are_kept_as_they_were_but_for_the_values_of_the_vault(house: House) -> None:
    house.connector.deed = answering(b"the answer ", SECRET, b".")
    prompt = PROMPT + SECRET
    kept = await read(house, await ask(house, prompt=prompt))
    assert part(kept, ContentPart.PROMPT) == KeptPart(PROMPT + STARS, len(prompt), cut=False, masked=1)
    assert part(kept, ContentPart.ANSWER).data == b"the answer " + STARS + b"."
    assert (kept.store, kept.kept_at_ns) == (Store.FULL, house.clock.now_ns())
    assert kept.expires_at_ns == house.clock.now_ns() + 7 * DAY * 10**9


@pytest.mark.parametrize("house", ["redacted"], indirect=True)
async def test_what_looks_like_a_secret_is_masked_in_both_where_only_that_is_kept(house: House) -> None:
    pieces = [b'data: {"delta": {"text": "%b"}}\n\n' % text for text in (TOKEN[:7], TOKEN[7:])]
    house.connector.deed = answering(*pieces, b"", b"data: end\n\n", live=True)
    kept = await read(house, await ask(house))
    assert TOKEN not in part(kept, ContentPart.PROMPT).data
    assert part(kept, ContentPart.PROMPT).masked > 0
    assert json.loads(part(kept, ContentPart.PROMPT).data)["model"] == "m"
    answer = part(kept, ContentPart.ANSWER).data
    assert (TOKEN[:7] in answer, TOKEN[7:] in answer) == (False, False)
    assert answer.endswith(b"data: end\n\n")
    assert kept.expires_at_ns == house.clock.now_ns() + 30 * DAY * 10**9


@pytest.mark.parametrize("house", ["redacted"], indirect=True)
async def test_what_no_rule_can_look_at_is_not_kept_where_it_would_have_to_be_masked(house: House) -> None:
    house.connector.deed = answering(b"\0\0\1\xff frames")
    answer = part(await read(house, await ask(house)), ContentPart.ANSWER)
    assert (answer.data, answer.size_bytes) == (b"", 11)
    assert answer.withheld


async def test_a_value_of_the_vault_that_a_model_wrote_in_two_events_is_masked_before_it_is_kept(house: House) -> None:
    pieces = [b'data: {"delta": {"text": "%b"}}\n\n' % text for text in (SECRET[:9], SECRET[9:])]
    house.connector.deed = answering(*pieces, b"", b"end", live=True)
    answer = part(await read(house, await ask(house)), ContentPart.ANSWER).data
    assert (SECRET[:9] in answer, SECRET[9:] in answer) == (False, False)


async def test_nothing_in_the_store_can_be_read_without_the_vault(house: House, tmp_path: Path) -> None:
    house.connector.deed = answering(b"the answer")
    outcome = await ask(house)
    for index, name in ((0, "about"), (0, "prompt"), (0, "answer")):
        sealed = await house.contents.read(IntentId(outcome.intent_id), name, index, house.clock.now_ns())
        assert sealed is not None
        assert b"my token" not in sealed
        assert b"the answer" not in sealed
    house.vault.sealed = True
    assert await refused(house, outcome) is ProblemKind.VAULT_UNAVAILABLE


@pytest.mark.parametrize("house", ["none", "{store: none}"], indirect=True)
async def test_a_project_that_wants_nothing_kept_has_nothing_kept(house: House) -> None:
    house.connector.deed = answering(b"the answer")
    assert await refused(house, await ask(house)) is ProblemKind.NOT_FOUND


async def test_what_is_not_metered_is_not_kept(house: House) -> None:
    house.connector.estimate = Estimate()
    house.connector.deed = answering(b"the answer")
    assert await refused(house, await ask(house)) is ProblemKind.NOT_FOUND


async def test_a_call_of_which_nothing_was_sent_leaves_nothing(house: House) -> None:
    house.vault.sealed = True
    outcome = await ask(house)
    house.vault.sealed = False
    assert outcome.problem is not None
    assert await refused(house, outcome) is ProblemKind.NOT_FOUND


async def test_a_stream_that_was_cut_keeps_what_went_out(house: House) -> None:
    house.connector.deed = answering(b"x" * 100, b"y" * 100, live=True, error=OutcomeUnknownError("cut"))
    exchange = PaperExchange(PaperUpload(PROMPT))
    outcome = await ask(house, exchange)
    assert outcome.state is IntentState.FAILED
    answer = part(await read(house, outcome), ContentPart.ANSWER)
    assert (answer.data, answer.cut) == (b"".join(exchange.written), True)
    assert exchange.written


async def test_a_client_that_went_away_leaves_what_it_got(house: House) -> None:
    house.connector.deed = answering(b"x" * 100, b"y" * 100, b"", b"z", live=True)
    exchange = PaperExchange(PaperUpload(PROMPT), gone_after=1)
    answer = part(await read(house, await ask(house, exchange)), ContentPart.ANSWER)
    assert (answer.data, answer.cut) == (b"".join(exchange.written), True)


async def test_the_end_of_a_stream_is_kept_with_it(house: House) -> None:
    house.connector.deed = answering(b"x" * 100, b"", b"end", live=True)
    answer = part(await read(house, await ask(house)), ContentPart.ANSWER)
    assert (answer.data, answer.cut) == (b"x" * 100 + b"end", False)


async def test_the_no_of_an_upstream_is_an_answer(house: House) -> None:
    async def no(plan: Plan) -> CallResult:
        assert plan.stream is not None
        assert [piece async for piece in plan.stream]
        answer = CallResult({"status": 400, "body": {"text": "no, " + SECRET.decode()}})
        raise UpstreamRefusedError("refused", status=400, code="bad", answer=answer)

    house.connector.deed = no
    kept = await read(house, await ask(house))
    assert part(kept, ContentPart.ANSWER).data == b"no, " + STARS
    assert part(kept, ContentPart.PROMPT).data == PROMPT


@pytest.mark.parametrize("size", [10, 300_000])
async def test_an_answer_no_door_waited_for_is_kept_as_well(house: House, size: int) -> None:
    house.connector.deed = answering(b"a" * size)
    exchange = PaperExchange(PaperUpload(PROMPT), streams=False)
    answer = part(await read(house, await ask(house, exchange)), ContentPart.ANSWER)
    assert (answer.data, answer.cut) == (b"a" * size, False)


async def test_a_call_that_people_allowed_is_kept_when_it_is_made(house: House) -> None:
    house.connector.deed = answering(b"the answer")
    parked = await ask(house, verb="Write")
    assert await refused(house, parked) is ProblemKind.NOT_FOUND
    await house.approve(parked.approval_id)
    assert [outcome.state for outcome in await house.work() if outcome] == [IntentState.SUCCEEDED]
    await house.built.contents.settled()
    kept = await read(house, parked)
    assert (part(kept, ContentPart.PROMPT).data, part(kept, ContentPart.ANSWER).data) == (PROMPT, b"the answer")


async def test_a_prompt_that_is_too_long_is_cut_and_so_is_a_secret_that_lies_on_the_cut(house: House) -> None:
    house.connector.deed = answering(b"ok")
    prompt = b"p" * (MAX_PART_BYTES - 10) + SECRET
    found = part(await read(house, await ask(house, prompt=prompt)), ContentPart.PROMPT)
    assert (found.size_bytes, found.cut) == (len(prompt), True)
    assert found.data == b"p" * len(found.data)
    assert len(found.data) > MAX_PART_BYTES - 100


async def test_that_somebody_read_is_on_the_ledger_and_nothing_of_what_they_read(house: House) -> None:
    house.connector.deed = answering(b"the answer")
    outcome = await ask(house)
    await house.built.contents.read(IntentId(outcome.intent_id), house.operator("olivia"), (ContentPart.ANSWER,))
    (event,) = [parse_event(each.body) for each in await house.reader.events(EventFilter(type="content.read"))]
    assert (event.operator, event.intent_id, event.agent) == ("olivia", outcome.intent_id, "scribe")
    assert event.data == {"parts": ["answer"], "kept": "full"}
    for each in await house.reader.events(EventFilter()):
        assert b"the answer" not in each.body
        assert b"my token" not in each.body


async def test_nothing_is_shown_that_cannot_be_recorded(house: House) -> None:
    house.connector.deed = answering(b"the answer")
    outcome = await ask(house)
    await house.ledger.aclose()
    with pytest.raises(LedgerUnavailableError):
        await read(house, outcome)


async def test_it_is_durable_before_the_vault_is_asked_for_any_of_it(house: House) -> None:
    house.connector.deed = answering(b"the answer")
    outcome, opened = await ask(house), []

    class Watched(PaperVault):
        async def disclose(self, name: str, part: str, index: int, sealed: bytes) -> bytes:
            opened.append((part, len(await house.reader.events(EventFilter(type="content.read")))))
            return await super().disclose(name, part, index, sealed)

    await contents_of(house, Watched()).read(IntentId(outcome.intent_id), house.operator("olivia"))
    assert opened == [("about", 0), ("prompt", 1), ("answer", 1)]


@pytest.mark.parametrize("fault", ["lost", "swapped"])
async def test_what_was_changed_in_the_store_is_not_shown(house: House, fault: str) -> None:
    house.connector.deed = answering(b"the answer")
    outcome = await ask(house)
    intent_id, now_ns = IntentId(outcome.intent_id), house.clock.now_ns()
    names = ("about", "prompt", "answer")
    sealed = {name: await house.contents.read(intent_id, name, 0, now_ns) for name in names}
    await house.contents.discard(intent_id)
    if fault == "swapped":
        sealed["prompt"] = sealed["answer"]
    for name in names:
        if name != "prompt" or fault == "swapped":
            await house.contents.append(Piece(intent_id, name, 0, now_ns + 1, sealed[name] or b""))
    assert await refused(house, outcome) is ProblemKind.OUTPUT_GONE


async def test_an_end_that_was_moved_in_the_store_moves_nothing(house: House) -> None:
    house.connector.deed = answering(b"the answer")
    outcome = await ask(house)
    intent_id, now_ns = IntentId(outcome.intent_id), house.clock.now_ns()
    about = await house.contents.read(intent_id, "about", 0, now_ns)
    await house.contents.discard(intent_id)
    await house.contents.append(Piece(intent_id, "about", 0, now_ns * 2, about or b""))
    house.clock.advance(7 * DAY)
    assert await refused(house, outcome) is ProblemKind.NOT_FOUND


async def test_pieces_without_the_one_that_tells_of_them_are_nothing(house: House) -> None:
    house.connector.estimate = Estimate()
    outcome = await ask(house)
    await house.contents.append(Piece(IntentId(outcome.intent_id), "prompt", 0, house.clock.now_ns() * 2, b"x"))
    assert await refused(house, outcome) is ProblemKind.NOT_FOUND
    unknown = Outcome("int_" + "0" * 26, outcome.state)
    assert await refused(house, unknown) is ProblemKind.NOT_FOUND


async def test_what_has_had_its_time_is_not_shown_and_goes(house: House) -> None:
    house.connector.deed = answering(b"the answer")
    outcome = await ask(house)
    house.clock.advance(7 * DAY - 1)
    await house.built.contents.expire()
    await read(house, outcome)
    house.clock.advance(1)
    assert await refused(house, outcome) is ProblemKind.NOT_FOUND
    await house.built.contents.expire()
    assert await house.contents.read(IntentId(outcome.intent_id), "about", 0, 0) is None


async def test_much_that_has_had_its_time_goes_in_one_look(house: House) -> None:
    for number in range(EXPIRED_AT_ONCE + 3):
        await house.contents.append(Piece(IntentId(f"int_{number}"), "prompt", 0, 5, b"x"))
    await house.built.contents.expire()
    assert await house.contents.expire(house.clock.now_ns()) == 0


@pytest.mark.parametrize("part_name", ["prompt", "answer", "about"])
async def test_an_answer_is_not_held_up_by_what_cannot_be_kept_and_nothing_is_half_kept(
    house: House, part_name: str
) -> None:
    house.connector.deed = answering(b"the answer")
    house.vault.unenclosed = part_name
    outcome = await ask(house)
    assert (outcome.state, outcome.body) == (IntentState.SUCCEEDED, b"the answer")
    for name in ("prompt", "answer", "about"):
        assert await house.contents.read(IntentId(outcome.intent_id), name, 0, 0) is None


async def test_a_process_that_ends_keeps_what_it_heard(house: House) -> None:
    house.connector.deed = answering(b"the answer")
    exchange = PaperExchange(PaperUpload(PROMPT))
    params = {"name": "free", "body": {"upload": {"bytes": len(PROMPT)}}}
    draft = IntentDraft("paper:Read", params)
    outcome = await house.broker.submit(await house.session(), draft, wait_seconds=0, exchange=exchange)
    await house.built.contents.aclose()
    assert part(await read(house, outcome), ContentPart.ANSWER).data == b"the answer"


async def test_what_cannot_be_kept_in_time_is_given_up(house: House) -> None:
    asked = asyncio.Event()

    class Silent(PaperVault):
        async def enclose(self, name: str, part: str, index: int, plain: bytes) -> bytes:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    contents = contents_of(house, Silent())
    record = await house.record((await ask(house)).intent_id)
    for _ in range(MAX_WAITING + 1):
        capture = contents.hear(record, metered(house))
        capture.prompt.take(b"x")
        contents.keep(capture)
    await asked.wait()
    await contents.aclose(seconds=0)
    await contents.settled()
    assert await house.contents.expire(house.clock.now_ns() * 2) <= 1


async def test_all_calls_together_hold_no_more_than_a_process_has_room_for(house: House) -> None:
    contents = contents_of(house, house.vault)
    record = await house.record((await ask(house)).intent_id)
    captures = [contents.hear(record, metered(house)) for _ in range(MAX_HELD_BYTES // MAX_PART_BYTES + 3)]
    piece = bytes(MAX_PART_BYTES)
    for capture in captures:
        capture.prompt.take(piece)
    assert sum(each.held_bytes for each in captures) <= MAX_HELD_BYTES + len(captures) * STEP_BYTES
    assert captures[-1].prompt.cut
    captures.clear()
    del capture
    late = contents.hear(record, metered(house))
    late.prompt.take(piece)
    assert not late.prompt.cut
