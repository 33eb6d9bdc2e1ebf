"""What a stream came to is known whatever ended it: a client that left, a kill, a break, a drain."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from connectors.base import CallResult
from connectors.llm.connector import LlmConnector
from connectors.llm.streaming import MAX_DRAINS, Drains
from tests.unit.connectors.llm.desk import BLOCK, DELTA, DONE, OVERLOADED, START, STOP, STREAM, hours_pass
from tests.unit.connectors.llm.streams import CUT, DRAINING, Fed, begun, followed, started


async def test_the_usage_is_there_when_the_client_is_gone_and_the_upstream_is_let_go() -> None:
    fed = Fed()
    result = await started(fed)
    assert result.body is not None
    await anext(result.body)
    fed.say(DONE, STOP, None)
    await result.body.aclose()
    await result.body.aclose()
    assert not fed.open
    assert fed.read == 2, "what came before content, and no more"
    assert result.usage.estimated
    assert result.usage.nano_dollars > 0
    assert result.facts["llm"]["answer"]["bytes"] == len(START)


async def test_a_body_nobody_began_to_read_is_counted_and_let_go() -> None:
    fed = Fed()
    result = await started(fed)
    assert result.body is not None
    await result.body.aclose()
    assert not fed.open
    assert result.usage.estimated
    assert result.usage.input_tokens == 1042


async def test_a_stream_that_is_paid_for_is_read_to_its_end_for_its_usage() -> None:
    fed = Fed()
    result = await started(fed, DRAINING)
    assert result.body is not None
    await anext(result.body)
    fed.say(DELTA, DONE, STOP)
    await result.body.aclose()
    assert not fed.open
    assert (result.usage.estimated, result.usage.output_tokens) == (False, 17)


async def test_a_stream_that_was_read_or_broke_is_not_drained() -> None:
    for chunks, cut in ((STREAM, None), (STREAM[:4], CUT), ((START, BLOCK, OVERLOADED), None)):
        result = await begun(*chunks, cut=cut, where=DRAINING)
        await followed(result)
        assert result.usage.estimated is (chunks is not STREAM)


async def test_draining_ends_when_the_upstream_breaks_or_takes_too_long() -> None:
    result = await begun(START, BLOCK, DELTA, cut=CUT, where=DRAINING)
    assert result.body is not None
    await anext(result.body)
    await result.body.aclose()
    assert result.usage.estimated
    fed = Fed()
    slow = await started(fed, DRAINING)
    assert slow.body is not None
    await anext(slow.body)
    closing = asyncio.ensure_future(slow.body.aclose())
    await fed.awaited.wait()
    assert not closing.done()
    hours_pass()
    await closing
    assert slow.usage.estimated
    assert not fed.open


async def test_a_call_that_is_cut_is_not_drained() -> None:
    for waits_upstream in (True, False):
        fed = Fed()
        result = await started(fed, DRAINING)
        asked = asyncio.Event()

        async def run(
            result: CallResult = result, asked: asyncio.Event = asked, upstream: bool = waits_upstream
        ) -> None:
            assert result.body is not None
            try:
                async for chunk in result.body:
                    if chunk.startswith(b"event: content_block_delta"):
                        asked.set()
                        if not upstream:
                            await asyncio.Event().wait()
            finally:
                await result.body.aclose()

        running = asyncio.ensure_future(run())
        await asked.wait()
        await asyncio.sleep(0)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        assert running.cancelled()
        assert not fed.open
        assert result.usage.estimated


async def test_a_drain_can_be_cut() -> None:
    fed = Fed()
    result = await started(fed, DRAINING)
    assert result.body is not None
    await anext(result.body)
    closing = asyncio.ensure_future(result.body.aclose())
    await fed.awaited.wait()
    closing.cancel()
    with suppress(asyncio.CancelledError):
        await closing
    assert not fed.open
    assert result.usage.estimated


async def test_no_more_streams_are_drained_at_once_than_there_is_room_for() -> None:
    connector = LlmConnector()
    streams = []
    for _ in range(MAX_DRAINS + 1):
        fed = Fed()
        result = await started(fed, DRAINING, connector)
        assert result.body is not None
        await anext(result.body)
        streams.append((fed, result))
    closing = [asyncio.ensure_future(result.body.aclose()) for _, result in streams if result.body]
    for fed, _ in streams[:-1]:
        await fed.awaited.wait()
    assert not streams[-1][0].open
    assert all(fed.open for fed, _ in streams[:-1])
    for fed, _ in streams[:-1]:
        fed.say(DONE, STOP)
    await asyncio.gather(*closing)
    assert [result.usage.estimated for _, result in streams] == [False] * MAX_DRAINS + [True]
    assert not Drains().full
