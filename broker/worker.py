"""The worker: takes messages from the queue and does what they point at, one at a time: approved work, alerts.

RQ forks a process ("horse") for each message, so a fault in one piece of work cannot harm the next, and a kill of the
worker takes its horse along: the kernel does that (`broker.supervisor.leash`). What a killed horse was doing is found
by the reconciler, which says `unknown` when it cannot know. Redis may be away at any time; the worker waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Final, NoReturn

import structlog
from redis.exceptions import RedisError
from rq import Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now as rq_now

from broker.clock import NS_PER_SECOND, Clock, SystemClock
from broker.errors import QueueUnavailableError
from broker.ids import IntentId
from broker.logs import configure_logs
from broker.queue import DELIVER_ALERT, QUEUE_NAME, RUN_APPROVED, SafeJob, SafeQueue, connect
from broker.settings import Settings
from broker.supervisor.leash import tie_to_parent
from broker.supervisor.notes import WORKER_NOTE, note

WARM_SECONDS: Final = 2.5
"""How long running work may go on after SIGTERM; the supervisor kills the worker shortly after."""
LAST_SECONDS: Final = 0.4
"""How long the main thread has to end once its horse was killed."""
DELIVERY_SECONDS: Final = 45
"""Longest time of one try of an alert; other messages wait meanwhile."""
CONCLUDE_SECONDS: Final = 15
"""Between the end of a run's own time and RQ's alarm: long enough to record the outcome."""
RETRY_SECONDS: Final = (0.1, 5.0)
"""First and longest pause between two tries to reach Redis."""

WORKER_TTL_SECONDS: Final = 30
"""RQ waits for a message half as long and for any answer of Redis a little less; its default would hang for minutes."""

_HEAVY: Final = ("broker.wiring", "sqlalchemy", "aiohttp", "botocore.session", "botocore.auth")
"""Imported before the fork, so that a horse starts in milliseconds."""

_log = structlog.get_logger(__name__)


def run_approved(intent_id: str, fence: int, *, settings: Settings) -> None:
    """Resume one approved intent; every outcome is on the ledger, none is returned or raised to RQ.

    Args:
        intent_id: The intent.
        fence: Its fence when the message was sent.
        settings: Of this process; bound by `main`, never from the message.
    """
    try:
        asyncio.run(_resume(IntentId(intent_id), fence, settings))
    except Exception as error:  # noqa: BLE001 - RQ would store the text in Redis; the reconciler sends the work again
        # The type only: an exception's text may hold a secret.
        _log.error("work.broken", intent=intent_id, error=type(error).__qualname__)


async def _resume(intent_id: IntentId, fence: int, settings: Settings) -> None:
    from broker.wiring import open_broker

    async with (
        asyncio.timeout(settings.job_timeout_seconds - CONCLUDE_SECONDS),
        open_broker(settings) as broker,
    ):
        await broker.resume(intent_id, fence)


def deliver_alert(delivery_id: str, attempt: int, *, settings: Settings) -> None:
    """Try to bring an alert to a channel; what became of it is in the database, none is returned or raised to RQ.

    Args:
        delivery_id: Which alert to which channel.
        attempt: How often it was tried before the message was sent.
        settings: Of this process; bound by `main`, never from the message.
    """
    try:
        asyncio.run(_deliver(delivery_id, attempt, settings))
    except Exception as error:  # noqa: BLE001 - as above; the delivery is tried again
        _log.error("delivery.broken", delivery=delivery_id, error=type(error).__qualname__)


async def _deliver(delivery_id: str, attempt: int, settings: Settings) -> None:
    from broker.wiring import open_courier

    async with asyncio.timeout(DELIVERY_SECONDS), open_courier(settings) as courier:
        await courier.deliver(delivery_id, attempt)


class SafeWorker(Worker):
    """An RQ worker that trusts Redis with nothing but the order of its messages."""

    job_class = SafeJob
    queue_class = SafeQueue
    # RQ doubles its pause up to a minute; the reconciler and people are quicker than that.
    max_connection_wait_time = 2.0
    log_result_lifespan = False
    job_timeout_seconds = 300
    _clock: Clock = SystemClock()

    def subscribe(self) -> None:
        """Listen to no commands: whoever reaches Redis could kill a run half-way; and threads before forks are bad."""

    def run_maintenance_tasks(self) -> None:
        """Forget what dead workers left in Redis; the reconciler sends it again, so nothing is moved or marked."""
        queue = self.queues[0]
        now = self._clock.now_ns() // NS_PER_SECOND
        self.connection.delete(queue.intermediate_queue_key)
        for registry in (queue.started_job_registry, queue.failed_job_registry):
            self.connection.zremrangebyscore(registry.key, 0, now)
        self.last_cleaned_at = rq_now()  # type: ignore[assignment] # RQ declares it by its first value, None

    def execute_job(self, job: Job, queue: Any) -> None:  # noqa: ANN401 - RQ's signature
        """Run a job with our own time limit, whatever the message says."""
        job.timeout = self.job_timeout_seconds
        super().execute_job(job, queue)

    def main_work_horse(self, job: Job, queue: Any) -> NoReturn:  # noqa: ANN401 - RQ's signature
        """Run in the forked process: die with the worker, then work."""
        tie_to_parent(int(self.pid or 0))
        super().main_work_horse(job, queue)
        os._exit(0)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:  # noqa: ANN401 - RQ's signature
        """Log the type of what went wrong; RQ would log its text and the arguments."""
        error = exc_info[1] if len(exc_info) > 1 else None
        reason = str(error) if type(error).__module__ == "broker.queue" else ""
        _log.error("job.failed", job=job.id, error=type(error).__qualname__, reason=reason)

    def handle_job_failure(self, job: Job, queue: Any, *_args: object, **_kwargs: object) -> None:  # noqa: ANN401 - RQ's
        """Mark the job as failed without the text of the exception, which may hold a secret."""
        super().handle_job_failure(job, queue, exc_string="failed; see the worker's log")

    def maintain_heartbeats(self, job: Job) -> None:
        """Tell Redis that the job runs; that Redis is away is no reason to leave the horse alone."""
        with contextlib.suppress(RedisError):
            super().maintain_heartbeats(job)

    def set_current_job_working_time(self, current_job_working_time: float, pipeline: Any = None) -> None:  # noqa: ANN401 - RQ's signature
        """Tell Redis how long the job runs; likewise."""
        self.current_job_working_time = current_job_working_time
        with contextlib.suppress(RedisError):
            super().set_current_job_working_time(current_job_working_time, pipeline)

    def set_shutdown_requested_date(self) -> None:
        """Write nothing: this is called in a signal handler, where waiting for Redis would hold up the end."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Take no more work; what runs has `WARM_SECONDS` to end, then it is killed and becomes `unknown`."""
        timer = threading.Timer(WARM_SECONDS, self._stop_now)
        timer.daemon = True
        timer.start()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call] # RQ does not annotate it

    @property
    def stopping(self) -> bool:
        """Whether a signal asked this worker to end."""
        return self._shutdown_requested_date is not None

    def _stop_now(self) -> NoReturn:
        if self.horse_pid:
            with contextlib.suppress(OSError):
                os.killpg(self.horse_pid, signal.SIGKILL)
        # Without its horse the main thread ends the process in good order; this is for when it hangs elsewhere.
        time.sleep(LAST_SECONDS)
        os._exit(0)


