"""What the pipeline needs of the vault, the queue and the ledger, as protocols; wiring hands in the real ones."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from broker.ids import IntentId
from broker.store.base import Committer
from vault.model import CredentialRef, Lease


class Leases(Protocol):
    """Opens leases; implemented by the vault's client."""

    def lease(self, credential: CredentialRef, *, host: str, purpose: str) -> AbstractAsyncContextManager[Lease]:
        """Open a lease for one call to ``host``.

        Args:
            credential: Which credential.
            host: Upstream the plan goes to; the vault refuses a credential that is not bound to it.
            purpose: Id of the intent.

        Raises:
            VaultError: sealed, gone, missing, or not bound to the host.
        """


class VaultHealth(Protocol):
    """Whether leases can be opened now."""

    async def health(self) -> bool | str:
        """Return True, or why not."""


class WorkQueue(Protocol):
    """The way to the workers."""

    async def send(self, intent_id: IntentId, fence: int) -> bool:
        """Ask the workers to look at an approved intent; False when the same message waits already.

        Raises:
            QueueUnavailableError: the queue cannot be reached; the reconciler sends it again.
        """

    async def alive(self) -> bool:
        """Return whether the queue answers."""


class Recorder(Committer, Protocol):
    """The ledger, with its health."""

    @property
    def ready(self) -> bool:
        """Whether events can be made durable now."""

    @property
    def reason(self) -> str:
        """Why not; empty when ready."""
