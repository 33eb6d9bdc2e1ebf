"""Starts git, and nothing but git: an environment made by us, bounded output, a deadline, a whole group to kill.

GitPython starts the process; as it hands the machine's environment on, ``env -i`` in front clears it, and a shell of
one fixed line sets limits no argument can lift (file size, memory, no core files) and becomes git. Arguments are
passed as they are, never through the shell's parser. The blocking work is done in threads of our own, so that slow
hosts cannot starve the rest of the process; cancelling the caller kills git first.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from connectors.errors import ConnectorError
from connectors.git.area import Area
from connectors.git.config import ConfigFile

CHUNK_BYTES: Final = 256 << 10
MAX_STDOUT_BYTES: Final = 8 << 20
MAX_STDERR_BYTES: Final = 64 << 10

_REAP_SECONDS: Final = 0.05
_BLOCK_BYTES: Final = 512
# $1: file size in blocks of 512 bytes, $2: address space in KiB (refused by some systems: then there is no such limit).
_LIMITS: Final = 'umask 077; ulimit -c 0; ulimit -f "$1"; ulimit -v "$2" 2>/dev/null; shift 2; exec "$@"'

_NOT_STARTED: Final = (126, 127)
"""What a shell says when it cannot become a program; git says neither."""

T = TypeVar("T")


class GitMissingError(ConnectorError):
    """git cannot be started on this machine."""


class GitTimeoutError(ConnectorError):
    """git did not end, or stood still, for longer than it may; it was killed."""


class GitAbortedError(ConnectorError):
    """The caller gave up before git was started."""


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """What one git process may use.

    Args:
        timeout_seconds: From start to end; of a stream: between two chunks.
        stall_seconds: How long a transfer may stand still.
        grace_seconds: How long a git that closed its outputs may take to end before it is killed.
        file_bytes: Size of each file it writes, which bounds what can be fetched.
        memory_bytes: Its address space.
    """

    timeout_seconds: float = 600.0
    stall_seconds: int = 60
    grace_seconds: float = 5.0
    file_bytes: int = 5 << 30
    memory_bytes: int = 4 << 30


@dataclass(frozen=True, slots=True)
class Finished:
    """A git that ended by itself.

    Args:
        returncode: Exit status; negative for the signal that ended it.
        stdout: Its output, whole.
        stderr: The end of what it said to people; not scrubbed.
    """

    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def ok(self) -> bool:
        """True for exit status 0."""
        return self.returncode == 0


class Child:
    """A running git."""

    def __init__(self, process: subprocess.Popen[bytes], grace_seconds: float) -> None:
        self._process = process
        self._grace_seconds = grace_seconds
        self._lock = threading.Lock()
        self._stderr = bytearray()
        self._selector = selectors.DefaultSelector()
        self._streams = [stream for stream in (process.stdout, process.stderr) if stream is not None]
        self._open = len(self._streams)
        for stream in self._streams:
            self._selector.register(stream, selectors.EVENT_READ, stream is process.stdout)

    @property
    def stderr(self) -> bytes:
        """The end of what was said so far."""
        return bytes(self._stderr)

    def read(self, timeout_seconds: float) -> bytes:
        """Return the next piece of the output, empty at its end.

        Raises:
            GitTimeoutError: nothing came; git was killed.
        """
        until = time.monotonic() + timeout_seconds
        while self._open:
            ready = self._selector.select(max(0.0, until - time.monotonic()))
            if not ready:
                self.kill()
                raise GitTimeoutError("git took too long")
            for key, _ in ready:
                piece = os.read(key.fd, CHUNK_BYTES)
                if not piece:
                    self._selector.unregister(key.fileobj)
                    self._open -= 1
                elif key.data:
                    return piece
                else:
                    self._stderr += piece
                    del self._stderr[:-MAX_STDERR_BYTES]
        return b""

    def kill(self) -> None:
        """End git and all its helpers at once; nothing once it is finished."""
        with self._lock:
            # Only `finish` reaps, under the lock, so the id of the group cannot have gone to another process; git may
            # have ended while a helper still runs.
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):  # some systems say so of a dead group
                    os.killpg(self._process.pid, signal.SIGKILL)

    def finish(self) -> int:
        """Wait for the end, close everything and return the exit status."""
        until = time.monotonic() + self._grace_seconds
        while True:
            with self._lock:
                try:
                    status = self._process.wait(_REAP_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    pass
            if time.monotonic() > until:
                self.kill()
        self._selector.close()
        for stream in self._streams:
            stream.close()
        return status


class GitPrograms:
    """Finds git once and starts it.

    Args:
        git: Path of git; looked for on the PATH when empty.
        limits: What each process may use.
        workers: How many may run at a time.
    """

    def __init__(self, git: str = "", limits: ProcessLimits | None = None, workers: int = 16) -> None:
        self.limits = limits or ProcessLimits()
        self._git = git or shutil.which("git") or ""
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="ostiary-git")
        self.version: tuple[int, int] | None = None
        """Major and minor version, once somebody asked git for it."""

    def start(self, area: Area, config: ConfigFile, arguments: tuple[str, ...], stdin: BinaryIO | None = None) -> Child:
        """Start ``git <arguments>`` in an area; blocks for some milliseconds.

        Raises:
            GitMissingError: there is no git here.
        """
        if not self._git:
            raise GitMissingError("git is not installed on the broker's machine")
        try:
            from git.cmd import Git
            from git.exc import GitCommandNotFound

            running = Git(str(area.path)).execute(
                [*self._prefix(area, config), self._git, *arguments],
                istream=stdin,
                as_process=True,
                shell=False,
                start_new_session=True,
                pass_fds=config.descriptors,
            )
        except (ImportError, GitCommandNotFound, OSError) as error:
            raise GitMissingError("git cannot be started on the broker's machine") from error
        process, running.proc = running.proc, None  # ours to end from here on
        if process is None:  # pragma: no cover - as_process promises one
            raise GitMissingError("git cannot be started on the broker's machine")
        return Child(process, self.limits.grace_seconds)

    async def run(
        self, area: Area, config: ConfigFile, arguments: tuple[str, ...], *, stdin: bytes | Path = b""
    ) -> Finished:
        """Run git to its end.

        Args:
            area: Where.
            config: With which configuration.
            arguments: The subcommand and its arguments.
            stdin: What it reads: bytes, or a file.

        Raises:
            GitMissingError: there is no git here.
            GitTimeoutError: it took too long or said too much; it was killed.
        """
        job = _Job(self, area, config, arguments)
        return await self.in_thread(lambda: job.run(stdin), job.abort)

    async def parse(
        self,
        area: Area,
        config: ConfigFile,
        arguments: tuple[str, ...],
        parse: Callable[[Iterator[bytes]], T],
        *,
        stdin: bytes | Path | BinaryIO = b"",
    ) -> tuple[Finished, T]:
        """Run git and read its output while it comes, so that none of it need be kept.

        Args:
            area: Where.
            config: With which configuration.
            arguments: The subcommand and its arguments.
            parse: Gets the pieces, in a thread; when it returns before their end, or raises, git is killed.
            stdin: What it reads: bytes, or a file; one that is open is closed once git has it.

        Returns:
            How git ended, its output left out, and what ``parse`` returned.

        Raises:
            GitMissingError: there is no git here.
            GitTimeoutError: it took too long; it was killed.
        """
        job = _Job(self, area, config, arguments)
        return await self.in_thread(lambda: job.parse(stdin, parse), job.abort)

    def limited(self, limits: ProcessLimits) -> GitPrograms:
        """Return the same with other limits for each process, in the same threads."""
        other = copy.copy(self)
        other.limits = limits
        return other

    async def in_thread(self, call: Callable[[], T], abort: Callable[[], None]) -> T:
        """Run blocking work in a thread of our own; a cancelled caller aborts it and waits until it is over."""
        job = self._threads.submit(call)
        future = asyncio.wrap_future(job)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not job.cancel():  # else it never began
                abort()
                await asyncio.wait({future})
                future.exception()  # looked at, so that nobody reports it as lost
            raise

    async def to_the_end(self, call: Callable[[], T]) -> T:
        """Run short blocking clean-up in a common thread; a cancelled caller waits until it is over."""
        future = asyncio.get_running_loop().run_in_executor(None, call)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait({future})
            raise

    def _prefix(self, area: Area, config: ConfigFile) -> list[str]:
        environment = _environment(area, config, Path(self._git).parent)
        blocks, kibibytes = self.limits.file_bytes // _BLOCK_BYTES, self.limits.memory_bytes // 1024
        assignments = [f"{name}={value}" for name, value in environment.items()]
        return ["/usr/bin/env", "-i", *assignments, "/bin/sh", "-c", _LIMITS, "sh", str(blocks), str(kibibytes)]


class _Job:
    """One run to the end, which another thread may abort at any moment."""

    def __init__(self, programs: GitPrograms, area: Area, config: ConfigFile, arguments: tuple[str, ...]) -> None:
        self._programs = programs
        self._what = (area, config, arguments)
        self._lock = threading.Lock()
        self._aborted = False
        self._child: Child | None = None

    def run(self, stdin: bytes | Path) -> Finished:
        output = bytearray()
        finished, _ = self.parse(stdin, lambda pieces: _gather(pieces, output))
        return Finished(finished.returncode, bytes(output), finished.stderr)

    def parse(self, stdin: bytes | Path | BinaryIO, parse: Callable[[Iterator[bytes]], T]) -> tuple[Finished, T]:
        if not stdin:
            return self._parse(None, parse)
        if not isinstance(stdin, bytes | Path):
            with stdin:
                return self._parse(stdin, parse)
        source = stdin if isinstance(stdin, Path) else self._what[0].path / f"stdin-{id(self):x}"
        if isinstance(stdin, bytes):
            source.write_bytes(stdin)
        with source.open("rb") as stream:
            return self._parse(stream, parse)

    def abort(self) -> None:
        with self._lock:
            self._aborted = True
            if self._child is not None:
                self._child.kill()

    def _parse(self, stdin: BinaryIO | None, parse: Callable[[Iterator[bytes]], T]) -> tuple[Finished, T]:
        with self._lock:
            if self._aborted:
                raise GitAbortedError("the call was given up")
            area, config, arguments = self._what
            child = self._child = self._programs.start(area, config, arguments, stdin)
        if stdin is not None:
            stdin.close()  # git has its own; whoever writes into a pipe then learns that git is gone
        until = time.monotonic() + self._programs.limits.timeout_seconds
        ended = False
        try:
            pieces = iter(lambda: child.read(until - time.monotonic()), b"")
            result = parse(pieces)
            ended = next(pieces, None) is None
        finally:
            if not ended:
                child.kill()
            status = child.finish()
        if status in _NOT_STARTED:
            raise GitMissingError("git cannot be started on the broker's machine")
        return Finished(status, b"", child.stderr), result


def _gather(pieces: Iterator[bytes], output: bytearray) -> None:
    for piece in pieces:
        output += piece
        if len(output) > MAX_STDOUT_BYTES:
            raise GitTimeoutError("git said more than it may")


def _environment(area: Area, config: ConfigFile, git_folder: Path) -> dict[str, str]:
    """Everything git gets to know of the machine; no value is a secret, as arguments of `env` can be seen."""
    return {
        "PATH": f"{git_folder}:/usr/bin:/bin",
        "LANG": "C",
        "LC_ALL": "C",
        # Not unset: without it libcurl asks the user database for the home and reads the .netrc there.
        "HOME": str(area.home),
        "TMPDIR": str(area.path),
        "GIT_DIR": str(area.repository),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": config.path,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ALLOW_PROTOCOL": config.protocol,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "false",
        "SSH_ASKPASS": "false",
        **config.environment,
    }
