"""Takes a pack in, once: written to a file, measured and hashed while git checks and indexes it.

    1  the header             a pack of version 2 with not too many objects, before git makes room for them
    2  every piece            counted, hashed, written to the file, handed to ``git index-pack --strict``
    3  index-pack             inflates all, resolves deltas, checks each object (fsck) and link; completes a thin pack
    4  the index              the last object ends where the pack ends: nothing is hidden behind it

git reads a pack from a pipe up to its checksum and says nothing of what follows, so 4 is ours. What is sent on is the
file, byte for byte what came in.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from connectors.errors import NotSentError, UpstreamRefusedError
from connectors.git.process import CHUNK_BYTES, Finished
from connectors.git.quarantine.index import read_index
from connectors.git.quarantine.limits import YardLimits
from connectors.git.quarantine.local import LocalGit, words_of

_HEADER: Final = struct.Struct(">4sII")
_VERSION: Final = 2
_CHECKSUM_BYTES: Final = 20
_EMPTY: Final = _HEADER.pack(b"PACK", _VERSION, 0)
_EMPTY_PACK: Final = _EMPTY + hashlib.sha1(_EMPTY, usedforsecurity=False).digest()
"""What git sends when the host has every object already."""
_PIPE_BYTES: Final = 1 << 20
"""As much as an unprivileged process may have on Linux; it lets the sender run ahead of git."""
_FULL_BYTES: Final = 16 << 20
"""With less room than this a failure is put down to the disk."""


@dataclass(frozen=True, slots=True)
class TakenPack:
    """A pack that is sound.

    Args:
        path: The file with the bytes that came in.
        size_bytes: Its length.
        sha256: Its digest in hex.
        names: Binary ids of the objects in it.
    """

    path: Path
    size_bytes: int
    sha256: str
    names: frozenset[bytes]


async def take_pack(git: LocalGit, pieces: AsyncIterator[bytes], limits: YardLimits) -> TakenPack:
    """Read a pack to its end.

    Args:
        git: In whose repository its objects go.
        pieces: The pack, of any sizes.
        limits: How large it may be.

    Raises:
        UpstreamRefusedError: it is no sound pack, code ``bad-pack``, or too large, code ``too-large``.
        UploadBrokenError: as raised by ``pieces``.
        NotSentError: this machine is at fault.
    """
    batches = _batched(pieces)
    first = await anext(batches, b"")
    count = _object_count(first, limits)
    if not count:
        return await _take_empty(git.area.path / "incoming.pack", first, batches)
    tee = _Tee(git.area.path / "incoming.pack")
    finished = await _Indexing(git, tee, limits).run(first, batches)
    if not finished.ok:
        raise _refusal(git.area.path, finished)
    # Both files are git's own work on what it found to be sound.
    index = next(git.area.repository.glob("objects/pack/*.idx"))
    held = await git.programs.in_thread(lambda: read_index(index.read_bytes(), count), lambda: None)
    end = held.end or index.with_suffix(".pack").stat().st_size - _CHECKSUM_BYTES
    if tee.broken or tee.size_bytes != end + _CHECKSUM_BYTES:
        raise UpstreamRefusedError("bytes follow the end of the pack; nothing was pushed", code="bad-pack")
    return TakenPack(tee.path, tee.size_bytes, tee.sha256, held.names)


class _Tee:
    """Where the bytes go; used in one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self.broken = False
        self._digest = hashlib.sha256()
        self._file = path.open("xb", buffering=0)
        reader, self._pipe = os.pipe()
        self.reader: BinaryIO = os.fdopen(reader, "rb", buffering=0)
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # pragma: no branch - Linux has it
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    @property
    def sha256(self) -> str:
        """Digest of all that was written, in hex."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Take the next bytes; it blocks while git is behind."""
        self.size_bytes += len(data)
        self._digest.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._pipe, rest) :]
        except BrokenPipeError:  # git has ended: it found a fault, or what it took for the end
            self.broken = True

    def close(self) -> None:
        """Say that this was all."""
        os.close(self._pipe)
        self._file.close()


@dataclass(frozen=True, slots=True)
class _Indexing:
    """git, and what is fed to it."""

    git: LocalGit
    tee: _Tee
    limits: YardLimits

    async def run(self, first: bytes, batches: AsyncIterator[bytes]) -> Finished:
        flags = ("--stdin", "--fix-thin", "--strict", f"--max-input-size={self.limits.pack_bytes}")
        indexing = asyncio.create_task(self.git.parse(_drained, "index-pack", *flags, stdin=self.tee.reader))
        try:
            try:
                await self._feed(first, batches, indexing)
            finally:
                self.tee.close()
            finished, _ = await indexing
        except BaseException:
            indexing.cancel()
            await asyncio.wait({indexing})
            raise
        finally:
            self.tee.reader.close()
        return finished

    async def _feed(
        self, first: bytes, batches: AsyncIterator[bytes], indexing: asyncio.Task[tuple[Finished, None]]
    ) -> None:
        batch = first
        while batch and not self.tee.broken:
            if self.tee.size_bytes + len(batch) > self.limits.pack_bytes:
                raise UpstreamRefusedError(f"a pack has at most {self.limits.pack_bytes} bytes", code="too-large")
            await self.git.programs.in_thread(partial(self.tee.write, batch), partial(_cancel, indexing))
            batch = await anext(batches, b"")


def _cancel(indexing: asyncio.Task[tuple[Finished, None]]) -> None:
    """End git, and with it a write that waits for git."""
    indexing.cancel()


async def _take_empty(path: Path, first: bytes, batches: AsyncIterator[bytes]) -> TakenPack:
    if first != _EMPTY_PACK or [batch async for batch in batches]:
        raise UpstreamRefusedError("the pack is not sound, nothing was pushed", code="bad-pack")
    await asyncio.to_thread(path.write_bytes, first)
    return TakenPack(path, len(first), hashlib.sha256(first).hexdigest(), frozenset())


def _object_count(first: bytes, limits: YardLimits) -> int:
    if len(first) < _HEADER.size:
        raise UpstreamRefusedError("the pack ends before it begins; nothing was pushed", code="bad-pack")
    magic, version, count = _HEADER.unpack_from(first)
    if magic != b"PACK" or version != _VERSION:
        raise UpstreamRefusedError("it is not a pack of version 2; nothing was pushed", code="bad-pack")
    if count > limits.objects:
        raise UpstreamRefusedError(f"a pack has at most {limits.objects} objects, not {count}", code="too-large")
    return int(count)


def _refusal(folder: Path, finished: Finished) -> NotSentError | UpstreamRefusedError:
    if finished.returncode < 0 or shutil.disk_usage(folder).free < _FULL_BYTES:
        return NotSentError("the pack cannot be looked at: the broker's machine is short of room or memory")
    words = words_of(finished.stderr)
    return UpstreamRefusedError(f"the pack is not sound, nothing was pushed: {words}", code="bad-pack")


def _drained(pieces: Iterator[bytes]) -> None:
    """Let git say what it likes; after a pack it repeats what it read too far."""
    for _ in pieces:
        pass


async def _batched(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Join small pieces, as each batch costs a change of thread; the first has the whole header."""
    batch = bytearray()
    async for piece in pieces:
        batch += piece
        if len(batch) >= CHUNK_BYTES:
            yield bytes(batch)
            batch.clear()
    if batch:
        yield bytes(batch)
