"""Folders that are ours alone, and one supervisor per data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from broker.supervisor.errors import AlreadyRunningError, UnsafeFolderError
from broker.supervisor.folders import LOCK_NAME, instance_lock, make_private, running_supervisor


def test_a_new_folder_is_ours_alone_and_an_old_one_stays(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"
    assert make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not make_private(folder)


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_a_folder_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    with pytest.raises(UnsafeFolderError, match="is open to others; `chmod 700` it"):
        make_private(tmp_path / "data")


def test_a_link_or_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(UnsafeFolderError, match="is not a folder"):
            make_private(tmp_path / name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    os.chown(tmp_path / "data", 65534, 65534)
    with pytest.raises(UnsafeFolderError, match="belongs to another user"):
        make_private(tmp_path / "data")


def test_the_second_supervisor_is_refused_with_the_first_ones_process(tmp_path: Path) -> None:
    with instance_lock(tmp_path):
        assert running_supervisor(tmp_path) == os.getpid()
        with pytest.raises(AlreadyRunningError, match=f"process `{os.getpid()}`"), instance_lock(tmp_path):
            pass
    with instance_lock(tmp_path):
        assert running_supervisor(tmp_path) == os.getpid()
    assert running_supervisor(tmp_path) is None


def test_a_killed_supervisor_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from broker.supervisor.folders import instance_lock\n"
        "with instance_lock(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env={"PYTHONPATH": str(Path.cwd())}, check=False)

    assert (tmp_path / LOCK_NAME).read_text().strip().isdigit()
    assert running_supervisor(tmp_path) is None
    with instance_lock(tmp_path):
        pass


def test_where_nothing_was_started_nothing_runs(tmp_path: Path) -> None:
    assert running_supervisor(tmp_path) is None
