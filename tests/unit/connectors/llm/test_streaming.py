"""A stream is held back until it is one, handed on as it comes, and never ended when it was cut."""

from __future__ import annotations

import asyncio
import hashlib
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.llm.connector import LlmConnector
from connectors.llm.streaming import MAX_HELD_BYTES
from connectors.llm.words import Dialect
from tests.fakes import Answer
from tests.unit.connectors.llm.desk import (
    BLOCK,
    CHAT,
    DELTA,
    DONE,
    EVENTS,
    MESSAGE,
    OPENAI,
    OVERLOADED,
    PING,
    RESPONSES,
    START,
    STOP,
    STREAM,
    connection,
    executed,
    hours_pass,
    lease,
    planned,
    raw,
    text_of,
)
from tests.unit.connectors.llm.streams import ASKED, CUT, WHOLE, Fed, begun, followed, started


async def test_a_stream_passes_whole_with_its_end_apart() -> None:
    result = await begun(*STREAM)
    assert (result.live, result.media_type) == (True, EVENTS["content-type"])
    chunks, error = await followed(result)
    assert error is None
    assert b"".join(chunks) == WHOLE
    assert chunks.count(b"") == 1
    assert b"".join(chunks[chunks.index(b"") :]) == STOP
    usage = result.usage
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (1042, 17, False)
    assert (usage.request_bytes, usage.response_bytes) == (len(ASKED), len(WHOLE))
    assert result.facts["llm"]["answer"] == {"bytes": len(WHOLE), "sha256": hashlib.sha256(WHOLE).hexdigest()}
    assert result.facts["llm"]["served"] == "claude-opus-4-8"


async def test_content_is_handed_on_before_the_answer_has_ended() -> None:
    fed = Fed()
    result = await started(fed)
    assert result.body is not None
    assert b"".join([await anext(result.body) for _ in range(2)]) == START + BLOCK
    assert await anext(result.body) == DELTA
    more = asyncio.ensure_future(anext(result.body))
    await asyncio.sleep(0)
    assert not more.done()
    fed.say(DELTA)
    assert await more == DELTA
    fed.say(DONE, STOP, None)
    assert b"".join([chunk async for chunk in result.body]) == DONE + STOP
    assert not fed.open


async def test_nothing_is_an_answer_before_its_first_content() -> None:
    fed = Fed()
    fed.say(START, PING, PING)
    where = connection()
    running = asyncio.ensure_future(LlmConnector().execute(planned(ASKED, where), where, lease(), fed))
    await fed.awaited.wait()
    assert not running.done()
    fed.say(BLOCK)
    result = await running
    assert result.body is not None
    await result.body.aclose()
    assert not fed.open


@pytest.mark.parametrize(
    ("chunks", "cut"),
    [
        ((), None),
        ((START,), None),
        ((START, PING), None),
        ((START[:20],), None),
        ((), CUT),
        ((START, PING), CUT),
    ],
)
async def test_a_stream_that_ends_before_content_may_be_asked_for_elsewhere(
    chunks: tuple[bytes, ...], cut: Exception | None
) -> None:
    with pytest.raises(OutcomeUnknownError) as caught:
        await begun(*chunks, cut=cut)
    assert caught.value.elsewhere
    assert caught.value.usage.estimated
    assert caught.value.usage.input_tokens > 0


async def test_a_stream_that_brings_no_content_in_time_is_given_up_and_closed() -> None:
    fed = Fed()
    fed.say(START)
    where = connection()
    running = asyncio.ensure_future(LlmConnector().execute(planned(ASKED, where), where, lease(), fed))
    await fed.awaited.wait()
    hours_pass()
    with pytest.raises(OutcomeUnknownError) as caught:
        await running
    assert caught.value.elsewhere
    assert not fed.open


@pytest.mark.parametrize("before", [(), (START,), (START, PING)])
async def test_an_error_before_content_may_be_asked_for_elsewhere_and_is_an_answer(before: tuple[bytes, ...]) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await begun(*before, OVERLOADED)
    error = caught.value
    assert (error.elsewhere, error.status, error.code) == (True, 529, "overloaded_error")
    answer = error.answer.data
    assert answer["status"] == 529
    assert answer["headers"] == {"content-type": "application/json"}
    assert json.loads(answer["body"]["text"]) == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
    }


async def test_an_error_after_content_is_handed_on_and_then_cut_off() -> None:
    result = await begun(START, BLOCK, DELTA, OVERLOADED, STOP)
    chunks, error = await followed(result)
    assert isinstance(error, OutcomeUnknownError)
    assert b"".join(chunks) == START + BLOCK + DELTA + OVERLOADED
    assert b"" not in chunks
    assert result.usage.estimated
    assert result.usage.output_tokens > 1


@pytest.mark.parametrize("cut", [None, CUT])
@pytest.mark.parametrize("kept", [3, 4, 5])
async def test_a_stream_without_its_last_event_is_never_ended_cleanly(kept: int, cut: Exception | None) -> None:
    result = await begun(*STREAM[:kept], cut=cut)
    chunks, error = await followed(result)
    assert isinstance(error, OutcomeUnknownError)
    assert b"".join(chunks) == b"".join(STREAM[:kept])
    assert b"" not in chunks
    assert result.usage.output_tokens > 0
    assert result.usage.input_tokens == 1042


