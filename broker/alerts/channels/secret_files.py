"""Files with secrets of channels: for their owner alone, small, read anew for each message, so that they can change."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 64 << 10
_OTHERS: Final = 0o077
"""Rights of the group and of everybody."""


class SecretFileError(Exception):
    """A file with a secret cannot be used; the text is one word of ours."""


def read_secret_file(path: str) -> str:
    """Return the text of a file.

    Args:
        path: A regular file, mode 0600 or less, of this process's user or of root.

    Raises:
        SecretFileError: it is not there, is no such file, is for others too, or is no text.
    """
    try:
        descriptor = os.open(Path(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        raise SecretFileError("secret-file-missing") from None
    try:
        # Of the open file, not of the name: a name can change what it means in between.
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise SecretFileError("secret-file-no-file")
        if stat.S_IMODE(found.st_mode) & _OTHERS or found.st_uid not in {0, os.geteuid()}:
            raise SecretFileError("secret-file-open-to-others")
        data = os.read(descriptor, MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        text = ""
    if not text or len(data) > MAX_BYTES:
        raise SecretFileError("secret-file-no-text")
    return text
