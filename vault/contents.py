"""Enclosing what others keep: prompts and answers of models, piece by piece, with a key that never leaves the vault.

    derivation key --HKDF "content", name--> key of one name
      piece    AES-256-GCM, bound to name, part and index

What is enclosed is not stored here. Each name has a key of its own, so no key seals more than one call's few hundred
pieces; and no answer of `derive` is one of these keys, as their labels are bound in another form. That a piece is
missing is not told here: whoever keeps pieces encloses how many there are.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from vault.crypto import derive_key, seal, unseal
from vault.errors import BadRequestError
from vault.registry import Registry
from vault.seal import bind

MAX_PIECE_BYTES: Final = 256 << 10
"""Of what is enclosed at a time: a fraction of a millisecond, so that signatures do not wait behind it."""
MAX_INDEX: Final = 1 << 20
_LABEL: Final = "content"


class Contents:
    """Encloses pieces and discloses them again; keeps nothing.

    Args:
        changing: Opens the registry, as the derivation key may have to be made.
    """

    def __init__(self, changing: Callable[[], AbstractContextManager[Registry]]) -> None:
        self._changing = changing

    def enclose(self, name: str, part: str, index: int, plain: bytes) -> bytes:
        """Return a piece, sealed.

        Args:
            name: What it belongs to, the id of an intent.
            part: Which part of that it is.
            index: Which piece of the part, 0 to `MAX_INDEX`.
            plain: At most `MAX_PIECE_BYTES`; may be empty.

        Raises:
            BadRequestError: a name is empty, or a number out of bounds.
            SealedError, StorageError: the key it is sealed with cannot be had.
        """
        if len(plain) > MAX_PIECE_BYTES:
            raise BadRequestError(f"a piece of content has at most {MAX_PIECE_BYTES} bytes")
        bound = _bound(name, part, index)
        return seal(self._key(name), plain, bound)

    def disclose(self, name: str, part: str, index: int, sealed: bytes) -> bytes:
        """Return what `enclose` was given for the same name, part and index.

        Raises:
            BadRequestError: a name is empty, or a number out of bounds.
            IntegrityError: it is not that piece, or was changed.
            SealedError, StorageError: the key it was sealed with cannot be had.
        """
        bound = _bound(name, part, index)
        return unseal(self._key(name), sealed, bound)

    def _key(self, name: str) -> bytes:
        with self._changing() as registry:
            return derive_key(registry.derivation_key(), bind(_LABEL, name))


def _bound(name: str, part: str, index: int) -> bytes:
    if not name or not part or not 0 <= index <= MAX_INDEX:
        raise BadRequestError("a piece of content has a name, a part, and an index in bounds")
    return bind(_LABEL, name, part, str(index))
