"""A real git host over SSH on loopback: asyncssh in front of git's own ``git-upload-pack`` and ``git-receive-pack``.

It runs in a thread with an event loop of its own, takes the keys it was told of, and remembers what it was asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import subprocess
import threading
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from tests.parts.git_server import GitServer


@dataclass
class SshGitHost:
    """The host; start it with `ssh_git_host`.

    Args:
        repos: Its repositories, made as those of `GitServer`.
        host_keys: Its public keys, as an operator writes them.
    """

    repos: GitServer
    host_keys: dict[str, str]
    port: int = 0
    allowed: set[bytes] = field(default_factory=set)
    """Public keys that may log in, in their form on the wire."""
    takes_protocol: bool = True
    """Whether it takes ``GIT_PROTOCOL``."""
    cut_after_push: bool = False
    """Whether it carries a push out and then cuts the connection instead of reporting."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """User and command of each session."""

    @property
    def url(self) -> str:
        return f"ssh://git@127.0.0.1:{self.port}"


class _Login(asyncssh.SSHServer):
    def __init__(self, host: SshGitHost) -> None:
        self._host = host

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "git" and key.public_data in self._host.allowed


async def _serve(host: SshGitHost, process: asyncssh.SSHServerProcess[bytes]) -> None:
    command = process.command or ""
    host.asked.append((process.get_extra_info("username"), command))
    program, path = shlex.split(command)
    assert program in {"git-upload-pack", "git-receive-pack"}
    protocol = process.env.get("GIT_PROTOCOL", "") if host.takes_protocol else ""
    child = await asyncio.create_subprocess_exec(
        "git",
        program.removeprefix("git-"),
        str(host.repos.root / path.lstrip("/")),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=os.environ | {"GIT_PROTOCOL": str(protocol)},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    cut = host.cut_after_push and program == "git-receive-pack"
    telling = asyncio.create_task(_pump(process.stdin, child.stdin))
    if cut:
        process.stdout.write(await child.stdout.readuntil(b"0000"))
        await telling
        await child.stdout.read()
        await child.wait()
        process.channel.abort()
        return
    await _pump(child.stdout, process.stdout)
    status = await child.wait()
    telling.cancel()
    process.exit(status)


async def _pump(source: Any, sink: Any) -> None:
    with contextlib.suppress(ConnectionError, asyncssh.Error):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()


@contextmanager
def ssh_git_host(root: Path) -> Iterator[SshGitHost]:
    """Serve the repositories under ``root`` until the block ends."""
    keys = [asyncssh.generate_private_key(kind) for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256")]
    lines = {key.get_algorithm(): " ".join(key.export_public_key().decode().split()[:2]) for key in keys}
    root.mkdir(parents=True, exist_ok=True)
    host = SshGitHost(GitServer(root), lines)
    started, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def main() -> None:
        listener = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=keys,
            server_factory=lambda: _Login(host),
            process_factory=lambda process: _serve(host, process),
            encoding=None,
        )
        host.port = listener.get_port()
        started.set()
        await stop.wait()
        listener.close()
        await listener.wait_closed()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), name="ssh-git-host")
    thread.start()
    assert started.wait(20)
    try:
        yield host
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def private_key(folder: Path, kind: str, bits: int = 0, form: str = "") -> str:
    """Return a private key made by the stock ``ssh-keygen``, in OpenSSH's form or as ``form`` (``PEM``, ``PKCS8``)."""
    path = folder / f"{kind}-{bits}-{form}"
    size = ["-b", str(bits)] if bits else []
    shape = ["-m", form] if form else []
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, *size, *shape, "-N", "", "-C", "", "-f", str(path)], check=True, stdin=DEVNULL
    )
    return path.read_text()
