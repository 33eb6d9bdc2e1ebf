"""The queue of approved work and of alerts: a message says "look at this intent", never what to do.

The database is the truth. A message carries an intent id and a fence, or the id of an alert's delivery and the number
of its try, and nothing else; whoever gets it asks the database whether that still waits, and the compare-and-set there
lets exactly one asker win. So a message may be lost (it is sent again), doubled, delayed or forged without an act being
lost or doubled.

Redis is not trusted: RQ imports a function by the name it finds in Redis, and callbacks, webhooks, retries and
dependents likewise. `SafeJob` reads a job in this order and refuses what does not fit, importing nothing:

1. only the fields of a plain job are read; any other that is set marks the job as forged
2. the payload is bounded, JSON, and exactly ``[function, null, [id, number], {}]``
3. the function's name is a key of a table, never an import path
4. the id is one that function takes, and the id of the job is the one its payload makes
5. results and failures are kept as long as constants here say, not as long as the message says
"""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue as RqQueue
from rq.exceptions import DeserializationError, DuplicateJobError, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from broker.errors import QueueUnavailableError
from broker.ids import IntentId

QUEUE_NAME: Final = "ostiary"
"""One queue: with more than one RQ falls back to BLPOP, which can lose a job between the pop and its registry."""

RUN_APPROVED: Final = "broker.worker.run_approved"
"""Carries out what people approved."""
DELIVER_ALERT: Final = "broker.worker.deliver_alert"
"""Tries to bring an alert to a channel. A message may name these two functions and no other."""

DESCRIPTION: Final = "approved work"
"""Shown by RQ's tools; by default they would show the arguments."""

RESULT_TTL_SECONDS: Final = 0
"""Results live in the database; Redis keeps none."""
FAILURE_TTL_SECONDS: Final = 3600
"""How long Redis remembers that a message failed (RQ's default is a year); a look for operators, nothing reads it."""
JOB_TTL_SECONDS: Final = 86_400
"""When Redis forgets a message whose worker was killed; by then the reconciler has sent it again many times."""
MAX_PAYLOAD_BYTES: Final = 1024
"""The honest payload has about 100 bytes; a decompression bomb stops here."""

_TIMEOUT_SECONDS: Final = 2.0
"""Longest wait for an answer of Redis when sending; the reconciler tries again, so a short wait is enough."""
_IDS: Final[Mapping[str, re.Pattern[str]]] = {
    RUN_APPROVED: re.compile(r"int_[0-9a-z]{26}", re.ASCII),
    DELIVER_ALERT: re.compile(r"dlv_[0-9a-z]{26}", re.ASCII),
}
"""Which ids each function takes."""
_MAX_NUMBER: Final = 2**53

# What a plain message has. Everything else RQ knows (callbacks, webhooks, retries, repeats, dependencies, groups, meta,
# results) either names code or makes the worker act without the database being asked.
_PLAIN_FIELDS: Final = frozenset(
    {
        b"created_at", b"data", b"description", b"ended_at", b"enqueued_at", b"failure_ttl", b"last_heartbeat",
        b"origin", b"result_ttl", b"started_at", b"status", b"timeout", b"ttl", b"worker_name",
    }
)  # fmt: skip


class JobRefusedError(DeserializationError):
    """A message is not one of ours; the text names the rule, never the message."""


class SafeJob(Job):
    """A job that runs only functions of a table and has no callbacks, webhooks, retries or dependents.

    `functions` is empty here, which is all the sending side needs; the worker runs a subclass with its own.
    """

    functions: ClassVar[Mapping[str, Callable[..., Any]]] = {}

    _forged = False

    @classmethod
    def fetch(cls, id: str, connection: Redis | None = None, serializer: Any = None) -> SafeJob:  # noqa: A002, ANN401 - RQ's signature
        """Read a job; whatever cannot be read does not exist, so that no message can stop the worker."""
        try:
            job = super().fetch(id, connection=connection, serializer=serializer)
        except (RedisError, OSError, NoSuchJobError):
            raise
        except Exception:  # noqa: BLE001 - a malformed message raises anything; it leads to skipping the message
            raise NoSuchJobError("the job cannot be read") from None
        if not isinstance(job, SafeJob):
            raise NoSuchJobError("the job has another class")
        return job

    def restore(self, raw_data: Mapping[Any, Any]) -> None:
        """Take over the fields of a plain job (rules 1, 2 and 5)."""
        fields = {_as_bytes(key): value for key, value in raw_data.items()}
        self._forged = any(value for key, value in fields.items() if key not in _PLAIN_FIELDS)
        plain = {key: value for key, value in fields.items() if key in _PLAIN_FIELDS}
        if b"data" in plain:
            plain[b"data"] = _inflate(plain[b"data"])
        super().restore(plain)
        self.result_ttl = RESULT_TTL_SECONDS
        self.failure_ttl = FAILURE_TTL_SECONDS

    def _deserialize_data(self) -> None:
        """Parse the payload (rules 2, 3 and 4); every way RQ has to the function's name or arguments comes by here."""
        if self._forged:
            raise JobRefusedError("the job has fields that no message of ours has")
        try:
            payload = json.loads(self.data)
        except (ValueError, RecursionError):
            raise JobRefusedError("the payload is not JSON") from None
        match payload:
            case [str(name), None, [str(subject), int(number)], dict(kwargs)] if not kwargs:
                pass
            case _:
                raise JobRefusedError("the payload is not an id and a number")
        if name not in _IDS:
            raise JobRefusedError("the function is not on the list")
        if not _is_ours(name, subject, number) or self.id != job_id(subject, number):
            raise JobRefusedError("the id of the job does not fit its payload")
        self._func_name, self._instance, self._args, self._kwargs = name, None, [subject, number], {}

    @property
    def func(self) -> Callable[..., Any]:
        """The function, by table; RQ would import it by name."""
        self._deserialize_data()
        function = self.functions.get(str(self.func_name))
        if function is None:
            raise JobRefusedError("this process runs no jobs")
        return function

    @property
    def success_callback(self) -> None:
        """None, whatever the message names."""

    @property
    def failure_callback(self) -> None:
        """None, whatever the message names."""

    @property
    def stopped_callback(self) -> None:
        """None, whatever the message names."""

    def send_webhooks(self, status: str, *, exc_string: str | None = None) -> None:
        """Send nothing: a forged webhook would make the worker call any host."""

    @property
    def should_retry(self) -> bool:
        """False: only the reconciler sends work again, after it has asked the database."""
        return False


