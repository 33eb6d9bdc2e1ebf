"""Jobs as they are read from Redis: what is one of ours, and that everything else is refused without an import."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from rq.exceptions import NoSuchJobError
from rq.serializers import JSONSerializer

from broker.ids import IntentId
from broker.queue import (
    DELIVER_ALERT,
    FAILURE_TTL_SECONDS,
    MAX_PAYLOAD_BYTES,
    RESULT_TTL_SECONDS,
    RUN_APPROVED,
    JobRefusedError,
    SafeJob,
    SafeQueue,
    job_id,
)

INTENT = IntentId("int_" + "0" * 26)
DELIVERY = "dlv_" + "0" * 26
HONEST: list[object] = [RUN_APPROVED, None, [INTENT, 1], {}]
HONEST_ALERT: list[object] = [DELIVER_ALERT, None, [DELIVERY, 0], {}]
NOWHERE = Redis(unix_socket_path="/nowhere")


class WorkJob(SafeJob):
    functions = {  # noqa: RUF012 - a test's table
        RUN_APPROVED: lambda *args: args,
        DELIVER_ALERT: lambda *args: ("alert", *args),
        "os.system": print,
    }


def restored(payload: object, **fields: bytes) -> WorkJob:
    return named(job_id(INTENT, 1), payload, **fields)


def named(name: str, payload: object, **fields: bytes) -> WorkJob:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    job = WorkJob(name, connection=NOWHERE, serializer=JSONSerializer)
    job.restore({b"data": zlib.compress(data), b"origin": b"ostiary", **{k.encode(): v for k, v in fields.items()}})
    return job


@pytest.mark.req("H4")
def test_an_honest_message_names_the_function_of_the_table() -> None:
    job = restored(HONEST, result_ttl=b"-1", failure_ttl=b"-1")
    assert job.func(*job.args) == (INTENT, 1)
    assert job.kwargs == {}
    assert job.instance is None
    assert (job.result_ttl, job.failure_ttl) == (RESULT_TTL_SECONDS, FAILURE_TTL_SECONDS)


@pytest.mark.req("L3")
def test_an_honest_message_about_an_alert_names_the_other_function() -> None:
    job = named(job_id(DELIVERY, 0), HONEST_ALERT)
    assert job.func(*job.args) == ("alert", DELIVERY, 0)


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ([DELIVER_ALERT, None, [INTENT, 1], {}], job_id(INTENT, 1)),
        ([RUN_APPROVED, None, [DELIVERY, 0], {}], job_id(DELIVERY, 0)),
        ([DELIVER_ALERT, None, ["alt_" + "0" * 26, 0], {}], job_id("alt_" + "0" * 26, 0)),
        ([DELIVER_ALERT, None, [DELIVERY, 1], {}], job_id(DELIVERY, 0)),
        ([DELIVER_ALERT, None, [DELIVERY, 0], {}], job_id(INTENT, 1)),
        ([DELIVER_ALERT, None, [DELIVERY + "\n", 0], {}], job_id(DELIVERY, 0)),
        ([DELIVER_ALERT, None, [DELIVERY, -1], {}], job_id(DELIVERY, -1)),
        ([DELIVER_ALERT, None, [DELIVERY, False], {}], f"{DELIVERY}-False"),
        ([DELIVER_ALERT, None, [DELIVERY, 0], {"settings": 1}], job_id(DELIVERY, 0)),
        ([DELIVER_ALERT, None, [DELIVERY, 0, "http://evil.example"], {}], job_id(DELIVERY, 0)),
    ],
)
def test_each_function_takes_its_own_ids_and_nothing_else(payload: object, name: str) -> None:
    with pytest.raises(JobRefusedError):
        _ = named(name, payload).func


def test_a_process_without_a_table_runs_nothing() -> None:
    job = SafeJob(job_id(INTENT, 1), connection=NOWHERE, serializer=JSONSerializer)
    job.restore({"data": json.dumps(HONEST).encode(), "origin": b"ostiary"})
    with pytest.raises(JobRefusedError, match="this process runs no jobs"):
        _ = job.func


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (["os.system", None, ["true"], {}], "the payload is not an id and a number"),
        (["os.system", None, [INTENT, 1], {}], "the function is not on the list"),
        (["broker.worker.main", None, [INTENT, 1], {}], "the function is not on the list"),
        ([RUN_APPROVED, "instance", [INTENT, 1], {}], "the payload is not"),
        ([RUN_APPROVED, None, [INTENT, 1, 2], {}], "the payload is not"),
        ([RUN_APPROVED, None, [INTENT, 1], {"settings": 1}], "the payload is not"),
        ([RUN_APPROVED, None, [INTENT, 1.0], {}], "the payload is not"),
        ([RUN_APPROVED, None, [INTENT, "1"], {}], "the payload is not"),
        ([RUN_APPROVED, None, [INTENT, True], {}], "the id of the job does not fit"),
        ([RUN_APPROVED, None, [INTENT, -1], {}], "the id of the job does not fit"),
        ([RUN_APPROVED, None, [INTENT, 2], {}], "the id of the job does not fit"),
        ([RUN_APPROVED, None, ["int_" + "1" * 26, 1], {}], "the id of the job does not fit"),
        ([RUN_APPROVED, None, ["int_" + "\u0660" * 26, 1], {}], "the id of the job does not fit"),
        ({}, "the payload is not"),
        (b"", "the payload is not JSON"),
        (b"\x80\x04\x95", "the payload is not JSON"),
        (b"[" * 1000, "the payload is not JSON"),
        (json.dumps(HONEST).encode() + b" " * MAX_PAYLOAD_BYTES, "the payload is not JSON"),
    ],
)
def test_another_message_is_refused(payload: object, why: str) -> None:
    job = restored(payload)
    for read in (lambda: job.func, lambda: job.func_name, lambda: job.args, lambda: job.kwargs, lambda: job.instance):
        with pytest.raises(JobRefusedError, match=why):
            read()


@pytest.mark.parametrize(
    "field",
    [
        "success_callback_name", "failure_callback_name", "stopped_callback_name", "webhooks", "retries_left",
        "retry_intervals", "repeats_left", "repeat_intervals", "dependency_id", "dependency_ids", "meta", "result",
        "exc_info", "group_id", "enqueue_at_front", "number_of_retries", "a_field_of_the_next_release",
    ],
)  # fmt: skip
def test_a_message_with_any_other_field_is_refused(field: str) -> None:
    job = restored(HONEST, **{field: b"os.system"})
    with pytest.raises(JobRefusedError, match="the job has fields that no message of ours has"):
        _ = job.func
    assert job.success_callback is job.failure_callback is job.stopped_callback is None
    assert not job.should_retry
    assert job.webhooks == []
    job.send_webhooks("finished")


def test_nothing_follows_from_a_finished_job() -> None:
    job = restored(HONEST)
    SafeQueue("ostiary", connection=NOWHERE, serializer=JSONSerializer).enqueue_dependents(job)


def test_a_decompression_bomb_is_not_inflated() -> None:
    job = restored(b"0" * (64 << 20))
    assert job.data == b""


@given(
    payload=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.sampled_from([RUN_APPROVED, DELIVER_ALERT, INTENT, DELIVERY]),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2),
    )
)
def test_whatever_the_payload_only_the_honest_one_gives_a_function(payload: object) -> None:
    job = restored(payload)
    try:
        function = job.func
    except JobRefusedError:
        assert payload != HONEST
    else:
        assert payload == HONEST
        assert function is WorkJob.functions[RUN_APPROVED]


class StubbornRedis(Redis):
    """Answers every read of a hash with what it was given, or fails."""

    def __init__(self, answer: object) -> None:
        super().__init__(unix_socket_path="/nowhere")
        self.answer = answer

    def hgetall(self, name: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer", [{}, {b"x": b"y"}, {b"data": b"[]", b"status": b"?"}, {b"data": b"", b"timeout": b"x"}, {b"\xff": b""}, 5]
)
def test_what_cannot_be_read_does_not_exist(answer: object) -> None:
    with pytest.raises(NoSuchJobError):
        WorkJob.fetch("x-1", connection=StubbornRedis(answer), serializer=JSONSerializer)
    with pytest.raises(NoSuchJobError):
        WorkJob.fetch("../x", connection=StubbornRedis({}), serializer=JSONSerializer)


def test_a_server_that_is_away_is_not_a_job_that_does_not_exist() -> None:
    with pytest.raises(ConnectionError):
        WorkJob.fetch("x-1", connection=StubbornRedis(ConnectionError()), serializer=JSONSerializer)
