"""The vault: its states, and every right it grants, judged in one place.

    uninitialised --initialise--> unsealed <--unseal / seal--> sealed

Everything is synchronous and runs on one thread, so that each request sees the vault before or after another, never in
between. Nothing here speaks a protocol; `vault.operations` translates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vault.checkpoint import MAX_ORIGINS, check_consistent, checkpoint_text
from vault.credential import Credential, check_fields, check_hosts, check_ref
from vault.crypto import PassphraseCost, sign_ed25519
from vault.errors import (
    AlreadyInitialisedError,
    BadRequestError,
    LeaseRefusal,
    LeaseRefusedError,
    RootKeyError,
    SealedError,
    StorageError,
    UninitialisedError,
)
from vault.hosts import MAX_HOST_CHARS, host_is_bound
from vault.issuers.static import header_value
from vault.manifest import Signed
from vault.model import CredentialInfo, CredentialKind, CredentialRef, SecretValue, SigningRequest, VaultState
from vault.registry import HEADER_ROW, Registry
from vault.root import Header, RootSource, check_passphrase, create_key_file, read_key_file, root_from_passphrase
from vault.scan import Found, SecretIndex
from vault.sigv4 import Signature, SigningKeys, sign
from vault.status import VaultStatus
from vault.storage import Storage

MAX_CREDENTIALS: Final = 1024
"""The manifest is sealed anew at every change, and every form of every secret is in the scan's index."""


