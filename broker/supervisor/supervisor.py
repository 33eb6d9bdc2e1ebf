"""The supervisor: one thread, one loop; starts children in order, restarts what dies, stops all in reverse order.

The first start is strict: a child that ends by itself or is not ready in time ends the whole, with the end of its log.
Afterwards nothing that happens to a child ends the supervisor; it starts the child again, ever more slowly. At the end,
whatever the reason, no process that a child started is left.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final, TextIO

from broker.clock import NS_PER_SECOND, Clock
from broker.supervisor.children import Backoff, Child, ChildSpec
from broker.supervisor.errors import StartError
from broker.supervisor.output import Output

POLL_SECONDS: Final = 0.02
"""Between two readiness checks."""
IDLE_SECONDS: Final = 5.0
"""Longest sleep of the loop; everything that matters wakes it earlier."""

_ENDINGS: Final = frozenset({signal.SIGTERM, signal.SIGINT})


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take.

    Args:
        start_seconds: From a child's start until it is ready.
        stop_seconds: From SIGTERM to SIGKILL, for the children stopped first.
        stop_all_seconds: From the first SIGTERM until every child is killed.
        backoff: Makes the restart pauses of a child.
    """

    start_seconds: float = 30.0
    stop_seconds: float = 3.0
    stop_all_seconds: float = 4.0
    backoff: Callable[[], Backoff] = Backoff


