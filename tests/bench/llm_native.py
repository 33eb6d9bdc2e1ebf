"""The yardsticks of the LLM door that are C programs, built when they are needed, and what processes cost.

Python would be the bottleneck on both sides of the door. What client and upstream can do without anything between them
is measured beside everything else.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.timing import percentile

_SOURCES: Final = Path(__file__).parent
_GRACE_SECONDS: Final = 120
SERVER_CPU: Final = 0
"""Where whatever stands between client and upstream runs, alone."""
OTHERS_CPU: Final = 1
MICROS_PER_MILLI: Final = 1e3


@dataclass(frozen=True, slots=True)
class Load:
    """What a client saw.

    Args:
        micros: Of each answer, from its first byte asked to its last byte read.
        delays: Of each event, from when the upstream wrote it to when it was read.
        seconds: All of it.
        failed: Requests that came to anything else than a whole 200.
    """

    micros: tuple[int, ...]
    delays: tuple[int, ...]
    seconds: float
    failed: int

    @property
    def per_second(self) -> float:
        """Answers."""
        return len(self.micros) / self.seconds

    def millis(self, share: float) -> float:
        """Return the time within which ``share`` of the answers came."""
        return percentile(self.micros, share) / MICROS_PER_MILLI

    def delay_millis(self, share: float) -> float:
        """Likewise of the events."""
        return percentile(self.delays, share) / MICROS_PER_MILLI


class LoadError(Exception):
    """Something was answered otherwise than by a whole 200; what was measured means nothing."""


class Native:
    """The built programs.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def upstream(self, event_millis: int) -> Iterator[int]:
        """Run a provider and yield its port; see ``llm_upstream.c``.

        Args:
            event_millis: Between two events of a paced stream.
        """
        process = subprocess.Popen(
            [self._folder / "llm_upstream", str(event_millis)], stdout=subprocess.PIPE, text=True
        )
        try:
            yield int(process.stdout.readline() if process.stdout else 0)
        finally:
            process.terminate()
            process.communicate()

    def drive(self, port: int, request: bytes, *, connections: int, seconds: float) -> Load:
        """Let connections ask again and again; see ``llm_client.c``.

        Args:
            port: Of this machine.
            request: Sent as it is.
            connections: How many at once.
            seconds: How long.

        Raises:
            LoadError: an answer was none.
        """
        return self._run(port, request, str(connections), str(seconds))

    def once(self, port: int, request: bytes, *, connections: int, spread_seconds: float, seconds: float) -> Load:
        """Let each connection ask once, one after the other within ``spread_seconds``.

        Args:
            port: Of this machine.
            request: Sent as it is.
            connections: How many.
            spread_seconds: From the first to the last.
            seconds: Longest time it may take.

        Raises:
            LoadError: an answer was none.
        """
        spread = str(int(spread_seconds * MICROS_PER_MILLI))
        return self._run(port, request, str(connections), str(seconds), "once", spread)

    def _run(self, port: int, request: bytes, *how: str) -> Load:
        asked = self._folder / "request"
        asked.write_bytes(request)
        command = [str(self._folder / "llm_client"), str(port), str(asked), *how]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GRACE_SECONDS, check=False)
        if done.returncode:
            raise LoadError(done.stderr[-500:])
        said = json.loads(done.stdout)
        failed = said["others"] + said["broken"] + said["unanswered"]
        if failed or not said["micros"]:
            raise LoadError(
                f"{failed} of {failed + said['answers']} requests failed: {said['others']} of another status"
            )
        return Load(tuple(said["micros"]), tuple(said["delays"]), said["seconds"], failed)


@contextmanager
def native() -> Iterator[Native]:
    """Build the programs and yield them."""
    with tempfile.TemporaryDirectory(prefix="ost-bench-") as name:
        for program in ("llm_upstream", "llm_client"):
            source, built = _SOURCES / f"{program}.c", Path(name) / program
            subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", built, source], check=True)
        yield Native(Path(name))


@contextmanager
def aside() -> Iterator[None]:
    """Keep this process, and all it starts, off the processor that is measured; on a single one that cannot be done."""
    before = os.sched_getaffinity(0)
    if {SERVER_CPU, OTHERS_CPU} <= before:
        os.sched_setaffinity(0, {OTHERS_CPU})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(pid: int) -> None:
    """Give a process, with all its threads, the processor that is measured."""
    if (os.cpu_count() or 1) > 1:
        for thread in _threads(pid):
            os.sched_setaffinity(int(thread.name), {SERVER_CPU})


def cpu_micros(pid: int) -> float:
    """Return what all threads of a process have used so far, of which it lost none; ``/proc/PID/schedstat``."""
    return sum(_on_cpu_ns(_threads(pid))) / 1e3


def _threads(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def _on_cpu_ns(threads: Iterable[Path]) -> Iterator[int]:
    for thread in threads:
        with suppress(FileNotFoundError):  # it ended
            yield int((thread / "schedstat").read_text().split()[0])
