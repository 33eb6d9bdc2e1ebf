from __future__ import annotations

import asyncio

import pytest

from broker.calls import Call, RunningCalls
from broker.ids import SessionId

MINE, OTHER = SessionId("ses_mine"), SessionId("ses_other")


async def test_a_cut_ends_the_calls_of_its_session_and_no_other() -> None:
    calls = RunningCalls()
    entered = asyncio.Semaphore(0)
    release = asyncio.Event()

    async def run(session: SessionId) -> str:
        call: Call | None = None
        try:
            async with calls.bounded(session, 60) as call:
                entered.release()
                await release.wait()
        except TimeoutError:
            return "killed" if call and call.killed else "late"
        return "done"

    tasks = [asyncio.create_task(run(session)) for session in (MINE, MINE, OTHER)]
    for _ in tasks:
        await entered.acquire()
    assert calls.cut(MINE) == 2
    assert [await tasks[0], await tasks[1]] == ["killed", "killed"]
    release.set()
    assert await tasks[2] == "done"
    assert calls.cut(MINE) == 0
    assert calls.cut(OTHER) == 0


async def test_a_call_over_its_time_is_late_and_not_killed() -> None:
    calls = RunningCalls()
    with pytest.raises(TimeoutError):
        async with calls.bounded(MINE, 0.001) as call:
            await asyncio.Event().wait()
    assert not call.killed


async def test_an_extended_call_outlives_its_first_limit() -> None:
    calls = RunningCalls()
    async with calls.bounded(MINE, 0) as call:
        call.extend(60)
        await asyncio.wait([asyncio.create_task(asyncio.sleep(0))])
    assert not call.killed


async def test_a_killed_call_cannot_be_extended() -> None:
    calls = RunningCalls()

    async def run() -> None:
        async with calls.bounded(MINE, 60) as call:
            calls.cut(MINE)
            call.extend(60)
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await run()


async def test_a_call_that_is_over_its_time_can_be_neither_extended_nor_cut() -> None:
    calls = RunningCalls()

    async def run() -> Call:
        held: list[Call] = []
        try:
            async with calls.bounded(MINE, 0) as call:
                held.append(call)
                try:
                    await asyncio.Event().wait()
                finally:
                    call.extend(60)
                    assert calls.cut(MINE) == 1
        except TimeoutError:
            return held[0]
        raise AssertionError("it was not ended")

    call = await run()
    # It was over before: who asks why gets told of the kill all the same, as the session is dead.
    assert call.killed


async def test_of_several_calls_of_a_session_the_others_are_still_known_when_one_ends() -> None:
    calls = RunningCalls()
    entered = asyncio.Event()

    async def hang() -> None:
        async with calls.bounded(MINE, 60):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await entered.wait()
    async with calls.bounded(MINE, 60):
        pass
    assert calls.cut(MINE) == 1
    with pytest.raises(TimeoutError):
        await task
