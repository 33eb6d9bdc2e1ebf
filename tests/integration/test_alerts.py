"""Alerts all the way: raised, routed, through a real queue and a real worker, to receivers on this machine."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue as RqQueue
from rq.serializers import JSONSerializer
from standardwebhooks import Webhook

from broker.alerts.book import Book, Delivery, State
from broker.alerts.dispatch import Dispatcher
from broker.alerts.model import Alert, AlertKind, raising
from broker.alerts.routing import Router
from broker.alerts.service import Alerts
from broker.clock import SystemClock
from broker.config.alerting import Alerting, Channel, ChannelKind
from broker.ledger.events import parse_event
from broker.ledger.log import Ledger
from broker.queue import DELIVER_ALERT, QUEUE_NAME, RUN_APPROVED, Queue
from broker.store.base import EventFilter, EventType
from broker.store.database import Database, open_database
from broker.store.reader import SqlReader
from broker.store.schema import migrate
from tests.parts.threaded_http import QuietHandler, threaded
from tests.parts.valkey import private_valkey

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
DELIVERY = "dlv_" + "0" * 26
DEADLINE_SECONDS = 60.0
WORKER = """
import sys
from broker.settings import Settings
from broker.worker import main
main(Settings(data=sys.argv[1], redis_url=sys.argv[2], min_free_bytes=0, public_url="https://ostiary.example"))
"""


@dataclass
class Receiver:
    """Refuses the first `refusing` messages and keeps them all."""

    address: str
    got: list[tuple[str, dict[str, str], bytes]]
    refusing: int = 0


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver("", [])

    class Handler(QuietHandler):
        def respond(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append((self.path, headers, self.body()))
            self.reply(503 if len(receiver.got) <= receiver.refusing else 204, b"")

    with threaded(Handler) as receiver.address:
        yield receiver


@dataclass
class House:
    book: Book
    ledger: Ledger
    reader: SqlReader
    queue: Queue
    receiver: Receiver
    worker: subprocess.Popen[bytes]
    router: Router
    dispatcher: Dispatcher
    alerts: Alerts
    database: Database
    queue_url: str

    def make_due(self) -> None:
        """Let the time of the next try have come."""
        with self.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE alert_deliveries SET next_at_ns = 0")

    async def until(self, delivery: Delivery, holds: Callable[[Delivery], bool]) -> Delivery:
        """Wait until a delivery has come so far; the worker tells nobody but the database."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                assert self.worker.poll() is None
                found = await self.book.delivery(delivery.id)
                if found is not None and holds(found):
                    return found
                await asyncio.sleep(0.05)

    async def settled(self, alert_id: str) -> list[Delivery]:
        """Send what is due until every channel has taken the alert, or given it up."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                assert self.worker.poll() is None
                await self.router.round()
                await self.dispatcher.round()
                found = await self.book.deliveries(alert_id)
                if found and all(each.state is not State.PENDING for each in found):
                    return found
                await asyncio.sleep(0.05)

    async def events(self, kind: EventType) -> list[dict[str, Any]]:
        return [parse_event(each.body).data for each in await self.reader.events(EventFilter(type=kind.value))]


def write_files(folder: Path, receiver: Receiver) -> None:
    for name, text in (("soc", SECRET), ("ops", f"json://{receiver.address}/push\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    (folder / "config").mkdir()
    (folder / "run").mkdir(mode=0o700)
    (folder / "config" / "ostiary.yaml").write_text(
        "version: 1\nchannels:\n"
        f"  soc: {{kind: webhook, url: 'http://{receiver.address}/hook', secret_file: {folder}/soc}}\n"
        f"  ops: {{kind: apprise, url_file: {folder}/ops}}\n"
        "  log: {kind: log}\n"
    )


@pytest.fixture
async def house(request: pytest.FixtureRequest, short_tmp: Path) -> AsyncIterator[House]:
    clock = SystemClock()
    with ExitStack() as stack:
        receiver, valkey = stack.enter_context(receiving()), stack.enter_context(private_valkey())
        write_files(short_tmp, receiver)
        database = open_database(f"sqlite:///{short_tmp / 'ledger.sqlite3'}")
        stack.callback(database.close)
        migrate(database)
        ledger, book = Ledger(database, clock), Book(database)
        ledger.start()
        queue = Queue(valkey.url, job_timeout_seconds=120)
        stack.callback(queue.close)
        worker = _start(short_tmp, valkey.url)
        stack.callback(_end, worker)
        alerting = Alerting(getattr(request, "param", ("soc", "ops", "log")))
        channels = {name: Channel(name, ChannelKind.LOG) for name in alerting.channels}
        yield House(
            book,
            ledger,
            SqlReader(database),
            queue,
            receiver,
            worker,
            Router(book, lambda: alerting, clock),
            Dispatcher(book, queue, ledger, clock),
            Alerts(book, ledger, queue, clock=clock, channels=lambda: channels),
            database,
            valkey.url,
        )
        await ledger.aclose()


def _start(folder: Path, queue_url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), queue_url],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        stderr=subprocess.DEVNULL,
    )


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.send_signal(signal.SIGTERM)
    worker.wait(DEADLINE_SECONDS)


def _alert() -> Alert:
    return Alert(
        AlertKind.DENIED, "agent:x", "agent `x` was denied", "look", agent="x", facts={"resource": "a\u202eb @here"}
    )


@pytest.mark.req("L3")
async def test_an_alert_reaches_every_channel_signed_and_is_told_on_the_ledger(house: House) -> None:
    change = raising(SystemClock(), _alert())
    await house.ledger.commit(change)
    alert_id = change.event.data["alert"]
    deliveries = await house.settled(alert_id)

    assert {(each.channel, each.state) for each in deliveries} == {
        ("soc", State.DELIVERED), ("ops", State.DELIVERED), ("log", State.DELIVERED),
    }  # fmt: skip
    by_path = {path: (headers, body) for path, headers, body in house.receiver.got}
    assert set(by_path) == {"/hook", "/push"}
    headers, body = by_path["/hook"]
    told = Webhook(SECRET).verify(body, headers)
    assert told["data"]["id"] == alert_id
    assert told["data"]["url"] == f"https://ostiary.example/v1/alerts/{alert_id}"
    pushed = json.loads(by_path["/push"][1])["message"]
    assert f"https://ostiary.example/v1/alerts/{alert_id}" in pushed
    assert "\\u202e" in pushed
    assert "@here" not in pushed
    events = await house.events(EventType.ALERT_DELIVERED)
    assert sorted(each["channel"] for each in events) == ["log", "ops", "soc"]


@pytest.mark.req("L3")
@pytest.mark.parametrize("house", [("soc",)], indirect=True)
async def test_a_receiver_that_refuses_gets_it_again_under_the_same_id(house: House) -> None:
    house.receiver.refusing = 1
    change = raising(SystemClock(), _alert())
    await house.ledger.commit(change)
    await house.router.round()
    [soc] = [each for each in await house.book.deliveries(change.event.data["alert"]) if each.channel == "soc"]
    await house.queue.post(soc.id, 0)
    missed = await house.until(soc, lambda found: found.error == "status-503")
    assert (missed.attempts, missed.state) == (1, State.PENDING)
    # Messages that are doubled, or come before their time, are no second try; one that is due is.
    assert await house.queue.post(soc.id, 0)
    assert await house.queue.post(soc.id, 1)
    house.make_due()
    await house.settled(soc.alert_id)
    hooks = [headers["webhook-id"] for path, headers, _ in house.receiver.got if path == "/hook"]
    assert hooks == [soc.id, soc.id]


@pytest.mark.req("L3")
@pytest.mark.parametrize("house", [("log", "soc")], indirect=True)
async def test_a_test_tells_which_channel_took_it_and_messages_about_nothing_do_nothing(house: House) -> None:
    await house.queue.post("dlv_" + "0" * 26, 0)
    row, deliveries = await house.alerts.test("ana", wait_seconds=DEADLINE_SECONDS)
    assert [(each.channel, each.state) for each in deliveries] == [
        ("log", State.DELIVERED), ("soc", State.DELIVERED),
    ]  # fmt: skip
    assert row.alert.kind is AlertKind.TEST
    assert len(house.receiver.got) == 1
    assert house.worker.poll() is None


@pytest.mark.req("L3")
async def test_a_message_holds_a_delivery_and_a_try_and_nothing_else() -> None:
    with private_valkey() as valkey, Redis.from_url(valkey.url) as redis:
        queue = Queue(valkey.url, job_timeout_seconds=60)
        assert await queue.post(DELIVERY, 2)
        assert not await queue.post(DELIVERY, 2)
        fields: dict[bytes, bytes] = redis.hgetall(f"rq:job:{DELIVERY}-2")
        assert json.loads(zlib.decompress(fields[b"data"])) == [DELIVER_ALERT, None, [DELIVERY, 2], {}]
        assert redis.llen(f"rq:queue:{QUEUE_NAME}") == 1
        for wrong in ("int_" + "0" * 26, "alt_" + "0" * 26, DELIVERY.upper()):
            with pytest.raises(ValueError, match="needs an id and a number"):
                await queue.post(wrong, 0)
        queue.close()


@pytest.mark.req("H4")
@pytest.mark.parametrize("house", [("log",)], indirect=True)
async def test_forged_messages_about_alerts_fail_and_send_nothing(house: House, tmp_path: Path) -> None:
    mark = tmp_path / "pwned"
    intent = "int_" + "0" * 26
    with Redis.from_url(house.queue_url) as redis:
        forging = RqQueue(QUEUE_NAME, connection=redis, serializer=JSONSerializer)
        jobs = [
            forging.enqueue(DELIVER_ALERT, intent, 1, job_id=f"{intent}-1"),
            forging.enqueue(RUN_APPROVED, DELIVERY, 1, job_id=f"{DELIVERY}-1"),
            forging.enqueue(DELIVER_ALERT, DELIVERY, 2, f"http://{house.receiver.address}/", job_id=f"{DELIVERY}-2"),
            forging.enqueue(DELIVER_ALERT, DELIVERY, 3, job_id=f"{DELIVERY}-4"),
            forging.enqueue("os.system", f"touch {mark}", job_id=f"{DELIVERY}-5"),
        ]
        async with asyncio.timeout(DEADLINE_SECONDS):
            # Redis rings no bell.
            while not all(redis.zscore(f"rq:failed:{QUEUE_NAME}", job.id) for job in jobs):  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.05)
    assert house.receiver.got == []
    assert not mark.exists()
    _, deliveries = await house.alerts.test("ana", wait_seconds=DEADLINE_SECONDS)
    assert [each.state for each in deliveries] == [State.DELIVERED]
