"""The ledger under kill -9, full disks, swapped files and lost servers: nothing acknowledged is lost, nothing is
acknowledged that is not there, and it says that it is not ready."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import delete, update

from broker.clock import SystemClock
from broker.errors import LedgerUnavailableError, StoreUnavailableError
from broker.ledger.log import Ledger
from broker.ledger.sources import DatabaseSource
from broker.ledger.verify import verify
from broker.store.base import EventFilter
from broker.store.database import Database, open_database
from broker.store.reader import SqlReader
from broker.store.tables import events, ledger_head
from tests.house import ManualClock
from tests.parts.ledgers import beat, change, fill, running, until

pytestmark = pytest.mark.req("E1")

WRITER = """
import asyncio, os, sys
from broker.store.database import open_database
from tests.parts.ledgers import beat, change, running
async def client(ledger, name):
    number = 0
    while True:
        number += 1
        place = await ledger.commit(change(beat(f"{name}-{number}")))
        os.write(1, f"{place.seq} {place.leaf}\\n".encode())
async def main(url):
    database = open_database(url)
    async with running(database) as ledger:
        await asyncio.gather(*(client(ledger, f"{os.getpid()}-{name}") for name in range(16)))
asyncio.run(main(sys.argv[1]))
"""

# A file size limit makes writes fail with EFBIG in the middle of a batch: as a full disk does, but for one process.
FULL_DISK = """
import asyncio, resource, sys
from broker.errors import LedgerUnavailableError
from broker.store.database import open_database
from tests.parts.ledgers import change, running
async def main(url):
    database = open_database(url)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with running(database, probe_seconds=0.01) as ledger:
        acked = 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
        while True:
            tries = [ledger.commit(change(data={"pad": "x" * 2000})) for _ in range(20)]
            answers = await asyncio.gather(*tries, return_exceptions=True)
            failed = [each for each in answers if isinstance(each, BaseException)]
            acked += len(answers) - len(failed)
            assert all(isinstance(each, LedgerUnavailableError) for each in failed), failed
            if failed:
                break
        # What failed was a whole batch; from here on not even one page fits.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
        for _ in range(3):
            try:
                await ledger.probe()
                raise SystemExit("the probe lied")
            except LedgerUnavailableError:
                pass
        assert not ledger.ready and not ledger.accepting and "cannot be written" in ledger.reason, ledger.reason
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        async with asyncio.timeout(30):
            while not ledger.ready:
                await asyncio.sleep(0.01)
        acked += bool(await ledger.commit(change()))
    database.close()
    print(acked)
asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("acks", [1, 40, 400])
async def test_kill_9_under_load_loses_no_acknowledged_event(database: Database, database_url: str, acks: int) -> None:
    with subprocess.Popen(  # noqa: ASYNC220 - no loop is kept from its work
        [sys.executable, "-c", WRITER, database_url], stdout=subprocess.PIPE, cwd=Path.cwd()
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acks)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    acked = {int(seq): leaf for seq, leaf in (line.decode().split() for line in lines if line.endswith(b"\n"))}
    assert len(acked) >= acks
    report = verify(DatabaseSource(database))
    assert report.ok, report.problem
    with database.connect() as connection:
        stored = {row.seq: bytes(row.leaf).hex() for row in connection.execute(events.select())}
    assert {seq: stored.get(seq) for seq in acked} == acked
    assert len(await SqlReader(database).live_instances(0)) == len(stored), "an event and its row, or neither"
    async with running(database) as ledger:
        assert (await ledger.commit(change())).seq == len(stored) + 1


