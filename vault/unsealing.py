"""A vault whose root key KMS wraps: unsealed when somebody asks, and by itself after its start.

KMS is asked in a thread: a sealed vault says that it is sealed, and why, while KMS says nothing. All who ask at once
make one call. A seal is the last word: it ends the tries of the vault's own, and what KMS answers after it is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

import structlog

from vault.errors import KmsRefusedError, KmsUnavailableError, SealedError, VaultError
from vault.kms import KmsRoot
from vault.later import in_thread
from vault.root import Header
from vault.rotation.procedure import Pause, pause

T = TypeVar("T")

ANSWER_SECONDS: Final = 20.0
"""Longest wait for KMS; a client of the vault waits for 30 s."""
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
"""Pauses double up to this: a vault is unsealed a minute after KMS is back, at the latest."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger()


class KmsUnsealing:
    """Finds the root key of one vault; belongs to one event loop once it was asked.

    Args:
        root: Asks KMS.
        header: Returns the vault's header; raises UninitialisedError when there is none.
        opened: Opens the vault with the root key of a header.
        answer_seconds: Longest wait for KMS.
    """

    def __init__(
        self,
        root: KmsRoot,
        header: Callable[[], Header],
        opened: Callable[[bytes, Header], None],
        *,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._root = root
        self._header = header
        self._opened = opened
        self._answer_seconds = answer_seconds
        self._trying: asyncio.Task[None] | None = None
        self._stop: asyncio.Event | None = None
        self._seals = 0
        self.reason = ""
        """Why the last try failed; empty when it did not, and after a seal."""

    def check(self) -> None:
        """Refuse to begin with a header of another root key.

        Raises:
            RootKeyError: as `KmsRoot.check`.
            UninitialisedError, IntegrityError: there is no header, or none of ours.
        """
        self._root.check(self._header())

    async def make(self, header: Header) -> tuple[bytes, Header]:
        """Do as `KmsRoot.make`, without blocking."""
        return await self._answer(lambda: self._root.make(header))

    async def unseal(self) -> None:
        """Open the vault.

        Raises:
            RootKeyError, KmsRefusedError, KmsUnavailableError: as `KmsRoot.unwrap`.
            SealedError: it was sealed meanwhile.
            VaultError: as ``header`` and ``opened``.
        """
        task = self._trying
        if task is None:
            task = self._trying = asyncio.create_task(self._try())
            task.add_done_callback(self._tried)
        # Shielded: whoever gives up must not take it from the others.
        await asyncio.shield(task)

    def sealed(self) -> None:
        """Take note of a seal: from now on nothing is unsealed that nobody asks for."""
        self._seals += 1
        self._trying = None
        self.reason = ""
        self._end_watch()

    @asynccontextmanager
    async def watching(self, pause: Pause = pause) -> AsyncGenerator[None, None]:
        """Try to open the vault, with longer and longer pauses, until it is open or sealed by somebody.

        What no pause can mend, as a header of another key, ends the tries too.
        """
        self._stop = asyncio.Event()
        watch = asyncio.create_task(self._watch(self._stop, pause))
        try:
            yield
        finally:
            # KMS is not waited for: nothing is lost with its answer.
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    async def _watch(self, stop: asyncio.Event, pause: Pause) -> None:
        seconds = FIRST_PAUSE_SECONDS
        while not stop.is_set():
            try:
                await self.unseal()
            except (KmsRefusedError, KmsUnavailableError) as error:
                _log.warning("vault.unseal_failed", code=error.code, reason=str(error), again_after_seconds=seconds)
            except VaultError as error:
                _log.error("vault.unseal_failed", code=error.code, reason=str(error))
                return
            except Exception as error:  # noqa: BLE001 - a fault of ours leaves the vault sealed and ends nothing else
                # The type only: the message of an unforeseen error may hold what it was handling.
                _log.error("vault.fault", operation="unseal", error=type(error).__name__)
                return
            else:
                _log.info("vault.unsealed")
                return
            await pause(seconds, stop)
            seconds = min(seconds * 2, LONGEST_PAUSE_SECONDS)

    async def _try(self) -> None:
        seals = self._seals
        try:
            header = self._header()
            root = await self._answer(lambda: self._root.unwrap(header))
            if seals != self._seals:
                raise SealedError("the vault was sealed while kms was asked")
            self._opened(root, header)
        except VaultError as error:
            if seals == self._seals:
                self.reason = str(error)
            raise
        self.reason = ""
        self._end_watch()

    async def _answer(self, ask: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self._answer_seconds):
                return await in_thread(ask)
        except TimeoutError:
            raise KmsUnavailableError("kms did not answer in time") from None

    def _tried(self, task: asyncio.Task[None]) -> None:
        if self._trying is task:
            self._trying = None
        if not task.cancelled():
            # Looked at, so that one nobody waits for any more does not complain.
            task.exception()

    def _end_watch(self) -> None:
        if self._stop is not None:
            self._stop.set()
