"""The files of the checkout, as the architecture tests see them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
ROOMS: Final = ("broker", "connectors", "policies", "vault")

_NOT_OURS: Final = frozenset(
    {
        ".git",
        ".venv",
        ".tools",
        "__pycache__",
        "node_modules",
        "ostiary-data",
        "build",
        ".hypothesis",
        ".import_linter_cache",
    }
)


def files(*folders: str) -> Iterator[Path]:
    """Files under ``folders`` of the checkout (all of it when none is named), without what tools made."""
    for folder in folders or (".",):
        for path in sorted((ROOT / folder).rglob("*")):
            parts = path.relative_to(ROOT).parts
            made = any(part in _NOT_OURS or part.endswith(("_cache", ".egg-info")) for part in parts)
            if path.is_file() and not made:
                yield path


def python_files(*folders: str) -> Iterator[Path]:
    """Python files under ``folders``."""
    return (path for path in files(*folders) if path.suffix == ".py")


@functools.cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"), str(path))


def name_of(path: Path) -> str:
    """A file's name in messages: its path in the checkout."""
    return path.relative_to(ROOT).as_posix()
