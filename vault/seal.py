"""The seal: root key -> keyring of term keys -> a data key per record -> the record.

    root key        from a key file or a passphrase; only sub-keys of it are kept
      HKDF "keyring"   seals the keyring row; bound to the verbatim header
      HKDF "manifest"  seals the manifest row (vault.manifest)
    keyring         term number -> term key; the newest term seals, older ones only open
    data key        random, one per record and version, sealed under a term key
    record          sealed under its data key

A sealed record is ``"ov1" || term (4) || sealed data key (60) || sealed plaintext``. Both seals are bound to what the
record is (reference, kind, version, purpose), so bytes moved to another row or version open nothing.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Final

from vault.crypto import KEY_BYTES, NONCE_BYTES, TAG_BYTES, derive_key, random_bytes, seal, unseal
from vault.errors import IntegrityError, RootKeyError

_MAGIC: Final = b"ov1"
_TERM: Final = struct.Struct(">I")
_SEALED_KEY_BYTES: Final = NONCE_BYTES + KEY_BYTES + TAG_BYTES
_HEAD_BYTES: Final = len(_MAGIC) + _TERM.size
_CONTEXT: Final = b"ostiary/vault/v1"


@dataclass(frozen=True, slots=True)
class RecordId:
    """What a sealed record is; authenticated with it.

    Args:
        ref: Name of the credential, or of a key of the vault's own.
        kind: Kind of the credential.
        version: From 1.
    """

    ref: str
    kind: str
    version: int

    def aad(self, purpose: str) -> bytes:
        """Return the bytes a seal for ``purpose`` is bound to."""
        return bind(self.ref, self.kind, str(self.version), purpose)


def bind(*parts: str) -> bytes:
    """Return parts as bytes to authenticate; each carries its length, so no two lists of parts give the same bytes."""
    encoded = [part.encode() for part in parts]
    return _CONTEXT + b"".join(_TERM.pack(len(part)) + part for part in encoded)


class Barrier:
    """Seals and opens records, the keyring and the manifest while the vault is unsealed."""

    def __init__(self, *, keyring_key: bytearray, manifest_key: bytearray, terms: dict[int, bytearray]) -> None:
        self._keyring_key = keyring_key
        self._manifest_key = manifest_key
        self._terms = terms

    @classmethod
    def create(cls, root: bytes) -> Barrier:
        """Return a barrier with a new keyring of one term."""
        return cls(
            keyring_key=_sub_key(root, "keyring"),
            manifest_key=_sub_key(root, "manifest"),
            terms={1: bytearray(random_bytes(KEY_BYTES))},
        )

    @classmethod
    def open(cls, root: bytes, header: bytes, sealed_keyring: bytes) -> Barrier:
        """Return the barrier of a stored keyring.

        Raises:
            RootKeyError: the root key is not the one the keyring was sealed with, or header or keyring were changed;
                the three cannot be told apart.
        """
        keyring_key = _sub_key(root, "keyring")
        try:
            plain = unseal(keyring_key, sealed_keyring, bind("keyring") + header)
        except IntegrityError:
            raise RootKeyError("the root key does not open the keyring") from None
        terms = {int(term): bytearray.fromhex(key) for term, key in json.loads(plain).items()}
        return cls(keyring_key=keyring_key, manifest_key=_sub_key(root, "manifest"), terms=terms)

    @property
    def term(self) -> int:
        """The term that seals new records; the keyring's version."""
        return max(self._terms)

    def with_new_term(self) -> Barrier:
        """Return a barrier that seals with a new term and still opens the older ones."""
        return Barrier(
            keyring_key=self._keyring_key,
            manifest_key=self._manifest_key,
            terms=self._terms | {self.term + 1: bytearray(random_bytes(KEY_BYTES))},
        )

    def with_newest_term_only(self) -> Barrier:
        """Return a barrier that has forgotten the older terms; for when every record was sealed again."""
        return Barrier(
            keyring_key=self._keyring_key,
            manifest_key=self._manifest_key,
            terms={self.term: self._terms[self.term]},
        )

    def seal_keyring(self, header: bytes) -> bytes:
        """Return the keyring sealed under the root key and bound to ``header``."""
        plain = json.dumps({str(term): key.hex() for term, key in self._terms.items()}).encode()
        return seal(self._keyring_key, plain, bind("keyring") + header)

    def seal_manifest(self, plain: bytes) -> bytes:
        """Return the manifest sealed under the root key."""
        return seal(self._manifest_key, plain, bind("manifest"))

    def open_manifest(self, sealed: bytes) -> bytes:
        """Return the manifest.

        Raises:
            IntegrityError: it was changed.
        """
        return unseal(self._manifest_key, sealed, bind("manifest"))

    def seal_record(self, record: RecordId, plain: bytes) -> bytes:
        """Return a record sealed under a fresh data key."""
        data_key = random_bytes(KEY_BYTES)
        return self._head(record, data_key) + seal(data_key, plain, record.aad("record"))

    def open_record(self, record: RecordId, sealed: bytes) -> bytes:
        """Return the plaintext of a record.

        Raises:
            IntegrityError: it is not this record, was changed, or names an unknown term.
        """
        return unseal(self._data_key(record, sealed), sealed[_HEAD_BYTES + _SEALED_KEY_BYTES :], record.aad("record"))

    def reseal_record(self, record: RecordId, sealed: bytes) -> bytes:
        """Return the record with its data key sealed under the newest term; the plaintext is not opened.

        Raises:
            IntegrityError: as `open_record`.
        """
        return self._head(record, self._data_key(record, sealed)) + sealed[_HEAD_BYTES + _SEALED_KEY_BYTES :]

    def wipe(self) -> None:
        """Overwrite the keys; the barrier opens nothing any more."""
        for key in (self._keyring_key, self._manifest_key, *self._terms.values()):
            key[:] = bytes(len(key))

    def _head(self, record: RecordId, data_key: bytes) -> bytes:
        sealed_key = seal(self._terms[self.term], data_key, record.aad("data-key"))
        return _MAGIC + _TERM.pack(self.term) + sealed_key

    def _data_key(self, record: RecordId, sealed: bytes) -> bytes:
        if len(sealed) < _HEAD_BYTES + _SEALED_KEY_BYTES or not sealed.startswith(_MAGIC):
            raise IntegrityError("a record is malformed")
        (term,) = _TERM.unpack_from(sealed, len(_MAGIC))
        if term not in self._terms:
            raise IntegrityError("a record names an unknown term")
        sealed_key = sealed[_HEAD_BYTES : _HEAD_BYTES + _SEALED_KEY_BYTES]
        return unseal(self._terms[term], sealed_key, record.aad("data-key"))


def _sub_key(root: bytes, use: str) -> bytearray:
    return bytearray(derive_key(root, bind(use)))
