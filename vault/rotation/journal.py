"""Rotations as the vault's registry keeps them: each step is stored before the next act."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from vault.credential import Credential
from vault.errors import RotationRefusedError
from vault.model import CredentialRef
from vault.registry import Registry
from vault.rotation.model import Milestone, Rotation, Step


class Changing(Protocol):
    """Opens the registry for one change (`vault.service.Vault`)."""

    def __call__(self, *, scan: bool = True) -> AbstractContextManager[Registry]:
        """Return the registry; ``scan`` when secrets change.

        Raises:
            SealedError: the vault is sealed.
        """


class Journal:
    """Reads and writes rotations.

    Args:
        changing: Opens the registry.
        clock: Nanoseconds since the epoch, UTC.
    """

    def __init__(self, changing: Changing, clock: Callable[[], int]) -> None:
        self._changing = changing
        self._clock = clock

    def now_ns(self) -> int:
        """Return the time."""
        return self._clock()

    def credential(self, ref: CredentialRef) -> Credential:
        """Return the current version of a credential.

        Raises:
            CredentialMissingError, SealedError: there is none of that name, or the vault is sealed.
        """
        with self._changing(scan=False) as registry:
            return registry.get(ref)

    def namesakes(self, credential: Credential) -> list[CredentialRef]:
        """Return the names of other credentials that hold the same key."""
        with self._changing(scan=False) as registry:
            return [
                other.ref
                for other in registry.credentials.values()
                if other.kind is credential.kind
                and other.identity == credential.identity
                and other.ref != credential.ref
            ]

    def find(self, ref: CredentialRef) -> Rotation | None:
        """Return the rotation of a credential, None when there is none.

        Raises:
            SealedError: the vault is sealed.
        """
        with self._changing(scan=False) as registry:
            return registry.rotations.get(ref)

    def all(self) -> list[Rotation]:
        """Return every rotation, by the name of its credential.

        Raises:
            SealedError: the vault is sealed.
        """
        with self._changing(scan=False) as registry:
            return [rotation for _, rotation in sorted(registry.rotations.items())]

    def write(self, rotation: Rotation) -> Rotation:
        """Store where a rotation stands, and return it; what the ledger was told meanwhile stays.

        Raises:
            CredentialMissingError: the credential was destroyed meanwhile.
            SealedError, StorageError: nothing changed.
        """
        # Results are scanned for a new secret from here on; one that is gone may be looked for a while longer.
        with self._changing(scan=rotation.new_secret is not None) as registry:
            written = _with_told(rotation, registry.rotations.get(rotation.ref))
            registry.write_rotation(written)
        return written

    def tell(self, ref: CredentialRef, milestone: Milestone) -> None:
        """Remember that a milestone is on the ledger; a rotation that has come to its end is forgotten with that.

        Raises:
            SealedError, StorageError: nothing changed.
        """
        with self._changing(scan=False) as registry:
            rotation = registry.rotations.get(ref)
            # Another milestone than the one that was told of is told of in its turn.
            if rotation is None or rotation.milestone is not milestone:
                return
            if rotation.final:
                registry.drop_rotation(ref)
            else:
                registry.write_rotation(replace(rotation, told=milestone.value))

    def switch(self, rotation: Rotation) -> Rotation:
        """Make the new key the credential's next version, and store that it is, in one write.

        Raises:
            RotationRefusedError: the credential is not what it was when the rotation began.
            CredentialMissingError, SealedError, StorageError: nothing changed.
        """
        now_ns = self._clock()
        with self._changing() as registry:
            before = registry.get(rotation.ref)
            if before.identity != rotation.old_key_id:
                raise RotationRefusedError(f"credential `{rotation.ref}` was changed since the rotation began")
            fields = rotation.new_fields()
            switched = _with_told(rotation, registry.rotations.get(rotation.ref))
            switched = replace(switched, step=Step.SWITCHED, new_secret=None, switched_at_ns=now_ns)
            credential = replace(before, version=before.version + 1, created_at_ns=now_ns, fields=fields)
            registry.replace(credential, rotation=switched)
        return switched


def _with_told(rotation: Rotation, stored: Rotation | None) -> Rotation:
    if stored is None or stored.final:
        return rotation
    return replace(rotation, told=stored.told)
