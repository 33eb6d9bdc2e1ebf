"""Frames on the vault's socket, and the JSON forms of what is not secret.

A frame is ``length of the rest (4) || length of the header (4) || header || raw``, big-endian. The header is a JSON
object; raw bytes carry everything secret and everything bulky. A request's header has ``i`` (its id, chosen by the
client), ``op`` and arguments; an answer has the same ``i``, and ``e``, ``m`` and ``r`` (code, message, reason) when it
is an error.

Both ends are of one release and one user: there is no version negotiation, and whatever does not parse ends the
connection.
"""

from __future__ import annotations

import struct
from dataclasses import asdict
from typing import Any, Final

import orjson

from vault.errors import BadRequestError, LeaseRefusedError, VaultError, error_from_wire
from vault.model import CredentialInfo, CredentialKind, CredentialRef

JsonObject = dict[str, Any]

MAX_HEADER_BYTES: Final = 1 << 20
"""The longest header is a page of the list of credentials or the spans of a scan."""
MAX_RAW_BYTES: Final = 384 << 10
"""The longest raw part is the fields of a credential or one window of a scan."""
MAX_FRAME_BYTES: Final = 4 + MAX_HEADER_BYTES + MAX_RAW_BYTES

_SIZES: Final = struct.Struct(">II")
_HEADER_SIZE: Final = 4


class FrameError(Exception):
    """Bytes that are no frame of ours; the connection has no future."""


Frame = tuple[JsonObject, bytes]
"""Header and raw part."""


def encode_frame(header: JsonObject, raw: bytes = b"") -> bytes:
    """Return a frame.

    Raises:
        BadRequestError: it would be larger than the other end takes, or the header has no JSON form.
    """
    try:
        encoded = orjson.dumps(header)
    except TypeError:
        raise BadRequestError("the request has no JSON form") from None
    if len(encoded) > MAX_HEADER_BYTES or len(raw) > MAX_RAW_BYTES:
        raise BadRequestError("the request is too large for the vault")
    return _SIZES.pack(_HEADER_SIZE + len(encoded) + len(raw), len(encoded)) + encoded + raw


class FrameDecoder:
    """Turns bytes as they arrive into frames; holds at most one frame and one read."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes and return the frames that are complete now.

        Raises:
            FrameError: they are no frames of ours.
        """
        self._buffer += data
        frames: list[Frame] = []
        at = 0
        while len(self._buffer) - at >= _SIZES.size:
            size, header_size = _SIZES.unpack_from(self._buffer, at)
            if size > MAX_FRAME_BYTES or header_size > MAX_HEADER_BYTES or header_size > size - _HEADER_SIZE:
                raise FrameError
            end = at + _HEADER_SIZE + size
            if len(self._buffer) < end:
                break
            start = at + _SIZES.size
            # One copy of what may be large: a slice of a bytearray would be a second one.
            with memoryview(self._buffer) as view:
                header, raw = bytes(view[start : start + header_size]), bytes(view[start + header_size : end])
            frames.append((_parse(header), raw))
            at = end
        del self._buffer[:at]
        return frames


def encode_error(error: VaultError) -> JsonObject:
    """Return the header fields of an error."""
    reason = error.reason.value if isinstance(error, LeaseRefusedError) else ""
    return {"e": error.code, "m": str(error), "r": reason}


def decode_error(header: JsonObject) -> VaultError | None:
    """Return the error an answer tells of, None when it is none."""
    if "e" not in header:
        return None
    return error_from_wire(str(header["e"]), str(header.get("m", "")), str(header.get("r", "")))


def encode_info(info: CredentialInfo) -> JsonObject:
    """Return the JSON form of what may be shown of a credential."""
    return asdict(info)


def decode_info(data: JsonObject) -> CredentialInfo:
    """Return what `encode_info` was given."""
    return CredentialInfo(
        ref=CredentialRef(data["ref"]),
        kind=CredentialKind(data["kind"]),
        version=data["version"],
        hosts=tuple(data["hosts"]),
        identity=data["identity"],
        created_at_ns=data["created_at_ns"],
        last_used_at_ns=data["last_used_at_ns"],
    )


def _parse(encoded: bytes) -> JsonObject:
    try:
        header = orjson.loads(encoded)
    except orjson.JSONDecodeError:
        # Not chained: the decoder's error holds the whole document.
        raise FrameError from None
    if not isinstance(header, dict) or not isinstance(header.get("i"), int):
        raise FrameError
    return header