def main(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, waiting for Redis whenever it is away."""
    configure_logs("worker", settings.log_level)
    for name in _HEAVY:
        importlib.import_module(name)
    functions = {
        RUN_APPROVED: functools.partial(run_approved, settings=settings),
        DELIVER_ALERT: functools.partial(deliver_alert, settings=settings),
    }
    with note(settings.run_dir / WORKER_NOTE, {}):
        work_forever(settings.redis, functions, job_timeout_seconds=settings.job_timeout_seconds)


def work_forever(url: str, functions: Mapping[str, Callable[..., None]], *, job_timeout_seconds: int) -> None:
    """Run a worker on the queue until a signal ends it; a lost connection starts another one after a pause.

    Args:
        url: Redis or Valkey.
        functions: What messages may name; the queue's own check lets only its two functions through.
        job_timeout_seconds: When RQ ends a run.
    """
    first, longest = RETRY_SECONDS
    pause = first
    while True:
        # Between two workers nothing runs, so a signal may simply end the process.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        try:
            worker = _worker(url, functions, job_timeout_seconds)
            pause = first
            worker.work(logging_level=None)
            if worker.stopping:
                return
        except (RedisError, OSError, QueueUnavailableError) as error:
            _log.warning("queue.away", error=type(error).__qualname__, again_in_seconds=pause)
        time.sleep(pause)
        pause = min(pause * 2, longest)


def _worker(url: str, functions: Mapping[str, Callable[..., None]], timeout_seconds: int) -> SafeWorker:
    class ApprovedJob(SafeJob):
        """A job that may run the functions of this worker."""

    ApprovedJob.functions = functions
    worker = SafeWorker(
        [QUEUE_NAME],
        connection=connect(url),
        job_class=ApprovedJob,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_SECONDS,
        log_job_description=False,
    )
    worker.job_timeout_seconds = timeout_seconds
    return worker
