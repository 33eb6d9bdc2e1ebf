"""What was minted for a session goes with it: the vault is told of each kill, and the ledger what came of it.

Telling runs beside everything else: an upstream that is slow to take a token back must not hold up the kill itself, nor
the next one. Each process tells the vault of its own machine of kills everywhere; the vault takes each token back once,
so one of several processes hears of it and records it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

import structlog

from broker.clock import Clock
from broker.errors import BrokerError
from broker.ids import SessionId
from broker.ports import Minted
from broker.store.base import Change, Committer, EventType, new_event
from vault.errors import VaultError
from vault.model import Revoked

log = structlog.get_logger(__name__)

MAX_TOLD: Final = 4096
"""Sessions the vault was told of; being told once more does no harm."""
CLOSE_SECONDS: Final = 2.0


class Revoking:
    """Has tokens of killed sessions taken back.

    Args:
        minted: Takes them back.
        committer: The ledger.
        clock: Time and entropy.
        close_seconds: How long a process that ends waits for answers; the vault goes on without them.
    """

    def __init__(
        self, minted: Minted, committer: Committer, clock: Clock, *, close_seconds: float = CLOSE_SECONDS
    ) -> None:
        self._minted = minted
        self._committer = committer
        self._clock = clock
        self._close_seconds = close_seconds
        self._told: OrderedDict[SessionId, asyncio.Task[Revoked | None]] = OrderedDict()
        self._tasks: set[asyncio.Task[Revoked | None]] = set()

    def begin(self, session_id: SessionId) -> asyncio.Task[Revoked | None]:
        """Begin to take back what a killed session has, unless that was begun before.

        Returns:
            What becomes of it; its result is None when the vault did not say.
        """
        begun = self._told.get(session_id)
        if begun is not None:
            return begun
        task = asyncio.create_task(self._revoke(session_id))
        self._told[session_id] = task
        if len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def aclose(self) -> None:
        """Wait a moment for what was begun, and end it."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=self._close_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _revoke(self, session_id: SessionId) -> Revoked | None:
        try:
            revoked = await self._minted.revoke(session_id)
        except VaultError as error:
            # Told again when the kill is seen again.
            self._told.pop(session_id, None)
            log.warning("tokens_not_revoked", session=session_id, error=type(error).__name__)
            return None
        if not revoked.revoked and not revoked.failed:
            return revoked
        data = {"revoked": revoked.revoked, "failed": revoked.failed}
        event = new_event(self._clock, EventType.SESSION_TOKENS_REVOKED, data, session_id=session_id)
        try:
            await self._committer.commit(Change(event))
        except BrokerError as error:
            log.warning("revocation_not_recorded", session=session_id, error=type(error).__name__, **data)
        return revoked
