"""Everything one attempt needs to work with git: an area, a configuration, an empty repository, and clean words.

Opened for one repository of one upstream with one credential, closed when the attempt is over, however it ends.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from connectors.errors import NotSentError
from connectors.git.area import Area, make_area, remove_area
from connectors.git.config import ConfigFile
from connectors.git.process import Child, Finished, GitPrograms
from connectors.git.remote import Remote

MAX_WORDS: Final = 600
"""Characters of git's or the host's words that go into an error."""

_INIT: Final = ("init", "--quiet", "--bare", "--template=", "--object-format=sha1", "--initial-branch=main")


_VERSION: Final = re.compile(rb"git version (\d+)\.(\d+)")
_PINNING_SINCE: Final = (2, 37)
"""The release notes of git 2.37 bring in ``http.curloptResolve``."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Runs git for one attempt.

    Args:
        programs: Starts it.
        area: Where.
        config: With which configuration.
        url: URL of the repository upstream.
        clean: Makes words from outside fit for an error: no credential, no control characters, not long.
    """

    programs: GitPrograms
    area: Area
    config: ConfigFile
    url: str
    clean: Callable[[bytes], str]

    async def git(self, *arguments: str, stdin: bytes | Path = b"") -> Finished:
        """Run ``git <arguments>`` to its end; raises as `GitPrograms.run`."""
        return await self.programs.run(self.area, self.config, arguments, stdin=stdin)

    def start(self, *arguments: str, stdin: BinaryIO | None = None) -> Child:
        """Start ``git <arguments>``; raises as `GitPrograms.start`."""
        return self.programs.start(self.area, self.config, arguments, stdin)

    async def fetch(self, refspecs: list[str]) -> Finished:
        """Fetch refs from upstream with all their history; every object is checked on the way in."""
        flags = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
        wanted = "".join(f"{refspec}\n" for refspec in refspecs).encode()
        return await self.git("fetch", *flags, "--stdin", "--", self.url, stdin=wanted)


@asynccontextmanager
async def open_workshop(
    programs: GitPrograms, root: Path | None, remote: Remote, clean: Callable[[bytes], str]
) -> AsyncIterator[Workshop]:
    """Open a workshop for the block.

    Args:
        programs: Starts git.
        root: Folder of the working areas; None for the system's temporary folder.
        remote: The repository upstream.
        clean: Makes words from outside fit for an error.

    Raises:
        NotSentError: the working area cannot be made, or the repository cannot be reached.
    """
    stack = ExitStack()
    try:
        try:
            area = make_area(root)
            stack.callback(remove_area, area)
        except OSError as error:
            raise NotSentError("no working area for git could be made") from error
        async with remote.fetch_access(area.path) as access:
            config = replace(access.config, environment=access.environment)
            shop = Workshop(programs, area, config, access.url, clean)
            made = await shop.git(*_INIT)
            if not made.ok:
                raise NotSentError(f"no working area for git could be made: {shop.clean(made.stderr)}")
            if access.pinned:
                await require_pinning(programs, area, config)
            yield shop
    finally:
        # In a thread, as an area may be large; a cancelled caller still waits until it is gone.
        await programs.to_the_end(lambda: _closed(stack))


def _closed(stack: ExitStack) -> None:
    """Clean up; a fault of the disk now must not change what is told of the work that is done."""
    with contextlib.suppress(OSError):
        stack.close()


async def require_pinning(programs: GitPrograms, area: Area, config: ConfigFile) -> None:
    """Refuse a git that would pass over ``http.curloptResolve`` and ask the DNS once more by itself.

    Raises:
        NotSentError: it is older than 2.37.
    """
    if programs.version is None:
        match = _VERSION.match((await programs.run(area, config, ("version",))).stdout)
        programs.version = (int(match[1]), int(match[2])) if match else (0, 0)
    if programs.version < _PINNING_SINCE:
        raise NotSentError("git on the broker's machine is too old: it cannot be pinned to an address; 2.37 can")


class Cleaner:
    """Takes a credential out of words, in every form in which it travels.

    Args:
        authorization: Value of the ``Authorization`` header.
    """

    def __init__(self, authorization: str) -> None:
        self._secrets = _forms(authorization)

    def __repr__(self) -> str:
        return "Cleaner(…)"

    def __call__(self, words: bytes) -> str:
        """Return the end of ``words`` on one line, without the credential and without control characters."""
        text = words.decode("utf-8", "replace")
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        lines = [" ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in text.splitlines()]
        return "; ".join(line for line in lines if line)[-MAX_WORDS:]


def _forms(authorization: str) -> list[str]:
    _, _, token = authorization.partition(" ")
    forms = {authorization, token}
    try:
        pair = base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        pair = ""
    forms |= {pair, pair.partition(":")[2]}
    # Longest first, or a short form would tear a long one apart; the empty string is in every text.
    return sorted((form for form in forms if form), key=len, reverse=True)
