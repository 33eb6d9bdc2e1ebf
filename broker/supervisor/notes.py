"""Small JSON files in the run directory by which a process says that it is ready, and where.

A note names its process, because it outlives a killed one: readers compare the id before they believe it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

API_NOTE: Final = "api.json"
"""``{"url", "pid"}`` of the listening API."""
WORKER_NOTE: Final = "worker.json"
"""``{"pid"}`` of the worker that has finished its imports."""


@contextlib.contextmanager
def note(path: Path, data: Mapping[str, Any]) -> Iterator[None]:
    """Keep a note while the block runs; ``pid`` is added. A note that another process wrote meanwhile is left alone."""
    write_note(path, {**data, "pid": os.getpid()})
    try:
        yield
    finally:
        if read_note(path).get("pid") == os.getpid():
            path.unlink(missing_ok=True)


def write_note(path: Path, data: Mapping[str, Any]) -> None:
    """Write a note, mode 0600, so that a reader sees all of it or none."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(data, file)
    draft.replace(path)


def read_note(path: Path) -> dict[str, Any]:
    """Return what a note says; empty when there is none or it cannot be read."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
