"""The text of a checkpoint, built here so that the ledger's key signs checkpoints and nothing else.

C2SP tlog-checkpoint: the signed text of a note is three lines, origin, size and base64 of the root, each ended by a
line feed. The signature returned is the bare Ed25519 signature over it; key id and framing are the ledger's business.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from vault.errors import BadRequestError, CheckpointRefusedError
from vault.manifest import Signed

MAX_ORIGINS: Final = 16
"""Origins one vault signs for; each stays in the manifest for ever."""

ROOT_BYTES: Final = 32
_MAX_SIZE: Final = 2**63 - 1
_ORIGIN: Final = re.compile(r"[\x21-\x2a\x2c-\x7e]{1,255}", re.ASCII)
"""A schema-less URL without spaces and without ``+`` (C2SP signed-note, key names)."""
_EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""Root of the tree without leaves (RFC 6962 section 2.1)."""


def checkpoint_text(origin: str, size: int, root: bytes) -> bytes:
    """Return the signed text of a checkpoint.

    Raises:
        BadRequestError: the parts do not make a checkpoint.
    """
    if not _ORIGIN.fullmatch(origin):
        raise BadRequestError("the origin must be 1 to 255 printable ASCII characters without space or plus")
    if not 0 <= size <= _MAX_SIZE or len(root) != ROOT_BYTES:
        raise BadRequestError("a checkpoint has a size from 0 to 2**63-1 and a root of 32 bytes")
    if size == 0 and root != _EMPTY_ROOT:
        raise BadRequestError("the empty tree has another root")
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def check_consistent(last: Signed | None, new: Signed) -> None:
    """Refuse a checkpoint that contradicts the last one signed for the same origin.

    What is not checked: that a larger tree contains the smaller one; that needs the leaves, and is for `audit verify`.

    Raises:
        CheckpointRefusedError: it is smaller, or of the same size with another root.
    """
    if last is None:
        return
    if new.size < last.size:
        raise CheckpointRefusedError(f"a checkpoint of size {last.size} was signed; size {new.size} would take it back")
    if new.size == last.size and new.root != last.root:
        raise CheckpointRefusedError(f"another checkpoint of size {new.size} was signed")
