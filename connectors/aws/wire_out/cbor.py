"""Bytes of CBOR (RFC 8949) in the preferred serialisation: definite lengths, shortest heads, floats of 64 bits."""

from __future__ import annotations

import struct
from typing import Any, Final

from connectors.aws.wire_in.parse_cbor import Epoch
from connectors.aws.wire_out.errors import RenderError

_HEADS: Final = ((24, 1 << 8, ">BB"), (25, 1 << 16, ">BH"), (26, 1 << 32, ">BI"), (27, 1 << 64, ">BQ"))
"""Additional information, the first value that does not fit, the format of initial byte and argument."""
_IN_HEAD: Final = 24
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(7)
_EPOCH_TAG: Final = 1
_FLOAT64: Final = 0xFB
_SIMPLE: Final[dict[bool | None, int]] = {False: 0xF4, True: 0xF5, None: 0xF6}


def dump_cbor(value: Any) -> bytes:  # noqa: ANN401 - what `write_tree` makes
    """Return the one item of a body.

    Raises:
        RenderError: an integer of more than 64 bits, or half a surrogate pair.
    """
    out = bytearray()
    _item(out, value)
    return bytes(out)


def _item(out: bytearray, value: Any) -> None:  # noqa: ANN401 - what `write_tree` makes
    match value:
        case None | bool():
            out.append(_SIMPLE[value])
        case Epoch():
            _head(out, _TAG, _EPOCH_TAG)
            _item(out, int(value) if value.is_integer() else float(value))
        case int():
            _head(out, _NEGATIVE if value < 0 else _UNSIGNED, -1 - value if value < 0 else value)
        case float():
            out += struct.pack(">Bd", _FLOAT64, value)
        case bytes():
            _head(out, _BYTES, len(value))
            out += value
        case str():
            _text(out, value)
        case list() | dict():
            _container(out, value)
        case _:
            raise RenderError("a value is no JSON")


def _container(out: bytearray, value: list[Any] | dict[str, Any]) -> None:
    if isinstance(value, list):
        _head(out, _ARRAY, len(value))
        for each in value:
            _item(out, each)
        return
    _head(out, _MAP, len(value))
    for name, each in value.items():
        _text(out, name)
        _item(out, each)


def _text(out: bytearray, text: str) -> None:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise RenderError("a string holds half a surrogate pair") from None
    _head(out, _TEXT, len(data))
    out += data


def _head(out: bytearray, major: int, argument: int) -> None:
    if argument < _IN_HEAD:
        out.append(major << 5 | argument)
        return
    for info, limit, form in _HEADS:
        if argument < limit:
            out += struct.pack(form, major << 5 | info, argument)
            return
    raise RenderError("an integer has more than 64 bits")
