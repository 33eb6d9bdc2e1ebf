from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.canonical import MAX_DEPTH, NotCanonicalError, canonical_bytes, digest

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_canonical_bytes_parse_back_to_the_value(value: Any) -> None:
    assert json.loads(canonical_bytes(value)) == value


@given(st.dictionaries(st.text(), st.integers(-5, 5)))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert canonical_bytes(dict(reversed(value.items()))) == canonical_bytes(value)


def test_an_integer_and_a_float_of_the_same_size_differ() -> None:
    assert canonical_bytes({"n": 1}) != canonical_bytes({"n": 1.0})


@pytest.mark.parametrize(
    "value", [math.nan, {"a": [math.inf]}, 2**64, "\ud800", {"a": object()}, {1: 2}, b"bytes", (lambda: None)]
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(NotCanonicalError):
        canonical_bytes(value)


def test_nesting_is_bounded() -> None:
    value: list[Any] = []
    for _ in range(MAX_DEPTH + 2):
        value = [value]
    with pytest.raises(NotCanonicalError):
        canonical_bytes(value)


def test_the_domain_keeps_digests_of_the_same_bytes_apart() -> None:
    assert digest("a", b"x") != digest("b", b"x")
    assert digest("a", b"x") == digest("a", b"x")
