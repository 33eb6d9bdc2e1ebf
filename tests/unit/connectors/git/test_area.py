from __future__ import annotations

import fcntl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.git.area import make_area, remove_area, sweep_areas

LEAVE_ONE = "import os, sys, pathlib; from connectors.git.area import make_area; make_area(pathlib.Path(sys.argv[1]))"


def test_an_area_is_private_and_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "made" / "on the way"
    area = make_area(root)
    assert stat.S_IMODE(area.path.stat().st_mode) == 0o700
    assert list(area.home.iterdir()) == []
    area.repository.mkdir()
    (area.repository / "HEAD").write_text("x")
    remove_area(area)
    assert list(root.iterdir()) == []


def test_without_a_folder_of_its_own_the_area_is_in_the_temporary_folder() -> None:
    area = make_area(None)
    remove_area(area)
    assert not area.path.exists()


def test_a_folder_that_cannot_hold_areas_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="exists"):
        make_area(tmp_path / "file")


def test_areas_of_killed_processes_are_swept_and_live_ones_stay(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LEAVE_ONE, str(tmp_path)], check=True, cwd=Path.cwd())
    live = make_area(tmp_path)
    (tmp_path / "ostiary-git-just-being-made").mkdir()
    (tmp_path / "somebody-else").mkdir()
    link = tmp_path / "ostiary-git-link"
    link.mkdir()
    (link / "lock").symlink_to(live.path / "lock")
    assert sweep_areas(tmp_path) == 1
    assert live.path.exists()
    assert {path.name for path in tmp_path.iterdir()} == {
        live.path.name,
        "ostiary-git-just-being-made",
        "somebody-else",
        "ostiary-git-link",
    }
    remove_area(live)


def test_an_area_that_cannot_be_locked_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> None:
        raise OSError("no locks on this disk")

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(OSError, match="no locks"):
        make_area(tmp_path)
    assert list(tmp_path.iterdir()) == []
