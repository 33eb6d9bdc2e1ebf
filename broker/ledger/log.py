"""The ledger: changes and their events go in, and come back with a place once they are durable.

Callers of any event loop and thread hand their changes to one writer thread, which takes whatever has gathered since
its last flush and writes it in one transaction (group commit): one disk flush serves everybody who waited for it.

It fails closed. A batch that cannot be written is acknowledged to nobody, `ready` turns false, and the writer tries a
small write now and then until one succeeds. A replaced file, a damaged head or a ledger that went back is not
survived: only people and a restart help there. Too little free disk turns `ready` false while writing still works, so
that no new work begins but what is under way can be told to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Sequence
from typing import Final

import structlog

from broker.clock import NS_PER_SECOND, Clock
from broker.errors import BrokerError, LedgerUnavailableError
from broker.ledger.batch import Answer, Batches, DamagedError, Prepared
from broker.store.base import Change, Position
from broker.store.connection import WriteConnection, open_connection
from broker.store.database import Database, ReplacedError, first_line

log = structlog.get_logger(__name__)

_MAX_BATCH: Final = 512
"""Changes in one transaction; more only makes the first one wait."""

_MAX_WAITING: Final = 20_000
"""Changes that may wait for a slow disk; beyond that callers are refused at once."""

PATIENCE_SECONDS: Final = 0.005
"""How long a patient change waits for company: longer than a fast call, whose two events then share a flush."""

SHORTAGE_NS: Final = 100_000_000
"""How long what was seen of the disk counts; a flush that finds it full says so by itself."""

_STALL_SECONDS: Final = 10
"""A flush that takes longer than this makes the ledger not ready while it lasts."""


_PROBED: Final = Position(0, "")
"""The answer to a probe, which has no place."""


class _Job:
    """One change, or a probe when it holds none, and who waits for the answer."""

    __slots__ = ("change", "future", "loop", "patient")

    def __init__(self, change: Prepared | None, loop: asyncio.AbstractEventLoop, *, patient: bool = False) -> None:
        self.change = change
        self.loop = loop
        self.patient = patient
        self.future: asyncio.Future[Position] = loop.create_future()


class Ledger:
    """Makes changes durable; implements `broker.store.base.Committer`.

    Args:
        database: Migrated; shared with the readers.
        clock: Tells how long a flush has taken.
        min_free_bytes: Below this much free disk `ready` is false.
        probe_seconds: Pause between two tries after a failure.
    """

    def __init__(
        self, database: Database, clock: Clock, *, min_free_bytes: int = 0, probe_seconds: float = 0.5
    ) -> None:
        self._database = database
        self._clock = clock
        self._min_free_bytes = min_free_bytes
        self._probe_seconds = probe_seconds
        self._batches = Batches(database.kind)
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # Between looking at `_open` and putting a job nobody may put the end mark, or the job would wait for ever.
        self._gate = threading.Lock()
        self._open = False
        self._thread: threading.Thread | None = None
        self._connection: WriteConnection | None = None
        self._fault = "the ledger is not started"
        self._lost = False
        self._busy_since_ns = 0
        self._disk = (-SHORTAGE_NS, "")

    def start(self) -> None:
        """Look at the ledger's head and start the writer.

        Raises:
            LedgerUnavailableError: the database cannot be opened or holds no sound ledger.
        """
        try:
            self._connection = open_connection(self._database)
            self._batches.check_head(self._connection)
        except LedgerUnavailableError:
            self._drop_connection()
            raise
        except Exception as error:
            self._drop_connection()
            raise LedgerUnavailableError(f"the ledger cannot be opened: {first_line(error)}") from error
        self._fault = ""
        self._open = True
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """True while events can be made durable and there is room for more: new work may begin."""
        return not self.reason

    @property
    def accepting(self) -> bool:
        """The same as `ready`, under the name the pipeline asks for: may a new intent begin."""
        return self.ready

    @property
    def reason(self) -> str:
        """Why the ledger is not ready; empty while it is."""
        if self._fault:
            return self._fault
        busy_since_ns = self._busy_since_ns
        if busy_since_ns and self._clock.monotonic_ns() - busy_since_ns > _STALL_SECONDS * NS_PER_SECOND:
            return f"a write has not come back for {_STALL_SECONDS} seconds"
        return self._shortage()

    def submit(self, change: Change, *, patient: bool = False) -> asyncio.Future[Position]:
        """Hand a change in, now; what is handed in later is written later or together with it.

        Args:
            change: What to write.
            patient: Let it wait `PATIENCE_SECONDS` for another change to share the flush with.

        Returns:
            Done with the place of the event, or with the errors of `commit`; cancelling it takes nothing back.

        Raises:
            LedgerUnavailableError: it was not taken.
            UnwritableError: a value no database of ours can store; nothing was tried.
        """
        job = _Job(self._batches.prepare(change), asyncio.get_running_loop(), patient=patient)
        self._put(job)
        return job.future

    async def commit(self, change: Change) -> Position:
        """Make ``change`` and its event durable; a caller that is cancelled does not take it back.

        Raises:
            ConflictError: a step did not touch exactly one row; nothing was applied, no event was written.
            LedgerUnavailableError: nothing was acknowledged; the change may or may not be there.
            UnwritableError: a value no database of ours can store; nothing was tried.
        """
        return await self.submit(change)

    async def probe(self) -> None:
        """Find out now whether writing works.

        Raises:
            LedgerUnavailableError: it does not.
        """
        job = _Job(None, asyncio.get_running_loop())
        self._put(job)
        await job.future

    async def aclose(self) -> None:
        """Write what was handed in before, then stop; idempotent."""
        with self._gate:
            if self._open:
                self._open = False
                self._fault = "the ledger is closed"
                self._queue.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _put(self, job: _Job) -> None:
        with self._gate:
            if not self._open:
                raise LedgerUnavailableError(self._fault)
            if self._queue.qsize() >= _MAX_WAITING:
                raise LedgerUnavailableError("too many changes wait for the disk")
            self._queue.put(job)

    def _shortage(self) -> str:
        """Return what is wrong with the disk; looked at anew every `SHORTAGE_NS`, as each intent asks."""
        now_ns = self._clock.monotonic_ns()
        looked_ns, found = self._disk
        if now_ns - looked_ns >= SHORTAGE_NS:
            found = self._look_at_disk()
            self._disk = (now_ns, found)
        return found

    def _look_at_disk(self) -> str:
        path = self._database.path
        if path is None or not self._min_free_bytes:
            return ""
        try:
            disk = os.statvfs(path.parent)
        except OSError as error:
            return f"the disk cannot be asked for its free space: {first_line(error)}"
        if disk.f_bavail * disk.f_frsize >= self._min_free_bytes:
            return ""
        return f"less than {self._min_free_bytes} bytes of disk are free"

    # From here on everything runs in the writer thread.

    def _run(self) -> None:
        ended = False
        while not ended:
            jobs, ended = self._gather()
            if jobs:
                self._serve(jobs)
            elif not ended:
                self._try_again()
        self._drop_connection()

    def _gather(self) -> tuple[list[_Job], bool]:
        """Wait for a job and take what else is there; also tell whether the end mark was among it."""
        jobs: list[_Job] = []
        with contextlib.suppress(queue.Empty):
            job = self._queue.get(timeout=self._probe_seconds if self._fault and not self._lost else None)
            patience = self._clock.monotonic_ns() + int(PATIENCE_SECONDS * NS_PER_SECOND)
            hurry = False
            while job is not None:
                jobs.append(job)
                if len(jobs) == _MAX_BATCH:
                    return jobs, False
                hurry = hurry or not job.patient
                left = 0 if hurry else (patience - self._clock.monotonic_ns()) / NS_PER_SECOND
                job = self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait()
            return jobs, True
        return jobs, False

    def _serve(self, jobs: Sequence[_Job]) -> None:
        if self._lost:
            _settle(jobs, [LedgerUnavailableError(self._fault) for _ in jobs])
            return
        changes = [job.change for job in jobs if job.change is not None]
        try:
            answers = iter(self._write(changes, probe=len(changes) < len(jobs)))
        except Exception as error:  # noqa: BLE001 - whatever it was: nothing is acknowledged and the thread lives on
            self._fail(error)
            _settle(jobs, [LedgerUnavailableError(self._fault) for _ in jobs])
            return
        self._recover()
        _settle(jobs, [_PROBED if job.change is None else next(answers) for job in jobs])

    def _write(self, changes: Sequence[Prepared], *, probe: bool) -> list[Answer]:
        self._busy_since_ns = self._clock.monotonic_ns()
        try:
            if self._connection is None:
                self._connection = open_connection(self._database)
            if probe:
                self._batches.probe(self._connection)
            return self._batches.write(self._connection, changes) if changes else []
        finally:
            self._busy_since_ns = 0

    def _try_again(self) -> None:
        try:
            self._write((), probe=True)
        except Exception as error:  # noqa: BLE001 - it stays not ready, with the newest reason
            self._fail(error)
        else:
            self._recover()

    def _fail(self, error: Exception) -> None:
        self._drop_connection()
        if not self._fault:
            log.error("ledger_unavailable", error=first_line(error))
        self._lost = isinstance(error, (ReplacedError, DamagedError))
        if self._open:
            ours = isinstance(error, BrokerError)
            self._fault = str(error) if ours else f"the ledger cannot be written: {first_line(error)}"

    def _recover(self) -> None:
        if self._fault and self._open:
            log.info("ledger_recovered")
            self._fault = ""

    def _drop_connection(self) -> None:
        if self._connection is not None:
            # After a fault its state is unknown; closing it gives back its locks and the next batch opens another.
            self._connection.rollback()
            self._connection.close()
            self._connection = None


def _settle(jobs: Sequence[_Job], answers: Sequence[Answer]) -> None:
    """Hand the answers to the waiters, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Position], Answer]]] = {}
    for job, answer in zip(jobs, answers, strict=True):
        by_loop.setdefault(job.loop, []).append((job.future, answer))
    for loop, settled in by_loop.items():
        # A loop that was closed meanwhile has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, settled)


def _resolve(settled: Sequence[tuple[asyncio.Future[Position], Answer]]) -> None:
    for future, answer in settled:
        if future.done():
            continue
        if isinstance(answer, BrokerError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