class Supervisor:
    """Runs children until SIGTERM or SIGINT.

    Args:
        specs: The children; each after those it needs.
        log_dir: Folder of their logs.
        clock: For durations.
        on_ready: Called once, with the process ids by name, when all are ready for the first time.
        terminal: Where their output and what happens to them is echoed; None for nowhere.
        timing: How long things may take.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        log_dir: Path,
        clock: Clock,
        on_ready: Callable[[Mapping[str, int]], None],
        terminal: TextIO | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._timing = timing or Timing()
        self._clock = clock
        self._on_ready = on_ready
        self._said = Output("up", log_dir / "up.log", terminal)
        self._children = [
            Child(
                spec,
                Output(spec.name, log_dir / f"{spec.name}.log", terminal if spec.echo else None),
                self._timing.backoff(),
            )
            for spec in specs
        ]
        self._selector = selectors.DefaultSelector()
        self._once_ready: set[str] = set()
        self._endings = 0
        self._reload = False

    def run(self) -> None:
        """Start all, keep them running, and return when a signal has ended them all.

        Raises:
            StartError: a child did not become ready; the others are stopped.
        """
        with self._signals():
            try:
                while not self._endings:
                    self._start_due()
                    self._reap_ended()
                    self._check_ready()
                    self._pass_reload()
                    self._wait()
            finally:
                self._stop_all()
                for child in self._children:
                    child.output.close()
                self._said.close()

    @property
    def _starting(self) -> bool:
        return len(self._once_ready) < len(self._children)

    def _start_due(self) -> None:
        now = self._clock.monotonic_ns()
        for child in self._children:
            if child.running or now < child.start_at_ns or not self._once_ready.issuperset(child.spec.needs):
                continue
            try:
                child.start(now)
            except OSError as error:
                self._failed(child, f"cannot be started: {(error.strerror or type(error).__name__).lower()}")
            else:
                self._selector.register(child.pipe, selectors.EVENT_READ, child)

    def _reap_ended(self) -> None:
        for child in self._children:
            if not child.ended():
                continue
            was_ready = child.ready
            code = self._reap(child)
            how = f"ended with code {code}" if code >= 0 else f"ended by signal {-code}"
            if code >= 0 and not was_ready and child.spec.mend():
                self._say(f"{child.spec.name} {how} before it was ready; mended, trying again")
                continue
            self._failed(child, how, by_itself=code >= 0)

    def _check_ready(self) -> None:
        limit = self._timing.start_seconds
        for child in self._children:
            if not child.running or child.ready:
                continue
            if child.spec.ready(child.pid):
                child.ready = True
                was_starting = self._starting
                self._once_ready.add(child.spec.name)
                if was_starting and not self._starting:
                    self._on_ready({each.spec.name: each.pid for each in self._children})
            elif self._seconds_since(child.started_ns) > limit:
                child.send(signal.SIGKILL)
                self._kill_and_reap(child)
                self._failed(child, f"was not ready within {limit:g} s")

    def _failed(self, child: Child, how: str, *, by_itself: bool = True) -> None:
        """Give up when this is the child's first start and its own doing, else start it again after a pause."""
        name = child.spec.name
        if by_itself and name not in self._once_ready:
            tail = "".join(f"\n  {line}" for line in child.output.tail)
            raise StartError(f"`{name}` {how}{tail}")
        alive = self._seconds_since(child.started_ns)
        pause = child.backoff.after(alive)
        child.start_at_ns = self._clock.monotonic_ns() + int(pause * NS_PER_SECOND)
        self._say(f"{name} {how}; starting it again in {pause:g} s")

    def _pass_reload(self) -> None:
        if self._reload:
            self._reload = False
            for child in self._children:
                # Before it is ready it has no handler, and SIGHUP would end it; it reads the new state anyway.
                if child.spec.reloads and child.ready:
                    child.send(signal.SIGHUP)

    def _wait(self) -> None:
        now = self._clock.monotonic_ns()
        limit = IDLE_SECONDS
        for child in self._children:
            if child.running and not child.ready:
                limit = min(limit, POLL_SECONDS)
            elif not child.running:
                limit = min(limit, max(child.start_at_ns - now, 0) / NS_PER_SECOND)
        # A child that waits for another one has no time of its own; that other one is being polled.
        self._pump(limit)

    def _pump(self, limit_seconds: float) -> None:
        for key, _ in self._selector.select(limit_seconds):
            child = key.data
            if child is None:
                _empty(key.fd)
            elif not child.drain():
                self._selector.unregister(key.fd)

    def _reap(self, child: Child) -> int:
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.pipe)
        return child.reap()

    def _kill_and_reap(self, child: Child) -> None:
        child.send(signal.SIGKILL)
        while not child.ended():
            self._pump(POLL_SECONDS)
        self._reap(child)

    def _stop_all(self) -> None:
        """Stop stage by stage, those first that need others; the last deadline holds for all."""
        begun = self._clock.monotonic_ns()
        waiting = {child.spec.name: child for child in self._children if child.running}
        while waiting:
            needed = {name for child in waiting.values() for name in child.spec.needs}
            stage = [child for name, child in waiting.items() if name not in needed]
            for child in stage:
                child.send(signal.SIGTERM)
            self._await_end(stage, begun)
            for child in stage:
                del waiting[child.spec.name]

    def _await_end(self, stage: Sequence[Child], begun_ns: int) -> None:
        stage_begun = self._clock.monotonic_ns()
        left = list(stage)
        while left:
            late = (
                self._seconds_since(stage_begun) > self._timing.stop_seconds
                or self._seconds_since(begun_ns) > self._timing.stop_all_seconds
                or self._endings > 1
            )
            for child in [child for child in left if late or child.ended()]:
                self._kill_and_reap(child)
                left.remove(child)
            if left:
                self._pump(POLL_SECONDS)

    def _say(self, text: str) -> None:
        self._said.feed(text.encode() + b"\n")

    def _seconds_since(self, then_ns: int) -> float:
        return (self._clock.monotonic_ns() - then_ns) / NS_PER_SECOND

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Have signals wake the loop; Python only notes them, the loop acts."""
        reader, writer = socket.socketpair()
        numbers = (*_ENDINGS, signal.SIGHUP, signal.SIGCHLD)
        for end in (reader, writer):
            end.setblocking(False)  # noqa: FBT003 - the socket module's signature
        self._selector.register(reader, selectors.EVENT_READ, None)
        before = {number: signal.signal(number, self._note_signal) for number in numbers}
        wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            reader.close()
            writer.close()

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        if number in _ENDINGS:
            self._endings += 1
        elif number == signal.SIGHUP:
            self._reload = True


def _empty(descriptor: int) -> None:
    """Take the bytes that woke the loop. The loop does it, not the handler: a signal before `select` must wake it."""
    with contextlib.suppress(BlockingIOError):
        while os.read(descriptor, 1024):
            pass
