"""The supervisor with small real processes: order, restarts, endings, and that nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

DEADLINE_SECONDS = 20.0
MARKER = "OSTIARY_TEST_MARKER"

HOUSE = """
import json, os, sys
from pathlib import Path
from broker.clock import SystemClock
from broker.supervisor.children import Backoff, ChildSpec
from broker.supervisor.supervisor import Supervisor, Timing

folder = Path(sys.argv[1])
children = json.loads(sys.argv[2])

def spec(name, code, needs=(), ready=True, mend=False, reloads=False, program=sys.executable):
    def is_ready(pid):
        note = folder / f"{name}.ready"
        return ready and note.exists() and note.read_text() == str(pid)
    def mended():
        (folder / f"{name}.mended").touch()
        return mend and not (folder / f"{name}.again").exists()
    prelude = f"import os, pathlib, signal, subprocess, sys, time; folder = pathlib.Path({str(folder)!r}); "
    ready_line = (
        f"(folder / '{name}.tmp').write_text(str(os.getpid()));"
        f"(folder / '{name}.tmp').rename(folder / '{name}.ready')"
    )
    return ChildSpec(
        name, (program, "-c", prelude + "\\nready = lambda: exec(" + repr(ready_line) + ")\\n" + code), is_ready,
        environment={"OSTIARY_TEST_MARKER": str(folder)}, needs=tuple(needs), mend=mended, reloads=reloads,
    )

def on_ready(pids):
    (folder / "all.tmp").write_text(json.dumps(pids))
    (folder / "all.tmp").rename(folder / "all.json")

timing = Timing(
    start_seconds=float(sys.argv[3]), stop_seconds=0.5, stop_all_seconds=1.0,
    backoff=lambda: Backoff(first_seconds=0.01, longest_seconds=0.05),
)
try:
    Supervisor(
        [spec(**child) for child in children], log_dir=folder, clock=SystemClock(), on_ready=on_ready,
        terminal=sys.stderr, timing=timing,
    ).run()
except Exception as error:
    print(type(error).__name__, error, file=sys.stderr)
    sys.exit(4)
