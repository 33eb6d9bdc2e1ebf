"""The queue on a real server: what a message holds, what a worker runs, and what it refuses."""

from __future__ import annotations

import contextlib
import json
import os
import pickle  # noqa: TID251 - to forge what must be refused
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue as RqQueue
from rq.job import Callback, Job
from rq.serializers import JSONSerializer

from broker.errors import QueueUnavailableError
from broker.ids import IntentId
from broker.queue import QUEUE_NAME, RUN_APPROVED, Queue, job_id
from tests.parts.valkey import PrivateValkey, private_valkey

INTENT = IntentId("int_" + "0" * 26)
OTHER = IntentId("int_" + "1" * 26)
DEADLINE_SECONDS = 20.0

WORKER = """
import pathlib, signal, sys, os
from broker.worker import work_forever

def run(intent_id, fence):
    marks = pathlib.Path(sys.argv[2])
    if intent_id.endswith("9"):
        raise RuntimeError("the secret is hunter2")
    if intent_id.endswith("8"):
        (marks / "horse").write_text(str(os.getpid()))
        signal.pause()  # until it is killed
    with (marks / f"{intent_id}-{fence}").open("a") as file:
        file.write("x")

work_forever(sys.argv[1], {"broker.worker.run_approved": run, "os.system": os.system}, job_timeout_seconds=60)
"""


@pytest.fixture
def valkey() -> Iterator[PrivateValkey]:
    with private_valkey() as server:
        yield server


@pytest.fixture
def redis(valkey: PrivateValkey) -> Iterator[Redis]:
    with Redis.from_url(valkey.url) as client:
        yield client


