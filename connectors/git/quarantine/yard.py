"""Mirrors of repositories and the quarantines beside them: what a push would do is found out here, on this machine.

    1  the updates begin where upstream's refs are          before any of the pack is read
    2  a throw-away repository that sees the mirror's objects
    3  the pack is taken in, once                           `connectors.git.quarantine.pack`
    4  it is judged                                         `connectors.git.quarantine.judge`
    5  whatever is there is gone when the block is left

Nothing here has a credential or reaches a host, except `Yard.refresh` by the remote it is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from connectors.errors import NotSentError, UpstreamRefusedError
from connectors.git.advertisement import Advertisement
from connectors.git.area import Area, make_area, remove_area
from connectors.git.config import local_config
from connectors.git.leaks.scan import LeakRules
from connectors.git.process import GitAbortedError, GitMissingError, GitPrograms, GitTimeoutError
from connectors.git.quarantine.case import Case
from connectors.git.quarantine.graph import check_current
from connectors.git.quarantine.held import Held
from connectors.git.quarantine.judge import Judge
from connectors.git.quarantine.limits import YardLimits
from connectors.git.quarantine.local import LocalGit, make_bare
from connectors.git.quarantine.locks import locked
from connectors.git.quarantine.mirror import Mirror
from connectors.git.quarantine.mirrors import Mirrors
from connectors.git.quarantine.output import GitOutputError
from connectors.git.quarantine.pack import take_pack
from connectors.git.quarantine.scan import Scanner
from connectors.git.remote import Remote
from connectors.git.wire.push_request import RefUpdate
from connectors.inspection import Masker


class Yard:
    """Everything under one folder; several processes may share it.

    Args:
        root: The folder; made when missing.
        programs: Starts git.
        limits: What pushes may cost; as they stand in `YardLimits` when None.
    """

    def __init__(self, root: Path, programs: GitPrograms, limits: YardLimits | None = None) -> None:
        self._root = root
        self._limits = limits or YardLimits()
        self._mirrors = Mirrors(root, programs, self._limits)
        memory = min(self._limits.memory_bytes, programs.limits.memory_bytes)
        self._programs = programs.limited(replace(programs.limits, memory_bytes=memory))
        self._places = asyncio.Semaphore(self._limits.at_once)

    async def refresh(self, connection: str, repo: str, remote: Remote, seen: Advertisement) -> None:
        """Bring the mirror of a repository to what its host has; no process is started when it is there already.

        Args:
            connection: Name of the connection.
            repo: ``owner/name``.
            remote: The repository upstream.
            seen: What the host has, as it is told for fetching: then its default branch is known.

        Raises:
            InvalidParamsError: it is no name of a repository.
            UpstreamRefusedError: the host did not give what it showed; code ``fetch-failed``.
            NotSentError: it cannot be reached, or this machine is at fault.
        """
        await self._mirrors.refresh(connection, repo, remote, seen)

    @asynccontextmanager
    async def quarantine(
        self,
        connection: str,
        repo: str,
        updates: tuple[RefUpdate, ...],
        pack: AsyncIterator[bytes] | None,
        *,
        masker: Masker,
        options: tuple[str, ...] = (),
    ) -> AsyncIterator[Held]:
        """Hold a push for the block, looked into and sent nowhere.

        Args:
            connection: Name of the connection.
            repo: ``owner/name``, refreshed before.
            updates: What the client wants, each ref once.
            pack: What it sends, read once and to its end unless it is refused; None when every update deletes.
            masker: Finds the vault's own values.
            options: Push options.

        Raises:
            InvalidParamsError: it is no name of a repository.
            UpstreamRefusedError: the push is refused; code ``stale``, ``bad-pack``, ``missing-objects``,
                ``extra-objects``, ``not-a-commit`` or ``too-large``.
            UploadBrokenError: as raised by ``pack``.
            NotSentError: it cannot be told what the push does: no mirror, no time, no room, a fault of git.
            VaultError: it cannot be told whether it holds secrets.
        """
        mirror = self._mirrors.at(connection, repo)
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._limits.seconds):
                    await stack.enter_async_context(self._places)
                    case = await self._case(stack, mirror)
                    check_current(updates, case.state)  # 1
                    _check_pack(updates, given=pack is not None)
                    held = await self._judged(case, updates, pack, masker, options)
            except TimeoutError as error:
                raise NotSentError("looking into the push took too long; nothing was pushed") from error
            except (GitMissingError, GitTimeoutError, GitAbortedError, GitOutputError, OSError) as error:
                raise NotSentError("the push cannot be looked into on the broker's machine") from error
            yield held

    async def _case(self, stack: AsyncExitStack, mirror: Mirror) -> Case:
        await self._programs.to_the_end(mirror.prepare)
        wait = self._limits.lock_seconds
        await stack.enter_async_context(locked(mirror.in_use, exclusive=False, seconds=wait))
        state = await self._programs.to_the_end(mirror.load)
        if state is None:
            raise NotSentError("the repository has not been read yet, so nothing can be compared with it")
        area = await self._programs.to_the_end(lambda: make_area(self._root))
        stack.push_async_callback(self._programs.to_the_end, lambda: remove_area(area))
        return Case(await self._programs.to_the_end(lambda: self._local(area, mirror)), mirror, state, self._limits)

    def _local(self, area: Area, mirror: Mirror) -> LocalGit:  # 2
        make_bare(area.repository, mirror.path.absolute())
        return LocalGit(self._programs, area, local_config(area.path / "config"), self._limits.scan_file_bytes)

    async def _judged(
        self,
        case: Case,
        updates: tuple[RefUpdate, ...],
        pack: AsyncIterator[bytes] | None,
        masker: Masker,
        options: tuple[str, ...],
    ) -> Held:
        try:
            taken = None if pack is None else await take_pack(case.git, pack, case.limits)  # 3
        except UpstreamRefusedError as error:
            if error.code == "bad-pack":
                case.mirror.mark_suspect()
            raise
        rules = await self._programs.to_the_end(lambda: self._rules)
        scanner = Scanner(self._programs, rules, masker)
        return await Judge(case, scanner, options).judge(updates, taken)  # 4

    @cached_property
    def _rules(self) -> LeakRules:
        return LeakRules()


def _check_pack(updates: tuple[RefUpdate, ...], *, given: bool) -> None:
    if given == all(update.deletes for update in updates):
        words = "a push that only deletes has no pack" if given else "a push that brings something has a pack"
        raise UpstreamRefusedError(f"{words}; nothing was pushed", code="bad-pack")
