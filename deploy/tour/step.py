"""One step of the tour, and how what a program said becomes a part of it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it went.

    Args:
        name: Short name, stable: scripts read it.
        title: One line for people.
        ok: True when it went as expected.
        lines: What happened, for people.
        facts: What happened, for machines.
    """

    name: str
    title: str
    ok: bool
    lines: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """What one program said.

    Args:
        status: Exit status.
        output: Standard output, parsed where it is JSON.
        error: Standard error.
        command: The command as a person would type it.
    """

    status: int
    output: Any
    error: str
    command: str

    @property
    def state(self) -> str:
        """The state of an intent that was told of; empty where none was."""
        return str(self.output.get("state", "")) if isinstance(self.output, dict) else ""

    @property
    def remote(self) -> tuple[str, ...]:
        """What git showed of the other side: its words, and what became of each ref."""
        lines = (line.rstrip() for line in self.error.splitlines())
        return tuple(line for line in lines if line.startswith("remote: ") or line.lstrip().startswith("! "))


def said(done: subprocess.CompletedProcess[str], command: str) -> Said:
    """Return what a program said that has ended.

    Args:
        done: The program.
        command: As a person would type it.
    """
    try:
        output: Any = json.loads(done.stdout)
    except ValueError:
        output = done.stdout.strip()
    return Said(done.returncode, output, done.stderr.strip(), command)
