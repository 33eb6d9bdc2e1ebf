from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.alerts.channels.base import Fault
from broker.alerts.channels.push import MAX_URLS, PushSender, _within, urls_of
from broker.alerts.channels.secret_files import SecretFileError
from broker.alerts.model import Severity
from broker.config.alerting import Channel, ChannelKind
from tests.parts.threaded_http import QuietHandler, threaded
from tests.unit.broker.alerts.channels.letters import Receiver, outgoing, secret_file


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    names = ("apprise", "requests", "urllib3")
    before = [logging.getLogger(name).level for name in names]
    yield
    for name, level in zip(names, before, strict=True):
        logging.getLogger(name).setLevel(level)


def channel(folder: Path, text: str, mode: int = 0o600) -> Channel:
    return Channel("ops", ChannelKind.APPRISE, url_file=secret_file(folder, text, mode))


@pytest.mark.req("L3")
async def test_a_message_reaches_every_url_of_the_file(receiver: Receiver, tmp_path: Path) -> None:
    urls = f"# chats\njson://{receiver.address}/one\n\njson://user:pass@{receiver.address}/two\n"
    letter = outgoing(channel(tmp_path, urls), severity=Severity.CRITICAL, title="a\u202eb {{ title }} @here")
    assert await PushSender().send(letter) is None
    assert sorted(path for path, _, _ in receiver.got) == ["/one", "/two"]
    told = json.loads(receiver.got[0][2])
    assert told["type"] == "failure"
    assert "who: agent ci-runner, project web, session ses_1" in told["message"]
    assert "/v1/alerts/alt_" in told["message"]
    assert "\u202e" not in str(told)
    assert "@here" not in str(told)
    assert "{{ title }}" in told["title"]


async def test_a_message_that_one_of_them_did_not_take_is_not_taken(receiver: Receiver, tmp_path: Path) -> None:
    receiver.status = 500
    assert await PushSender().send(outgoing(channel(tmp_path, f"json://{receiver.address}/"))) == Fault("not-taken")


@pytest.mark.parametrize(
    ("text", "mode", "fault"),
    [
        ("nosuch://host/token", 0o600, Fault("url-unknown")),
        ("# nothing\n", 0o600, Fault("no-urls")),
        ("json://127.0.0.1:9/x", 0o644, Fault("secret-file-open-to-others")),
    ],
)
async def test_a_file_that_cannot_be_used_sends_nothing(tmp_path: Path, text: str, mode: int, fault: Fault) -> None:
    assert await PushSender().send(outgoing(channel(tmp_path, text, mode))) == fault


def test_a_file_has_one_to_ten_urls() -> None:
    assert urls_of(" a://b \n#c\n\nd://e") == ["a://b", "d://e"]
    for text in ("", "#", "a://b\n" * (MAX_URLS + 1)):
        with pytest.raises(SecretFileError):
            urls_of(text)


async def test_a_receiver_that_does_not_answer_holds_nobody_up(tmp_path: Path) -> None:
    release = threading.Event()

    class Silent(QuietHandler):
        def respond(self) -> None:
            release.wait(10)
            self.reply(200, b"")

    with threaded(Silent) as address:
        try:
            sent = await PushSender(seconds=0.2).send(outgoing(channel(tmp_path, f"json://{address}/")))
        finally:
            release.set()
    assert sent in {Fault("too-slow"), Fault("not-taken")}


async def test_a_library_that_breaks_is_a_fault_with_its_type_only() -> None:
    def work() -> Fault | None:
        raise LookupError("token hunter2")

    assert await _within(5, work) == Fault("lookuperror")


def test_a_thread_that_ends_after_everybody_left_harms_nobody() -> None:
    release, left = threading.Event(), threading.Event()

    def work() -> Fault | None:
        release.wait(10)
        left.set()
        return None

    assert asyncio.run(_within(0.01, work)) == Fault("too-slow")
    release.set()
    assert left.wait(10)
    for thread in threading.enumerate():
        if thread.name == "apprise":
            thread.join(10)
