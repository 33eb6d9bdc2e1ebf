"""One supervised process: how it is started, how it is known to be ready, how all of it ends.

Each child leads a session of its own, so that a Ctrl-C reaches only the supervisor and so that everything the child
started can be found when it is gone. The kernel kills it when the supervisor dies (`broker.supervisor.leash`).
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from broker.supervisor.leash import kill_session, tie_to_parent
from broker.supervisor.notes import read_note
from broker.supervisor.output import Output

READ_BYTES: Final = 64 << 10
"""Taken from a child's output at a time."""

_CONNECT_SECONDS: Final = 0.2


def _nothing() -> None:
    """Prepare nothing."""


def _never() -> bool:
    """Mend nothing."""
    return False


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run and how.

    Args:
        name: Unique; names its log file too.
        argv: Program (absolute path) and arguments.
        ready: Given its process id, tells whether it can be used; quick, never raises.
        environment: All of its environment.
        needs: Names of the children that must be ready before it is started for the first time; it stops before them.
        prepare: Done before each start: stale sockets and the like.
        mend: Done when it ended by itself before it was ready; True when another try makes sense.
        echo: Whether its output goes to the terminal too.
        reloads: Whether SIGHUP to the supervisor is passed on to it.
    """

    name: str
    argv: tuple[str, ...]
    ready: Callable[[int], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] = _nothing
    mend: Callable[[], bool] = _never
    echo: bool = True
    reloads: bool = False


@dataclass(slots=True)
class Backoff:
    """How long to wait before the next start: doubling, and from the beginning after a calm time.

    Args:
        first_seconds: Pause after the first death.
        longest_seconds: Where doubling stops.
        calm_seconds: A life at least this long makes the next pause the first again.
    """

    first_seconds: float = 0.1
    longest_seconds: float = 5.0
    calm_seconds: float = 10.0
    _next_seconds: float = 0.0

    def after(self, alive_seconds: float) -> float:
        """Return the pause after a life of so many seconds."""
        if alive_seconds >= self.calm_seconds or not self._next_seconds:
            self._next_seconds = self.first_seconds
        pause = self._next_seconds
        self._next_seconds = min(pause * 2, self.longest_seconds)
        return pause


class Child:
    """A running, or waiting, process of a spec.

    Args:
        spec: What to run.
        output: Where its output goes.
        backoff: Its restart pauses.
    """

    def __init__(self, spec: ChildSpec, output: Output, backoff: Backoff) -> None:
        self.spec = spec
        self.output = output
        self.backoff = backoff
        self.ready = False
        self.started_ns = 0
        self.start_at_ns = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and not yet reaped."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """Its process id, 0 when it does not run."""
        return self._process.pid if self._process else 0

    @property
    def pipe(self) -> int:
        """File descriptor its output comes from.

        Raises:
            RuntimeError: it does not run.
        """
        if self._process is None or self._process.stdout is None:
            msg = f"`{self.spec.name}` does not run"
            raise RuntimeError(msg)
        return self._process.stdout.fileno()

    def start(self, now_ns: int) -> None:
        """Start it.

        Raises:
            OSError: the program cannot be run, or what must be prepared cannot.
        """
        self.spec.prepare()
        self.ready = False
        self.started_ns = now_ns
        self._process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
            self.spec.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(self.spec.environment),
            start_new_session=True,
            # Safe here: the supervisor has one thread, and this makes two system calls.
            preexec_fn=functools.partial(tie_to_parent, os.getpid()),  # noqa: PLW1509
        )
        os.set_blocking(self.pipe, False)

    def ended(self) -> bool:
        """Return whether it has ended; it is not reaped, so that its id stays taken."""
        if self._process is None:
            return False
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def drain(self) -> bool:
        """Take what it has printed so far; False when it has closed its output."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.pipe, READ_BYTES):
                self.output.feed(data)
            return False
        return True

    def reap(self) -> int:
        """Kill what it left behind, take its last words, return its exit code (negative: the signal that ended it)."""
        process = self._process
        if process is None or process.stdout is None:
            return 0
        kill_session(process.pid)
        self.drain()
        self.output.flush()
        process.stdout.close()
        code = process.wait()
        self._process = None
        self.ready = False
        return code

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing when it does not run. Its id cannot be another's: it is reaped here only."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)


def socket_answers(path: Path) -> Callable[[int], bool]:
    """Return a readiness check: something accepts connections on a Unix socket."""

    def check(_pid: int) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_CONNECT_SECONDS)
            try:
                probe.connect(str(path))
            except OSError:
                return False
            return True

    return check


def note_names_it(path: Path) -> Callable[[int], bool]:
    """Return a readiness check: the child itself has written its note (`broker.supervisor.notes`)."""

    def check(pid: int) -> bool:
        return read_note(path).get("pid") == pid

    return check
