"""Durable events per second: the ledger's group commit against one commit per event, at 1 and 32 writers, on SQLite."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop

from broker.clock import SystemClock
from broker.ledger.batch import Batches
from broker.ledger.log import Ledger
from broker.store.base import Change, Event, EventType
from broker.store.connection import open_connection
from broker.store.database import Database, open_database
from broker.store.schema import migrate
from tests.bench.timing import Result, median, ratio

_SECONDS = 1.5
_ROUNDS = 3
_DATA = {"resources": ["arn:aws:s3:::data-lake/raw/x.csv"], "plan_digest": "0" * 64, "summary": "x" * 300}


def measure() -> list[Result]:
    """Return events per second of both, and their ratio."""
    return uvloop.run(_measure())


async def _measure() -> list[Result]:
    results: list[Result] = []
    for writers in (1, 32):
        grouped, single = [], []
        for _ in range(_ROUNDS):
            grouped.append(await _grouped(writers))
            single.append(await _single(writers))
        results += [
            Result(f"group commit, {writers} writers", median(grouped), "events/s"),
            Result(f"commit per event, {writers} writers", median(single), "events/s"),
        ]
        bar = {"at_least": 5.0} if writers > 1 else {}
        results.append(
            ratio(f"group versus per-event commits, {writers} writers", median(grouped) / median(single), **bar)
        )
    return results


def _event(number: int) -> Change:
    return Change(Event(f"evt_{number:026d}", EventType.INTENT_SUCCEEDED, time.time_ns(), agent="bench", data=_DATA))


async def _drive(writers: int, write: Callable[[Change], Awaitable[object]]) -> float:
    end, done = time.perf_counter() + _SECONDS, 0

    async def writer(first: int) -> int:
        count = 0
        while time.perf_counter() < end:
            await write(_event(first + count))
            count += 1
        return count

    started = time.perf_counter()
    done = sum(await asyncio.gather(*[writer(number * 10**6) for number in range(writers)]))
    return done / (time.perf_counter() - started)


async def _grouped(writers: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        database = _database(Path(folder))
        ledger = Ledger(database, SystemClock())
        ledger.start()
        try:
            return await _drive(writers, ledger.commit)
        finally:
            await ledger.aclose()
            database.close()


async def _single(writers: int) -> float:
    """The same writer code with a batch of one: what every event would cost without grouping."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        database = _database(Path(folder))
        batches, loop = Batches(database.kind), asyncio.get_running_loop()
        connection = await loop.run_in_executor(pool, open_connection, database)
        try:
            return await _drive(
                writers, lambda change: loop.run_in_executor(pool, batches.write, connection, [batches.prepare(change)])
            )
        finally:
            await loop.run_in_executor(pool, connection.close)
            database.close()


def _database(folder: Path) -> Database:
    database = open_database(f"sqlite:///{folder / 'bench.sqlite3'}")
    migrate(database)
    return database
