from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import BadRequestError
from vault.fields import MAX_FIELDS_BYTES, pack, unpack


@given(st.dictionaries(st.text(max_size=20), st.binary(max_size=100), max_size=6))
def test_fields_read_back(fields: dict[str, bytes]) -> None:
    assert unpack(pack(fields)) == fields


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_refused(blob: bytes) -> None:
    try:
        fields = unpack(blob)
    except BadRequestError:
        return
    assert pack(fields) == blob


def test_cut_repeated_oversized_and_misnamed_fields_are_refused() -> None:
    blob = pack({"a": b"12345678"})
    twice = blob + blob
    misnamed = b"\0\1\xff" + blob[3:]
    for bad in (blob[:-1], blob[:5], b"\0", twice, misnamed, blob + bytes(MAX_FIELDS_BYTES)):
        with pytest.raises(BadRequestError):
            unpack(bad)


@pytest.mark.parametrize(
    "fields",
    [
        {"a": b"x" * (MAX_FIELDS_BYTES + 1)},
        {"a": b"x" * (MAX_FIELDS_BYTES // 2), "b": b"x" * (MAX_FIELDS_BYTES // 2)},
        {"n" * 70_000: b""},
    ],
)
def test_too_much_is_not_packed(fields: dict[str, bytes]) -> None:
    with pytest.raises(BadRequestError):
        pack(fields)
