"""Files the command line writes for other programs: whole or not at all, and never over somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

from broker.cli.output import ExitCode, fail


def write_own(path: Path, text: str, *, marker: str, mode: int) -> None:
    """Write a file; ends the command when it cannot be written, or when another one stands there.

    Args:
        path: Where.
        text: What; holds ``marker`` within its first bytes.
        marker: By which a file that was written by us is known again.
        mode: Permissions.
    """
    try:
        _refuse_foreign(path, marker)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(os.fsencode(text))
                os.fchmod(file.fileno(), mode)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        fail(f"cannot write `{path}`: {(error.strerror or 'unknown').lower()}", ExitCode.FAILED)


def _refuse_foreign(path: Path, marker: str) -> None:
    if not path.exists():
        return
    with path.open("rb") as file:
        known = os.fsencode(marker) in file.read(4096)
    if not known:
        fail(f"`{path}` is there already and not from us", ExitCode.USAGE, fix="name another place, or remove it")
