"""The vault: its states, and every right it grants, judged in one place.

    uninitialised --initialise--> unsealed <--unseal / seal--> sealed

Everything but asking KMS is synchronous and runs on one thread, so that each request sees the vault before or after
another, never in between. What uses credentials is in `vault.lending`; nothing here speaks a protocol,
`vault.operations` translates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final

from vault.checkpoint import MAX_ORIGINS, check_consistent, checkpoint_text
from vault.contents import Contents
from vault.credential import Credential, check_fields, check_hosts, check_ref
from vault.crypto import PassphraseCost, derive_key, sign_ed25519
from vault.errors import (
    AlreadyInitialisedError,
    BadRequestError,
    SealedError,
    StorageError,
    UninitialisedError,
)
from vault.index import SecretIndex, find_in
from vault.issuers.mint import Issuers
from vault.keeping import is_kept, kept_ref, outlived, refuse_kept
from vault.kms import KmsRoot
from vault.lending import Lender
from vault.manifest import Signed
from vault.minting import Issuer
from vault.model import CredentialInfo, CredentialKind, SecretValue, VaultState
from vault.registry import HEADER_ROW, Registry
from vault.root import Header, RootSource, find_root, make_root
from vault.rotation.procedure import Pause, pause
from vault.rotation.rotations import Rotations
from vault.scan import Found
from vault.seal import bind
from vault.status import VaultStatus
from vault.storage import Storage
from vault.unsealing import KmsUnsealing

MAX_CREDENTIALS: Final = 1024
"""The manifest is sealed anew at every change, and every form of every secret is in the scan's index."""
MAX_STALE: Final = 128
"""Credentials that are gone and still in the index; then it is built anew."""


