"""Frames of `application/vnd.amazon.eventstream`, in and out.

A frame is a prelude (its length, the length of its headers, a CRC32 of these two), headers, a payload and a CRC32 of
all before it (AWS, "Event stream encoding"; Smithy, "Amazon Event Stream Specification"). Both sums are checked, and a
length is believed only when its own sum fits, so that a broken length never makes the reader wait for bytes that do not
come.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MEDIA_TYPE: Final = "application/vnd.amazon.eventstream"
MAX_MESSAGE_BYTES: Final = 24 << 20
"""Most a frame has with all that belongs to it; AWS gives the same number for its payload."""
MAX_HEADER_BYTES: Final = 128 << 10

HeaderValue = bool | int | str | bytes
"""A UUID comes as its 16 bytes, a timestamp as milliseconds since the epoch."""

_PRELUDE: Final = struct.Struct(">III")
_SUM: Final = struct.Struct(">I")
_LENGTH: Final = struct.Struct(">H")
_OVERHEAD_BYTES: Final = _PRELUDE.size + _SUM.size
_FLAGS: Final = {0: True, 1: False}
_INTEGERS: Final = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_BYTES: Final = 6
_TEXT: Final = 7
_TIMESTAMP: Final = 8
_UUID: Final = 9
_UUID_BYTES: Final = 16
_MAX_NAME_BYTES: Final = 255
_MAX_VALUE_BYTES: Final = (32 << 10) - 1
_LONG: Final = _INTEGERS[5]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame whose sums fit.

    Args:
        headers: By name, as they were sent; each name once.
        payload: What it carries.
        raw: All of it, as it came.
    """

    headers: Mapping[str, HeaderValue]
    payload: bytes
    raw: bytes

    def text(self, name: str) -> str:
        """Return a header that is text; empty when there is none."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else ""


class FrameError(Exception):
    """The bytes are no frames, or not those that were sent.

    Args:
        message: What is wrong with them.
        before: Whole frames of the same bytes that stand before it.
    """

    def __init__(self, message: str, before: tuple[Frame, ...] = ()) -> None:
        super().__init__(message)
        self.before = before


class FrameReader:
    """Splits a stream of bytes into frames, however they were cut; holds one frame at most."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def rest(self) -> bytes:
        """Bytes that are no whole frame yet."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take the next bytes and return the frames that became whole.

        Raises:
            FrameError: a sum or a length does not fit; nothing can be read from this stream after that.
        """
        self._buffer += chunk
        frames: list[Frame] = []
        start = 0
        try:
            while (size := _size(self._buffer, start)) and len(self._buffer) - start >= size:
                frames.append(_frame(bytes(self._buffer[start : start + size])))
                start += size
        except FrameError as error:
            self._buffer.clear()
            raise FrameError(str(error), tuple(frames)) from None
        del self._buffer[:start]
        return frames


def encode(headers: Mapping[str, HeaderValue], payload: bytes) -> bytes:
    """Return a frame; integers are written as 64 bits.

    Raises:
        FrameError: a name, a value or all of it is too long.
    """
    head = b"".join(_header(name, value) for name, value in headers.items())
    size = len(head) + len(payload) + _OVERHEAD_BYTES
    if len(head) > MAX_HEADER_BYTES or size > MAX_MESSAGE_BYTES:
        raise FrameError("the frame is too long")
    lengths = _PRELUDE.pack(size, len(head), 0)[:8]
    body = lengths + _SUM.pack(zlib.crc32(lengths)) + head + payload
    return body + _SUM.pack(zlib.crc32(body))


def _size(buffer: bytearray, start: int) -> int:
    """Return the length of the frame that begins here; 0 while its prelude is not whole."""
    if len(buffer) - start < _PRELUDE.size:
        return 0
    size, head, checksum = _PRELUDE.unpack_from(buffer, start)
    if zlib.crc32(buffer[start : start + 8]) != checksum:
        raise FrameError("the sum of a prelude does not fit")
    if head > MAX_HEADER_BYTES or not head + _OVERHEAD_BYTES <= size <= MAX_MESSAGE_BYTES:
        raise FrameError("the lengths of a frame do not fit")
    return int(size)


def _frame(raw: bytes) -> Frame:
    (checksum,) = _SUM.unpack_from(raw, len(raw) - _SUM.size)
    if zlib.crc32(raw[: -_SUM.size]) != checksum:
        raise FrameError("the sum of a frame does not fit")
    end = _PRELUDE.size + _PRELUDE.unpack_from(raw)[1]
    try:
        headers = _headers(raw[_PRELUDE.size : end])
    except (struct.error, UnicodeDecodeError, IndexError):
        raise FrameError("the headers of a frame cannot be read") from None
    return Frame(headers, raw[end : -_SUM.size], raw)


def _headers(head: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    while at < len(head):
        start, at = at + 1, at + 1 + head[at]
        name = head[start:at].decode()
        kind = head[at]
        if name in headers:
            raise FrameError("a frame has a header twice")
        headers[name], at = _value(head, at + 1, kind)
    return headers


def _value(head: bytes, at: int, kind: int) -> tuple[HeaderValue, int]:
    """Return a value and where the next header begins."""
    if kind in _FLAGS:
        return _FLAGS[kind], at
    if kind in _INTEGERS or kind == _TIMESTAMP:
        layout = _INTEGERS.get(kind, _LONG)
        return int(layout.unpack_from(head, at)[0]), at + layout.size
    if kind not in {_BYTES, _TEXT, _UUID}:
        raise FrameError("a header of a frame is of an unknown type")
    if kind == _UUID:
        size = _UUID_BYTES
    else:
        size, at = _LENGTH.unpack_from(head, at)[0], at + _LENGTH.size
    value = head[at : at + size]
    if len(value) < size:
        raise FrameError("a header of a frame is cut")
    return value.decode() if kind == _TEXT else value, at + size


def _header(name: str, value: HeaderValue) -> bytes:
    label = name.encode()
    if not 0 < len(label) <= _MAX_NAME_BYTES:
        raise FrameError("the name of a header is too long or empty")
    return bytes((len(label),)) + label + _typed(value)


def _typed(value: HeaderValue) -> bytes:
    if isinstance(value, bool):
        return b"\x00" if value else b"\x01"
    if isinstance(value, int):
        try:
            return b"\x05" + _LONG.pack(value)
        except struct.error:
            raise FrameError("a number does not fit into 64 bits") from None
    kind, content = (_TEXT, value.encode()) if isinstance(value, str) else (_BYTES, value)
    if len(content) > _MAX_VALUE_BYTES:
        raise FrameError("the value of a header is too long")
    return bytes((kind,)) + _LENGTH.pack(len(content)) + content
