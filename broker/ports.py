"""What the pipeline needs of the vault, the queue and the ledger, as protocols; wiring hands in the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from broker.ids import IntentId
from broker.model import Session
from broker.outcome import Problem
from broker.store.base import Committer, Step
from vault.model import CredentialRef, Lease, Mint, Revoked, SecretValue


class Leases(Protocol):
    """Opens leases; implemented by the vault's client."""

    def lease(
        self,
        credential: CredentialRef,
        *,
        host: str,
        purpose: str,
        mint: Mint | None = None,
        holder: str = "",
    ) -> AbstractAsyncContextManager[Lease]:
        """Open a lease for one call to ``host``.

        Args:
            credential: Which credential.
            host: Upstream the plan goes to; the vault refuses a credential that is not bound to it.
            purpose: Id of the intent.
            mint: What to mint from the credential and lend in its stead; None to lend the credential itself.
            holder: ``agent/session``, for the name the minted credential bears upstream.

        Raises:
            VaultError: sealed, gone, missing, or not bound to the host.
        """


class Keeper(Protocol):
    """Seals what must not be released; implemented by the vault's client."""

    async def keep(self, name: str, values: Mapping[str, str]) -> CredentialRef:
        """Seal secrets of one result and return under which name.

        Args:
            name: Id of the intent.
            values: Secrets by JSON pointer into the result.

        Raises:
            VaultError: nothing was kept.
        """


class Minted(Protocol):
    """What was minted from credentials, by session; implemented by the vault's client."""

    async def revoke(self, session: str) -> Revoked:
        """Take back the tokens of a session that was killed, have no more minted for it, and say what became of them.

        Args:
            session: Its id, as in the ``holder`` of its leases.

        Raises:
            VaultError: the vault is gone, or does not say.
        """


class Deriver(Protocol):
    """Derives keys that are no credential; implemented by the vault's client."""

    async def derive(self, label: str, subject: str) -> SecretValue:
        """Return 32 bytes that follow from both texts and a key only the vault has.

        Raises:
            VaultError: the vault is sealed or gone.
        """


class Encloser(Protocol):
    """Seals pieces of what is kept elsewhere, and opens them; implemented by the vault's client."""

    async def enclose(self, name: str, part: str, index: int, plain: bytes) -> bytes:
        """Return a piece, sealed and bound to its name, part and index.

        Raises:
            VaultError: the vault is sealed or gone.
        """

    async def disclose(self, name: str, part: str, index: int, sealed: bytes) -> bytes:
        """Return what `enclose` was given for the same name, part and index.

        Raises:
            VaultError: it is not that piece, or the vault is sealed or gone.
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

    async def post(self, delivery_id: str, attempt: int) -> bool:
        """Ask the workers to try an alert's delivery; False when the same message waits already.

        Raises:
            QueueUnavailableError: the delivery stays in the database.
        """

    async def alive(self) -> bool:
        """Return whether the queue answers."""


class StartGate(Protocol):
    """What keeps sessions from being started; implemented by `broker.limits.halts`."""

    def refuses_start(self, agent: str, project: str) -> Problem | None:
        """Tell why no session may be started, as this process knows; None when one may."""

    async def overtook(self, session: Session) -> Problem | None:
        """Tell that a kill came while a session was started, as the database knows; None when none did.

        Raises:
            StoreUnavailableError: it cannot be told; nobody may be given the session.
        """


class StartCount(Protocol):
    """What counts the sessions operators start; implemented by `broker.limits.budgets`."""

    def starting(self, session: Session) -> tuple[Step, ...]:
        """Return the steps that count a session, for the transaction that stores it; they lose over a budget."""

    async def not_started(self, session: Session, key: str) -> Problem:
        """Return why a session was not started whose steps lost.

        Args:
            session: The one that was not started.
            key: The budget that had not enough left.

        Raises:
            StoreUnavailableError: it cannot be told.
        """


class Recorder(Committer, Protocol):
    """The ledger, with its health."""

    @property
    def ready(self) -> bool:
        """Whether events can be made durable now."""

    @property
    def reason(self) -> str:
        """Why not; empty when ready."""
