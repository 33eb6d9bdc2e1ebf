"""Bodies from files and pipes, sent beside an intent piece by piece: the form `broker.doors.uploads` reads.

Length and digest are told before the first byte, so a file is read twice, and what comes through a pipe is kept in a
temporary file first. If the file is changed in between, the broker sees that it is not what was declared.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from broker.cli.output import ExitCode, fail
from broker.clock import SystemClock

CHUNK_BYTES: Final = 256 << 10
LARGE_BYTES: Final = 8 << 20
"""From here on a person at a terminal is shown how far it has come."""

_BOUNDARY_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Upload:
    """One body.

    Args:
        member: Name of the param it stands for.
        file: Stands at the body's beginning.
        size_bytes: Of the body.
        sha256: Of the body, hex.
    """

    member: str
    file: BinaryIO
    size_bytes: int
    sha256: str

    @property
    def declaration(self) -> dict[str, Any]:
        """What stands in the params in its place."""
        return {"upload": {"bytes": self.size_bytes, "sha256": self.sha256}}


@dataclass(frozen=True, slots=True)
class Form:
    """A request of an intent and its body.

    Args:
        headers: Its type and its length.
        pieces: It.
    """

    headers: dict[str, str]
    pieces: Iterator[bytes]


@contextmanager
def opened(word: str) -> Iterator[Upload]:
    """Open the body that ``KEY=FILE`` or ``KEY=-`` names; ends the command when it cannot be read."""
    member, equals, name = word.partition("=")
    if not member or not equals or not name:
        fail(f"`{word}` is no upload", ExitCode.USAGE, fix="write `--upload KEY=FILE`, or `KEY=-` for what comes in")
    with ExitStack() as stack:
        try:
            source = sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))
            file = source if source.seekable() else stack.enter_context(tempfile.TemporaryFile())
            start = file.tell() if file is source else 0
            digest, size = _measured(source, None if file is source else file)
            file.seek(start)
        except OSError as error:
            fail(f"cannot read `{name}`: {(error.strerror or 'unknown').lower()}", ExitCode.USAGE)
        yield Upload(member, file, size, digest)


def form_of(intent: dict[str, Any], upload: Upload) -> Form:
    """Return the form of an intent, whose params declare the upload, and of the upload."""
    boundary = SystemClock().entropy(_BOUNDARY_BYTES).hex()
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="intent"\r\nContent-Type: application/json\r\n\r\n'
        f'{json.dumps(intent)}\r\n--{boundary}\r\nContent-Disposition: form-data; name="body"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(head) + upload.size_bytes + len(tail)),
    }
    return Form(headers, _pieces(head, upload, tail))


def _pieces(head: bytes, upload: Upload, tail: bytes) -> Iterator[bytes]:
    yield head
    with _watched(upload) as file:
        left = upload.size_bytes
        while left:
            piece = file.read(min(CHUNK_BYTES, left))
            if not piece:
                fail("the file became shorter while it was sent", ExitCode.FAILED)
            left -= len(piece)
            yield piece
    yield tail


@contextmanager
def _watched(upload: Upload) -> Iterator[BinaryIO]:
    if upload.size_bytes < LARGE_BYTES or not sys.stderr.isatty():
        yield upload.file
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress.wrap_file(upload.file, total=upload.size_bytes)


def _measured(source: BinaryIO, copy: BinaryIO | None) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while piece := source.read(CHUNK_BYTES):
        digest.update(piece)
        size += len(piece)
        if copy is not None:
            copy.write(piece)
    return digest.hexdigest(), size
