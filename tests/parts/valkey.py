"""A private Valkey or Redis for tests: a real server on a Unix socket in a folder of its own."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from broker.supervisor.valkey import answers_ping, find_server, valkey_argv

START_SECONDS = 15.0


class PrivateValkey:
    """A server that can be killed and started again on the same socket and file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        self._socket.unlink(missing_ok=True)
        argv = valkey_argv(find_server(), self._socket, self._folder)
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not answers_ping(self._socket)(self._process.pid):
            if self._process.poll() is not None or time.monotonic() > deadline:
                msg = "valkey did not start"
                raise RuntimeError(msg)
            time.sleep(0.005)

    def kill(self) -> None:
        """Kill it by force, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def private_valkey() -> Iterator[PrivateValkey]:
    """Run a server for the block; its folder goes with it."""
    # Directly under the temporary folder: the path of a Unix socket is short (unix(7)).
    with tempfile.TemporaryDirectory(prefix="ost-vk-") as folder:
        server = PrivateValkey(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


@contextlib.contextmanager
def valkey_url() -> Iterator[str]:
    """Run a server for the block and yield its URL."""
    with private_valkey() as server:
        yield server.url
