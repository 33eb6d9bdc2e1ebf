"""Messages for the tests of channels, and a receiver on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.alerts.book import Delivery
from broker.alerts.channels.base import Outgoing
from broker.alerts.model import AlertRow
from broker.config.alerting import Channel, ChannelKind
from tests.parts.threaded_http import QuietHandler, threaded
from tests.unit.broker.alerts.desk import FRIDAY_NOON_NS, some_alert

ALERT_ID = "alt_" + "0" * 26
DELIVERY_ID = "dlv_" + "0" * 26


def outgoing(channel: Channel | None = None, *, more: int = 0, at_ns: int = FRIDAY_NOON_NS, **alert: Any) -> Outgoing:
    return Outgoing(
        Delivery(DELIVERY_ID, ALERT_ID, "ops", more=more),
        AlertRow(ALERT_ID, some_alert(**alert), FRIDAY_NOON_NS, 1),
        channel or Channel("ops", ChannelKind.LOG),
        f"https://ostiary.example/v1/alerts/{ALERT_ID}",
        at_ns,
    )


def secret_file(folder: Path, text: str, mode: int = 0o600, name: str = "secret") -> str:
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@dataclass
class Receiver:
    """What came in, and what is answered."""

    address: str = ""
    status: int = 204
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(QuietHandler):
        def respond(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append((self.path, headers, self.body()))
            more = [("Location", f"http://{receiver.address}/moved")] if receiver.status == 302 else []
            self.reply(receiver.status, b"", *more)

    with threaded(Handler) as address:
        receiver.address = address
        yield receiver
