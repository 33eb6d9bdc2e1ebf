"""Restart pauses, readiness checks, and the parts of a child that need no supervisor."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.supervisor.children import Backoff, Child, ChildSpec, socket_answers
from broker.supervisor.leash import kill_session, members, tie_to_parent
from broker.supervisor.output import Output


def test_pauses_double_up_to_the_longest_and_begin_again_after_a_calm_time() -> None:
    backoff = Backoff(first_seconds=0.1, longest_seconds=0.5, calm_seconds=10.0)
    assert [backoff.after(0.0) for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]
    assert backoff.after(10.0) == 0.1
    assert backoff.after(9.9) == 0.2


@given(st.lists(st.floats(min_value=0, max_value=100)))
def test_a_pause_is_never_shorter_than_the_first_nor_longer_than_the_longest(lives: list[float]) -> None:
    backoff = Backoff()
    pauses = [backoff.after(life) for life in lives]
    assert all(0.1 <= pause <= 5.0 for pause in pauses)
    for life, (before, after) in zip(lives[1:], itertools.pairwise(pauses), strict=False):
        assert after == (0.1 if life >= 10.0 else min(before * 2, 5.0))


def test_a_socket_answers_only_while_something_listens() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.sock"
        check = socket_answers(path)
        assert not check(1)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            assert not check(1)
            listener.listen(1)
            assert check(1)
        assert path.exists()
        assert not check(1)


def test_a_child_that_does_not_run_takes_no_signal_and_has_no_pipe(tmp_path: Path) -> None:
    child = Child(ChildSpec("api", ("/bin/true",), lambda _pid: True), Output("api", tmp_path / "l", None), Backoff())
    child.send(signal.SIGKILL)
    assert (child.running, child.pid, child.ended(), child.reap()) == (False, 0, False, 0)
    with pytest.raises(RuntimeError, match="does not run"):
        _ = child.pipe


def test_a_spec_prepares_nothing_and_mends_nothing_unless_told_to() -> None:
    spec = ChildSpec("api", ("/bin/true",), lambda _pid: True)
    spec.prepare()
    assert not spec.mend()


def test_the_members_of_a_session_are_found_and_killed() -> None:
    code = (
        "import subprocess, sys; subprocess.Popen(['sleep', '600'], process_group=0); "
        "print('x', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as leader:
        assert leader.stdout is not None
        leader.stdout.read(1)
        assert len(members(leader.pid)) == 1
        leader.kill()
        os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOWAIT)
        assert len(members(leader.pid)) == 1
        kill_session(leader.pid)
        while members(leader.pid):
            pass
    kill_session(leader.pid)


def test_a_process_whose_parent_is_not_the_expected_one_ends_at_once() -> None:
    code = "from broker.supervisor.leash import tie_to_parent; tie_to_parent(1 << 22); print('alive')"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(Path.cwd())}, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, b"")


def test_tying_to_the_real_parent_changes_nothing_while_it_lives() -> None:
    tie_to_parent(os.getppid())
    try:
        assert os.getppid() > 0
    finally:
        import ctypes

        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
