"""More API processes beside the one of a running house."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

from tests.parts.http_api import call
from tests.parts.up import DEADLINE_SECONDS, Up, eventually


@contextmanager
def more_apis(up: Up, count: int) -> Iterator[list[int]]:
    """Run ``ostiary serve`` so many times until the block ends, and yield their ports."""
    processes: list[subprocess.Popen[bytes]] = []
    with ExitStack() as files:
        try:
            ports = [_free_port() for _ in range(count)]
            for number, port in enumerate(ports):
                said = files.enter_context((up.folder / f"api-{number}").open("wb"))
                processes.append(_start(up, port, said))
            for number, port in enumerate(ports):
                _await(up, processes[number], port, number)
            yield ports
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            ended = [process.wait(DEADLINE_SECONDS) for process in processes]
        assert ended == [0] * count


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


def _start(up: Up, port: int, said: IO[bytes]) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-P", "-m", "broker.cli", "--data", str(up.data), "serve", "--port", str(port)]
    return subprocess.Popen(argv, env=up.environment(), cwd=up.folder, stdout=said, stderr=said)


def _await(up: Up, process: subprocess.Popen[bytes], port: int, number: int) -> None:
    eventually(lambda: process.poll() is not None or _answers(port), (up.folder / f"api-{number}").read_text)
    assert process.poll() is None, (up.folder / f"api-{number}").read_text()


def _answers(port: int) -> bool:
    try:
        return call(f"http://127.0.0.1:{port}", "GET", "/readyz", "", timeout_seconds=1)[0] == 200
    except (OSError, http.client.HTTPException):
        return False