async def test_an_answer_with_its_last_event_is_whole_whatever_the_connection_does() -> None:
    chunks, error = await followed(await begun(*STREAM, cut=CUT))
    assert error is None
    assert b"".join(chunks) == WHOLE


async def test_half_an_event_at_the_end_is_a_cut() -> None:
    chunks, error = await followed(await begun(START, BLOCK, DELTA, STOP[:-1]))
    assert isinstance(error, OutcomeUnknownError)
    assert b"" not in chunks


async def test_an_upstream_that_goes_on_after_its_end_is_not_followed() -> None:
    result = await begun(*STREAM, *(PING * 1000 for _ in range(MAX_HELD_BYTES // len(PING * 1000) + 2)))
    chunks, error = await followed(result)
    assert error is None or isinstance(error, OutcomeUnknownError)
    assert sum(map(len, chunks)) < MAX_HELD_BYTES + len(WHOLE) + len(PING * 1000)


async def test_an_endless_prelude_is_not_held_for_ever() -> None:
    flood = PING * 1000
    fed = Fed()
    fed.say(START, *(flood for _ in range(MAX_HELD_BYTES // len(flood) + 1)))
    where = connection()
    result = await LlmConnector().execute(planned(ASKED, where), where, lease(), fed)
    assert result.live
    assert result.body is not None
    await result.body.aclose()
    assert not fed.open


def chat(**members: Any) -> bytes:
    return b"data: " + json.dumps({"id": "c", "model": "gpt-5-2025-08-07", **members}).encode() + b"\n\n"


CHAT_STREAM = (
    chat(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}]),
    chat(choices=[{"index": 0, "delta": {"content": "hi"}}]),
    chat(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
)
CHAT_USAGE = chat(choices=[], usage={"prompt_tokens": 42, "completion_tokens": 17})
CHAT_END = b"data: [DONE]\n\n"


async def test_usage_the_client_did_not_ask_for_is_counted_and_kept_from_it() -> None:
    where = connection(OPENAI)
    for options, shown in (({}, b""), ({"stream_options": {"include_usage": True}}, CHAT_USAGE)):
        plan = planned(raw(CHAT, stream=True, **options), where, dialect=Dialect.CHAT)
        step = Answer(200, EVENTS, (*CHAT_STREAM, CHAT_USAGE, CHAT_END))
        result, _ = await executed(plan, step, where=where)
        assert await text_of(result) == b"".join(CHAT_STREAM) + shown + CHAT_END
        assert (result.usage.input_tokens, result.usage.output_tokens, result.usage.estimated) == (42, 17, False)
        assert result.usage.model == "openai/gpt-5"


async def test_a_failed_response_before_content_may_be_asked_for_elsewhere() -> None:
    where = connection(OPENAI)
    plan = planned(raw(RESPONSES, stream=True), where, dialect=Dialect.RESPONSES)
    failed = {"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "slow"}}}
    created = {"type": "response.created", "response": {"id": "r"}}
    chunks = tuple(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in (created, failed))
    with pytest.raises(UpstreamRefusedError) as caught:
        await executed(plan, Answer(200, EVENTS, chunks), where=where)
    assert (caught.value.status, caught.value.elsewhere) == (429, True)
    assert json.loads(caught.value.answer.data["body"]["text"])["error"]["code"] == "rate_limit_exceeded"


async def test_our_credential_refused_in_the_stream_is_said_in_our_words() -> None:
    refused = b'event: error\ndata: {"type":"error","error":{"type":"authentication_error","message":"key sk-x"}}\n\n'
    with pytest.raises(UpstreamRefusedError) as caught:
        await begun(START, refused)
    assert caught.value.answer.data["status"] == 403
    assert "sk-x" not in json.dumps(caught.value.answer.data)


async def test_an_answer_that_is_no_stream_is_taken_as_it_is() -> None:
    for asked, headers in ((ASKED, {"content-type": "application/json"}), (raw(MESSAGE), EVENTS)):
        result, _ = await executed(planned(asked), Answer(200, headers, STREAM))
        assert await text_of(result) == WHOLE
        assert result.live is (headers is EVENTS)


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, len(WHOLE)), max_size=8), kept=st.integers(0, len(WHOLE)))
def test_wherever_the_bytes_are_split_or_cut_the_answer_is_whole_or_cut_off(cuts: list[int], kept: int) -> None:
    ends = sorted({0, *(min(cut, kept) for cut in cuts), kept})
    pieces = tuple(WHOLE[start:end] for start, end in pairwise(ends))

    async def run() -> None:
        try:
            result = await begun(*pieces)
        except OutcomeUnknownError as error:
            assert error.elsewhere  # noqa: PT017 - one of three ways it may go
            assert kept < len(START + PING + BLOCK)
            return
        chunks, error_after = await followed(result)
        assert b"".join(chunks) == WHOLE[:kept]
        assert (error_after is None) is (kept == len(WHOLE))
        assert (b"" in chunks) is (kept == len(WHOLE))
        assert result.usage.nano_dollars > 0

    asyncio.run(run())
