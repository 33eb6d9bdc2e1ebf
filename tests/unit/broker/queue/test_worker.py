"""The worker's own parts: what a horse may say, how long it may run, what a signal does."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from redis import Redis
from rq.serializers import JSONSerializer
from structlog.testing import capture_logs

from broker.ids import IntentId
from broker.queue import QUEUE_NAME, RUN_APPROVED, JobRefusedError, Queue, SafeJob, connect, job_id
from broker.settings import Settings
from broker.worker import SafeWorker, deliver_alert, run_approved, work_forever
from tests.parts.valkey import private_valkey

INTENT = IntentId("int_" + "0" * 26)


@pytest.fixture
def url() -> Iterator[str]:
    with private_valkey() as server:
        yield server.url


@pytest.fixture
def redis(url: str) -> Iterator[Redis]:
    with connect(url) as client:
        yield client


@pytest.fixture
def worker(redis: Redis, own_process: None) -> SafeWorker:
    return SafeWorker([QUEUE_NAME], connection=redis, serializer=JSONSerializer)


def test_a_run_may_take_as_long_as_its_calls_upstream() -> None:
    assert Settings(upstream_timeout_seconds=60).job_timeout_seconds == 300
    assert Settings(upstream_timeout_seconds=0.1).job_timeout_seconds == 64


@pytest.mark.req("H4")
def test_a_run_that_breaks_returns_nothing_and_tells_the_type_only(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "ostiary.yaml").write_text("hunter2: [")
    with capture_logs() as logs:
        run_approved(INTENT, 1, settings=Settings(data=tmp_path))
    assert [log["event"] for log in logs] == ["work.broken"]
    assert logs[0]["error"] == "ConfigError"
    assert "hunter2" not in str(logs)


@pytest.mark.req("L3")
def test_a_delivery_that_breaks_returns_nothing_and_tells_the_type_only(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "ostiary.yaml").write_text("hunter2: [")
    with capture_logs() as logs:
        deliver_alert("dlv_" + "0" * 26, 0, settings=Settings(data=tmp_path, min_free_bytes=0))
    assert [(log["event"], log["error"]) for log in logs] == [("delivery.broken", "ConfigError")]
    (tmp_path / "config" / "ostiary.yaml").write_text(
        "version: 1\nchannels: {soc: {kind: webhook, url: 'http://127.0.0.1:9/', secret_file: /nowhere}}"
    )
    with capture_logs() as logs:
        deliver_alert("dlv_" + "0" * 26, 0, settings=Settings(data=tmp_path, min_free_bytes=0))
    assert logs == []


def test_a_worker_works_its_queue_and_forks_for_each_message(url: str, redis: Redis, tmp_path: Path) -> None:
    class MarkJob(SafeJob):
        functions = {RUN_APPROVED: lambda intent, fence: (tmp_path / f"{intent}-{fence}").touch()}  # noqa: RUF012

    with contextlib.closing(Queue(url, job_timeout_seconds=60)) as queue:
        queue.enqueue(INTENT, 1)
        queue.enqueue(INTENT, 2)
    worker = SafeWorker([QUEUE_NAME], connection=redis, job_class=MarkJob, serializer=JSONSerializer)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        assert worker.work(burst=True, logging_level=None)
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
            signal.signal(number, handler)

    assert sorted(path.name for path in tmp_path.iterdir()) == [job_id(INTENT, 1), job_id(INTENT, 2)]
    assert not worker.stopping
    assert threading.active_count() == 1 or worker.pubsub_thread is None


def test_what_dead_workers_left_is_forgotten(worker: SafeWorker, redis: Redis) -> None:
    redis.lpush(f"rq:queue:{QUEUE_NAME}:intermediate", "x", b"\xff")
    redis.zadd(f"rq:wip:{QUEUE_NAME}", {"old:1": 1, "running:1": 1 << 40})
    redis.zadd(f"rq:failed:{QUEUE_NAME}", {"old": 1, "new": 1 << 40})

    worker.run_maintenance_tasks()

    assert not redis.exists(f"rq:queue:{QUEUE_NAME}:intermediate")
    assert redis.zrange(f"rq:wip:{QUEUE_NAME}", 0, -1) == [b"running:1"]
    assert redis.zrange(f"rq:failed:{QUEUE_NAME}", 0, -1) == [b"new"]
    assert not worker.should_run_maintenance_tasks


def test_only_our_own_refusals_are_explained_in_the_log(worker: SafeWorker) -> None:
    job = SafeJob("x-1", connection=worker.connection, serializer=JSONSerializer)
    with capture_logs() as logs:
        for error in (JobRefusedError("the function is not on the list"), RuntimeError("hunter2")):
            worker.handle_exception(job, type(error), error, None)
        worker.handle_exception(job)
    assert [(log["error"], log["reason"]) for log in logs] == [
        ("JobRefusedError", "the function is not on the list"),
        ("RuntimeError", ""),
        ("NoneType", ""),
    ]


def test_a_lost_connection_does_not_leave_a_running_horse_alone(own_process: None) -> None:
    with private_valkey() as server:
        worker = SafeWorker([QUEUE_NAME], connection=connect(server.url), serializer=JSONSerializer)
        job = SafeJob("x-1", connection=worker.connection, serializer=JSONSerializer)
        worker.prepare_execution(job)
        server.kill()
        worker.set_current_job_working_time(1.5)
        worker.maintain_heartbeats(job)
        worker.set_shutdown_requested_date()
        worker.connection.close()
    assert worker.current_job_working_time == 1.5


@pytest.mark.usefixtures("own_process")
def test_a_signal_ends_the_worker_and_leaves_the_process_to_its_owner(url: str, redis: Redis) -> None:
    main_thread = threading.get_ident()

    def interrupt() -> None:
        # Once it is idle it has installed its handlers.
        while not any(redis.hget(name, "state") == b"idle" for name in redis.smembers("rq:workers")):
            pass
        signal.pthread_kill(main_thread, signal.SIGINT)

    helper = threading.Thread(target=interrupt)
    helper.start()
    work_forever(url, {}, job_timeout_seconds=60)
    helper.join()
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()
            thread.join()


def test_an_unreachable_queue_is_told_and_tried_again(own_process: None, tmp_path: Path) -> None:
    class EnoughError(Exception):
        """Ends the loop of this test."""

    def enough(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        seen.append(dict(event))
        if len(seen) == 3:
            raise EnoughError
        raise structlog.DropEvent

    seen: list[dict[str, object]] = []
    structlog.configure(processors=[enough])
    with pytest.raises(EnoughError):
        work_forever(f"unix://{tmp_path}/nowhere", {}, job_timeout_seconds=60)
    assert [event["event"] for event in seen] == ["queue.away"] * 3
    assert [event["again_in_seconds"] for event in seen] == [0.1, 0.2, 0.4]


def test_what_does_not_end_in_time_is_killed_with_the_worker(worker: SafeWorker) -> None:
    reader, writer = os.pipe()
    parent = os.fork()
    if not parent:
        # A worker of its own process, as the end of it is the end of the process.
        horse = os.fork()
        if not horse:
            os.setpgrp()
            os.write(writer, b"x")
            signal.pause()
        os.read(reader, 1)
        worker._horse_pid = horse
        worker._stop_now()
    os.close(writer)
    _, status = os.waitpid(parent, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    # The horse held the other end of the pipe: its end is the end of the file.
    os.read(reader, 1)
    os.close(reader)
