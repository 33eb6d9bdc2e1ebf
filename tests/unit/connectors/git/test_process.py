from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.git.area import Area, make_area, remove_area
from connectors.git.config import ConfigFile
from connectors.git.process import (
    MAX_STDERR_BYTES,
    MAX_STDOUT_BYTES,
    GitAbortedError,
    GitMissingError,
    GitPrograms,
    GitTimeoutError,
    ProcessLimits,
    _Job,
)

CONFIG = ConfigFile(os.devnull, (), "https")


@pytest.fixture
def area(tmp_path: Path) -> Iterator[Area]:
    made = make_area(tmp_path)
    yield made
    remove_area(made)


def script(area: Area, text: str) -> str:
    """A stand-in for git."""
    path = area.path / "git"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


def let_go(fifo: Path) -> None:
    """End a reader nobody ever wrote to."""
    with contextlib.suppress(OSError):
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_git_gets_our_environment_and_nothing_of_the_machine(area: Area, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    done = await GitPrograms(script(area, "/usr/bin/env")).run(area, CONFIG, ())
    names = {line.partition("=")[0] for line in done.stdout.decode().splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {
        "PATH",
        "LANG",
        "LC_ALL",
        "HOME",
        "TMPDIR",
        "GIT_DIR",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_GLOBAL",
        "GIT_ATTR_NOSYSTEM",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_ALLOW_PROTOCOL",
        "GIT_TERMINAL_PROMPT",
        "GIT_ASKPASS",
        "SSH_ASKPASS",
    }


async def test_arguments_reach_git_as_they_are(area: Area) -> None:
    words = ("a b", "$(touch x)", "'", ";", "", "--", "*")
    done = await GitPrograms(script(area, 'printf "%s\\n" "$@"')).run(area, CONFIG, words)
    assert done.stdout.decode().split("\n")[:-1] == list(words)


@pytest.mark.parametrize("as_file", [True, False])
async def test_input_is_read_from_bytes_and_from_a_file(area: Area, as_file: bool) -> None:
    path = area.path / "given"
    path.write_bytes(b"hello")
    done = await GitPrograms(script(area, "cat")).run(area, CONFIG, (), stdin=path if as_file else b"hello")
    assert (done.stdout, done.ok) == (b"hello", True)


async def test_output_to_both_sides_cannot_block_git(area: Area) -> None:
    loud = (
        "i=0; while [ $i -lt 3000 ]; do echo 12345678901234567890123456789012 >&2; echo out; i=$((i+1)); done; exit 3"
    )
    done = await GitPrograms(script(area, loud)).run(area, CONFIG, ())
    assert (len(done.stdout), len(done.stderr), done.returncode) == (12000, MAX_STDERR_BYTES, 3)


async def test_output_without_end_is_cut(area: Area) -> None:
    with pytest.raises(GitTimeoutError, match="more than it may"):
        await GitPrograms(script(area, "exec cat /dev/zero")).run(area, CONFIG, ())
    assert MAX_STDOUT_BYTES < 64 << 20


async def test_a_deadline_ends_git_and_all_its_helpers(area: Area) -> None:
    fifo = area.path / "fifo"
    os.mkfifo(fifo)
    # The reader sees the end when the last process that holds the other side is gone.
    reader = asyncio.create_task(asyncio.to_thread(fifo.read_bytes))
    programs = GitPrograms(script(area, f"(sleep 20; echo alive) > {fifo} & wait"), ProcessLimits(timeout_seconds=0.5))
    with pytest.raises(GitTimeoutError, match="too long"):
        await programs.run(area, CONFIG, ())
    let_go(fifo)
    assert await reader == b""


async def test_files_cannot_grow_over_their_limit(area: Area) -> None:
    text = f"head -c 100000 /dev/zero > {area.path}/big; echo $?"
    done = await GitPrograms(script(area, text), ProcessLimits(file_bytes=4096)).run(area, CONFIG, ())
    assert (area.path / "big").stat().st_size == 4096
    assert done.stdout.strip() != b"0"


async def test_memory_cannot_grow_over_its_limit(area: Area) -> None:
    done = await GitPrograms(script(area, "ulimit -v; ulimit -c"), ProcessLimits(memory_bytes=1 << 30)).run(
        area, CONFIG, ()
    )
    assert done.stdout.split() == [b"1048576", b"0"]


async def test_cancelling_the_caller_ends_git_first(area: Area) -> None:
    fifo, begun = area.path / "fifo", area.path / "begun"
    os.mkfifo(fifo)
    os.mkfifo(begun)
    programs = GitPrograms(script(area, f"echo $$ > {begun}; exec cat {fifo}"))
    task = asyncio.create_task(programs.run(area, CONFIG, ()))
    pid = int(await asyncio.to_thread(begun.read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not runs(pid)


async def test_a_helper_that_outlives_git_is_ended_with_the_deadline(area: Area) -> None:
    fifo = area.path / "fifo"
    os.mkfifo(fifo)
    reader = asyncio.create_task(asyncio.to_thread(fifo.read_bytes))
    programs = GitPrograms(
        script(area, f"(sleep 20; echo alive) > {fifo} & exit 0"), ProcessLimits(timeout_seconds=0.5)
    )
    with pytest.raises(GitTimeoutError, match="too long"):
        await programs.run(area, CONFIG, ())
    let_go(fifo)
    assert await reader == b""


async def test_a_call_still_waiting_for_its_turn_is_given_up_at_once() -> None:
    programs, busy, over = GitPrograms(workers=1), threading.Event(), threading.Event()
    ran: list[str] = []

    def occupy() -> None:
        busy.set()
        over.wait()

    first = asyncio.create_task(programs.in_thread(occupy, over.set))
    await asyncio.to_thread(busy.wait)
    second = asyncio.create_task(programs.in_thread(lambda: ran.append("second"), lambda: ran.append("aborted")))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert not first.done()
    over.set()
    await first
    assert ran == []


async def test_clean_up_is_waited_for_even_when_the_caller_is_cancelled() -> None:
    busy, over = threading.Event(), threading.Event()
    ran: list[str] = []

    def clean() -> None:
        busy.set()
        over.wait()
        ran.append("cleaned")

    task = asyncio.create_task(GitPrograms().to_the_end(clean))
    await asyncio.to_thread(busy.wait)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    over.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ran == ["cleaned"]


def test_a_call_given_up_before_its_turn_starts_nothing(area: Area) -> None:
    job = _Job(GitPrograms(script(area, f"touch {area.path}/ran")), area, CONFIG, ())
    job.abort()
    with pytest.raises(GitAbortedError):
        job.run(b"")
    assert not (area.path / "ran").exists()


async def test_a_git_that_closes_its_outputs_and_stays_is_ended(area: Area) -> None:
    fifo = area.path / "fifo"
    os.mkfifo(fifo)
    programs = GitPrograms(script(area, f"exec >&- 2>&-; read -r word < {fifo}"), ProcessLimits(grace_seconds=0.1))
    done = await programs.run(area, CONFIG, ())
    assert done.returncode == -9


async def test_a_machine_without_git_says_so(area: Area, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(area.home))
    with pytest.raises(GitMissingError, match="not installed"):
        await GitPrograms().run(area, CONFIG, ())
    monkeypatch.undo()
    gone = Area(area.path / "gone", area.lock)
    with pytest.raises(GitMissingError, match="cannot be started"):
        GitPrograms().start(gone, ConfigFile(os.devnull, (9999,), "https"), ("version",))


async def test_what_is_read_while_it_comes_need_not_be_read_to_its_end(area: Area) -> None:
    programs = GitPrograms(script(area, "cat; exec cat /dev/zero"))
    finished, first = await programs.parse(area, CONFIG, (), lambda pieces: next(pieces)[:5], stdin=b"hello")
    assert (finished.ok, first) == (False, b"hello")


async def test_an_open_file_is_handed_over(area: Area) -> None:
    path = area.path / "given"
    path.write_bytes(b"hello")
    stream = path.open("rb")
    finished, text = await GitPrograms(script(area, "cat")).parse(area, CONFIG, (), b"".join, stdin=stream)
    assert (finished.ok, text, stream.closed) == (True, b"hello", True)


async def test_a_configuration_may_bring_variables(area: Area) -> None:
    config = ConfigFile(os.devnull, (), "", {"GIT_SSH_COMMAND": "ssh -F none"})
    done = await GitPrograms(script(area, 'echo "$GIT_SSH_COMMAND/$GIT_ALLOW_PROTOCOL/"')).run(area, config, ())
    assert done.stdout == b"ssh -F none//\n"


async def test_a_git_that_is_not_there_is_missing(area: Area) -> None:
    with pytest.raises(GitMissingError):
        await GitPrograms(str(area.path / "nothing")).run(area, CONFIG, ())


async def test_other_limits_hold_for_the_same_git(area: Area) -> None:
    programs = GitPrograms(script(area, f"head -c 100000 /dev/zero > {area.path}/big"))
    await programs.limited(ProcessLimits(file_bytes=4096)).run(area, CONFIG, ())
    assert (area.path / "big").stat().st_size == 4096
    assert programs.limits.file_bytes > 4096


async def test_git_may_work_on_a_repository_elsewhere(area: Area, tmp_path: Path) -> None:
    other = replace(area, elsewhere=tmp_path / "other.git")
    done = await GitPrograms(script(area, 'echo "$GIT_DIR"')).run(other, CONFIG, ())
    assert done.stdout.decode().strip() == str(tmp_path / "other.git")