@pytest.fixture
def queue(valkey: PrivateValkey) -> Iterator[Queue]:
    with contextlib.closing(Queue(valkey.url, job_timeout_seconds=60)) as made:
        yield made


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@pytest.fixture
def worker(valkey: PrivateValkey, marks: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = start_worker(valkey, marks)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def start_worker(valkey: PrivateValkey, marks: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, valkey.url, str(marks)],
        env={**os.environ, "PYTHONPATH": f"{Path.cwd()}:{marks.parent}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def eventually(true: Callable[[], object]) -> None:
    """Wait until something holds; the deadline is for a broken test only."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            msg = "it did not happen"
            raise AssertionError(msg)
        time.sleep(0.01)


def failed(redis: Redis, name: str) -> bool:
    return redis.zscore(f"rq:failed:{QUEUE_NAME}", name) is not None


def everything_in(redis: Any) -> bytes:
    """All keys and values, also decompressed where they can be."""
    found = []
    for key in redis.keys("*"):
        found.append(key + b"=" + (redis.dump(key) or b""))
        if redis.type(key) == b"hash":
            for value in redis.hgetall(key).values():
                with contextlib.suppress(zlib.error):
                    found.append(zlib.decompress(value))
                found.append(value)
    return b"\n".join(found)


def await_failure(redis: Redis, name: str) -> None:
    eventually(lambda: failed(redis, name))


@pytest.mark.req("H4")
def test_a_message_is_json_and_holds_the_intent_and_the_fence_and_nothing_else(queue: Queue, redis: Any) -> None:
    assert queue.enqueue(INTENT, 3)

    fields = redis.hgetall(f"rq:job:{INTENT}-3")
    assert json.loads(zlib.decompress(fields[b"data"])) == [RUN_APPROVED, None, [INTENT, 3], {}]
    assert fields[b"description"] == b"approved work"
    assert fields[b"result_ttl"] == b"0"
    assert fields[b"failure_ttl"] == b"3600"
    assert not [name for name in fields if name.startswith(b"retr")]
    assert redis.lrange(f"rq:queue:{QUEUE_NAME}", 0, -1) == [f"{INTENT}-3".encode()]


def test_sending_the_same_message_again_while_it_waits_changes_nothing(queue: Queue, redis: Redis) -> None:
    assert queue.enqueue(INTENT, 3)
    assert not queue.enqueue(INTENT, 3)
    assert queue.enqueue(INTENT, 4)

    assert redis.llen(f"rq:queue:{QUEUE_NAME}") == 2


def test_a_message_whose_worker_died_with_it_is_sent_again(queue: Queue, redis: Redis) -> None:
    queue.enqueue(INTENT, 3)
    redis.lmove(f"rq:queue:{QUEUE_NAME}", f"rq:queue:{QUEUE_NAME}:intermediate")

    assert queue.enqueue(INTENT, 3)
    assert redis.lrange(f"rq:queue:{QUEUE_NAME}", 0, -1) == [f"{INTENT}-3".encode()]


@pytest.mark.req("H4")
def test_a_flushed_redis_takes_the_message_again(queue: Queue, redis: Redis) -> None:
    queue.enqueue(INTENT, 3)
    redis.flushall()

    assert queue.enqueue(INTENT, 3)


async def test_sending_from_an_event_loop_sends_the_same(queue: Queue, redis: Redis) -> None:
    assert await queue.send(INTENT, 3)
    assert not await queue.send(INTENT, 3)
    assert await queue.alive()


@pytest.mark.parametrize(
    ("intent", "fence"),
    [("os.system", 1), (INTENT + "\n", 1), (INTENT.upper(), 1), (INTENT, -1), (INTENT, True), (INTENT, 2**53)],
)
def test_what_is_no_intent_id_and_fence_is_not_sent(queue: Queue, intent: str, fence: int) -> None:
    with pytest.raises(ValueError, match="needs an id and a number"):
        queue.enqueue(IntentId(intent), fence)


def test_a_server_that_is_away_is_said_to_be_unavailable_and_comes_back(valkey: PrivateValkey, queue: Queue) -> None:
    queue.enqueue(INTENT, 1)
    valkey.kill()
    with pytest.raises(QueueUnavailableError, match="cannot be reached"):
        queue.enqueue(INTENT, 2)
    assert not queue.ping()

    valkey.start()
    assert queue.ping()
    assert queue.enqueue(INTENT, 2)


def test_a_url_that_cannot_be_used_is_not_repeated_in_the_error() -> None:
    with pytest.raises(QueueUnavailableError) as error:
        Queue("http://user:hunter2@host", job_timeout_seconds=60)
    assert "hunter2" not in str(error.value)


@pytest.mark.req("H4")
def test_the_worker_runs_a_message_once_and_keeps_nothing_of_it(
    queue: Queue, redis: Redis, worker: subprocess.Popen[bytes], marks: Path
) -> None:
    queue.enqueue(INTENT, 3)

    eventually((marks / f"{INTENT}-3").exists)
    eventually(lambda: not redis.exists(f"rq:job:{INTENT}-3"))
    assert (marks / f"{INTENT}-3").read_text() == "x"
    assert redis.llen(f"rq:queue:{QUEUE_NAME}") == 0


def test_the_worker_waits_for_a_server_that_is_away_and_then_works(
    valkey: PrivateValkey, queue: Queue, marks: Path
) -> None:
    valkey.kill()
    process = start_worker(valkey, marks)
    try:
        valkey.start()
        queue.enqueue(INTENT, 1)
        eventually((marks / f"{INTENT}-1").exists)
        valkey.kill()
        valkey.start()
        queue.enqueue(OTHER, 1)
        eventually((marks / f"{OTHER}-1").exists)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


FORGERIES: dict[str, Callable[[RqQueue, Path], Job]] = {
    "a function of the system": lambda q, mark: q.enqueue("os.system", f"touch {mark}"),
    "a function of the system under an honest id": lambda q, mark: q.enqueue(
        "os.system", f"touch {mark}", job_id=job_id(INTENT, 1)
    ),
    "a module that acts when it is imported": lambda q, _mark: q.enqueue("imported_by_nobody.run"),
    "a callback that acts when it is imported": lambda q, _mark: q.enqueue(
        RUN_APPROVED, INTENT, 1, job_id=job_id(INTENT, 1), on_failure=Callback("imported_by_nobody.run")
    ),
    "too many arguments": lambda q, mark: q.enqueue(RUN_APPROVED, INTENT, 1, str(mark), job_id=job_id(INTENT, 1)),
    "arguments by name": lambda q, mark: q.enqueue_call(
        RUN_APPROVED, args=[INTENT, 1], kwargs={"settings": str(mark)}, job_id=job_id(INTENT, 1)
    ),
    "an id that is not the payload's": lambda q, _mark: q.enqueue(RUN_APPROVED, OTHER, 1, job_id=job_id(INTENT, 1)),
    "no intent id": lambda q, _mark: q.enqueue(RUN_APPROVED, "x", 1, job_id="x-1"),
    "a fence that is a truth": lambda q, _mark: q.enqueue(RUN_APPROVED, INTENT, True, job_id=f"{INTENT}-True"),  # noqa: FBT003
    "a method of an instance": lambda q, _mark: _with_payload(q, ["system", "os", [INTENT, 1], {}]),
    "a payload that is no list": lambda q, _mark: _with_payload(q, {"a": 1}),
    "a callback after success": lambda q, _mark: q.enqueue(
        RUN_APPROVED, INTENT, 1, job_id=job_id(INTENT, 1), on_success=Callback("os.system")
    ),
    "a callback after failure": lambda q, _mark: q.enqueue(
        RUN_APPROVED, OTHER, 1, job_id=job_id(INTENT, 1), on_failure=Callback("os.system")
    ),
    "a callback after a stop": lambda q, _mark: q.enqueue(
        RUN_APPROVED, INTENT, 1, job_id=job_id(INTENT, 1), on_stopped=Callback("os.system")
    ),
}


def _with_payload(queue: RqQueue, payload: object) -> Job:
    return put(queue.connection, data=zlib.compress(json.dumps(payload).encode()))


def put(redis: Redis, **fields: str | bytes) -> Job:
    """Write a job field by field and only then its id into the queue, so that the worker sees all of it."""
    name = job_id(INTENT, 1)
    queue = RqQueue(QUEUE_NAME, connection=redis, serializer=JSONSerializer)
    job = queue.create_job(RUN_APPROVED, args=[INTENT, 1], job_id=name)
    job.origin = QUEUE_NAME
    job.save()
    for field, value in fields.items():
        redis.hset(job.key, field, value)
    redis.rpush(queue.key, name)
    return job


@pytest.mark.req("H4")
def test_forged_messages_fail_and_nothing_of_them_is_imported_or_executed(
    redis: Redis, queue: Queue, valkey: PrivateValkey, marks: Path
) -> None:
    mark = marks / "pwned"
    (marks.parent / "imported_by_nobody.py").write_text(f"open({str(mark)!r}, 'w').close()")
    process = start_worker(valkey, marks)
    try:
        for what, make in FORGERIES.items():
            job = make(RqQueue(QUEUE_NAME, connection=redis, serializer=JSONSerializer), mark)
            await_failure(redis, job.id)
            assert not mark.exists(), what
            assert not list(marks.iterdir()), what
            redis.delete(job.key)
            redis.zrem(f"rq:failed:{QUEUE_NAME}", job.id)
        queue.enqueue(INTENT, 7)
        eventually((marks / f"{INTENT}-7").exists)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


class Bomb:
    """Executes a command where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def test_a_pickled_payload_and_garbage_do_not_run_and_do_not_stop_the_worker(
    redis: Any, queue: Queue, worker: subprocess.Popen[bytes], marks: Path
) -> None:
    mark = marks / "pwned"
    job = put(redis, data=pickle.dumps(Bomb(mark)))
    await_failure(redis, job.id)

    garbage: list[dict[str, Any]] = [
        {"data": zlib.compress(b"[" * (8 << 20)), "origin": QUEUE_NAME},
        {"data": b"\xff" * 4096, "origin": QUEUE_NAME},
        {"data": b"[]", "status": "no such status"},
        {"data": b"[]", "created_at": "yesterday"},
        {"data": b"[]", "timeout": "forever", "webhooks": "[[]]", "dependency_ids": "[1]", "retries_left": "x"},
        {"nothing": "here"},
    ]
    for index, fields in enumerate(garbage):
        redis.hset(f"rq:job:garbage-{index}", mapping=fields)
        redis.rpush(f"rq:queue:{QUEUE_NAME}", f"garbage-{index}")
    redis.rpush(f"rq:queue:{QUEUE_NAME}", "../../no/id", b"\xff\xfe")

    queue.enqueue(INTENT, 7)
    eventually((marks / f"{INTENT}-7").exists)
    assert worker.poll() is None
    assert not mark.exists()


def test_a_forged_webhook_is_not_called_and_forged_retries_and_dependents_do_not_happen(
    redis: Redis, worker: subprocess.Popen[bytes], marks: Path
) -> None:
    name = job_id(INTENT, 1)
    hook = json.dumps([{"url": "http://127.0.0.1:9/", "job_status": "finished"}])
    for field, value in (("webhooks", hook), ("retries_left", "5"), ("repeats_left", "5"), ("dependency_ids", '["x"]')):
        put(redis, **{field: value})
        await_failure(redis, name)
        redis.delete(f"rq:job:{name}")
        redis.zrem(f"rq:failed:{QUEUE_NAME}", name)
    assert not list(marks.iterdir())


@pytest.mark.req("H4")
def test_the_text_of_an_exception_does_not_reach_redis(
    queue: Queue, redis: Redis, worker: subprocess.Popen[bytes]
) -> None:
    intent = IntentId("int_" + "0" * 25 + "9")
    queue.enqueue(intent, 1)

    eventually(lambda: failed(redis, job_id(intent, 1)))
    assert b"hunter2" not in everything_in(redis)
    result = Job.fetch(job_id(intent, 1), connection=redis, serializer=JSONSerializer).latest_result()
    assert result is not None
    assert result.exc_string == "failed; see the worker's log"


@pytest.mark.req("H4")
def test_killing_the_worker_kills_its_horse_and_the_message_can_be_sent_again(
    queue: Queue, redis: Redis, worker: subprocess.Popen[bytes], marks: Path
) -> None:
    intent = IntentId("int_" + "0" * 25 + "8")
    queue.enqueue(intent, 1)
    eventually((marks / "horse").exists)
    eventually((marks / "horse").read_text)
    horse = int((marks / "horse").read_text())

    worker.kill()
    worker.wait()

    eventually(lambda: not alive(horse))
    assert queue.enqueue(intent, 1)


def test_sigterm_ends_an_idle_worker_and_one_whose_work_does_not_end(
    queue: Queue, valkey: PrivateValkey, marks: Path
) -> None:
    queue.enqueue(INTENT, 1)
    idle = start_worker(valkey, marks)
    eventually((marks / f"{INTENT}-1").exists)
    idle.send_signal(signal.SIGTERM)
    assert idle.wait(DEADLINE_SECONDS) == 0

    busy = start_worker(valkey, marks)
    queue.enqueue(IntentId("int_" + "0" * 25 + "8"), 1)
    eventually((marks / "horse").exists)
    eventually((marks / "horse").read_text)
    busy.send_signal(signal.SIGTERM)
    assert busy.wait(DEADLINE_SECONDS) == 0
    eventually(lambda: not alive(int((marks / "horse").read_text())))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
