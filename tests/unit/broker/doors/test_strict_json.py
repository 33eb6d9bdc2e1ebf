from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.canonical import canonical_bytes
from broker.doors.strict_json import MAX_DEPTH, MAX_VALUES, MalformedJsonError, parse_object

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.booleans())
def test_what_it_takes_is_what_was_written_and_has_a_canonical_form(value: dict[str, Any], escaped: bool) -> None:
    read = parse_object(json.dumps(value, ensure_ascii=escaped).encode())
    assert read == value
    canonical_bytes({"draft": {"params": read}})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "expected a JSON object"),
        (b'"a"', "expected a JSON object"),
        (b"null", "expected a JSON object"),
        (b'{"a":1', "not JSON"),
        (b'{"a":1}x', "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b'{"a":"\x01"}', "not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        (b'{"a":"\xff"}', "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a":"\xc0\xaf"}', "not UTF-8"),
        (b'{"a":1,"a":1}', "twice"),
        (b'{"a":1,"\\u0061":2}', "twice"),
        (b'{"b":[{"a":1,"a":2}]}', "twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "NaN"),
        (b'{"a":1e999}', "too large"),
        (b'{"a":9223372036854775808}', "64-bit"),
        (b'{"a":-9223372036854775809}', "64-bit"),
        (b'{"a":' + b"9" * 5000 + b"}", "64-bit"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"a":"\\uDC00x"}', "surrogate"),
        (b'{"\\uD800":1}', "surrogate"),
        (b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "deeper"),
        (b'{"a":' + b"[" * 90_000, "deeper"),
        (b'{"a":[' + b"[]," * MAX_VALUES + b"1]}", "values"),
    ],
)
@pytest.mark.req("O2")
def test_what_two_parsers_may_read_differently_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(MalformedJsonError, match=message):
        parse_object(data)


def test_the_limits_themselves_are_allowed() -> None:
    deep = b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert parse_object(deep)["a"] is not None
    assert parse_object(b'{"a":9223372036854775807,"b":-9223372036854775808}') == {"a": 2**63 - 1, "b": -(2**63)}
    assert parse_object(b'{"a":"\\ud83d\\ude00"}') == {"a": "\U0001f600"}


@given(st.binary(max_size=200))
def test_no_bytes_bring_anything_but_an_object_or_a_refusal(data: bytes) -> None:
    try:
        assert isinstance(parse_object(data), dict)
    except MalformedJsonError as error:
        assert str(error).isascii()  # noqa: PT017 - either way is fine, this one must be printable
