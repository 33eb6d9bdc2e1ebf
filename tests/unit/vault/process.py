"""A real vault process on a real socket, for tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 30.0


@dataclass
class VaultProcess:
    """A running vault and where its parts are."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def socket(self) -> Path:
        return self.folder / "run" / "vault.sock"

    @property
    def storage(self) -> Path:
        return self.folder / "vault.sqlite3"

    @property
    def key_file(self) -> Path:
        return self.folder / "vault.key"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=START_SECONDS)


AS_ANOTHER = """
import ctypes, os, sys
import encodings.idna, vault.__main__
user = int(sys.argv.pop(1))
os.setgroups([]); os.setgid(user); os.setuid(user)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
vault.__main__.run()
"""
"""Becomes another user once all is imported: that user may not even reach this Python. A change of user takes
dumpability away; it is given back, so that what the vault itself gives up is what a test sees."""


def command(folder: Path, *, passphrase: bool = False, user: int | None = None, kms: tuple[str, ...] = ()) -> list[str]:
    program = ["-m", "vault"] if user is None else ["-c", AS_ANOTHER, str(user)]
    arguments = ["--socket", str(folder / "run" / "vault.sock"), "--storage", str(folder / "vault.sqlite3")]
    if kms:
        arguments += kms
    elif not passphrase:
        arguments += ["--key-file", str(folder / "vault.key")]
    return [sys.executable, *program, *arguments]


@contextmanager
def running_vault(
    folder: Path, *, passphrase: bool = False, user: int | None = None, kms: tuple[str, ...] = ()
) -> Iterator[VaultProcess]:
    """Start a vault in a folder and wait until its socket answers; kill it at the end if it still runs."""
    environment = dict(os.environ)
    if user is not None:
        # Another user can neither write coverage data nor byte code here.
        environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command(folder, passphrase=passphrase, user=user, kms=kms),
            cwd=ROOT,
            stderr=log,
            stdout=log,
            env=environment,
        )
    vault = VaultProcess(folder, process)
    try:
        wait_for_socket(vault)
        yield vault
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@contextmanager
def short_folder(user: int | None = None) -> Iterator[Path]:
    """Yield a private folder with a short path (a socket's path has 107 bytes), owned by ``user``."""
    folder = Path(tempfile.mkdtemp(prefix="ostv-"))
    try:
        if user is not None:
            os.chown(folder, user, user)
        yield folder
    finally:
        shutil.rmtree(folder)


def wait_for_socket(vault: VaultProcess) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(vault.socket):
        if vault.process.poll() is not None:
            raise AssertionError(f"the vault did not start: {vault.log}")
        if time.monotonic() > deadline:
            raise AssertionError("the vault did not answer")
        # Not a guess at a duration: the condition above is looked at again until the deadline.
        time.sleep(0.01)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
