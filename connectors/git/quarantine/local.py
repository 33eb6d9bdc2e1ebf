"""git on repositories of our own: it reaches no host, has no credential, and gets less memory than a fetch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from connectors.errors import NotSentError
from connectors.git.area import Area
from connectors.git.config import ConfigFile
from connectors.git.process import Finished, GitPrograms
from connectors.git.quarantine.output import GitOutputError
from connectors.git.workshop import Cleaner

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The tree without files; git knows it without having it."""

_CONFIG: Final = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"

words_of: Final = Cleaner("")
"""Makes git's words fit for an error: on one line, without control characters, not long. There is no credential."""


@dataclass(frozen=True, slots=True)
class LocalGit:
    """Runs git in one area.

    Args:
        programs: Starts it.
        area: Where, and on which repository.
        config: With which configuration.
        large_file_bytes: Files larger than this are not compared line by line, and are read in pieces.
    """

    programs: GitPrograms
    area: Area
    config: ConfigFile
    large_file_bytes: int

    async def run(self, *arguments: str, stdin: bytes | Path = b"") -> Finished:
        """Run ``git <arguments>`` to its end; raises as `GitPrograms.run`."""
        return await self.programs.run(self.area, self.config, self._line(arguments), stdin=stdin)

    async def parse(
        self, parse: Callable[[Iterator[bytes]], T], *arguments: str, stdin: bytes | Path | BinaryIO = b""
    ) -> tuple[Finished, T]:
        """Run ``git <arguments>`` and read its output while it comes.

        Raises:
            GitOutputError: the output is not what ``parse`` can read.
            GitMissingError, GitTimeoutError: as `GitPrograms.parse`.
        """
        return await self.programs.parse(
            self.area, self.config, self._line(arguments), lambda pieces: _read(parse, pieces), stdin=stdin
        )

    def _line(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        return ("-c", f"core.bigFileThreshold={self.large_file_bytes}", *arguments)


def _read(parse: Callable[[Iterator[bytes]], T], pieces: Iterator[bytes]) -> T:
    try:
        return parse(pieces)
    except ValueError as error:
        raise GitOutputError("the output of git has not the form it should have") from error


def broken(what: str, finished: Finished) -> NotSentError:
    """Return the error of a git that failed where nothing that was sent could have been the reason."""
    return NotSentError(f"{what} failed on the broker's machine: {words_of(finished.stderr)}")


def make_bare(path: Path, alternate: Path | None = None) -> None:
    """Make an empty bare repository of SHA-1 objects without starting git.

    Args:
        path: Its folder, which does not exist.
        alternate: A repository whose objects it sees too.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    for folder in ("objects/info", "objects/pack", "refs"):
        (path / folder).mkdir(mode=0o700, parents=True)
    (path / "HEAD").write_text("ref: refs/heads/main\n")
    (path / "config").write_text(_CONFIG)
    if alternate is not None:
        (path / "objects/info/alternates").write_text(f"{alternate / 'objects'}\n")


async def both(one: Awaitable[A], other: Awaitable[B]) -> tuple[A, B]:
    """Return what two jobs at the same time return; when one fails the other is cancelled and waited for."""
    tasks = asyncio.ensure_future(one), asyncio.ensure_future(other)
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise
