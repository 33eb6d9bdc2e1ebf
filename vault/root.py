"""The root key: where it comes from, and the header row that says so.

The header is stored in the clear, as JSON. It is authenticated: its verbatim bytes are bound to the sealed keyring, so
a header with a cheaper cost or another salt opens nothing. A key may be added to it with a default; a change of
meaning needs another ``format``.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from vault.crypto import KEY_BYTES, SALT_BYTES, PassphraseCost, key_from_passphrase, random_bytes
from vault.errors import BadRequestError, IntegrityError, RootKeyError

MIN_PASSPHRASE_BYTES: Final = 12
MAX_PASSPHRASE_BYTES: Final = 1024
_FORMAT: Final = 1
_KEY_FILE_LIMIT: Final = 256
"""Bytes read of a key file; it holds 64 hex digits and a line feed."""


class RootSource(StrEnum):
    """Where the root key comes from."""

    KEY_FILE = "key-file"
    PASSPHRASE = "passphrase"  # noqa: S105 - the name of a source


@dataclass(frozen=True, slots=True)
class Header:
    """How the root key of this storage is found.

    Args:
        source: Key file or passphrase.
        salt: Random; unused with a key file but always there, so that two storages never have the same header.
        cost: Of the passphrase; unused with a key file.
    """

    source: RootSource
    salt: bytes
    cost: PassphraseCost

    @classmethod
    def new(cls, source: RootSource, cost: PassphraseCost) -> Header:
        """Return a header with a fresh salt."""
        return cls(source, random_bytes(SALT_BYTES), cost)

    def encode(self) -> bytes:
        """Return the bytes to store."""
        cost = {"memory_kib": self.cost.memory_kib, "iterations": self.cost.iterations, "lanes": self.cost.lanes}
        data = {"format": _FORMAT, "source": self.source.value, "salt": self.salt.hex(), "argon2id": cost}
        return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> Header:
        """Parse stored bytes.

        Raises:
            IntegrityError: they are no header of ours, or name a cost out of bounds.
        """
        try:
            raw = json.loads(data)
            cost = PassphraseCost(**{str(key): int(value) for key, value in raw["argon2id"].items()})
            header, known = cls(RootSource(raw["source"]), bytes.fromhex(raw["salt"]), cost), raw["format"] == _FORMAT
        except (ValueError, KeyError, TypeError, AttributeError):
            raise IntegrityError("the header row is malformed") from None
        if not known:
            raise IntegrityError("the header row has an unknown format")
        return header


def check_passphrase(passphrase: bytes) -> None:
    """Refuse a passphrase that is too short or too long.

    Raises:
        BadRequestError: it is not of `MIN_PASSPHRASE_BYTES` to `MAX_PASSPHRASE_BYTES` bytes.
    """
    if not MIN_PASSPHRASE_BYTES <= len(passphrase) <= MAX_PASSPHRASE_BYTES:
        raise BadRequestError(f"a passphrase has {MIN_PASSPHRASE_BYTES} to {MAX_PASSPHRASE_BYTES} bytes")


def root_from_passphrase(passphrase: bytes, header: Header) -> bytes:
    """Return the root key the passphrase stands for under this header; a wrong one gives a wrong key, not an error."""
    return key_from_passphrase(passphrase, header.salt, header.cost)


def read_key_file(path: Path) -> bytes:
    """Return the root key of a key file.

    Raises:
        RootKeyError: the file is missing, no regular file, owned by another user, open to others, or malformed.
    """
    try:
        # O_NOFOLLOW and fstat on the open file: what was checked is what is read.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise RootKeyError(f"cannot open key file `{path}`: {os.strerror(error.errno or 0).lower()}") from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise RootKeyError(f"key file `{path}` is no regular file")
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise RootKeyError(f"key file `{path}` must belong to the vault's user and have mode 0600")
        text = file.read(_KEY_FILE_LIMIT + 1)
    return _parse_key(text, path)


def create_key_file(path: Path) -> bytes:
    """Make a new random root key, write it durably to a new file of mode 0600, and return it.

    Raises:
        RootKeyError: the file is there already or cannot be written.
    """
    key = random_bytes(KEY_BYTES)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(path, key.hex().encode() + b"\n")
    except OSError as error:
        raise RootKeyError(f"cannot create key file `{path}`: {os.strerror(error.errno or 0).lower()}") from None
    return key


def _write_new(path: Path, text: bytes) -> None:
    # Written beside and linked into place: a crash leaves a whole key file or none, never an empty one.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(beside, path)
    finally:
        beside.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _parse_key(text: bytes, path: Path) -> bytes:
    digits = text.removesuffix(b"\n")
    # `fromhex` alone would pass over white space.
    if not re.fullmatch(rb"[0-9a-fA-F]{%d}" % (2 * KEY_BYTES), digits):
        raise RootKeyError(f"key file `{path}` must hold {2 * KEY_BYTES} hex digits and nothing else")
    return bytes.fromhex(digits.decode())
