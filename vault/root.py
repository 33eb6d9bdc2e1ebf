"""The root key: where it comes from, and the header row that says so.

The header is stored in the clear, as JSON. It is authenticated: its verbatim bytes are bound to the sealed keyring, so
a header with a cheaper cost or another salt opens nothing. A key may be added to it with a default, and must not be
written when it has that: a header of before is bound to its bytes of before. A change of meaning needs another
``format``.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from vault.crypto import KEY_BYTES, SALT_BYTES, PassphraseCost, key_from_passphrase, random_bytes
from vault.errors import BadRequestError, IntegrityError, RootKeyError

MIN_PASSPHRASE_BYTES: Final = 12
MAX_PASSPHRASE_BYTES: Final = 1024
_FORMAT: Final = 1
KMS_KEY_ARN: Final = re.compile(r"arn:[a-z0-9-]{1,32}:kms:[a-z0-9-]{1,64}:[0-9]{12}:key/[A-Za-z0-9-]{1,128}", re.ASCII)
"""A key, not an alias, by KMS developer guide, Key identifiers."""
MAX_WRAPPED_BYTES: Final = 6144
"""KMS API reference, Decrypt, CiphertextBlob."""
_KEY_FILE_LIMIT: Final = 256
"""Bytes read of a key file; it holds 64 hex digits and a line feed."""


class RootSource(StrEnum):
    """Where the root key comes from."""

    KEY_FILE = "key-file"
    PASSPHRASE = "passphrase"  # noqa: S105 - the name of a source
    KMS = "kms"


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A root key as a KMS key wrapped it.

    Args:
        key_arn: ARN of the KMS key.
        ciphertext: 1 to `MAX_WRAPPED_BYTES`.
    """

    key_arn: str
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """How the root key of this storage is found.

    Headers written before there was ``wrapped`` stay readable, and read and written again are the same bytes.

    Args:
        source: Key file, passphrase or KMS.
        salt: Random, and always there, so that two storages never have the same header; names the vault to KMS.
        cost: Of the passphrase; unused with another source.
        wrapped: The root key, with KMS; None with another source.
    """

    source: RootSource
    salt: bytes
    cost: PassphraseCost
    wrapped: WrappedKey | None = None

    @classmethod
    def new(cls, source: RootSource, cost: PassphraseCost) -> Header:
        """Return a header with a fresh salt, and nothing wrapped yet."""
        return cls(source, random_bytes(SALT_BYTES), cost)

    def encode(self) -> bytes:
        """Return the bytes to store."""
        cost = {"memory_kib": self.cost.memory_kib, "iterations": self.cost.iterations, "lanes": self.cost.lanes}
        data: dict[str, Any] = {
            "format": _FORMAT,
            "source": self.source.value,
            "salt": self.salt.hex(),
            "argon2id": cost,
        }
        if self.wrapped is not None:
            data["kms"] = {"key": self.wrapped.key_arn, "wrapped": self.wrapped.ciphertext.hex()}
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
            source, salt, known = RootSource(raw["source"]), bytes.fromhex(raw["salt"]), raw["format"] == _FORMAT
            header = cls(source, salt, cost, _decode_wrapped(source, raw.get("kms")))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            # The last two: a cost of 1e999, and lists in lists.
            raise IntegrityError("the header row is malformed") from None
        if not known:
            raise IntegrityError("the header row has an unknown format")
        return header


def _decode_wrapped(source: RootSource, data: object) -> WrappedKey | None:
    if data is None and source is not RootSource.KMS:
        return None
    if source is not RootSource.KMS or not isinstance(data, dict) or set(data) != {"key", "wrapped"}:
        raise ValueError
    key_arn, ciphertext = data["key"], bytes.fromhex(data["wrapped"])
    if not KMS_KEY_ARN.fullmatch(key_arn) or not 1 <= len(ciphertext) <= MAX_WRAPPED_BYTES:
        raise ValueError
    return WrappedKey(key_arn, ciphertext)


def make_root(passphrase: bytes | None, key_file: Path | None, cost: PassphraseCost) -> tuple[bytes, Header]:
    """Return the root key of a new vault, and the header that finds it again.

    Args:
        passphrase: The root key comes from it; None to use the key file, which is made when it is missing.
        key_file: Where it is or will be; None when there is to be none.
        cost: Of the passphrase.

    Raises:
        BadRequestError: the passphrase is too short or too long, or there is neither it nor a key file.
        RootKeyError: the key file does not fit.
    """
    if passphrase is not None:
        check_passphrase(passphrase)
        header = Header.new(RootSource.PASSPHRASE, cost)
        return root_from_passphrase(passphrase, header), header
    if key_file is None:
        raise BadRequestError("the vault has no key file; a passphrase is needed")
    # An existing key file is used: a crash between the file and the storage leaves just that.
    exists = key_file.is_symlink() or key_file.exists()
    root = read_key_file(key_file) if exists else create_key_file(key_file)
    return root, Header.new(RootSource.KEY_FILE, cost)


def find_root(header: Header, passphrase: bytes | None, key_file: Path | None) -> bytes:
    """Return the root key of a header that is not KMS's; a wrong passphrase gives a wrong key, not an error.

    Raises:
        RootKeyError: what the header asks for was not given, or the key file does not fit.
    """
    match header.source:
        case RootSource.PASSPHRASE:
            if passphrase is None:
                raise RootKeyError("a passphrase is needed to unseal")
            return root_from_passphrase(passphrase, header)
        case RootSource.KEY_FILE:
            if key_file is None:
                raise RootKeyError("the vault was initialised with a key file and was started without one")
            return read_key_file(key_file)
        case RootSource.KMS:
            raise RootKeyError("the vault was initialised with a kms key, and unseals with nothing else")


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
