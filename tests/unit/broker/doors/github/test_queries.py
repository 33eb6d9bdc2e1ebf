from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.doors.github.queries import MAX_QUERY_BYTES, MalformedQueryError, query_params

pytestmark = pytest.mark.req("A4")

SCHEMAS = {"page": {"type": "integer"}, "protected": {"type": "boolean"}, "q": {"type": "string"}}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (b"", {}),
        (b"page=2&protected=true&q=a%20b", {"page": 2, "protected": True, "q": "a b"}),
        (b"protected=False&q=a+b", {"protected": False, "q": "a b"}),
        (b"page=two&protected=1", {"page": "two", "protected": "1"}),
        (b"page=-1&page2=7", {"page": -1, "page2": "7"}),
        (b"page=" + b"9" * 30, {"page": "9" * 30}),
        (b"page=%D9%A1", {"page": "\u0661"}),
        (b"q=a=b&", {"q": "a=b"}),
        (b"q", {"q": ""}),
        (b"q=label:bug+[x]", {"q": "label:bug [x]"}),
    ],
)
def test_a_query_has_the_types_of_the_operation(query: bytes, wanted: dict[str, Any]) -> None:
    assert query_params(query, SCHEMAS) == wanted


@pytest.mark.parametrize(
    "query",
    [
        b"page=1&page=2",
        b"page=1&p%61ge=2",
        b"=1",
        b"q=%",
        b"q=%ff",
        b"q=\xc3\xa9",
        b"q=a b",
        b"q=" + b"a" * MAX_QUERY_BYTES,
        b"&".join(b"q%d=1" % number for number in range(65)),
    ],
)
def test_a_query_with_two_readings_is_refused(query: bytes) -> None:
    with pytest.raises(MalformedQueryError):
        query_params(query, SCHEMAS)


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), max_size=6))
def test_a_query_says_what_its_sender_wrote(params: dict[str, str]) -> None:
    assert query_params(urlencode(params).encode(), {}) == params


@given(st.binary(max_size=200))
def test_any_bytes_are_a_query_or_none(query: bytes) -> None:
    try:
        found = query_params(query, SCHEMAS)
    except MalformedQueryError:
        return
    assert all(isinstance(value, str | int) for value in found.values())
