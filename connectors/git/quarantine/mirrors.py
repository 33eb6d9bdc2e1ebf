"""All mirrors of a machine, shared by its processes: fetched when a host has something new, dropped when room is short.

1  compare        the host has what the mirror has: done, no process is started
2  lock           one process fetches a mirror at a time; the next finds it done
3  check          a mirror whose fetch was cut, or that another host filled, is made anew; a suspect one is checked
4  fetch          by object id, checked by git's fsck; what fails on an old mirror is tried once more on a new one
5  write          refs, then state: whoever reads sees the old or the new
6  make room      the mirrors nobody used for longest go first; never one that is in use
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Final

from connectors.errors import NotSentError, UpstreamRefusedError
from connectors.git.advertisement import Advertisement
from connectors.git.area import Area, make_area, remove_area
from connectors.git.config import ConfigFile, local_config
from connectors.git.process import Finished, GitAbortedError, GitMissingError, GitPrograms, GitTimeoutError
from connectors.git.quarantine.limits import YardLimits
from connectors.git.quarantine.local import LocalGit
from connectors.git.quarantine.locks import claimed, locked
from connectors.git.quarantine.mirror import Mirror, bury, seen_state
from connectors.git.remote import Remote

# Each fetch makes one pack, on disk before the state says so. git's own configuration does neither for throw-away work.
_FETCH: Final = (
    *("-c", "fetch.unpackLimit=1", "-c", "core.fsync=objects"),
    *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"),
    *("--stdin", "--"),
)
_CHECK: Final = ("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
_LARGE_FILE_BYTES: Final = 32 << 20
_ROLL_UP: Final = ("repack", "--geometric=2", "-d", "--quiet")


class Mirrors:
    """The mirrors under one folder.

    Args:
        root: The folder of mirrors and working areas; made when missing.
        programs: Starts git.
        limits: How much room they may take.
    """

    def __init__(self, root: Path, programs: GitPrograms, limits: YardLimits) -> None:
        self._root = root
        self._programs = programs
        self._limits = limits

    def at(self, connection: str, repo: str) -> Mirror:
        """Return where a repository is mirrored.

        Raises:
            InvalidParamsError: it is no name of a repository.
        """
        return Mirror(self._root / "mirrors", connection, repo)

    async def refresh(self, connection: str, repo: str, remote: Remote, seen: Advertisement) -> None:
        """Bring a mirror to what a host has.

        Args:
            connection: Name of the connection.
            repo: ``owner/name``.
            remote: The repository upstream.
            seen: What it has; with its default branch, as it is told for fetching.

        Raises:
            InvalidParamsError: it is no name of a repository.
            UpstreamRefusedError: the host did not give what it showed; code ``fetch-failed``.
            NotSentError: it cannot be reached, or this machine is at fault.
        """
        mirror = self.at(connection, repo)
        try:
            await self._programs.to_the_end(mirror.prepare)
            if not await self._programs.to_the_end(lambda: _is_current(mirror, seen)):  # 1
                await self._update(mirror, remote, seen)
        except (GitMissingError, GitTimeoutError, GitAbortedError, OSError) as error:
            raise NotSentError("the mirror of the repository cannot be brought up to date") from error

    async def _update(self, mirror: Mirror, remote: Remote, seen: Advertisement) -> None:
        wait = self._limits.lock_seconds
        fetching = locked(mirror.fetching, exclusive=True, seconds=wait)
        async with fetching, locked(mirror.in_use, exclusive=False, seconds=wait):  # 2
            if not await self._programs.to_the_end(lambda: _is_current(mirror, seen)):
                await self._fill(mirror, remote, seen)

    async def _fill(self, mirror: Mirror, remote: Remote, seen: Advertisement) -> None:
        area = make_area(self._root)
        try:
            fetch = _Fetch(self._programs, mirror, remote, replace(area, elsewhere=mirror.path))
            await fetch.run(seen)
            if len(list(mirror.path.glob("objects/pack/*.pack"))) > self._limits.mirror_packs:
                await fetch.local(*_ROLL_UP)
            await self._programs.to_the_end(lambda: self._make_room(mirror, area.path))  # 6
        finally:
            await self._programs.to_the_end(lambda: remove_area(area))

    def _make_room(self, keep: Mirror, scrap: Path) -> None:
        sizes = {path: _size(path) for path in self._root.glob("mirrors/*/*/*.git")}
        total = sum(sizes.values())
        for path in sorted(sizes, key=_last_use):
            if total <= self._limits.mirrors_bytes:
                return
            if path != keep.path and _dropped(path, scrap):
                total -= sizes[path]


class _Fetch:
    """One fetch into one mirror, whose locks are held."""

    def __init__(self, programs: GitPrograms, mirror: Mirror, remote: Remote, area: Area) -> None:
        self._programs = programs
        self._mirror = mirror
        self._remote = remote
        self._area = area
        self._config = local_config(area.path / "local-config")

    async def run(self, seen: Advertisement) -> None:
        async with self._remote.fetch_access(self._area.path) as access:
            upstream = hashlib.sha256(access.url.encode()).hexdigest()
            config = replace(access.config, environment=access.environment)
            state = seen_state(self._mirror, seen, upstream)
            held = await self._trusted(upstream)  # 3
            self._mirror.begin(self._area.path)
            try:
                await self._fetch(state.tips, held, access.url, config)  # 4
                self._mirror.save(state)  # 5
            finally:
                self._mirror.end()

    async def _fetch(self, tips: frozenset[str], held: frozenset[str], url: str, config: ConfigFile) -> None:
        if tips <= held:
            return
        fetched = await self._fetched(tips - held, url, config)
        if not fetched.ok and held and not await self._sound():
            self._mirror.discard(self._area.path)
            self._mirror.begin(self._area.path)
            fetched = await self._fetched(tips, url, config)
        if not fetched.ok:
            # Its words are left out: a host may repeat the credential in them.
            raise UpstreamRefusedError("the git host did not give what it has; try again", code="fetch-failed")

    async def _fetched(self, oids: frozenset[str], url: str, config: ConfigFile) -> Finished:
        wanted = "".join(f"{oid}\n" for oid in sorted(oids)).encode()
        return await self._programs.run(self._area, config, (*_FETCH, url), stdin=wanted)

    async def local(self, *arguments: str) -> Finished:
        """Run git on the mirror without a way out."""
        git = LocalGit(self._programs, self._area, self._config, _LARGE_FILE_BYTES)
        return await git.run(*arguments)

    async def _trusted(self, upstream: str) -> frozenset[str]:
        """Return the tips that are in the mirror; one that cannot be trusted is removed first."""
        state = self._mirror.load()
        usable = state is not None and state.upstream == upstream
        if usable and self._mirror.suspect:
            usable = await self._sound()
            self._mirror.clear_suspect()
        if state is None or not usable:
            self._mirror.discard(self._area.path)
            return frozenset()
        return state.tips

    async def _sound(self) -> bool:
        return (await self.local(*_CHECK)).ok


def _is_current(mirror: Mirror, seen: Advertisement) -> bool:
    state = mirror.load()
    return state is not None and not mirror.suspect and state == seen_state(mirror, seen, state.upstream)


def _size(path: Path) -> int:
    total = 0
    for file in path.rglob("*"):
        with contextlib.suppress(OSError):  # another process may be removing it
            total += file.lstat().st_size
    return total


def _last_use(path: Path) -> float:
    try:
        return path.with_suffix(".use").stat().st_mtime
    except OSError:
        return 0.0


def _dropped(path: Path, scrap: Path) -> bool:
    """Remove a mirror unless somebody uses it."""
    with claimed(path.with_suffix(".use")) as free:
        if free:
            bury(path, scrap)
        return free