def test_a_full_disk_is_acknowledged_to_nobody_and_is_recovered_from(sqlite_database: Database) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL_DISK, sqlite_database.url.render_as_string()],
        capture_output=True, text=True, check=False, timeout=60, cwd=Path.cwd(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = verify(DatabaseSource(sqlite_database))
    assert report.events > 20
    assert (report.ok, report.events) == (True, int(done.stdout.splitlines()[-1]))


async def test_a_batch_that_hits_the_page_limit_leaves_nothing_behind(sqlite_database: Database) -> None:
    async with running(sqlite_database) as ledger:
        await fill(ledger, 3)
        assert ledger._connection is not None
        ledger._connection.query("PRAGMA max_page_count=1")
        tries = [ledger.commit(change(beat(f"n{number}"), data={"pad": "x" * 9000})) for number in range(5)]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert {type(answer) for answer in answers} == {LedgerUnavailableError}
        assert "full" in ledger.reason
        assert (await ledger.commit(change(beat("after")))).seq == 4
        assert ledger.ready
    assert await SqlReader(sqlite_database).live_instances(0) == {"after"}
    assert verify(DatabaseSource(sqlite_database)).ok


def unlink(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copyfile(path, copy)
    copy.replace(path)


def drop_log(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink()


def swap_log(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    copy = path.with_name("log")
    shutil.copyfile(log, copy)
    copy.replace(log)


@pytest.mark.parametrize("swap", [unlink, replace, drop_log, swap_log])
async def test_a_swapped_file_stops_the_ledger_until_a_restart(sqlite_database: Database, swap: object) -> None:
    async with running(sqlite_database, probe_seconds=0.001) as ledger:
        await fill(ledger, 5)
        assert sqlite_database.path is not None
        assert callable(swap)
        swap(sqlite_database.path)
        for _ in range(3):
            with pytest.raises(LedgerUnavailableError, match="removed or replaced"):
                await ledger.commit(change())
        with pytest.raises(LedgerUnavailableError):
            await ledger.probe()
        assert not ledger.ready
        assert "removed or replaced" in ledger.reason


async def test_a_file_swapped_between_write_and_flush_is_not_acknowledged(sqlite_database: Database) -> None:
    from broker.store.connection import open_connection

    assert sqlite_database.path is not None
    connection = open_connection(sqlite_database)
    connection.begin()
    connection.execute("UPDATE ledger_head SET size = size + 1")
    replace(sqlite_database.path)
    with pytest.raises(StoreUnavailableError, match="replaced"):
        connection.commit()
    connection.close()
    with pytest.raises(StoreUnavailableError):
        await SqlReader(sqlite_database).live_instances(0)
    with pytest.raises(StoreUnavailableError):
        open_connection(sqlite_database)


async def test_a_ledger_that_goes_back_is_not_continued(database: Database) -> None:
    async with running(database, probe_seconds=0.001) as ledger:
        await fill(ledger, 5)
        with database.transaction() as connection:
            connection.execute(delete(events))
            connection.execute(update(ledger_head).values(size=0, frontier=b""))
        for _ in range(2):
            with pytest.raises(LedgerUnavailableError, match="went back: expected at least 5 events, found 0"):
                await ledger.commit(change())
        assert not ledger.ready


async def test_a_forked_head_of_the_same_size_is_not_continued(database: Database) -> None:
    async with running(database) as ledger:
        await fill(ledger, 4)
        with database.transaction() as connection:
            connection.execute(update(ledger_head).values(frontier=b"x" * 32))
        with pytest.raises(LedgerUnavailableError, match="went back"):
            await ledger.commit(change())


@pytest.mark.parametrize("damage", ["UPDATE ledger_head SET size = 7", "DELETE FROM ledger_head"])
async def test_a_damaged_head_is_not_started_on(database: Database, damage: str) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(damage)
    ledger = Ledger(database, SystemClock())
    with pytest.raises(LedgerUnavailableError, match="head"):
        ledger.start()
    assert not ledger.ready
    await ledger.aclose()


async def test_events_that_stand_where_new_ones_go_stop_the_writing(database: Database) -> None:
    async with running(database) as ledger:
        await fill(ledger, 2)
        with database.transaction() as connection:
            connection.execute(update(events).where(events.c.seq == 2).values(seq=3))
        with pytest.raises(LedgerUnavailableError):
            await ledger.commit(change(beat("a")))
    assert await SqlReader(database).live_instances(0) == set()


async def test_a_table_that_is_away_and_comes_back_is_recovered_from_without_a_caller(database: Database) -> None:
    async with running(database, probe_seconds=0.001) as ledger:
        await fill(ledger, 2)
        with database.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE ledger_head RENAME TO away")
        with pytest.raises(LedgerUnavailableError):
            await ledger.commit(change())
        with pytest.raises(LedgerUnavailableError):
            await ledger.probe()
        assert ledger.reason
        with database.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO ledger_head")
        await until(lambda: ledger.ready)
        assert (await ledger.commit(change())).seq == 3


async def test_a_postgres_server_that_cuts_the_line_is_recovered_from(postgres_url: str) -> None:
    from broker.store.schema import migrate

    database = open_database(postgres_url)
    migrate(database)
    async with running(database) as ledger:
        await fill(ledger, 2)
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ostiary-ledger'"
                " AND datname = current_database()"
            ).fetchall()
        assert ended == [(True,)]
        with pytest.raises(LedgerUnavailableError):
            await ledger.commit(change(beat("lost")))
        assert (await ledger.commit(change(beat("kept")))).seq == 3
        assert ledger.ready
    assert await SqlReader(database).live_instances(0) == {"kept"}
    database.close()


async def test_postgres_is_not_left_at_asynchronous_commit(postgres_url: str) -> None:
    from broker.store.connection import open_connection

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("ALTER ROLE ostiary SET synchronous_commit = off")
        connection.execute("ALTER ROLE ostiary SET default_transaction_isolation = 'serializable'")
    try:
        database = open_database(postgres_url)
        opened = open_connection(database)
        opened.begin()
        assert opened.query("SHOW synchronous_commit") == [("on",)]
        assert opened.query("SHOW transaction_isolation") == [("read committed",)]
        opened.rollback()
        opened.close()
        database.close()
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("ALTER ROLE ostiary RESET ALL")


async def test_a_transaction_the_server_rolled_back_is_not_acknowledged(postgres_url: str) -> None:
    from broker.store.connection import open_connection

    database = open_database(postgres_url)
    opened = open_connection(database)
    opened.begin()
    with pytest.raises(psycopg.Error):
        opened.execute("SELECT 1/0")
    with pytest.raises(StoreUnavailableError, match="rolled"):
        opened.commit()
    opened.close()
    database.close()


async def test_little_free_disk_stops_new_work_but_not_what_is_under_way(sqlite_database: Database) -> None:
    async with running(sqlite_database, min_free_bytes=1 << 62) as ledger:
        assert not ledger.ready
        assert not ledger.accepting
        assert "bytes of disk are free" in ledger.reason
        assert (await ledger.commit(change())).seq == 1
    clock = ManualClock()
    async with running(sqlite_database, clock, min_free_bytes=1) as ledger:
        assert ledger.ready
        assert sqlite_database.path is not None
        shutil.rmtree(sqlite_database.path.parent)
        clock.advance(1)
        assert "cannot be asked" in ledger.reason


async def test_a_write_that_hangs_makes_the_ledger_not_ready_while_it_lasts(sqlite_database: Database) -> None:
    clock = ManualClock()
    ledger = Ledger(sqlite_database, clock)
    ledger.start()
    assert sqlite_database.path is not None
    blocker = sqlite3.connect(sqlite_database.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    task = asyncio.create_task(ledger.commit(change()))
    await until(lambda: ledger._busy_since_ns > 0)
    assert not ledger.reason
    clock.advance(11)
    assert "has not come back" in ledger.reason
    waiting = [asyncio.create_task(ledger.commit(change())) for _ in range(20_001)]
    await asyncio.sleep(0)
    assert any(each.done() and isinstance(each.exception(), LedgerUnavailableError) for each in waiting)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert (await task).seq == 1
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert ledger.ready
    await ledger.aclose()
    written = sum(not isinstance(answer, BaseException) for answer in answers)
    assert len(await SqlReader(sqlite_database).events(EventFilter(limit=1, after_seq=written))) == 1


def test_the_database_and_its_log_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.sqlite3"
    path.parent.mkdir()
    path.touch(mode=0o644)
    path.chmod(0o644)
    database = open_database(f"sqlite:///{path}")
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a)")
        modes = {entry.name: entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()}
    database.close()
    assert set(modes.values()) == {0o600}
    assert f"{path.name}-wal" in modes


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "ledger.sqlite3").symlink_to(target)
    with pytest.raises(StoreUnavailableError):
        open_database(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    assert not target.exists()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(StoreUnavailableError):
        open_database(f"sqlite:///{tmp_path / 'fifo'}")
