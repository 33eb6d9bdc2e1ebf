"""The supervisor's loop inside the test's own process: what it does with signals, deaths and deadlines."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from broker.clock import SystemClock
from broker.supervisor.children import Backoff, ChildSpec
from broker.supervisor.errors import StartError
from broker.supervisor.supervisor import Supervisor, Timing

QUICK = Timing(start_seconds=20.0, stop_seconds=0.3, stop_all_seconds=0.6, backoff=lambda: Backoff(first_seconds=0.01))
SLEEPS = "import time; print('hello', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('x', flush=True); time.sleep(600)"


class Script:
    """Readiness checks that also act, so that a test can steer the loop from inside."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.starts: list[int] = []
        self.said = io.StringIO()

    def printed(self, pid: int) -> bool:
        """Ready once it has printed; each new process is remembered."""
        if not self.log.exists() or not self.log.read_text():
            return False
        if pid not in self.starts:
            self.starts.append(pid)
        return True


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path / "api.log")


def run(script: Script, specs: Sequence[ChildSpec], timing: Timing = QUICK, *, end: bool = True) -> None:
    def on_ready(pids: Mapping[str, int]) -> None:
        assert set(pids) == {spec.name for spec in specs}
        if end:
            os.kill(os.getpid(), signal.SIGTERM)

    Supervisor(
        specs, log_dir=script.log.parent, clock=SystemClock(), on_ready=on_ready, terminal=script.said, timing=timing
    ).run()


def python(name: str, code: str, script: Script, **rest: object) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", code), script.printed, **rest)  # type: ignore[arg-type] # per test


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_returns_when_a_signal_has_ended_all(script: Script) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)]

    run(script, [python("api", SLEEPS, script), python("late", STUBBORN, script, needs=("api",))])

    assert all(gone(pid) for pid in script.starts)
    assert len(script.starts) == 2
    after = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)]
    assert after == handlers


def test_a_death_is_told_and_followed_by_a_new_start(script: Script) -> None:
    def ready(pid: int) -> bool:
        known = len(script.starts)
        if script.printed(pid) and len(script.starts) > known == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return known < len(script.starts) or pid in script.starts

    spec = ChildSpec("api", (sys.executable, "-c", SLEEPS), ready)

    def on_ready(pids: Mapping[str, int]) -> None:
        os.kill(pids["api"], signal.SIGKILL)

    Supervisor(
        [spec], log_dir=script.log.parent, clock=SystemClock(), on_ready=on_ready, terminal=script.said, timing=QUICK
    ).run()

    assert len(script.starts) == 2
    assert "api ended by signal 9; starting it again in 0.01 s" in script.said.getvalue()


def test_a_reload_is_passed_on_to_ready_children_that_reload(script: Script) -> None:
    code = (
        "import os, signal, sys, time\n"
        "def reload(*_):\n    os.write(1, b'reloaded\\n')\n    os.kill(os.getppid(), signal.SIGTERM)\n"
        "signal.signal(signal.SIGHUP, reload)\n"
        "os.write(1, b'hello\\n')\nwhile True: time.sleep(600)"
    )

    def on_ready(_pids: Mapping[str, int]) -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    Supervisor(
        [python("api", code, script, reloads=True)],
        log_dir=script.log.parent,
        clock=SystemClock(),
        on_ready=on_ready,
        terminal=script.said,
        timing=QUICK,
    ).run()

    assert script.log.read_text() == "hello\nreloaded\n"


def test_what_does_not_start_is_an_error_with_its_last_words_and_the_rest_is_stopped(script: Script) -> None:
    bad = ChildSpec("bad", (sys.executable, "-c", "print('no key'); raise SystemExit(3)"), lambda _pid: False)
    with pytest.raises(StartError, match=r"`bad` ended with code 3\n  no key"):
        run(script, [python("api", SLEEPS, script), bad])
    assert all(gone(pid) for pid in script.starts)


def test_what_is_not_ready_in_time_is_an_error(script: Script) -> None:
    timing = Timing(start_seconds=0.05, stop_seconds=0.3, stop_all_seconds=0.6)
    never = ChildSpec("api", (sys.executable, "-c", STUBBORN), lambda _pid: False)
    with pytest.raises(StartError, match=r"`api` was not ready within 0.05 s"):
        run(script, [never], timing)


def test_a_program_that_cannot_be_run_is_an_error(script: Script) -> None:
    missing = ChildSpec("api", ("/no/such/program",), lambda _pid: False)
    with pytest.raises(StartError, match="`api` cannot be started: no such file or directory"):
        run(script, [missing])


def test_a_child_is_mended_once_and_tried_again(script: Script) -> None:
    mark = script.log.parent / "mended"

    def mend() -> bool:
        mark.touch()
        return True

    code = f"import os, sys, time\nif not os.path.exists({str(mark)!r}): sys.exit(1)\n{SLEEPS}"
    run(script, [python("api", code, script, mend=mend)])

    assert "api ended with code 1 before it was ready; mended, trying again" in script.said.getvalue()


def test_a_second_signal_kills_at_once(script: Script) -> None:
    def on_ready(_pids: Mapping[str, int]) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

    patient = Timing(start_seconds=20.0, stop_seconds=600.0, stop_all_seconds=600.0)
    Supervisor(
        [python("api", STUBBORN, script)],
        log_dir=script.log.parent,
        clock=SystemClock(),
        on_ready=on_ready,
        terminal=script.said,
        timing=patient,
    ).run()

    assert gone(script.starts[0])
