"""Follows a streamed answer of Bedrock's: frames whose payload holds an event of Anthropic's.

InvokeModelWithResponseStream sends frames of type ``chunk`` with ``{"bytes": base64(event)}``, the last event with
``amazon-bedrock-invocationMetrics`` in it, and frames of ``:message-type: exception`` when it fails on the way (Bedrock
API reference, "ResponseStream"). A client of Bedrock's gets the frames byte for byte; a client of Anthropic's gets the
events as Anthropic would have sent them.

A frame whose sums do not fit ends it: what stood before it is given, nothing after it is, and it is never an end.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

import orjson

from connectors.llm.bedrock.errors import anthropic_error, envelope, message_of
from connectors.llm.bedrock.frames import Frame, FrameError, FrameReader
from connectors.llm.metering.anthropic import EventReader
from connectors.llm.metering.fields import count
from connectors.llm.metering.tally import Piece, Tally
from connectors.llm.words import Phase

CORRUPT: Final = "stream_corrupt"
"""Type of the failure of a stream whose frames cannot be read."""
_METRICS: Final = "amazon-bedrock-invocationMetrics"
_FIELDS: Final = (
    ("input_tokens", "inputTokenCount"),
    ("output_tokens", "outputTokenCount"),
    ("cache_read_tokens", "cacheReadInputTokenCount"),
    ("cache_write_tokens", "cacheWriteInputTokenCount"),
)
_EVENT_TYPE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_LINE_ENDS: Final = re.compile(rb"[\r\n]")
_MAX_TYPE_CHARS: Final = 128


class BedrockFollower:
    """`connectors.llm.metering.tally.Follower` of frames; made by `as_frames` or `as_sse`."""

    def __init__(self, *, sse: bool) -> None:
        self._sse = sse
        self._frames = FrameReader()
        self._events = EventReader()
        self._ended = False
        self._failure: tuple[str, str] | None = None
        self._corrupt = False

    @property
    def tally(self) -> Tally:
        """What was said so far."""
        return self._events.tally

    @property
    def ended(self) -> bool:
        """Whether the event came that ends an answer."""
        return self._ended

    @property
    def failure(self) -> tuple[str, str] | None:
        """Type and message of the error in the stream; None for none.

        The type is an exception's own name when the client gets frames, Anthropic's when it gets events, and `CORRUPT`
        when the frames cannot be read.
        """
        return self._failure or self._events.failure

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take the next bytes and return the whole frames among them, neighbours of one phase as one piece."""
        if self._corrupt:
            return []
        why = ""
        try:
            frames = self._frames.feed(chunk)
        except FrameError as error:
            frames, why = list(error.before), str(error)
        return _merged(self._pieces(frames, why))

    def finish(self) -> list[Piece]:
        """Return the bytes that never became a frame; a client of Anthropic's has no use for them."""
        rest = b"" if self._corrupt or self._sse else self._frames.rest
        return [Piece(Phase.END if self._ended else Phase.CONTENT, rest)] if rest else []

    def _pieces(self, frames: list[Frame], why: str) -> Iterator[Piece]:
        for frame in frames:
            yield self._piece(frame)
            if self._corrupt:
                return
        if why:
            yield self._broken(why)

    def _piece(self, frame: Frame) -> Piece:
        if frame.text(":message-type") in {"exception", "error"}:
            return self._failed(frame)
        if frame.text(":event-type") != "chunk":
            return self._unread(frame)
        inner = _inner(frame.payload)
        event = _object(inner)
        if event is not None:
            return self._told(frame, event, inner)
        # A client of Bedrock's can see for itself; one of Anthropic's would miss a part and not know.
        return self._broken("an event cannot be read") if self._sse else self._unread(frame)

    def _unread(self, frame: Frame) -> Piece:
        if self._sse:
            return Piece(self._phase(self._events.aside()), b"")
        return Piece(self._phase(self._events.content(len(frame.payload))), frame.raw)

    def _told(self, frame: Frame, event: dict[str, Any], inner: bytes) -> Piece:
        metrics = event.pop(_METRICS, None)
        phase = self._events.read(event)
        if isinstance(metrics, dict):
            _count(self.tally, metrics)
        if phase is not Phase.ERROR and (phase is Phase.END or metrics is not None):
            self._ended = True
        if not self._sse:
            return Piece(self._phase(phase), frame.raw)
        return Piece(self._phase(phase), _as_event(event, None if metrics is not None else inner))

    def _failed(self, frame: Frame) -> Piece:
        name = frame.text(":exception-type") or frame.text(":error-code")
        message = message_of(frame.payload) or frame.text(":error-message") or "Amazon Bedrock ended the stream"
        kind = anthropic_error(name)[1]
        self._failure = self._failure or (kind if self._sse else name[:_MAX_TYPE_CHARS], message)
        return Piece(Phase.ERROR, _error_event(kind, message) if self._sse else frame.raw)

    def _broken(self, why: str) -> Piece:
        """Take nothing more from this stream; an answer that has ended by then has ended."""
        self._corrupt = True
        if self._ended:
            return Piece(Phase.END, b"")
        self._failure = self._failure or (CORRUPT, why)
        event = _error_event("api_error", "the upstream's stream is corrupt") if self._sse else b""
        return Piece(Phase.ERROR, event)

    def _phase(self, phase: Phase) -> Phase:
        return Phase.END if self._ended else phase


def as_frames() -> BedrockFollower:
    """Return a follower for a client that speaks to Bedrock: every frame passes as it came."""
    return BedrockFollower(sse=False)


def as_sse() -> BedrockFollower:
    """Return a follower for a client that speaks to Anthropic: each frame becomes a server-sent event."""
    return BedrockFollower(sse=True)


def _inner(payload: bytes) -> bytes:
    """Return the event in a chunk; nothing when there is none."""
    document = _object(payload)
    coded = document.get("bytes") if document is not None else None
    if not isinstance(coded, str):
        return b""
    try:
        return base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _as_event(event: dict[str, Any], verbatim: bytes | None) -> bytes:
    """Return a server-sent event; the data as it came where it may stay as it is, and is one line."""
    data = verbatim if verbatim is not None and not _LINE_ENDS.search(verbatim) else orjson.dumps(event)
    kind = event.get("type")
    name = f"event: {kind}\n" if isinstance(kind, str) and _EVENT_TYPE.fullmatch(kind) else ""
    return name.encode() + b"data: " + data + b"\n\n"


def _error_event(kind: str, message: str) -> bytes:
    return b"event: error\ndata: " + envelope(kind, message) + b"\n\n"


def _count(tally: Tally, metrics: dict[str, Any]) -> None:
    """Take Bedrock's own count where the events did not end with one, and never less than they gave."""
    if tally.final:
        return
    for name, key in _FIELDS:
        setattr(tally, name, max(getattr(tally, name), count(metrics.get(key)) or 0))
    tally.final = count(metrics.get("outputTokenCount")) is not None


def _merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the pieces, neighbours of one phase as one."""
    groups = groupby(pieces, key=lambda piece: piece.phase)
    return [Piece(phase, b"".join(piece.raw for piece in group)) for phase, group in groups]
