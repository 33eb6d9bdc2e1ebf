"""What an unsealed vault holds, in memory and in storage, changed together or not at all.

Every change is one atomic write of the changed rows and the manifest; memory follows only when it is durable. The value
before the current one of each credential stays sealed in storage, for one purpose: it may still be valid upstream, so
results are scanned for it too. Older values are deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final, Self

from vault.credential import Credential, decode_credential
from vault.crypto import KEY_BYTES, ed25519_public_key, random_bytes
from vault.errors import CredentialExistsError, CredentialMissingError, IntegrityError, StorageError
from vault.manifest import Manifest, Signed, row_name, sha256
from vault.model import CredentialRef
from vault.rotation.model import ROTATION_KIND, Rotation, decode_rotation, rotation_record
from vault.seal import Barrier, RecordId
from vault.storage import Storage

HEADER_ROW: Final = "header"
KEYRING_ROW: Final = "keyring"
MANIFEST_ROW: Final = "manifest"
_LEDGER_KEY: Final = RecordId("ledger-key", "ed25519", 1)
"""The ledger's signing key; no credential can have a name without a slash."""
_DERIVATION_KEY: Final = RecordId("derivation-key", "hkdf-sha256", 1)
"""What secrets of others are derived from; made when it is needed first, and never changed."""


