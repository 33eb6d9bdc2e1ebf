"""Values against shapes: what fits comes out in one canonical form, and everything else is refused with its path."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import DenormalizedStructureBuilder, ServiceModel
from hypothesis import given
from hypothesis import strategies as st

from connectors.aws.shapes import MAX_DEPTH, canonical, native
from connectors.errors import InvalidParamsError

_SHAPES: dict[str, Any] = {
    "All": {
        "type": "structure",
        "required": ["Name"],
        "members": {
            "Name": {"shape": "Name"},
            "Count": {"shape": "Count"},
            "Size": {"shape": "Size"},
            "Share": {"shape": "Share"},
            "Exact": {"shape": "Exact"},
            "Flag": {"shape": "Flag"},
            "When": {"shape": "When"},
            "Http": {"shape": "Http"},
            "Data": {"shape": "Data"},
            "Items": {"shape": "Items"},
            "Labels": {"shape": "Labels"},
            "Choice": {"shape": "Choice"},
            "Free": {"shape": "Free"},
            "Again": {"shape": "All"},
            "Json": {"shape": "Name", "jsonvalue": True, "location": "header"},
        },
    },
    "Name": {"type": "string", "min": 2},
    "Count": {"type": "integer", "min": 1},
    "Size": {"type": "long"},
    "Share": {"type": "float"},
    "Exact": {"type": "double", "min": 0},
    "Flag": {"type": "boolean"},
    "When": {"type": "timestamp"},
    "Http": {"type": "timestamp", "timestampFormat": "rfc822"},
    "Data": {"type": "blob", "min": 1},
    "Items": {"type": "list", "member": {"shape": "Count"}, "min": 1},
    "Labels": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "When"}},
    "Choice": {"type": "structure", "union": True, "members": {"A": {"shape": "Name"}, "B": {"shape": "Name"}}},
    "Free": {"type": "structure", "document": True, "members": {}},
}
ALL = ServiceModel({"metadata": {}, "operations": {}, "shapes": _SHAPES}, "test").shape_for("All")
BASE = {"Name": "ab"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def checked(**members: Any) -> Any:
    return canonical(ALL, {**BASE, **members}, "P")


@pytest.mark.parametrize(
    ("member", "value", "kept"),
    [
        ("Name", "é*../", "é*../"),
        ("Count", 1, 1),
        ("Count", 2**31 - 1, 2**31 - 1),
        ("Size", -(2**63), -(2**63)),
        ("Share", 1, 1.0),
        ("Exact", 1e300, 1e300),
        ("Flag", False, False),
        ("When", "2026-03-04t14:00:00+02:00", "2026-03-04T12:00:00Z"),
        ("When", "2026-03-04T12:00:00.5Z", "2026-03-04T12:00:00.500000Z"),
        ("Http", "2026-03-04T12:00:00Z", "2026-03-04T12:00:00Z"),
        ("Data", "aGl=", "aGk="),
        ("Items", [3, 1], [3, 1]),
        ("Labels", {"bb": "2026-03-04T12:00:00Z"}, {"bb": "2026-03-04T12:00:00Z"}),
        ("Choice", {"A": "ab"}, {"A": "ab"}),
        ("Free", {"b": [1, 2.5, None, True, "x"], "a": {}}, {"a": {}, "b": [1, 2.5, None, True, "x"]}),
        ("Free", "text", "text"),
        ("Json", {"k": ["v"]}, {"k": ["v"]}),
        ("Again", {"Name": "cd"}, {"Name": "cd"}),
    ],
)
def test_what_fits_has_one_canonical_form(member: str, value: Any, kept: Any) -> None:
    once = checked(**{member: value})
    assert once[member] == kept
    assert canonical(ALL, once, "P") == once


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("Nope", 1, "does not take `Nope`"),
        ("Name", None, "`P.Name` must be a string, found null"),
        ("Name", "a", "at least 2 characters, found 1"),
        ("Name", "a\x00", "NUL"),
        ("Name", "a\ud800", "lone surrogate"),
        ("Count", True, "must be a whole number, found a boolean"),
        ("Count", 1.0, "must be a whole number"),
        ("Count", 0, "from 1 to 2147483647, found 0"),
        ("Count", 2**31, "found 2147483648"),
        ("Size", 10**400, "found …"),
        ("Share", "1", "must be a number, found a string"),
        ("Share", 1e39, "out of range"),
        ("Exact", float("nan"), "out of range"),
        ("Exact", 10**400, "out of range"),
        ("Exact", -1, "out of range"),
        ("Flag", 1, "must be true or false, found a number"),
        ("When", "yesterday", "must be a time"),
        ("When", "2026-03-04T12:00:00", "must be a time"),
        ("When", "2026-02-30T12:00:00Z", "must be a time"),
        ("When", "1969-12-31T23:59:59Z", "must be a time"),
        ("When", "0001-01-01T00:00:00+10:00", "must be a time"),
        ("When", "2026-03-04T12:00:00.1234567Z", "must be a time"),
        ("Http", "2026-03-04T12:00:00.5Z", "whole seconds"),
        ("Data", "a", "is not base64"),
        ("Data", "", "at least 1 bytes"),
        ("Data", b"aGk=", "must be a string in base64"),
        ("Items", {}, "must be an array, found an object"),
        ("Items", [], "at least 1 items"),
        ("Items", [1, None], "`P.Items[1]` must be a whole number, found null"),
        ("Labels", {"b": "2026-03-04T12:00:00Z"}, "at least 2 characters"),
        ("Labels", {"bb": None}, "`P.Labels.bb` must be a string, found null"),
        ("Choice", {}, "exactly one member"),
        ("Choice", {"A": "ab", "B": "ab"}, "exactly one member"),
        ("Free", {"a": float("inf")}, "out of range"),
        ("Free", {"a": 2**63}, "out of range"),
        ("Free", {"a\x00": 1}, "NUL"),
        ("Free", ["\ud800"], "lone surrogate"),
        ("Again", {}, "`P.Again` needs `Name`"),
        ("Again", [], "must be an object, found an array"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_path(member: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        checked(**{member: value})
    assert words in str(caught.value)


def test_a_shape_that_contains_itself_ends_somewhere() -> None:
    inner: dict[str, Any] = dict(BASE)
    free: Any = 1
    for _ in range(MAX_DEPTH + 1):
        inner, free = {**BASE, "Again": inner}, [free]
    with pytest.raises(InvalidParamsError, match="nested deeper"):
        canonical(ALL, inner, "P")
    with pytest.raises(InvalidParamsError, match="nested deeper"):
        checked(Free=free)


def test_a_structure_without_members_says_that_it_takes_nothing() -> None:
    shape = DenormalizedStructureBuilder().with_members({}).build_model()
    with pytest.raises(InvalidParamsError) as caught:
        canonical(shape, {"A": 1}, "P")
    assert caught.value.fix == "it takes nothing"


def test_what_is_serialised_has_botocores_types() -> None:
    value = checked(
        When="2026-03-04T12:00:00Z",
        Data="aGk=",
        Items=[1],
        Labels={"bb": "2026-03-04T12:00:00Z"},
        Free={"Data": "aGk="},
    )
    moment = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert native(ALL, value) == {
        "Name": "ab",
        "When": moment,
        "Data": b"hi",
        "Items": [1],
        "Labels": {"bb": moment},
        "Free": {"Data": "aGk="},
    }


@given(members=st.dictionaries(st.sampled_from([*_SHAPES["All"]["members"], "x"]), JSON, max_size=3))
def test_any_json_is_refused_or_has_a_canonical_form_that_stays(members: dict[str, Any]) -> None:
    try:
        once = canonical(ALL, members, "P")
    except InvalidParamsError:
        return
    assert canonical(ALL, once, "P") == once
    native(ALL, once)
