"""The real thing for tests: ``ostiary up`` in a process of its own, on a data folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import broker

ROOT = Path(broker.__file__).parent.parent
DEADLINE_SECONDS = 40.0


def eventually(true: Callable[[], object], why: Callable[[], str] = str) -> None:
    """Wait until something holds; the deadline is for a broken test only."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(why() or "it did not happen")
        time.sleep(0.02)


class Up:
    """One data folder and, while it runs, its supervisor."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "d"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def said(self) -> str:
        """All that was printed, on both streams."""
        return (self.folder / "said").read_text()

    def start(self, *options: str, port: int = 0) -> None:
        """Start it and wait until all is ready."""
        (self.folder / "ready.json").unlink(missing_ok=True)
        command = ("up", "--port", str(port), "--ready-file", str(self.folder / "ready.json"), *options)
        with (self.folder / "said").open("w") as said:
            self._process = subprocess.Popen(
                self._argv(*command), env=self.environment(), cwd=self.folder, stdout=said, stderr=said
            )
        eventually(lambda: self.ready or self.process.poll() is not None, lambda: self.said)
        assert self.process.poll() is None, self.said

    @property
    def ready(self) -> dict[str, Any]:
        """What the ready file says; empty while there is none."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "ready.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def configure(self, ostiary_yaml: str, **policies: str) -> None:
        """Write the configuration folder: `ostiary.yaml` and the policy of each agent (``_`` for ``-``)."""
        folder = self.data / "config" / "policies"
        folder.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o700)
        (folder.parent / "ostiary.yaml").write_text(ostiary_yaml)
        for agent, text in policies.items():
            name = agent.replace("_", "-")
            (folder / f"{name}.yaml").write_text(f"version: 1\nagent: {name}\npolicies:\n{text}")

    def cli(self, *arguments: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run another command on the same data folder, with ``typed`` on its standard input."""
        return subprocess.run(
            self._argv(*arguments),
            env={**self.environment(), **environment},
            cwd=self.folder,
            input=typed,
            text=True,
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    def answer(self, *arguments: str, typed: str = "", **environment: str) -> Any:
        """Run a command that must succeed and return the JSON it printed."""
        done = self.cli(*arguments, "-o", "json", typed=typed, **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def seal(self, ref: str, kind: str, host: str, **fields: str) -> None:
        """Put a credential into the vault, its value on standard input."""
        done = self.cli("vault", "put", ref, "--kind", kind, "--host", host, typed=json.dumps(fields))
        assert done.returncode == 0, done.stderr

    def get(self, path: str) -> int:
        """Return the status of a GET at the API; 0 when nothing answers."""
        note = json.loads((self.data / "run" / "api.json").read_text())
        try:
            with urllib.request.urlopen(note["url"] + path, timeout=5) as answer:  # noqa: S310 - loopback
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def left(self) -> list[str]:
        """Command lines of all processes that name the data folder, in their arguments or environment."""
        found = []
        wanted = str(self.data).encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                if wanted in command or wanted in (entry / "environ").read_bytes():
                    found.append(command.replace(b"\0", b" ").decode("utf-8", "replace"))
        return [command for command in found if command]

    def pid_of(self, name: str) -> int:
        """Return the process of a child now, by what the kernel says of the supervisor's children."""
        marks = {"vault": "-m vault", "valkey": "unixsocket", "api": "child api", "worker": "child worker"}
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in children:
            with contextlib.suppress(OSError):
                if marks[name] in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode():
                    return int(pid)
        return 0

    def await_another(self, name: str, before: int) -> None:
        """Wait until a child is another process than ``before``."""
        eventually(lambda: self.pid_of(name) not in (0, before), lambda: self.said)

    def end(self) -> int:
        """SIGTERM, and wait."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)

    def _argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "broker.cli", "--data", str(self.data), *arguments]

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT), **self._settings}


@contextlib.contextmanager
def data_folder(**settings: str) -> Iterator[Up]:
    """Yield a house that is not started yet, with these ``OSTIARY_*`` settings; at the end nothing of it is left."""
    # Directly under the temporary folder: the path of a Unix socket is short (unix(7)).
    with tempfile.TemporaryDirectory(prefix="ost-up-") as folder:
        house = Up(Path(folder), **settings)
        try:
            yield house
        finally:
            if house._process is not None and house.process.poll() is None:
                house.process.kill()
                house.process.wait()
            eventually(lambda: not house.left(), lambda: "\n".join(house.left()))
