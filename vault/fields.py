"""Named byte strings in one blob: the form of fields on the wire and of a record before it is sealed.

Secrets travel in it, not in JSON: a JSON parser keeps the whole document in its errors and leaves copies behind.
A blob is a sequence of ``name length (2) || name || value length (4) || value``, big-endian, names unique.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from vault.errors import BadRequestError

MAX_FIELDS_BYTES: Final = 64 << 10
"""Of one packed blob; the longest known credentials (JWTs, session tokens) have a few KiB."""

_NAME: Final = struct.Struct(">H")
_VALUE: Final = struct.Struct(">I")


def pack(fields: Mapping[str, bytes]) -> bytes:
    """Return the fields as one blob.

    Raises:
        BadRequestError: more than `MAX_FIELDS_BYTES`.
    """
    parts = []
    for name, value in fields.items():
        label = name.encode()
        if len(label) > 0xFFFF or len(value) > MAX_FIELDS_BYTES:  # noqa: PLR2004 - two bytes of length
            raise BadRequestError(f"the fields have more than {MAX_FIELDS_BYTES} bytes")
        parts += [_NAME.pack(len(label)), label, _VALUE.pack(len(value)), value]
    blob = b"".join(parts)
    if len(blob) > MAX_FIELDS_BYTES:
        raise BadRequestError(f"the fields have more than {MAX_FIELDS_BYTES} bytes")
    return blob


def unpack(blob: bytes) -> dict[str, bytes]:
    """Return the fields of a blob.

    Raises:
        BadRequestError: it is longer than `MAX_FIELDS_BYTES`, cut, or names a field twice.
    """
    if len(blob) > MAX_FIELDS_BYTES:
        raise BadRequestError(f"the fields have more than {MAX_FIELDS_BYTES} bytes")
    fields: dict[str, bytes] = {}
    at = 0
    while at < len(blob):
        label, at = _take(blob, at, _NAME)
        value, at = _take(blob, at, _VALUE)
        try:
            name = label.decode()
        except UnicodeDecodeError:
            raise BadRequestError("a field's name is not UTF-8") from None
        if name in fields:
            raise BadRequestError("a field is given twice")
        fields[name] = value
    return fields


def _take(blob: bytes, at: int, length: struct.Struct) -> tuple[bytes, int]:
    start = at + length.size
    if start > len(blob):
        raise BadRequestError("the fields are cut")
    (size,) = length.unpack_from(blob, at)
    if start + size > len(blob):
        raise BadRequestError("the fields are cut")
    return blob[start : start + size], start + size
