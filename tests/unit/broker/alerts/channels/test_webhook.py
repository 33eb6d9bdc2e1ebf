from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from broker.alerts.channels.base import Fault
from broker.alerts.channels.secret_files import SecretFileError
from broker.alerts.channels.webhook import WebhookSender, signing_secret
from broker.config.alerting import Channel, ChannelKind
from connectors.errors import OutcomeUnknownError
from connectors.guard import AddressGuard
from connectors.transport import HttpTransport
from tests.fakes import FakeTransport
from tests.unit.broker.alerts.channels.letters import ALERT_ID, DELIVERY_ID, Receiver, outgoing, secret_file

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    opened = HttpTransport(AddressGuard(["127.0.0.1"]))
    yield opened
    await opened.aclose()


def channel(receiver: Receiver, tmp_path: Path, secret: str = SECRET, mode: int = 0o600) -> Channel:
    return Channel(
        "soc",
        ChannelKind.WEBHOOK,
        url=f"http://{receiver.address}/hook?a=b",
        secret_file=secret_file(tmp_path, secret + "\n", mode),
    )


@pytest.mark.req("L3")
async def test_a_receiver_verifies_it_with_the_library_of_the_specification(
    receiver: Receiver, transport: HttpTransport, tmp_path: Path
) -> None:
    # The library compares with the clock of the machine, so the message is of now.
    letter = outgoing(channel(receiver, tmp_path), at_ns=time.time_ns())
    assert await WebhookSender(transport).send(letter) is None
    [(path, headers, body)] = receiver.got
    assert path == "/hook?a=b"
    verified = Webhook(SECRET).verify(body, headers)
    assert verified["type"] == "alert.raised"
    assert (verified["data"]["id"], verified["data"]["agent"]) == (ALERT_ID, "ci-runner")
    assert headers["webhook-id"] == DELIVERY_ID
    assert "whsec" not in str(receiver.got)
    for changed in (body + b" ", body.replace(b"ci-runner", b"ci-runnes")):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(changed, headers)


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (200, None), (299, None), (302, Fault("status-302")), (400, Fault("status-400")),
        (410, Fault("status-410", lasting=True)), (503, Fault("status-503")),
    ],
)  # fmt: skip
async def test_only_a_yes_is_a_yes_and_no_redirect_is_followed(
    receiver: Receiver, transport: HttpTransport, tmp_path: Path, status: int, fault: Fault | None
) -> None:
    receiver.status = status
    assert await WebhookSender(transport).send(outgoing(channel(receiver, tmp_path))) == fault
    assert len(receiver.got) == 1


async def test_the_address_guard_holds(receiver: Receiver, tmp_path: Path) -> None:
    guarded = HttpTransport(AddressGuard())
    assert await WebhookSender(guarded).send(outgoing(channel(receiver, tmp_path))) == Fault("unreachable")
    await guarded.aclose()
    assert receiver.got == []


async def test_an_answer_that_does_not_come_is_no_yes(receiver: Receiver, tmp_path: Path) -> None:
    for error in (OutcomeUnknownError("cut"), TimeoutError()):
        sender = WebhookSender(FakeTransport(error))
        assert await sender.send(outgoing(channel(receiver, tmp_path))) == Fault("no-answer")


async def test_a_secret_that_others_may_read_signs_nothing(
    receiver: Receiver, transport: HttpTransport, tmp_path: Path
) -> None:
    sender = WebhookSender(transport)
    open_to_others = channel(receiver, tmp_path, mode=0o640)
    assert await sender.send(outgoing(open_to_others)) == Fault("secret-file-open-to-others")
    assert await sender.send(outgoing(channel(receiver, tmp_path, "hunter2"))) == Fault("secret-malformed")
    assert receiver.got == []


@pytest.mark.parametrize(
    "written",
    [
        "", "whsec_", base64.b64encode(b"s" * 32).decode(), "whsec_" + base64.b64encode(b"s" * 23).decode(),
        "whsec_" + base64.b64encode(b"s" * 65).decode(), "whsec_****", "whsec_\u00e4", SECRET + " " + SECRET,
    ],
)  # fmt: skip
def test_what_is_no_secret_of_the_specification_is_refused(written: str) -> None:
    with pytest.raises(SecretFileError, match=r"^secret-malformed$"):
        signing_secret(written)


async def test_a_digest_says_how_many_and_no_more(receiver: Receiver, transport: HttpTransport, tmp_path: Path) -> None:
    await WebhookSender(transport).send(outgoing(channel(receiver, tmp_path), more=38))
    [(_, _, body)] = receiver.got
    told = json.loads(body)
    assert (told["type"], told["data"]["more"]) == ("alert.digest", 38)
    assert "agent" not in told["data"]
