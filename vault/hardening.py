"""What the vault's process gives up before it holds any key.

It cannot be traced or dumped by another process of its user, leaves no core file, and cannot gain rights. Root still
can do all of that. Memory is not locked: an unprivileged process may lock too little of it for Python; run without
swap, or with encrypted swap.
"""

from __future__ import annotations

import ctypes
import os
import resource
from typing import Final

from vault.errors import VaultError

_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38


def harden() -> None:
    """Give the rights up; call it first thing, as `execve` gives dumpability back.

    Raises:
        VaultError: the kernel refused; the vault must not start.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    give_up(_PR_SET_DUMPABLE, 0)
    give_up(_PR_SET_NO_NEW_PRIVS, 1)


def give_up(option: int, value: int) -> None:
    """Set one attribute of this process (prctl(2)).

    Raises:
        VaultError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        reason = os.strerror(ctypes.get_errno()).lower()
        raise VaultError(f"the process cannot be hardened (prctl {option}): {reason}")