class SafeQueue(RqQueue):
    """The queue as the worker sees it: nothing follows from a finished job."""

    job_class = SafeJob

    def enqueue_dependents(self, *_args: object, **_kwargs: object) -> None:
        """Enqueue nothing: dependents would be named by Redis."""


class Queue:
    """Sends approved work to the workers.

    Args:
        url: Redis or Valkey, ``redis://``, ``rediss://`` or ``unix://``.
        job_timeout_seconds: When RQ ends a run that has not ended itself; see `Settings.job_timeout_seconds`.

    Raises:
        QueueUnavailableError: the URL cannot be used.
    """

    def __init__(self, url: str, *, job_timeout_seconds: int) -> None:
        self._redis = connect(url)
        self._queue = SafeQueue(QUEUE_NAME, connection=self._redis, serializer=JSONSerializer)
        self._timeout_seconds = job_timeout_seconds

    def enqueue(self, intent_id: IntentId, fence: int) -> bool:
        """Ask the workers to look at an intent; blocks for at most a few seconds.

        Args:
            intent_id: The approved intent.
            fence: Its fence when it was read; a worker that finds another one leaves it alone.

        Returns:
            False when the same message waits already, True when it was sent. Only *waiting* messages count: one whose
            worker was killed is sent again.

        Raises:
            QueueUnavailableError: Redis cannot be reached or refuses; the work stays in the database.
        """
        return self._enqueue(RUN_APPROVED, intent_id, fence)

    async def send(self, intent_id: IntentId, fence: int) -> bool:
        """Do `enqueue` in a thread, so that the event loop does not wait for Redis."""
        return await asyncio.to_thread(self.enqueue, intent_id, fence)

    async def post(self, delivery_id: str, attempt: int) -> bool:
        """Ask the workers to try an alert's delivery; as `send`, for the delivery at that try.

        Raises:
            QueueUnavailableError: Redis cannot be reached or refuses; the delivery stays in the database.
        """
        return await asyncio.to_thread(self._enqueue, DELIVER_ALERT, delivery_id, attempt)

    def ping(self) -> bool:
        """Return whether Redis answers; blocks for at most a few seconds."""
        try:
            return bool(self._redis.ping())
        except (RedisError, OSError):
            return False

    async def alive(self) -> bool:
        """Do `ping` in a thread."""
        return await asyncio.to_thread(self.ping)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _enqueue(self, function: str, subject: str, number: int) -> bool:
        if not _is_ours(function, subject, number):
            msg = "a message needs an id and a number"
            raise ValueError(msg)
        try:
            return self._send(function, job_id(subject, number), [subject, number])
        except (RedisError, OSError) as error:
            raise QueueUnavailableError(f"the queue cannot be reached ({type(error).__name__})") from None

    def _send(self, function: str, name: str, args: list[str | int]) -> bool:
        try:
            self._push(function, name, args, unique=True)
        except DuplicateJobError:
            # The message is known to Redis. Either it waits (done), or a worker took it and runs it, or that worker is
            # dead. Redis cannot tell the last two apart for a minute and more, the database can: sending is right.
            if self._queue.get_job_position(name) is not None:
                return False
            self._push(function, name, args, unique=False)
        return True

    def _push(self, function: str, name: str, args: list[str | int], *, unique: bool) -> None:
        self._queue.enqueue_call(
            function,
            args=args,
            kwargs={},
            timeout=self._timeout_seconds,
            result_ttl=RESULT_TTL_SECONDS,
            ttl=JOB_TTL_SECONDS,
            failure_ttl=FAILURE_TTL_SECONDS,
            description=DESCRIPTION,
            job_id=name,
            unique=unique,
        )


def connect(url: str, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> Redis:
    """Return a client that does not retry by itself: its callers know better when to.

    Raises:
        QueueUnavailableError: the URL cannot be used; the text does not hold it, as it may hold a password.
    """
    try:
        return Redis.from_url(
            url,
            socket_connect_timeout=timeout_seconds,
            socket_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
        )
    except (ValueError, TypeError):
        raise QueueUnavailableError("the URL of the queue cannot be used") from None


def job_id(subject: str, number: int) -> str:
    """Return the RQ id of the message for an intent at a fence, or a delivery at a try.

    RQ allows letters, digits, ``_`` and ``-`` only.
    """
    return f"{subject}-{number}"


def _is_ours(function: str, subject: str, number: int) -> bool:
    # True is an int to Python; a fence is not a truth.
    fits = not isinstance(number, bool) and 0 <= number < _MAX_NUMBER
    return fits and _IDS[function].fullmatch(subject) is not None


def _as_bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key


def _inflate(data: bytes) -> bytes:
    """Return the payload, decompressed when it is compressed, bounded either way; what is too long becomes nothing."""
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, MAX_PAYLOAD_BYTES)
    except zlib.error:
        return data if len(data) <= MAX_PAYLOAD_BYTES else b""
    return b"" if inflater.unconsumed_tail or not inflater.eof else text
