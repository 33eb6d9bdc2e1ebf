"""The API process around any app: where it listens, what it says, how signals reach it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from broker.serve import ListenError, listen, run, url_of
from broker.settings import Settings
from broker.supervisor.notes import API_NOTE, read_note


class Reloads:
    """A broker that only counts reloads, and answers as told."""

    def __init__(self, *answers: Sequence[object] | Exception) -> None:
        self._answers = list(answers)
        self.left = asyncio.Event()

    async def reload(self) -> Sequence[object]:
        answer = self._answers.pop(0)
        if not self._answers:
            self.left.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def hello(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["path"] == "/slow":
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()
    headers = json.dumps({name.decode(): value.decode() for name, value in scope["headers"]}).encode()
    body = json.dumps([scope["client"][0], scope["scheme"]]).encode() + headers
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def exchange(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()


class Running:
    """`run` in a task of this loop."""

    def __init__(self, folder: Path, broker: Reloads) -> None:
        (folder / "run").mkdir()
        self.settings = Settings(data=folder)
        self.listener = listen("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]
        self.task = asyncio.create_task(run(hello, broker, self.listener, self.settings))

    @property
    def note(self) -> dict[str, Any]:
        return read_note(self.settings.run_dir / API_NOTE)

    async def ready(self) -> None:
        while not self.note:  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0)

    async def end(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await self.task


@pytest.mark.req("O1")
async def test_it_says_where_it_listens_and_takes_the_note_away_at_the_end(tmp_path: Path) -> None:
    running = Running(tmp_path, Reloads())
    await running.ready()

    assert running.note == {"url": f"http://127.0.0.1:{running.port}", "pid": os.getpid()}
    await running.end()
    assert running.note == {}
    assert running.listener.fileno() == -1


async def test_it_names_no_server_and_believes_no_proxy_header(tmp_path: Path) -> None:
    running = Running(tmp_path, Reloads())
    await running.ready()
    forwarded = b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + forwarded + b"\r\n"

    head, _, body = (await exchange(running.port, request)).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200")
    assert b"server:" not in head.lower()
    assert body.startswith(b'["127.0.0.1", "http"]')
    await running.end()


async def test_sighup_reloads_and_what_stands_against_it_is_logged(tmp_path: Path) -> None:
    broker = Reloads([], ["ostiary.yaml:3:1: unknown key `x`"], RuntimeError("hunter2"))
    running = Running(tmp_path, broker)
    await running.ready()
    with capture_logs() as logs:
        for wanted in ("config.reloaded", "config.rejected", "config.reload_broken"):
            os.kill(os.getpid(), signal.SIGHUP)
            while not any(log["event"] == wanted for log in logs):  # noqa: ASYNC110 - a list has no event
                await asyncio.sleep(0)
    assert broker.left.is_set()
    assert logs[1]["findings"] == ["ostiary.yaml:3:1: unknown key `x`"]
    await running.end()


async def test_a_second_signal_does_not_wait_for_open_requests(tmp_path: Path) -> None:
    running = Running(tmp_path, Reloads())
    await running.ready()
    stuck = asyncio.create_task(exchange(running.port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"))
    await running.task
    assert not stuck.done()
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)


async def test_a_server_that_cannot_start_says_nothing_of_listening(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    listener = listen("127.0.0.1", 0)
    listener.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        await run(hello, Reloads(), _Dead(listener), Settings(data=tmp_path))
    assert read_note(tmp_path / "run" / API_NOTE) == {}


class _Dead(socket.socket):
    """A closed socket that still knows its name."""

    def __init__(self, _closed: socket.socket) -> None:
        super().__init__()
        self.close()

    def getsockname(self) -> Any:
        return ("127.0.0.1", 1)


def test_an_address_that_is_taken_foreign_or_none_is_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"cannot listen on `127.0.0.1` port `{port}`: address already in use"):
            listen("127.0.0.1", port)
    with pytest.raises(ListenError, match=r"cannot listen on `192.0.2.1` port `1`: cannot assign requested address"):
        listen("192.0.2.1", 1)
    with pytest.raises(ListenError, match="cannot listen on `no such host`"):
        listen("no such host", 1)


def test_the_url_is_one_a_client_of_this_machine_can_use() -> None:
    for host, url in (("127.0.0.1", "http://127.0.0.1:"), ("0.0.0.0", "http://127.0.0.1:")):  # noqa: S104 - closed at once
        with listen(host, 0) as listener:
            assert url_of(listener) == f"{url}{listener.getsockname()[1]}"
    if socket.has_ipv6:
        with listen("::1", 0) as listener:
            assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"