class Vault:
    """Sealed credentials and what may be done with them.

    Args:
        storage: Where sealed rows are kept.
        key_file: File of the root key; None when a passphrase unseals.
        clock: Nanoseconds since the epoch, UTC.
        cost: Of a new passphrase.
        max_credentials: How many it takes.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        key_file: Path | None = None,
        clock: Callable[[], int] = time.time_ns,
        cost: PassphraseCost | None = None,
        max_credentials: int = MAX_CREDENTIALS,
    ) -> None:
        self._storage = storage
        self._key_file = key_file
        self._clock = clock
        self._cost = cost or PassphraseCost()
        self._max_credentials = max_credentials
        self._registry: Registry | None = None
        self._index: SecretIndex | None = None
        self._keys = SigningKeys()
        self._last_used_at_ns: dict[CredentialRef, int] = {}

    @property
    def state(self) -> VaultState:
        """Whether the vault can open anything."""
        if self._registry is not None:
            return VaultState.UNSEALED
        return VaultState.UNINITIALISED if self._storage.get(HEADER_ROW) is None else VaultState.SEALED

    def status(self) -> VaultStatus:
        """Return the state and, when unsealed, the counts."""
        if self._registry is None:
            return VaultStatus(self.state)
        registry = self._registry
        return VaultStatus(
            VaultState.UNSEALED, len(registry.credentials), registry.keyring_version, registry.generation
        )

    def start(self) -> None:
        """Initialise or unseal with the key file when there is one; with a passphrase, wait for it.

        Raises:
            VaultError: the key file does not fit, or the storage cannot be trusted.
        """
        match self.state:
            case VaultState.UNINITIALISED if self._key_file is not None:
                self.initialise(None)
            case VaultState.SEALED if self._key_file is not None and self._header().source is RootSource.KEY_FILE:
                self.unseal(None)
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
        if self.state is not VaultState.UNINITIALISED:
            raise AlreadyInitialisedError("the vault is initialised already")
        source = RootSource.KEY_FILE if passphrase is None else RootSource.PASSPHRASE
        header = Header.new(source, self._cost)
        if passphrase is not None:
            check_passphrase(passphrase.reveal())
            root = root_from_passphrase(passphrase.reveal(), header)
        elif self._key_file is not None:
            # An existing key file is used: a crash between the file and the storage leaves just that.
            exists = self._key_file.is_symlink() or self._key_file.exists()
            root = read_key_file(self._key_file) if exists else create_key_file(self._key_file)
        else:
            raise BadRequestError("the vault has no key file; a passphrase is needed")
        self._registry = Registry.create(self._storage, root, header.encode())

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
        if header.source is RootSource.PASSPHRASE:
            if passphrase is None:
                raise RootKeyError("a passphrase is needed to unseal")
            root = root_from_passphrase(passphrase.reveal(), header)
        elif self._key_file is not None:
            root = read_key_file(self._key_file)
        else:
            raise RootKeyError("the vault was initialised with a key file and was started without one")
        self._registry = Registry.open(self._storage, root, header.encode())

    def seal(self) -> None:
        """Forget all keys and values; nothing happens when the vault is sealed already."""
        if self._registry is not None:
            self._registry.wipe()
        self._registry = None
        self._index = None
        self._keys.clear()

    def put(self, ref: str, kind: CredentialKind, fields: Mapping[str, bytes], hosts: list[str]) -> CredentialInfo:
        """Keep a new credential.

        Raises:
            BadRequestError: a name, field or host is malformed, or there are too many credentials.
            CredentialExistsError: the name is taken.
            SealedError, StorageError: nothing was kept.
        """
        with self._changing() as registry:
            if len(registry.credentials) >= self._max_credentials:
                raise BadRequestError(f"the vault holds {self._max_credentials} credentials, the most it takes")
            credential = Credential(
                check_ref(ref), kind, 1, check_hosts(hosts), self._clock(), check_fields(kind, fields)
            )
            registry.add(credential)
        return credential.info()

    def rotate(self, ref: str, fields: Mapping[str, bytes]) -> CredentialInfo:
        """Give a credential a new value as its next version; kind and hosts stay.

        Raises:
            BadRequestError: a field is malformed.
            CredentialMissingError: there is none of that name.
            SealedError, StorageError: nothing changed.
        """
        with self._changing() as registry:
            before = registry.get(check_ref(ref))
            values = check_fields(before.kind, fields)
            credential = Credential(before.ref, before.kind, before.version + 1, before.hosts, self._clock(), values)
            registry.replace(credential)
        return self._info(credential)

    def destroy(self, ref: str) -> None:
        """Delete every version of a credential.

        Raises:
            CredentialMissingError: there is none of that name.
            SealedError, StorageError: nothing changed.
        """
        with self._changing() as registry:
            registry.remove(check_ref(ref))
        self._last_used_at_ns.pop(CredentialRef(ref), None)

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
        return tuple(self._info(credential) for _, credential in sorted(self._open().credentials.items()))

    def lease(self, ref: str, host: str) -> tuple[CredentialInfo, SecretValue | None]:
        """Open a lease: what may be shown of the credential, and its header value when it has one.

        Args:
            ref: Name of the credential.
            host: Upstream ``host`` or ``host:port`` it will be used with.

        Raises:
            CredentialMissingError: there is none of that name.
            LeaseRefusedError: the host is not bound to the credential.
            SealedError: the vault is sealed.
        """
        credential = self._open().get(check_ref(ref))
        if not host_is_bound(host, credential.hosts):
            shown = host.encode("unicode_escape").decode()[:MAX_HOST_CHARS]
            raise LeaseRefusedError(f"credential `{ref}` is not bound to host `{shown}`", LeaseRefusal.HOST)
        value = None if credential.kind is CredentialKind.AWS else header_value(credential)
        self._last_used_at_ns[credential.ref] = self._clock()
        return self._info(credential), value

    def sign_aws(self, ref: str, version: int, request: SigningRequest) -> Signature | CredentialInfo:
        """Sign a request with the version of the credential the caller knows.

        Returns:
            The signature; or, when the credential has another version now, what may be shown of that one.

        Raises:
            BadRequestError, LeaseRefusedError: as `vault.sigv4.sign`.
            CredentialMissingError: there is none of that name.
            SealedError: the vault is sealed.
        """
        credential = self._open().get(check_ref(ref))
        if credential.version != version:
            return self._info(credential)
        now_ns = self._clock()
        signature = sign(request, credential, self._keys, now_ns=now_ns)
        self._last_used_at_ns[credential.ref] = now_ns
        return signature

    def scan(self, data: bytes, fresh: int = 0) -> Found:
        """Return where ``data`` holds a secret in any covered form; see `SecretIndex.find`.

        Raises:
            SealedError: the vault is sealed, so nothing can be said.
        """
        registry = self._open()
        if self._index is None:
            self._index = SecretIndex(registry.secrets())
        return self._index.find(data, fresh)

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
            self._keys.clear()

    def _open(self) -> Registry:
        if self._registry is None:
            if self.state is VaultState.UNINITIALISED:
                raise UninitialisedError("the vault is not initialised")
            raise SealedError("the vault is sealed")
        return self._registry

    def _header(self) -> Header:
        stored = self._storage.get(HEADER_ROW)
        if stored is None:
            raise UninitialisedError("the vault is not initialised")
        return Header.decode(stored)

    def _info(self, credential: Credential) -> CredentialInfo:
        return credential.info(self._last_used_at_ns.get(credential.ref, 0))
