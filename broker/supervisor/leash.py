"""Ties a process to its parent and finds what belongs to a session, by the kernel's own means (Linux).

Elsewhere `tie_to_parent` does nothing and `members` sees no session: a supervisor killed by force then leaves its
processes to the next start.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
"""prctl(2)."""

_LINUX: Final = sys.platform == "linux"
# Loaded once, before any fork: a child between fork and exec must not load libraries.
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if _LINUX else None


def tie_to_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; end it when that has happened already.

    Args:
        parent: Process id of the expected parent.
    """
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def members(session: int) -> list[int]:
    """Return the processes of a session, its leader and zombies left out; empty when it has none."""
    if not _LINUX:
        return []
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != session]
    return [int(entry.name) for entry in entries if _session_of(entry) == session]


def kill_session(session: int) -> None:
    """Kill every process of a session whose leader has ended and is not yet reaped, so that its id is still taken."""
    for pid in members(session):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _session_of(entry: Path) -> int:
    try:
        stat = (entry / "stat").read_text("ascii", "replace")
    except OSError:
        return 0
    # proc(5): `pid (comm) state ppid pgrp session …`; comm may hold spaces and brackets, so count from its end.
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] == "Z" else int(fields[3])