"""

SLEEPS = "ready()\ntime.sleep(600)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nready()\ntime.sleep(600)"
WITH_GRANDCHILD = (
    "child = subprocess.Popen([sys.executable, '-c', 'import signal, time; "
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'], process_group=0)\nready()\ntime.sleep(600)"
)


class House:
    """A supervisor in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None

    def start(self, *children: dict[str, Any], start_seconds: float = DEADLINE_SECONDS) -> None:
        with (self.folder / "stderr").open("w") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-c", HOUSE, str(self.folder), json.dumps(children), str(start_seconds)],
                stderr=said,
                text=True,
                env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            )

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    @property
    def said(self) -> str:
        return (self.folder / "stderr").read_text()

    def pids(self) -> dict[str, int]:
        eventually((self.folder / "all.json").exists, self)
        found: dict[str, int] = json.loads((self.folder / "all.json").read_text())
        return found

    def pid_now(self, name: str) -> int:
        return int((self.folder / f"{name}.ready").read_text())

    def await_another(self, name: str, before: int) -> None:
        eventually(lambda: self.pid_now(name) != before, self)

    def left(self) -> list[int]:
        """Everything alive that carries the marker of this house in its environment."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    marked = f"{MARKER}={self.folder}".encode() in (entry / "environ").read_bytes()
                    if marked and (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                        found.append(int(entry.name))
        return found

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)


def eventually(true: Callable[[], object], house: House | None = None) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(house.said if house else "it did not happen")
        time.sleep(0.01)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    if made._process is not None:
        made.end()
        eventually(lambda: not made.left())


@pytest.mark.req("O1")
def test_children_start_after_what_they_need_and_all_end_on_sigterm(house: House) -> None:
    log = "(folder / 'order').open('a').write({!r})\n"
    house.start(
        {"name": "vault", "code": "time.sleep(0.05)\n" + log.format("vault ") + SLEEPS},
        {"name": "api", "code": log.format("api ") + SLEEPS, "needs": ["vault"]},
    )
    pids = house.pids()

    assert set(pids) == {"vault", "api"}
    assert (house.folder / "order").read_text() == "vault api "
    assert house.end() == 0
    assert house.left() == []


def test_children_stop_in_reverse_order(house: House) -> None:
    goodbye = (
        "def bye(*_):\n    (folder / 'order').open('a').write({!r})\n    sys.exit()\n"
        "signal.signal(signal.SIGTERM, bye)\n"
    )
    house.start(
        {"name": "vault", "code": goodbye.format("vault ") + SLEEPS},
        {"name": "api", "code": goodbye.format("api ") + SLEEPS, "needs": ["vault"]},
    )
    house.pids()

    assert house.end() == 0
    assert (house.folder / "order").read_text() == "api vault "


def test_a_killed_child_is_started_again_and_the_others_stay(house: House) -> None:
    house.start({"name": "vault", "code": SLEEPS}, {"name": "api", "code": SLEEPS, "needs": ["vault"]})
    pids = house.pids()

    for name in ("api", "vault", "api"):
        before = house.pid_now(name)
        os.kill(before, signal.SIGKILL)
        house.await_another(name, before)

    assert house.process.poll() is None
    assert house.pid_now("api") != pids["api"]
    assert "api ended by signal 9; starting it again in" in house.said
    assert house.end() == 0
    assert house.left() == []


def test_what_a_killed_child_had_started_is_killed_before_it_starts_again(house: House) -> None:
    house.start({"name": "worker", "code": WITH_GRANDCHILD})
    pid = house.pids()["worker"]
    eventually(lambda: len(house.left()) == 2, house)
    before = set(house.left())

    os.kill(pid, signal.SIGKILL)

    eventually(lambda: house.pid_now("worker") != pid, house)
    assert not before & set(house.left())


def test_a_child_that_ignores_sigterm_and_its_own_children_are_killed_at_the_end(house: House) -> None:
    house.start({"name": "worker", "code": WITH_GRANDCHILD}, {"name": "api", "code": STUBBORN})
    house.pids()

    assert house.end() == 0
    assert house.left() == []


def test_a_second_signal_does_not_wait_any_more(house: House) -> None:
    house.start({"name": "api", "code": STUBBORN})
    house.pids()
    house.process.send_signal(signal.SIGINT)
    house.process.send_signal(signal.SIGTERM)

    assert house.process.wait(DEADLINE_SECONDS) == 0
    assert house.left() == []


@pytest.mark.req("O1")
def test_killing_the_supervisor_takes_all_children_along(house: House) -> None:
    house.start({"name": "vault", "code": SLEEPS}, {"name": "api", "code": STUBBORN})
    house.pids()
    assert len(house.left()) == 2

    house.process.kill()
    house.process.wait()

    eventually(lambda: not house.left())


def test_a_child_that_ends_by_itself_at_the_first_start_ends_all_and_shows_its_last_words(house: House) -> None:
    code = "print('cannot listen\\x1b[2J: taken', flush=True)\nsys.exit(3)"
    house.start({"name": "vault", "code": SLEEPS}, {"name": "api", "code": code, "needs": ["vault"]})

    assert house.process.wait(DEADLINE_SECONDS) == 4
    assert "StartError `api` ended with code 3\n  cannot listen�[2J: taken" in house.said
    assert house.left() == []


def test_a_child_that_is_never_ready_ends_all_at_the_deadline(house: House) -> None:
    house.start({"name": "api", "code": "time.sleep(600)", "ready": False}, start_seconds=0.2)

    assert house.process.wait(DEADLINE_SECONDS) == 4
    assert "StartError `api` was not ready within 0.2 s" in house.said
    assert house.left() == []


def test_a_program_that_is_not_there_is_named(house: House) -> None:
    house.start({"name": "api", "code": "", "program": "/no/such/program"})

    assert house.process.wait(DEADLINE_SECONDS) == 4
    assert "StartError `api` cannot be started: no such file or directory" in house.said


def test_a_child_killed_during_the_first_start_is_started_again(house: House) -> None:
    code = (
        "first = not (folder / 'again').exists()\n(folder / 'again').touch()\n"
        "if first: os.kill(os.getpid(), signal.SIGKILL)\n" + SLEEPS
    )
    house.start({"name": "api", "code": code})

    assert house.pids()["api"] == house.pid_now("api")


def test_a_child_that_can_be_mended_gets_another_try(house: House) -> None:
    code = "if not (folder / 'api.mended').exists(): sys.exit(1)\n" + SLEEPS
    house.start({"name": "api", "code": code, "mend": True})

    house.pids()
    assert "before it was ready; mended, trying again" in house.said


def test_a_child_that_hangs_after_a_restart_is_killed_and_started_again(house: House) -> None:
    code = (
        "starts = folder / 'starts'\nstarts.open('a').write('x')\n"
        "if starts.read_text() != 'xx': ready()\ntime.sleep(600)"
    )
    house.start({"name": "api", "code": code}, start_seconds=2.0)
    pid = house.pids()["api"]

    os.kill(pid, signal.SIGKILL)

    eventually(lambda: house.pid_now("api") != pid, house)
    assert "was not ready within 2 s; starting it again" in house.said


def test_sighup_reaches_only_the_child_that_reloads(house: House) -> None:
    hup = "signal.signal(signal.SIGHUP, lambda *_: (folder / 'hup').open('a').write({!r}))\n"
    house.start(
        {"name": "api", "code": hup.format("api") + "ready()\nwhile True: time.sleep(600)", "reloads": True},
        {"name": "worker", "code": hup.format("worker") + "ready()\nwhile True: time.sleep(600)"},
    )
    house.pids()

    house.process.send_signal(signal.SIGHUP)

    eventually((house.folder / "hup").exists, house)
    eventually((house.folder / "hup").read_text, house)
    assert (house.folder / "hup").read_text() == "api"
    assert house.end() == 0


def test_a_child_that_closes_its_output_goes_on(house: House) -> None:
    house.start({"name": "api", "code": "os.close(1)\nos.close(2)\n" + SLEEPS})
    pid = house.pids()["api"]
    os.kill(pid, signal.SIGKILL)

    eventually(lambda: house.pid_now("api") != pid, house)
    assert house.end() == 0


def test_output_goes_to_a_private_log_and_to_the_terminal_with_the_name(house: House) -> None:
    house.start({"name": "api", "code": "print('hello', flush=True)\n" + SLEEPS})
    house.pids()
    assert house.end() == 0

    log = house.folder / "api.log"
    assert log.read_text() == "hello\n"
    assert log.stat().st_mode & 0o777 == 0o600
    assert "   api | hello" in house.said
