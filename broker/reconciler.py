"""What makes the database the truth: every few seconds it is read for work that fell between two stools, and mended.

Every step is a compare-and-set, so any number of reconcilers may run at once, and each can be killed at any instant.

1. approvals whose time is over expire
2. open approvals of killed sessions are voided
3. approved intents are sent to the queue again; the queue may have lost them
4. executions whose process died get their one outcome
5. outcomes that are unknown are read back where a connector can
6. bodies nobody fetched in time are dropped
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from broker.approvals.service import Approvals
from broker.clock import NS_PER_SECOND, Clock
from broker.errors import BrokerError, ConflictError, QueueUnavailableError
from broker.intents import Journal
from broker.model import IntentState
from broker.ports import WorkQueue
from broker.settling import Settling
from broker.store.base import Outputs, Reader

log = structlog.get_logger(__name__)

OVERLAP_SECONDS: Final = 60
"""Kills are read again for this long, so that clocks of several hosts may differ by as much."""
LONGEST_SESSION_SECONDS: Final = 8 * 86_400
"""How far back the first round looks for killed sessions: longer than any session lives."""


class Reconciler:
    """Mends; see the module's docstring.

    Args:
        reader: Where open work is looked up.
        outputs: Bodies of results.
        journal: Concludes what died.
        approvals: Ends what is over.
        queue: Sends what waits.
        settling: Reads back what is unknown.
        clock: Time.
        instance_ttl_seconds: A process without a heartbeat for this long is dead.
        output_ttl_seconds: How long a body is kept.
    """

    def __init__(  # noqa: PLR0913 - it touches every kind of open work
        self,
        *,
        reader: Reader,
        outputs: Outputs,
        journal: Journal,
        approvals: Approvals,
        queue: WorkQueue,
        settling: Settling,
        clock: Clock,
        instance_ttl_seconds: float,
        output_ttl_seconds: float,
    ) -> None:
        self._reader = reader
        self._outputs = outputs
        self._journal = journal
        self._approvals = approvals
        self._queue = queue
        self._settling = settling
        self._clock = clock
        self._instance_ttl_ns = int(instance_ttl_seconds * NS_PER_SECOND)
        self._output_ttl_ns = int(output_ttl_seconds * NS_PER_SECOND)
        self._kills_since_ns = clock.now_ns() - LONGEST_SESSION_SECONDS * NS_PER_SECOND

    async def round(self) -> None:
        """Do every step once; a step that fails is logged and tried again in the next round."""
        steps: tuple[Callable[[], Awaitable[object]], ...] = (
            self._approvals.expire_overdue,
            self._void_killed,
            self._send_approved,
            self._close_lost,
            self._settling.round,
            self._drop_outputs,
        )
        for step in steps:
            try:
                await step()
            except BrokerError as error:
                log.warning("reconcile_step_failed", step=step.__name__, error=type(error).__name__)

    async def _void_killed(self) -> None:
        now_ns = self._clock.now_ns()
        for session_id in await self._reader.killed_sessions(self._kills_since_ns):
            await self._approvals.cancel_session(session_id)
        self._kills_since_ns = now_ns - OVERLAP_SECONDS * NS_PER_SECOND

    async def _send_approved(self) -> None:
        for record in await self._reader.intents((IntentState.APPROVED,)):
            try:
                await self._queue.send(record.id, record.fence)
            except QueueUnavailableError:
                return  # the next round tries again; the database remembers

    async def _close_lost(self) -> None:
        executing = await self._reader.intents((IntentState.EXECUTING,))
        if not executing:
            return
        alive = await self._reader.live_instances(self._clock.now_ns() - self._instance_ttl_ns)
        for record in executing:
            if record.owner in alive:
                continue
            log.warning("execution_lost", intent=record.id, access=record.access)
            with contextlib.suppress(ConflictError):  # its process, or another reconciler, was quicker
                await self._journal.close_lost(record)

    async def _drop_outputs(self) -> None:
        await self._outputs.expire(self._clock.now_ns() - self._output_ttl_ns)
