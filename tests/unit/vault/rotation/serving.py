"""A vault of this process served from a thread, for the command line, which brings an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog.testing
from typer.testing import CliRunner, Result

from broker.cli import app
from tests.unit.vault.test_cli import changes
from vault.server import VaultServer
from vault.service import Vault


@dataclass(frozen=True)
class House:
    """A vault served on its socket in a data folder, and the command line that speaks to it."""

    folder: Path
    vault: Vault

    def run(self, *words: str, stdin: str = "") -> Result:
        arguments = ["--data", str(self.folder), "vault", *words]
        return CliRunner().invoke(app, arguments, input=stdin, env={"OSTIARY_OUTPUT": "json"})

    def told(self) -> list[str]:
        return [str(change["change"]) for change in changes(self.folder)]


@contextmanager
def served(vault: Vault, socket: Path) -> Iterator[None]:
    """Serve a vault from a thread of its own: the command line brings its own event loop."""
    ready, loops = threading.Event(), []

    async def serve() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        async with VaultServer(vault, socket), vault.rotations.watching():
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    # The vault's log is on standard error; here it would be between the lines of the command.
    with structlog.testing.capture_logs():
        thread.start()
        assert ready.wait(10)
        try:
            yield
        finally:
            loop, stop = loops[0]
            loop.call_soon_threadsafe(stop.set)
            thread.join()