class Vault:
    """Sealed credentials and what may be done with them.

    Args:
        storage: Where sealed rows are kept.
        root_key: File of the root key, or the KMS key that wraps it; None when a passphrase unseals.
        clock: Nanoseconds since the epoch, UTC.
        cost: Of a new passphrase.
        max_credentials: How many it takes.
        issuer: Mints short-lived credentials; those in use when None.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        root_key: Path | KmsRoot | None = None,
        clock: Callable[[], int] = time.time_ns,
        cost: PassphraseCost | None = None,
        max_credentials: int = MAX_CREDENTIALS,
        issuer: Issuer | None = None,
    ) -> None:
        self._storage = storage
        self._key_file = root_key if isinstance(root_key, Path) else None
        self._kms = KmsUnsealing(root_key, self._header, self._open_with) if isinstance(root_key, KmsRoot) else None
        self._clock = clock
        self._cost = cost or PassphraseCost()
        self._max_credentials = max_credentials
        self._registry: Registry | None = None
        self._index: SecretIndex | None = None
        self._stale = 0
        self.lending = Lender(self._open, clock, issuer or Issuers())
        self.rotations = Rotations(self._changing, clock=clock)
        self.contents = Contents(partial(self._changing, scan=False))

    @property
    def state(self) -> VaultState:
        """Whether the vault can open anything."""
        if self._registry is not None:
            return VaultState.UNSEALED
        return VaultState.UNINITIALISED if self._storage.get(HEADER_ROW) is None else VaultState.SEALED

    def status(self) -> VaultStatus:
        """Return the state and, when unsealed, the counts."""
        if self._registry is None:
            return VaultStatus(self.state, reason=self._kms.reason if self._kms is not None else "")
        registry = self._registry
        return VaultStatus(
            VaultState.UNSEALED, len(registry.credentials), registry.keyring_version, registry.generation
        )

    def start(self) -> None:
        """Initialise or unseal with the key file when there is one; with a passphrase, wait for it.

        With KMS, `watching` unseals.

        Raises:
            VaultError: the key file or KMS key is not the vault's, or the storage cannot be trusted.
        """
        match self.state:
            case VaultState.UNINITIALISED if self._key_file is not None:
                self.initialise(None)
            case VaultState.SEALED if self._key_file is not None and self._header().source is RootSource.KEY_FILE:
                self.unseal(None)
            case VaultState.SEALED if self._kms is not None:
                self._kms.check()
            case _:
                pass

    def initialise(self, passphrase: SecretValue | None) -> None:
        """Make the keys of an empty storage; the vault is unsealed after it.

        Args:
            passphrase: Unseals from now on; None to use the key file, which is made when it is missing.

        Raises:
            AlreadyInitialisedError: there are keys.
            BadRequestError: the passphrase is too short or too long, or there is neither it nor a key file.
            RootKeyError: the key file does not fit.
            StorageError: nothing was acknowledged.
        """
        self._refuse_second()
        root, header = make_root(passphrase.reveal() if passphrase is not None else None, self._key_file, self._cost)
        self._registry = Registry.create(self._storage, root, header.encode())

    @property
    def asks_kms(self) -> bool:
        """Whether `initialise_by_kms` and `unseal_by_kms` take the place of those without a passphrase."""
        return self._kms is not None

    async def initialise_by_kms(self) -> None:
        """Do as `initialise`, with a root key that the KMS key wraps; KMS is waited for.

        Raises:
            AlreadyInitialisedError: there are keys.
            BadRequestError: the vault was started without a KMS key.
            RootKeyError, KmsRefusedError, KmsUnavailableError: as `vault.kms.KmsRoot.make`; nothing changed.
            StorageError: nothing was acknowledged.
        """
        self._refuse_second()
        root, header = await self._by_kms().make(Header.new(RootSource.KMS, self._cost))
        self._refuse_second()
        self._registry = Registry.create(self._storage, root, header.encode())

    async def unseal_by_kms(self) -> None:
        """Do as `unseal`, with the root key that the KMS key wraps; KMS is waited for.

        Raises:
            UninitialisedError: there are no keys.
            BadRequestError: the vault was started without a KMS key.
            RootKeyError, KmsRefusedError, KmsUnavailableError: as `vault.kms.KmsRoot.unwrap`; nothing changed.
            SealedError: it was sealed while KMS was asked.
            IntegrityError, StorageError: as `unseal`.
        """
        if self._registry is None:
            await self._by_kms().unseal()

    def watching(self, pause: Pause = pause) -> AbstractAsyncContextManager[None]:
        """Return a context in which a vault that KMS unseals, and that is sealed now, tries until it is unsealed."""
        if self._kms is None or self.state is not VaultState.SEALED:
            return nullcontext()
        return self._kms.watching(pause)

    def unseal(self, passphrase: SecretValue | None) -> None:
        """Open the keys and check the whole storage; nothing happens when the vault is unsealed already.

        Raises:
            UninitialisedError: there are no keys.
            RootKeyError: the passphrase or key file is wrong or missing.
            IntegrityError: the storage was changed behind the vault's back.
            StorageError: it cannot be read.
        """
        if self._registry is not None:
            return
        header = self._header()
        root = find_root(header, passphrase.reveal() if passphrase is not None else None, self._key_file)
        self._open_with(root, header)

    def seal(self) -> None:
        """Forget all keys and values; nothing happens when the vault is sealed already.

        Tokens that were minted are taken back, which goes on for a moment; see `Lender.settled`.
        """
        if self._registry is not None:
            self._registry.wipe()
        self._registry = None
        self._index = None
        self.lending.forget()
        if self._kms is not None:
            self._kms.sealed()

    def put(self, ref: str, kind: CredentialKind, fields: Mapping[str, bytes], hosts: list[str]) -> CredentialInfo:
        """Keep a new credential.

        Raises:
            BadRequestError: a name, field or host is malformed, there are too many credentials, or it is to be sealed,
                which is for `keep`.
            CredentialExistsError: the name is taken.
            SealedError, StorageError: nothing was kept.
        """
        with self._changing() as registry:
            if sum(not is_kept(held) for held in registry.credentials.values()) >= self._max_credentials:
                raise BadRequestError(f"the vault holds {self._max_credentials} credentials, the most it takes")
            refuse_kept(ref, kind)
            credential = Credential(
                check_ref(ref), kind, 1, check_hosts(hosts), self._clock(), check_fields(kind, fields)
            )
            registry.add(credential)
        return credential.info()

    def keep(self, name: str, values: Mapping[str, bytes]) -> CredentialInfo:
        """Seal secrets of one result as ``sealed/<name>``; what was kept there before is replaced.

        When there is no room for it, what was kept first goes; see `vault.keeping`.

        Raises:
            BadRequestError: the name or a value is malformed, or there are too many of them.
            SealedError, StorageError: nothing was kept.
        """
        ref = kept_ref(name)
        fields = check_fields(CredentialKind.SEALED, values)
        with self._changing(scan=False) as registry:
            before = registry.credentials.get(ref)
            version = before.version + 1 if before is not None else 1
            credential = Credential(ref, CredentialKind.SEALED, version, (), self._clock(), fields)
            gone = outlived(registry.credentials.values(), credential)
            registry.keep(credential, instead_of=gone)
        self._look_for(credential, gone=len(gone))
        return credential.info()

    def derive(self, label: str, subject: str) -> SecretValue:
        """Return 32 bytes that are always the same for the same two texts, and tell nothing of those of others.

        Args:
            label: What they are for.
            subject: Whom they are for.

        Raises:
            BadRequestError: a text is empty.
            SealedError, StorageError: the key they are derived from cannot be had.
        """
        if not label or not subject:
            raise BadRequestError("a secret is derived for a label and a subject")
        with self._changing(scan=False) as registry:
            return SecretValue(derive_key(registry.derivation_key(), bind("derive", label, subject)))

    def rotate(self, ref: str, fields: Mapping[str, bytes]) -> CredentialInfo:
        """Give a credential a new value as its next version; kind and hosts stay.

        Raises:
            BadRequestError: a field is malformed.
            CredentialMissingError: there is none of that name.
            SealedError, StorageError: nothing changed.
        """
        with self._changing() as registry:
            before = registry.get(check_ref(ref))
            refuse_kept(ref, before.kind)
            values = check_fields(before.kind, fields)
            credential = Credential(before.ref, before.kind, before.version + 1, before.hosts, self._clock(), values)
            registry.replace(credential)
        return self.lending.info(credential)

    def destroy(self, ref: str) -> None:
        """Delete every version of a credential.

        Raises:
            CredentialMissingError: there is none of that name.
            SealedError, StorageError: nothing changed.
        """
        with self._changing() as registry:
            registry.remove(check_ref(ref))

    def rotate_keyring(self) -> int:
        """Seal every data key under a new term key; return the new keyring version.

        Raises:
            SealedError, IntegrityError, StorageError: nothing changed.
        """
        with self._changing() as registry:
            registry.rotate_keyring()
        return registry.keyring_version

    def list(self) -> tuple[CredentialInfo, ...]:
        """Return what may be shown of every credential, by name.

        Raises:
            SealedError: the vault is sealed.
        """
        return tuple(self.lending.info(credential) for _, credential in sorted(self._open().credentials.items()))

    def scan(self, data: bytes, fresh: int = 0) -> Found:
        """Return where ``data`` holds a secret in any covered form; see `SecretIndex.find`.

        Raises:
            SealedError: the vault is sealed, so nothing can be said.
        """
        registry = self._open()
        if self._index is None:
            self._index = SecretIndex(registry.secrets())
            self._stale = 0
        return find_in((self._index, self.lending.minted_index()), data, fresh)

    def sign_note(self, size: int, root: bytes, origin: str) -> bytes:
        """Return the Ed25519 signature of the checkpoint of a tree; it is remembered before it is given away.

        Raises:
            BadRequestError: the parts do not make a checkpoint, or there are too many origins.
            CheckpointRefusedError: it contradicts one that was signed before.
            SealedError, StorageError: nothing was signed.
        """
        text, new = checkpoint_text(origin, size, root), Signed(size, root)
        with self._changing(scan=False) as registry:
            last = registry.signed.get(origin)
            check_consistent(last, new)
            if last is None and len(registry.signed) >= MAX_ORIGINS:
                raise BadRequestError(f"the vault signs for {MAX_ORIGINS} origins at most")
            if last != new:
                registry.record_signed(origin, new)
            return sign_ed25519(registry.ledger_seed, text)

    def public_key(self) -> bytes:
        """Return the Ed25519 public key checkpoints are signed with.

        Raises:
            SealedError: the vault is sealed.
        """
        return self._open().ledger_public_key

    @contextmanager
    def _changing(self, *, scan: bool = True) -> Iterator[Registry]:
        registry = self._open()
        try:
            yield registry
        except StorageError as error:
            # Memory and storage may differ now: forget, and let the next unseal judge what is stored.
            if error.uncertain:
                self.seal()
            raise
        if scan:
            self._index = None
            self.lending.changed()

    def _look_for(self, credential: Credential, *, gone: int) -> None:
        # Adding to the index is cheap and taking from it is not, so what is gone is looked for a while longer.
        self._stale += gone
        if self._stale > MAX_STALE:
            self._index = None
        elif self._index is not None:
            self._index.add(credential.secrets())

    def _open(self) -> Registry:
        if self._registry is None:
            if self.state is VaultState.UNINITIALISED:
                raise UninitialisedError("the vault is not initialised")
            raise SealedError("the vault is sealed")
        return self._registry

    def _refuse_second(self) -> None:
        if self.state is not VaultState.UNINITIALISED:
            raise AlreadyInitialisedError("the vault is initialised already")

    def _by_kms(self) -> KmsUnsealing:
        if self._kms is None:
            raise BadRequestError("the vault was started without a kms key")
        return self._kms

    def _open_with(self, root: bytes, header: Header) -> None:
        self._registry = Registry.open(self._storage, root, header.encode())

    def _header(self) -> Header:
        stored = self._storage.get(HEADER_ROW)
        if stored is None:
            raise UninitialisedError("the vault is not initialised")
        return Header.decode(stored)
