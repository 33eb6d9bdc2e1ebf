"""The index of a pack, as far as it tells which objects came in and where the last of them ends.

gitformat-pack(5), "Version 2 pack-*.idx files": a table of counts, the names in order, checksums, offsets of four
bytes, and a table of eight bytes for offsets above 2 GiB. Written by our own git just now, so its form is not doubted.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from connectors.errors import UpstreamRefusedError

_HEADER_BYTES: Final = 8
_FANOUT_BYTES: Final = 256 * 4
_NAME_BYTES: Final = 20
_FAR: Final = 1 << 31
"""Marks an offset that stands in the table of large ones."""


@dataclass(frozen=True, slots=True)
class PackedNames:
    """What was in a pack as it came in.

    Args:
        names: Binary ids of its objects.
        end: Offset at which git appended the objects that a thin pack builds on; 0 when it appended none.
    """

    names: frozenset[bytes]
    end: int


def read_index(data: bytes, count: int) -> PackedNames:
    """Return what the index of a pack says about the objects that came in.

    Args:
        data: The index.
        count: How many there were by the header of the pack.

    Raises:
        UpstreamRefusedError: there are fewer than that; code ``bad-pack``.
    """
    at = _HEADER_BYTES + _FANOUT_BYTES
    total = int.from_bytes(data[at - 4 : at], "big")
    if total < count:
        raise UpstreamRefusedError("an object stands in the pack twice; nothing was pushed", code="bad-pack")
    names = [data[start : start + _NAME_BYTES] for start in range(at, at + total * _NAME_BYTES, _NAME_BYTES)]
    if total == count:
        return PackedNames(frozenset(names), 0)
    at += total * (_NAME_BYTES + 4)
    near = struct.unpack_from(f">{total}I", data, at)
    far = at + total * 4
    offsets = [
        offset if offset < _FAR else int.from_bytes(data[far + (offset - _FAR) * 8 :][:8], "big") for offset in near
    ]
    ordered = sorted(zip(offsets, names, strict=True))
    return PackedNames(frozenset(name for _, name in ordered[:count]), ordered[count][0])
