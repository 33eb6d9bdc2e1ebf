"""Bodies that are read piece by piece: what is handed on was signed, or is checked before its last byte leaves.

A decoder holds back the last piece it has. An upload whose end does not verify therefore never gets the length its
head announced, and no service stores it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from connectors.aws.wire_in.chunked import ChunkedBody
from connectors.aws.wire_in.refusal import Reason, Refusal, RefusedError
from connectors.aws.wire_in.request import WireRequest
from connectors.aws.wire_in.sigv4 import PayloadMode, Verified

_LENGTH: Final = re.compile(r"[0-9]{1,15}", re.ASCII)


class BodyDecoder(Protocol):
    """Turns the bytes of a body as sent into those it means."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes, any number, and return what may be handed on.

        Raises:
            RefusedError: they are not what was signed.
        """

    def finish(self) -> bytes:
        """Return the last bytes, once there are no more to come.

        Raises:
            RefusedError: the body is cut or is not what was signed.
        """

    @property
    def trailers(self) -> Mapping[str, str]:
        """Trailing headers, lower case, once finished."""


class Digest(Protocol):
    """A SHA-256 in the making, as `hashlib.sha256()` is one."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""

    def hexdigest(self) -> str:
        """Return the digest of all of them."""


class PlainBody:
    """A body as it is.

    Args:
        sha256: Digest that was signed, hex; empty when none was.
        begin: Begins a digest.
    """

    def __init__(self, sha256: str = "", begin: Callable[[], Digest] = hashlib.sha256) -> None:
        self._expected = sha256
        self._digest = begin() if sha256 else None
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """As `BodyDecoder.feed`."""
        if not data:
            return b""
        if self._digest is not None:
            self._digest.update(data)
        released, self._held = self._held, data
        return released

    def finish(self) -> bytes:
        """As `BodyDecoder.finish`."""
        if self._digest is not None and not hmac.compare_digest(self._digest.hexdigest(), self._expected):
            raise RefusedError(Reason.PAYLOAD_MISMATCH, "the body does not have the digest that was signed")
        released, self._held = self._held, b""
        return released

    @property
    def trailers(self) -> Mapping[str, str]:
        """There are none."""
        return {}


def decoder_for(
    verified: Verified, request: WireRequest, begin: Callable[[], Digest] = hashlib.sha256
) -> BodyDecoder | Refusal:
    """Return the decoder of a request's body.

    Args:
        verified: Its signature.
        request: Its head.
        begin: Begins the digest of a body that was signed as a whole.
    """
    mode = verified.claim.mode
    if mode in {PayloadMode.DIGEST, PayloadMode.UNSIGNED}:
        return PlainBody(verified.claim.payload if mode is PayloadMode.DIGEST else "", begin)
    try:
        length = request.header("x-amz-decoded-content-length") or ""
        trailer = request.header("x-amz-trailer") or ""
    except RefusedError as error:
        return error.refusal
    if not _LENGTH.fullmatch(length):
        return Refusal(Reason.MALFORMED, "a body in chunks needs the header `x-amz-decoded-content-length`")
    trailing = mode is not PayloadMode.CHUNKS_SIGNED
    names = frozenset(name.strip().lower() for name in trailer.split(",") if name.strip()) if trailing else frozenset()
    return ChunkedBody(
        int(length),
        seed=None if mode is PayloadMode.CHUNKS_UNSIGNED_TRAILER else verified.seed,
        trailer_names=names,
        trailing=trailing,
    )
