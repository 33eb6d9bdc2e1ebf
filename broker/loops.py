"""What a process does beside its requests, again and again; no fault ends it.

A kill switch that stopped watching, or a heartbeat that stopped beating, would be worse than one that failed once and
says so, so every step is tried again whatever went wrong with the last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from broker.calls import RunningCalls
from broker.clock import NS_PER_SECOND, Clock
from broker.config.model import Configuration
from broker.revoking import Revoking
from broker.service import Policies
from broker.sessions import Sessions
from broker.store.base import Change, Committer, EventType, Reader, new_event
from vault.model import CredentialRef
from vault.rotation.model import Milestone
from vault.rotation.status import RotationStatus

log = structlog.get_logger(__name__)

KILL_OVERLAP_SECONDS: Final = 5
"""Kills are read again for this long, so that one committed late or by another host's clock is not missed."""


@dataclass(frozen=True, slots=True)
class Loop:
    """One thing to do again and again.

    Args:
        name: For the log.
        step: Does it once.
        pause_seconds: Between two times.
    """

    name: str
    step: Callable[[], Awaitable[object]]
    pause_seconds: float

    async def run(self) -> None:
        """Do it for ever."""
        while True:
            try:
                await self.step()
            except Exception as error:  # noqa: BLE001 - leads to a log line and another try, see the module
                log.warning("loop_step_failed", loop=self.name, error=type(error).__name__)
            await asyncio.sleep(self.pause_seconds)


@asynccontextmanager
async def running(loops: list[Loop]) -> AsyncGenerator[None, None]:
    """Run loops beside the body and end them with it."""
    tasks = [asyncio.create_task(loop.run(), name=loop.name) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Rotating(Protocol):
    """What the vault says of the rotations it has under way; implemented by its client."""

    async def list(self) -> Sequence[RotationStatus]:
        """Return where each one stands."""

    async def tell(self, ref: CredentialRef, milestone: Milestone) -> None:
        """Note that the ledger has the milestone."""


class RotationWatch:
    """Records what the vault does by itself with keys of AWS: it has no way to the ledger.

    Args:
        rotating: Where they stand.
        committer: The ledger.
        clock: Time and entropy.
    """

    def __init__(self, rotating: Rotating, committer: Committer, clock: Clock) -> None:
        self._rotating = rotating
        self._committer = committer
        self._clock = clock

    async def look(self) -> None:
        """Look once.

        Raises:
            VaultError: the vault is sealed or gone.
            LedgerUnavailableError: a milestone is not recorded yet.
        """
        for status in await self._rotating.list():
            if status.untold is None or status.milestone is None:
                continue
            await self._committer.commit(Change(new_event(self._clock, EventType.VAULT_CHANGED, status.untold)))
            # First the ledger, then the vault: what is cut in between is on the ledger twice, never not at all.
            await self._rotating.tell(status.ref, status.milestone)


class KillWatch:
    """Learns of kills in other processes and acts on them in this one.

    Args:
        reader: Where kills are read.
        sessions: Forgets a killed session.
        calls: Cuts what runs for it.
        revoking: Has its tokens taken back.
        clock: Time.
    """

    def __init__(
        self, reader: Reader, sessions: Sessions, calls: RunningCalls, revoking: Revoking, clock: Clock
    ) -> None:
        self._reader = reader
        self._sessions = sessions
        self._calls = calls
        self._revoking = revoking
        self._clock = clock
        self._since_ns = clock.now_ns()

    async def look(self) -> None:
        """Look once."""
        looked_ns = self._clock.now_ns()
        killed = await self._reader.killed_sessions(self._since_ns - KILL_OVERLAP_SECONDS * NS_PER_SECOND)
        self._sessions.forget(*killed)
        for session_id in killed:
            self._calls.cut(session_id)
            self._revoking.begin(session_id)
        self._since_ns = looked_ns


class ConfigurationWatch:
    """Takes up what another process accepted, so that one reload counts for every API.

    Args:
        reader: Where the accepted configuration is read.
        policies: The one in force here.
        load: Makes a configuration of accepted files.
        apply: Tells what depends on it.
    """

    def __init__(
        self,
        reader: Reader,
        policies: Policies,
        load: Callable[[Mapping[str, bytes]], Configuration],
        apply: Callable[[Configuration], None],
    ) -> None:
        self._reader = reader
        self._policies = policies
        self._load = load
        self._apply = apply

    async def look(self) -> None:
        """Look once.

        Raises:
            ConfigError: this version of Ostiary cannot use it; the old one stays.
        """
        accepted = await self._reader.newest_configuration()
        if accepted is None or accepted == self._policies.current.files:
            return
        fresh = await asyncio.to_thread(self._load, accepted)
        self._policies.current = fresh
        self._apply(fresh)
        log.info("configuration_taken_up", version=fresh.version)
