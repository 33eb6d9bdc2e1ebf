from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from connectors.aws.catalogue.overrides import values
from connectors.errors import InvalidParamsError


@pytest.mark.parametrize(
    ("params", "path", "found"),
    [
        ({"A": 1}, "A", [1]),
        ({}, "A", [None]),
        ({"A": None}, "A", [None]),
        ({"A": [1, 2]}, "A[]", [1, 2]),
        ({"A": []}, "A[]", [None]),
        ({}, "A[]", [None]),
        ({"A": {"x": 1, "y": 2}}, "A{}", ["x", "y"]),
        ({"A": {"B": 1}}, "A.B", [1]),
        ({"A": {}}, "A.B", [None]),
        ({}, "A.B", []),
        ({"A": [{"B": 1}, {}, {"B": 3}]}, "A[].B", [1, None, 3]),
        ({"A": [{"B": [1]}, {"B": [2, 3]}]}, "A[].B[]", [1, 2, 3]),
        ({"A": []}, "A[].B", []),
    ],
)
def test_a_path_finds_every_value_and_every_place_where_one_is_missing(
    params: dict[str, Any], path: str, found: list[Any]
) -> None:
    assert values.found(params, path) == found


@pytest.mark.parametrize(
    ("params", "path"),
    [({"A": "x"}, "A[]"), ({"A": ["x"]}, "A{}"), ({"A": "x"}, "A.B"), ({"A": ["x"]}, "A[].B"), ({"A": {}}, "A[].B")],
)
def test_a_value_of_another_shape_is_refused_and_not_passed_over(params: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidParamsError):
        values.found(params, path)


@pytest.mark.parametrize("value", ["\x00", "a\nb", "\x7f", "\x85", "\ud800", 7, ["a"], b"a"])
def test_what_cannot_stand_in_a_resource_is_refused(value: object) -> None:
    with pytest.raises(InvalidParamsError):
        values.text(value, "Name")


@drawn(st.text())
def test_text_is_refused_or_unchanged(value: str) -> None:
    try:
        assert values.text(value, "Name") == value
    except InvalidParamsError:
        assert any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in value)


def test_texts_leaves_out_what_is_missing_or_empty() -> None:
    assert values.texts({"A": [{"B": "x"}, {}, {"B": ""}]}, "A[].B") == ["x"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, False),
        ({"A": []}, False),
        ({"A": {}}, False),
        ({"A": ""}, True),
        ({"A": False}, True),
        ({"A": [1]}, True),
        ({"B": {"C": 1}}, True),
    ],
)
def test_nothing_is_what_is_absent_or_holds_nothing(params: dict[str, Any], *, expected: bool) -> None:
    assert values.given("A", "B.C")(params) is expected


def test_a_member_says_a_value_or_not() -> None:
    assert values.says("A", value=True)({"A": True})
    assert not values.says("A", value=True)({"A": False})
    assert not values.says("A", value=True)({})


def test_text_for_people_is_clipped_and_escaped() -> None:
    assert values.shown("a`\u202e") == "a\\u0060\\u202e"
    assert len(values.shown("x" * 999)) < 99
