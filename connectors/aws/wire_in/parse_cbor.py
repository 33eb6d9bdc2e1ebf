"""CBOR bodies (RFC 8949, as Smithy RPC v2 uses it) to params: bounded, one item, no name twice, no unknown tag."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any, Final

from connectors.aws.wire_in.parse_json import too_deep
from connectors.aws.wire_in.refusal import Reason, RefusedError, malformed, shown
from connectors.aws.wire_in.scalars import Scalar, epoch_time, from_json
from connectors.aws.wire_in.shapes import MAX_DEPTH, Kind, Node

_INDEFINITE: Final = 31
_BYTE_STRING: Final = 2
_BREAK: Final = 0xFF
_EPOCH_TAG: Final = 1
_SIMPLE: Final[dict[int, object]] = {20: False, 21: True, 22: None, 23: None}
"""RFC 8949 3.3: false, true, null, undefined."""
_FLOATS: Final = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}
_ARGUMENT_BYTES: Final = {24: 1, 25: 2, 26: 4, 27: 8}


class Epoch(float):
    """Seconds since the epoch: a number with tag 1."""


def load_cbor(body: bytes) -> Any:  # noqa: ANN401 - any CBOR
    """Return the one item of a body; times as `Epoch`, byte strings as bytes.

    Raises:
        RefusedError: it is cut, followed by more, nested too deep, or holds what Smithy does not use.
    """
    reader = _Reader(body)
    item = reader.item(0)
    if reader.at != len(body):
        raise malformed("bytes follow the CBOR item")
    return item


def cbor_scalar(node: Node, value: object) -> Scalar:
    """Return a scalar of a CBOR body.

    Raises:
        RefusedError: it is not of the type the model says.
    """
    match node.kind, value:
        case Kind.BLOB, bytes():
            return base64.b64encode(value).decode("ascii")
        case Kind.TIMESTAMP, Epoch():
            return epoch_time(value)
        case Kind.FLOAT, float() if not isinstance(value, Epoch) and not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case (Kind.BLOB | Kind.TIMESTAMP, _) | (_, bytes() | Epoch()):
            raise malformed(f"expected a {node.kind.value}, found another type")
        case _:
            return from_json(node, value)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def item(self, depth: int) -> Any:  # noqa: ANN401 - any CBOR
        if depth > MAX_DEPTH:
            raise too_deep()
        first = self._take(1)[0]
        major, info = first >> 5, first & 31
        match major:
            case 0:
                return self._argument(info)
            case 1:
                return -1 - self._argument(info)
            case 2 | 3:
                return self._string(major, info)
            case 4:
                return self._array(info, depth)
            case 5:
                return self._map(info, depth)
            case 6:
                return self._tagged(info, depth)
            case _:
                return self._simple(info)

    def _take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self._data):
            raise malformed("the CBOR item is cut")
        taken = self._data[self.at : end]
        self.at = end
        return taken

    def _argument(self, info: int) -> int:
        if info < 24:  # noqa: PLR2004 - RFC 8949 3: smaller values stand in the first byte
            return info
        if info not in _ARGUMENT_BYTES:
            raise malformed("a CBOR length is not well-formed")
        return int.from_bytes(self._take(_ARGUMENT_BYTES[info]), "big")

    def _break(self) -> bool:
        if self.at < len(self._data) and self._data[self.at] == _BREAK:
            self.at += 1
            return True
        return False

    def _string(self, major: int, info: int) -> str | bytes:
        if info != _INDEFINITE:
            data = self._take(self._argument(info))
        else:
            parts = []
            while not self._break():
                first = self._take(1)[0]
                if first >> 5 != major or first & 31 == _INDEFINITE:
                    raise malformed("a piece of a CBOR string is of another type")
                parts.append(self._take(self._argument(first & 31)))
            data = b"".join(parts)
        if major == _BYTE_STRING:
            return data
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise malformed("a CBOR text is not UTF-8") from None

    def _array(self, info: int, depth: int) -> list[Any]:
        items = []
        if info == _INDEFINITE:
            while not self._break():
                items.append(self.item(depth + 1))
            return items
        # No list of the announced size is made: every item takes a byte at least, so a lie ends in "cut".
        for _ in range(self._argument(info)):
            items.append(self.item(depth + 1))  # noqa: PERF401 - a comprehension would hide that it grows
        return items

    def _map(self, info: int, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if info == _INDEFINITE:
            while not self._break():
                self._pair(made, depth)
            return made
        for _ in range(self._argument(info)):
            self._pair(made, depth)
        return made

    def _pair(self, made: dict[str, Any], depth: int) -> None:
        name = self.item(depth + 1)
        if not isinstance(name, str):
            raise malformed("a name is not a string")
        if name in made:
            raise RefusedError(Reason.DECOY, f"member `{shown(name)}` is there twice")
        made[name] = self.item(depth + 1)

    def _tagged(self, info: int, depth: int) -> Epoch:
        tag = self._argument(info)
        value = self.item(depth + 1)
        if tag != _EPOCH_TAG or isinstance(value, bool) or not isinstance(value, int | float):
            raise malformed("a CBOR tag is not that of a time")
        try:
            return Epoch(value)
        except OverflowError:
            raise malformed("a timestamp is out of range") from None

    def _simple(self, info: int) -> object:
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info not in _FLOATS:
            raise malformed("a CBOR simple value is unknown")
        form, size = _FLOATS[info]
        value: float = struct.unpack(form, self._take(size))[0]
        return value
