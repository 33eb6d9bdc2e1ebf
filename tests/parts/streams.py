"""A door's two streams in memory: what comes in is given, what goes out is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from broker.exchange import ClientGoneError
from connectors.errors import UploadBrokenError


class PaperUpload:
    """A body in pieces, and perhaps an error at its end."""

    def __init__(self, *pieces: bytes, broken: str = "", trailers: Mapping[str, str] | None = None) -> None:
        self._pieces = pieces
        self._broken = broken
        self._said = dict(trailers or {})
        self.trailers: Mapping[str, str] = {}
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.read += 1
            yield piece
        if self._broken:
            raise UploadBrokenError(self._broken)
        self.trailers = self._said


class PaperExchange:
    """A door that keeps what goes out.

    Args:
        upload: What comes in.
        streams: Bodies go out here.
        gone_after: Pieces after which nobody reads on; -1 for never.
    """

    def __init__(self, upload: PaperUpload | None = None, *, streams: bool = True, gone_after: int = -1) -> None:
        self.upload = upload
        self.outlet = self if streams else None
        self._gone_after = gone_after
        self.begun: tuple[dict[str, Any], str] | None = None
        self.written: list[bytes] = []

    async def begin(self, intent_id: str, data: dict[str, Any], media_type: str) -> None:
        assert intent_id.startswith("int_")
        assert self.begun is None
        self.begun = (data, media_type)

    async def write(self, piece: bytes) -> None:
        assert self.begun is not None
        assert piece
        if len(self.written) == self._gone_after:
            raise ClientGoneError
        self.written.append(piece)
