from __future__ import annotations

import struct

import pytest

from connectors.errors import UpstreamRefusedError
from connectors.git.quarantine.index import read_index

NAMES = [bytes([number]) * 20 for number in (1, 2, 3)]


def index(offsets: list[int], far: list[int] | None = None) -> bytes:
    fanout = struct.pack(">256I", *([0] * 255), len(offsets))
    checks = bytes(4 * len(offsets))
    table = struct.pack(f">{len(offsets)}I", *offsets) + b"".join(struct.pack(">Q", each) for each in far or [])
    return b"\xfftOc\0\0\0\2" + fanout + b"".join(NAMES[: len(offsets)]) + checks + table + bytes(40)


def test_all_objects_came_in_when_there_are_as_many_as_promised() -> None:
    held = read_index(index([12, 50, 80]), 3)
    assert (held.names, held.end) == (frozenset(NAMES), 0)


def test_objects_git_appended_did_not_come_in() -> None:
    held = read_index(index([50, 12, 80]), 2)
    assert (held.names, held.end) == (frozenset(NAMES[:2]), 80)


def test_offsets_above_two_gigabytes_stand_in_a_table_of_their_own() -> None:
    held = read_index(index([12, 0x80000001, 0x80000000], [1 << 33, 1 << 32]), 2)
    assert (held.names, held.end) == (frozenset(NAMES[:2]), 1 << 33)


def test_fewer_objects_than_promised_are_refused() -> None:
    with pytest.raises(UpstreamRefusedError):
        read_index(index([12, 50]), 3)
