"""Resident memory of a process."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.bench.timing import Result

MIB: Final = 1 << 20


class Memory:
    """Resident memory of a process, proc_pid_status(5).

    Args:
        pid: Of the process.
    """

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def reset(self) -> int:
        """Let the peak begin again at what is resident now; return that, in bytes."""
        (self._folder / "clear_refs").write_text("5")
        return self.peak()

    def peak(self) -> int:
        """Return the most that was resident since the last reset, in bytes."""
        lines = (self._folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def bounded(name: str, growth_mib: float, most_mib: float) -> Result:
    """Return how much a process grew, with its goal."""
    return Result(name, growth_mib, "MiB", f"<= {most_mib:g}", growth_mib <= most_mib)
