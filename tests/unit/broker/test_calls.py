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
