"""``ostiary policy fmt``: policy files in their canonical form, comments kept."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Annotated

import typer

from broker.cli.context import settings_from
from broker.cli.output import ExitCode, clean, fail, say


def fmt(
    ctx: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(help="Files to write; all policies when none is named.")] = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 4 when a file would change.")
    ] = False,
    show: Annotated[bool, typer.Option("--diff", help="Write nothing; print what would change.")] = False,
) -> None:
    """Write policy files in their canonical form; meaning and comments stay."""
    changed = broken = 0
    for path in files or _all(settings_from(ctx).config_dir):
        before = _read(path)
        after = _formatted(path, before)
        if after is None:
            broken += 1
        elif after != before:
            changed += 1
            if show:
                sys.stdout.write(_difference(path, before, after))
            if not (check or show):
                _write(path, after)
            say(f"{'would change' if check or show else 'written'}: {path}")
    if broken:
        raise typer.Exit(ExitCode.USAGE)
    if changed and check:
        raise typer.Exit(ExitCode.FAILED)


def _all(root: Path) -> list[Path]:
    from broker.config.files import read_folder

    return [root / name for name in read_folder(root).files if name.startswith("policies/")]


def _formatted(path: Path, data: bytes) -> bytes | None:
    from policies.errors import PolicyError, render
    from policies.language.fmt import format_policy

    try:
        return format_policy(data, path.name)
    except PolicyError as error:
        for finding in getattr(error, "findings", ()):
            for line in render(finding, data).splitlines():
                say(clean(line))
        return None


def _difference(path: Path, before: bytes, after: bytes) -> str:
    old, new = (data.decode("utf-8", "replace").splitlines(keepends=True) for data in (before, after))
    lines = difflib.unified_diff(old, new, str(path), str(path))
    return "".join(clean(line.rstrip("\n")) + "\n" for line in lines)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fail(f"cannot read `{path}`: {(error.strerror or 'unknown').lower()}", ExitCode.USAGE)


def _write(path: Path, data: bytes) -> None:
    """Replace a file as a whole: a crash leaves the old one or the new one, never half of it."""
    import os
    import tempfile

    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(name, path.stat().st_mode & 0o777)  # noqa: PTH101 - beside os.replace
            os.replace(name, path)  # noqa: PTH105 - atomic on one file system
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        fail(f"cannot write `{path}`: {(error.strerror or 'unknown').lower()}", ExitCode.FAILED)