class Registry:
    """The opened content of one storage; made by `create` and `open`."""

    def __init__(self, storage: Storage, header: bytes, barrier: Barrier, manifest: Manifest) -> None:
        self._storage = storage
        self._header = header
        self._barrier = barrier
        self._manifest = manifest
        self._current: dict[CredentialRef, Credential] = {}
        self._previous: dict[CredentialRef, Credential] = {}
        self._rotations: dict[CredentialRef, Rotation] = {}
        self._ledger_seed = b""
        self._derivation_key = b""

    @classmethod
    def create(cls, storage: Storage, root: bytes, header: bytes) -> Self:
        """Make the keys of an empty storage and write them.

        Raises:
            StorageError: nothing was acknowledged.
        """
        barrier = Barrier.create(root)
        keyring, seed = barrier.seal_keyring(header), random_bytes(KEY_BYTES)
        sealed_seed = barrier.seal_record(_LEDGER_KEY, seed)
        manifest = Manifest(generation=1, keyring=sha256(keyring), records={_LEDGER_KEY: sha256(sealed_seed)})
        registry = cls(storage, header, barrier, manifest)
        registry._ledger_seed = seed
        registry._commit(manifest, {HEADER_ROW: header, KEYRING_ROW: keyring, row_name(_LEDGER_KEY): sealed_seed})
        return registry

    @classmethod
    def open(cls, storage: Storage, root: bytes, header: bytes) -> Self:
        """Open a storage and check all of it against its manifest.

        Raises:
            RootKeyError: the root key does not open the keyring.
            IntegrityError: a row was changed, swapped, rolled back, removed or planted.
            StorageError: it cannot be read.
        """
        keyring = _row(storage, KEYRING_ROW)
        barrier = Barrier.open(root, header, keyring)
        manifest = Manifest.decode(barrier.open_manifest(_row(storage, MANIFEST_ROW)))
        if sha256(keyring) != manifest.keyring:
            raise IntegrityError("the keyring is not the one last written")
        expected = {row_name(record) for record in manifest.records} | {HEADER_ROW, KEYRING_ROW, MANIFEST_ROW}
        if storage.names() != expected:
            raise IntegrityError("the storage does not hold exactly the rows of its manifest")
        registry = cls(storage, header, barrier, manifest)
        registry._load()
        return registry

    @property
    def credentials(self) -> Mapping[CredentialRef, Credential]:
        """Current credentials by name."""
        return self._current

    @property
    def rotations(self) -> Mapping[CredentialRef, Rotation]:
        """Rotations of access keys by the name of their credential."""
        return self._rotations

    @property
    def keyring_version(self) -> int:
        """The term that seals new records."""
        return self._barrier.term

    @property
    def generation(self) -> int:
        """Counts the changes of the storage."""
        return self._manifest.generation

    @property
    def ledger_seed(self) -> bytes:
        """Ed25519 seed of the ledger's key."""
        return self._ledger_seed

    @property
    def ledger_public_key(self) -> bytes:
        """Ed25519 public key of the ledger."""
        return ed25519_public_key(self._ledger_seed)

    def derivation_key(self) -> bytes:
        """Return the key secrets of others are derived from.

        Raises:
            StorageError: there was none yet, and it was not kept.
        """
        if not self._derivation_key:
            key = random_bytes(KEY_BYTES)
            sealed = self._barrier.seal_record(_DERIVATION_KEY, key)
            records = {**self._manifest.records, _DERIVATION_KEY: sha256(sealed)}
            self._commit(self._manifest.next(records=records), {row_name(_DERIVATION_KEY): sealed})
            self._derivation_key = key
        return self._derivation_key

    @property
    def signed(self) -> Mapping[str, Signed]:
        """Last signed checkpoint by origin."""
        return self._manifest.signed

    def get(self, ref: CredentialRef) -> Credential:
        """Return the current version of a credential.

        Raises:
            CredentialMissingError: there is none of that name.
        """
        found = self._current.get(ref)
        if found is None:
            raise CredentialMissingError(f"no credential `{ref}`")
        return found

    def secrets(self) -> Iterator[bytes]:
        """Yield every value results are scanned for: the current ones, the ones before, and those to come."""
        for credential in (*self._current.values(), *self._previous.values()):
            yield from credential.secrets()
        for rotation in self._rotations.values():
            yield from rotation.secrets()

    def add(self, credential: Credential) -> None:
        """Keep a new credential.

        Raises:
            CredentialExistsError: the name is taken.
            StorageError: it was not kept.
        """
        if credential.ref in self._current:
            raise CredentialExistsError(f"credential `{credential.ref}` exists; rotate it to change its value")
        self._write(credential, drop=None)
        self._current[credential.ref] = credential

    def replace(self, credential: Credential, *, rotation: Rotation | None = None) -> None:
        """Keep a new version of a credential; the version before stays for scanning, older ones go.

        Args:
            credential: The new version.
            rotation: Where the rotation that made it stands now; written with it, or not at all.

        Raises:
            CredentialMissingError: there is none of that name.
            StorageError: nothing changed.
        """
        before = self.get(credential.ref)
        self._write(credential, drop=self._previous.get(credential.ref), rotation=rotation)
        self._previous[credential.ref] = before
        self._current[credential.ref] = credential
        if rotation is not None:
            self._rotations[rotation.ref] = rotation

    def write_rotation(self, rotation: Rotation) -> None:
        """Keep where a rotation stands.

        Raises:
            CredentialMissingError: its credential is gone, and it with that.
            StorageError: nothing changed.
        """
        self.get(rotation.ref)
        record = rotation_record(rotation.ref)
        sealed = self._barrier.seal_record(record, rotation.encode())
        manifest = self._manifest.next(records={**self._manifest.records, record: sha256(sealed)})
        self._commit(manifest, {row_name(record): sealed})
        self._rotations[rotation.ref] = rotation

    def drop_rotation(self, ref: CredentialRef) -> None:
        """Forget a rotation; nothing happens when there is none.

        Raises:
            StorageError: nothing changed.
        """
        if ref not in self._rotations:
            return
        gone = rotation_record(ref)
        kept = {record: digest for record, digest in self._manifest.records.items() if record != gone}
        self._commit(self._manifest.next(records=kept), {}, {row_name(gone)})
        del self._rotations[ref]

    def keep(self, credential: Credential, *, instead_of: Collection[CredentialRef]) -> None:
        """Keep a credential in place of others, which may be one of its own name; all of it or nothing.

        Args:
            credential: Of a version no other of its name has.
            instead_of: Names of credentials that have one version.

        Raises:
            CredentialMissingError: one of them is not there.
            StorageError: nothing changed.
        """
        gone = {self.get(ref).record for ref in instead_of}
        sealed = self._barrier.seal_record(credential.record, credential.encode())
        kept = {record: digest for record, digest in self._manifest.records.items() if record not in gone}
        manifest = self._manifest.next(records={**kept, credential.record: sha256(sealed)})
        self._commit(manifest, {row_name(credential.record): sealed}, {row_name(record) for record in gone})
        for ref in instead_of:
            del self._current[ref]
        self._current[credential.ref] = credential

    def remove(self, ref: CredentialRef) -> None:
        """Delete every version of a credential, and its rotation.

        Raises:
            CredentialMissingError: there is none of that name.
            StorageError: nothing changed.
        """
        versions = [self.get(ref), *([self._previous[ref]] if ref in self._previous else [])]
        gone = {credential.record for credential in versions}
        gone |= {rotation_record(ref)} if ref in self._rotations else set()
        kept = {record: digest for record, digest in self._manifest.records.items() if record not in gone}
        self._commit(self._manifest.next(records=kept), {}, {row_name(record) for record in gone})
        del self._current[ref]
        self._previous.pop(ref, None)
        self._rotations.pop(ref, None)

    def record_signed(self, origin: str, signed: Signed) -> None:
        """Remember a checkpoint before its signature is given away.

        Raises:
            StorageError: it was not remembered.
        """
        self._commit(self._manifest.next(signed={**self._manifest.signed, origin: signed}), {})

    def rotate_keyring(self) -> None:
        """Seal every data key under a new term and forget the older terms, in one atomic write.

        Raises:
            IntegrityError: a record cannot be opened.
            StorageError: nothing changed.
        """
        wider = self._barrier.with_new_term()
        rows, records = {}, {}
        for record in self._manifest.records:
            resealed = wider.reseal_record(record, self._checked_row(record))
            rows[row_name(record)] = resealed
            records[record] = sha256(resealed)
        barrier = wider.with_newest_term_only()
        keyring = barrier.seal_keyring(self._header)
        # The sub-keys of the root stay the same, so the barrier at hand can seal the next manifest.
        self._commit(self._manifest.next(records=records, keyring=sha256(keyring)), {**rows, KEYRING_ROW: keyring})
        self._barrier = barrier

    def wipe(self) -> None:
        """Overwrite the keys and drop everything opened."""
        self._barrier.wipe()
        self._current.clear()
        self._previous.clear()
        self._rotations.clear()
        self._ledger_seed = b""
        self._derivation_key = b""

    def _load(self) -> None:
        for record in sorted(self._manifest.records, key=lambda record: record.version):
            plain = self._barrier.open_record(record, self._checked_row(record))
            if record == _LEDGER_KEY:
                self._ledger_seed = plain
                continue
            if record == _DERIVATION_KEY:
                self._derivation_key = plain
                continue
            if record.kind == ROTATION_KIND:
                rotation = decode_rotation(plain)
                self._rotations[rotation.ref] = rotation
                continue
            credential = decode_credential(record, plain)
            if credential.ref in self._current:
                self._previous[credential.ref] = self._current[credential.ref]
            self._current[credential.ref] = credential
        if not self._ledger_seed:
            raise IntegrityError("the ledger's key is missing")

    def _checked_row(self, record: RecordId) -> bytes:
        row = _row(self._storage, row_name(record))
        if sha256(row) != self._manifest.records[record]:
            raise IntegrityError(f"the record of `{record.ref}` version {record.version} is not the one last written")
        return row

    def _write(self, credential: Credential, *, drop: Credential | None, rotation: Rotation | None = None) -> None:
        sealed = {credential.record: self._barrier.seal_record(credential.record, credential.encode())}
        if rotation is not None:
            record = rotation_record(rotation.ref)
            sealed[record] = self._barrier.seal_record(record, rotation.encode())
        dropped = {drop.record} if drop else set()
        kept = {record: digest for record, digest in self._manifest.records.items() if record not in dropped}
        manifest = self._manifest.next(records=kept | {record: sha256(row) for record, row in sealed.items()})
        self._commit(
            manifest, {row_name(record): row for record, row in sealed.items()}, {row_name(r) for r in dropped}
        )

    def _commit(self, manifest: Manifest, puts: Mapping[str, bytes], deletes: set[str] | None = None) -> None:
        sealed = self._barrier.seal_manifest(manifest.encode())
        try:
            self._storage.apply({**puts, MANIFEST_ROW: sealed}, deletes or ())
        except StorageError:
            if not self._landed(sealed):
                raise
        self._manifest = manifest

    def _landed(self, sealed_manifest: bytes) -> bool:
        # An error may come after the change was made; memory must follow what is stored, whichever it is.
        try:
            return self._storage.get(MANIFEST_ROW) == sealed_manifest
        except StorageError:
            raise StorageError("the storage failed in the middle of a change", uncertain=True) from None


def _row(storage: Storage, name: str) -> bytes:
    row = storage.get(name)
    if row is None:
        raise IntegrityError(f"the row `{name}` is missing")
    return row
