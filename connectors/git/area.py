"""A working area: a private folder with an empty bare repository, gone when the work is.

An area belongs to one attempt. Its lock file is held while its process lives, so that the areas of processes that were
killed can be told from live ones and swept.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PREFIX: Final = "ostiary-git-"
_LOCK: Final = "lock"


@dataclass(frozen=True, slots=True)
class Area:
    """An area on disk, mode 0700.

    Args:
        path: The folder; also the working directory of every git.
        lock: Descriptor that holds the lock.
        elsewhere: A repository outside that is worked on from here; None for the area's own.
    """

    path: Path
    lock: int
    elsewhere: Path | None = None

    @property
    def repository(self) -> Path:
        """The bare repository that git works on."""
        return self.elsewhere or self.path / "repository.git"

    @property
    def home(self) -> Path:
        """An empty folder git and its libraries take for the user's home."""
        return self.path / "home"


def make_area(root: Path | None) -> Area:
    """Make an area.

    Args:
        root: Folder it is made in, made itself when missing; None for the system's temporary folder.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    if root is not None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
    try:
        (path / "home").mkdir(mode=0o500)
        # The lock gets its name once it is held: whoever sees a file called `lock` can trust it.
        fresh = path / "fresh"
        lock = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fresh.rename(path / _LOCK)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return Area(path, lock)


def remove_area(area: Area) -> None:
    """Remove an area and everything in it; what cannot be removed stays for the next sweep."""
    shutil.rmtree(area.path, ignore_errors=True)
    os.close(area.lock)


def sweep_areas(root: Path) -> int:
    """Remove the areas under ``root`` whose process is gone; return how many there were."""
    return sum(1 for path in root.glob(f"{_PREFIX}*") if _abandoned(path))


def _abandoned(path: Path) -> bool:
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        shutil.rmtree(path, ignore_errors=True)
        return True
    finally:
        os.close(lock)
