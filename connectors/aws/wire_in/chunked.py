"""``aws-chunked`` bodies, piece by piece and in bounded memory: framing, signatures of chunks, trailers.

    hex-size[;chunk-signature=hex64] CRLF data CRLF … 0[;chunk-signature=hex64] CRLF [name:value CRLF …] CRLF

A signed chunk is handed on when its signature has been checked, so it is held whole and has a bound. An unsigned one is
handed on as it comes, but for the last piece, which waits for the trailers: of their checksums CRC32, SHA-1 and
SHA-256 are checked here; CRC32C and CRC64NVME are not in Python's library and are for the upstream to check.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Final, Protocol

from connectors.aws.wire_in.canonical import signature
from connectors.aws.wire_in.refusal import Reason, RefusedError, malformed
from connectors.aws.wire_in.sigv4 import ChunkSeed

MAX_SIGNED_CHUNK_BYTES: Final = 4 << 20
"""SDKs send 64 kB to 1 MB."""
MAX_LINE_BYTES: Final = 1024
_CRLF: Final = b"\r\n"
_UNSIGNED_HEAD: Final = re.compile(rb"([0-9A-Fa-f]{1,12})")
_SIGNED_HEAD: Final = re.compile(rb"([0-9A-Fa-f]{1,12});chunk-signature=([0-9a-f]{64})")
_TRAILER: Final = re.compile(rb"([A-Za-z0-9-]{1,64}):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)[ \t]*")
_TRAILER_SIGNATURE: Final = "x-amz-trailer-signature"
_EMPTY: Final = hashlib.sha256(b"").hexdigest()


class _Checksum(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_CHECKSUMS: Final[Mapping[str, Callable[[], _Checksum]]] = {
    "x-amz-checksum-crc32": _Crc32,
    "x-amz-checksum-sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "x-amz-checksum-sha256": hashlib.sha256,
}
"""A checksum against accidents; what is signed is signed with SHA-256."""


class _State(Enum):
    HEAD = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILERS = auto()
    DONE = auto()


class ChunkedBody:
    """Decodes one body.

    Args:
        length_bytes: What the head says the chunks hold.
        seed: Of signed chunks, None when they are not signed.
        trailer_names: Lower-case names of the trailers the head announced.
        trailing: Trailers may follow.
    """

    def __init__(
        self, length_bytes: int, *, seed: ChunkSeed | None, trailer_names: frozenset[str], trailing: bool
    ) -> None:
        self._left_bytes = length_bytes
        self._seed = seed
        self._signature = seed.signature if seed is not None else ""
        self._trailer_names = trailer_names
        self._trailing = trailing
        self._checksums = {name: make() for name, make in _CHECKSUMS.items() if name in trailer_names}
        self._trailers: dict[str, str] = {}
        self._buffer = bytearray()
        self._held = b""
        self._state = _State.HEAD
        self._chunk_bytes = 0
        self._claimed = ""

    @property
    def trailers(self) -> Mapping[str, str]:
        """Trailing headers, lower case, once finished; without the signature over them."""
        return self._trailers

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes, any number, and return what may be handed on.

        Raises:
            RefusedError: they are not in the form of chunks, not what was signed, or more than announced.
        """
        self._buffer += data
        out = bytearray()
        while self._step(out):
            pass
        if not out:
            return b""
        for checksum in self._checksums.values():
            checksum.update(bytes(out))
        released, self._held = self._held, bytes(out)
        return released

    def finish(self) -> bytes:
        """Return the last bytes, once there are no more to come.

        Raises:
            RefusedError: the body is cut, shorter than announced, or a checksum in its trailers is not its own.
        """
        if self._state is not _State.DONE or self._buffer:
            raise malformed("the chunks are cut or something follows them")
        if self._left_bytes:
            raise malformed("the chunks hold less than `x-amz-decoded-content-length`")
        missing = self._trailer_names - self._trailers.keys()
        if missing:
            raise malformed("an announced trailer is not there")
        for name, checksum in self._checksums.items():
            if self._trailers[name] != base64.b64encode(checksum.digest()).decode("ascii"):
                raise RefusedError(Reason.PAYLOAD_MISMATCH, f"`{name}` is not the checksum of the body")
        released, self._held = self._held, b""
        return released

    def _step(self, out: bytearray) -> bool:
        """Take one thing out of the buffer; False when it is not there yet."""
        match self._state:
            case _State.HEAD:
                return self._head()
            case _State.DATA:
                return self._data(out)
            case _State.DATA_END:
                return self._data_end()
            case _State.TRAILERS:
                return self._trailer()
            case _State.DONE:
                if self._buffer:
                    raise malformed("something follows the chunks")
                return False

    def _line(self) -> bytes | None:
        end = self._buffer.find(_CRLF, 0, MAX_LINE_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_LINE_BYTES:
                raise malformed(f"a line of the chunks has more than {MAX_LINE_BYTES} bytes")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + len(_CRLF)]
        return line

    def _head(self) -> bool:
        line = self._line()
        if line is None:
            return False
        found = (_UNSIGNED_HEAD if self._seed is None else _SIGNED_HEAD).fullmatch(line)
        if found is None:
            raise malformed("the head of a chunk is not a size and, where chunks are signed, a signature")
        size = int(found[1], 16)
        if size > self._left_bytes:
            raise malformed("the chunks hold more than `x-amz-decoded-content-length`")
        if self._seed is not None and size > MAX_SIGNED_CHUNK_BYTES:
            raise RefusedError(Reason.TOO_LARGE, f"a signed chunk has more than {MAX_SIGNED_CHUNK_BYTES} bytes")
        self._left_bytes -= size
        self._chunk_bytes = size
        self._claimed = found[2].decode("ascii") if self._seed is not None else ""
        self._state = _State.DATA if size else _State.TRAILERS
        if not size:
            self._check_chunk(b"")
        return True

    def _data(self, out: bytearray) -> bool:
        if not self._buffer or (self._seed is not None and len(self._buffer) < self._chunk_bytes):
            return False
        piece = bytes(self._buffer[: self._chunk_bytes])
        del self._buffer[: self._chunk_bytes]
        self._check_chunk(piece)
        out += piece
        self._chunk_bytes -= len(piece)
        if not self._chunk_bytes:
            self._state = _State.DATA_END
        return True

    def _data_end(self) -> bool:
        if len(self._buffer) < len(_CRLF):
            return False
        if self._buffer[: len(_CRLF)] != _CRLF:
            raise malformed("a chunk is longer than its size")
        del self._buffer[: len(_CRLF)]
        self._state = _State.HEAD
        return True

    def _trailer(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if not line:
            self._end()
            return True
        # AWS's own example ends a trailer with a line feed before the end of the line.
        found = _TRAILER.fullmatch(line.removesuffix(b"\n"))
        name = found[1].decode("ascii").lower() if found is not None else ""
        allowed = name in self._trailer_names or (name == _TRAILER_SIGNATURE and self._seed is not None)
        if found is None or not self._trailing or not allowed:
            raise malformed("a trailer was not announced or is malformed")
        if name in self._trailers:
            raise RefusedError(Reason.DECOY, f"trailer `{name}` is there twice")
        self._trailers[name] = found[2].decode("ascii")
        return True

    def _end(self) -> None:
        claimed = self._trailers.pop(_TRAILER_SIGNATURE, None)
        if self._trailing and self._seed is not None:
            text = "".join(f"{name}:{value}\n" for name, value in sorted(self._trailers.items()))
            digest = hashlib.sha256(text.encode()).hexdigest()
            self._claimed = claimed or ""
            self._check_signature("AWS4-HMAC-SHA256-TRAILER", digest)
        self._state = _State.DONE

    def _check_chunk(self, data: bytes) -> None:
        if self._seed is not None:
            self._check_signature("AWS4-HMAC-SHA256-PAYLOAD", f"{_EMPTY}\n{hashlib.sha256(data).hexdigest()}")

    def _check_signature(self, kind: str, digests: str) -> None:
        """Each signature is over the one before it."""
        seed = self._seed
        if seed is None:
            return
        text = f"{kind}\n{seed.stamp}\n{seed.scope}\n{self._signature}\n{digests}"
        expected = signature(seed.key, text)
        if not hmac.compare_digest(expected, self._claimed):
            raise RefusedError(Reason.SIGNATURE_WRONG, "the signature of a chunk or trailer is not right")
        self._signature = expected
