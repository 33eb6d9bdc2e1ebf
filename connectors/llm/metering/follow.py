"""Follows a streamed answer: its bytes go by unchanged, its events are metered, and it is known where it stands."""

from __future__ import annotations

from typing import Protocol

from connectors.llm.metering.anthropic import MessagesReader
from connectors.llm.metering.chat import ChatReader
from connectors.llm.metering.responses import ResponsesReader
from connectors.llm.metering.sse import Splitter
from connectors.llm.metering.tally import Follower, Piece, Tally
from connectors.llm.words import Dialect, Phase


class _Reader(Protocol):
    """Reads the events of one dialect."""

    @property
    def tally(self) -> Tally: ...

    @property
    def failure(self) -> tuple[str, str] | None: ...

    def read(self, raw: bytes) -> Phase | None: ...


def follower(dialect: Dialect, *, hide_usage: bool = False) -> Follower:
    """Return what follows an answer of server-sent events.

    Its `Tally.text_bytes` is never less than the bytes of text that went by, and mostly the same: names of fields and
    escapes of JSON may be in it.

    Args:
        dialect: One that streams server-sent events: not ``invoke``, whose streams are frames.
        hide_usage: Whether the chunk of Chat Completions that has usage only is kept from the client: it becomes a
            piece without bytes when nothing is next to it.

    Raises:
        ValueError: the dialect streams something else.
    """
    match dialect:
        case Dialect.MESSAGES:
            return _EventFollower(MessagesReader())
        case Dialect.CHAT:
            return _EventFollower(ChatReader(hide_usage=hide_usage))
        case Dialect.RESPONSES:
            return _EventFollower(ResponsesReader())
        case Dialect.INVOKE:
            raise ValueError("`invoke` streams frames, not server-sent events")


class _EventFollower:
    """Follows server-sent events with the reader of their dialect."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self._splitter = Splitter()
        self._phase = Phase.PRELUDE
        self._hidden = False

    @property
    def tally(self) -> Tally:
        """What was said so far."""
        return self._reader.tally

    @property
    def ended(self) -> bool:
        """Whether the event came that ends an answer."""
        return self._phase is Phase.END

    @property
    def failure(self) -> tuple[str, str] | None:
        """The error that came in the stream; not that of an answer which ended in order after content."""
        return self._reader.failure

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take the next bytes and return the whole events among them, neighbours of one phase as one piece."""
        pieces: list[Piece] = []
        phase: Phase | None = None
        parts: list[bytes] = []
        for raw, whole in self._splitter.feed(chunk):
            self._read(raw, whole=whole)
            if self._phase is not phase:
                if phase is not None:
                    pieces.append(Piece(phase, b"".join(parts)))
                phase, parts = self._phase, []
            if not self._hidden:
                parts.append(raw)
        if phase is not None:
            pieces.append(Piece(phase, b"".join(parts)))
        return pieces

    def finish(self) -> list[Piece]:
        """Return the bytes that never became a whole event."""
        rest = self._splitter.finish()
        return [Piece(self._phase, rest)] if rest else []

    def _read(self, raw: bytes, *, whole: bool) -> None:
        """Note where some bytes stand; after an end or an error nothing else comes."""
        if not whole:
            # The rest of a line end belongs to the event before it; anything else is part of one that is too long.
            if raw != b"\n":
                self._hidden = False
                self._phase = Phase.CONTENT if self._phase is Phase.PRELUDE else self._phase
            return
        self._hidden = False
        if self._phase is Phase.END or self._phase is Phase.ERROR:
            return
        phase = self._reader.read(raw)
        self._hidden = phase is None
        self._phase = phase or Phase.CONTENT
