from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.aws.wire_in.parse_cbor import Epoch, cbor_scalar
from connectors.aws.wire_in.refusal import RefusedError
from connectors.aws.wire_in.scalars import ISO8601, RFC822, UNIX, epoch_time, from_json, from_text
from connectors.aws.wire_in.shapes import Kind, Node, ShapeTable


def node(kind: Kind, **traits: Any) -> Node:
    return Node(kind, "", "", flattened=False, traits=traits, shape=None, table=ShapeTable())


@pytest.mark.parametrize(
    ("kind", "text", "times", "value"),
    [
        (Kind.STRING, "é", ISO8601, "é"),
        (Kind.INTEGER, "-42", ISO8601, -42),
        (Kind.FLOAT, "1.5e3", ISO8601, 1500.0),
        (Kind.FLOAT, "NaN", ISO8601, "NaN"),
        (Kind.BOOLEAN, "true", ISO8601, True),
        (Kind.BOOLEAN, "false", ISO8601, False),
        (Kind.BLOB, "YQ==", ISO8601, "YQ=="),
        (Kind.TIMESTAMP, "2024-03-05T06:07:08Z", ISO8601, "2024-03-05T06:07:08Z"),
        (Kind.TIMESTAMP, "2024-03-05T06:07:08.5+02:00", ISO8601, "2024-03-05T04:07:08.500000Z"),
        (Kind.TIMESTAMP, "Tue, 05 Mar 2024 06:07:08 GMT", RFC822, "2024-03-05T06:07:08Z"),
        (Kind.TIMESTAMP, "1709618828.25", UNIX, "2024-03-05T06:07:08.250000Z"),
    ],
)
def test_a_scalar_of_text_is_read(kind: Kind, text: str, times: str, value: object) -> None:
    found = from_text(node(kind), text, times)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "times"),
    [
        (Kind.STRING, "a\x00", ISO8601),
        (Kind.STRING, "\ud800", ISO8601),
        (Kind.INTEGER, "", ISO8601),
        (Kind.INTEGER, "+1", ISO8601),
        (Kind.INTEGER, " 1", ISO8601),
        (Kind.INTEGER, "1_0", ISO8601),
        (Kind.INTEGER, "٣", ISO8601),
        (Kind.INTEGER, "9" * 20, ISO8601),
        (Kind.FLOAT, "inf", ISO8601),
        (Kind.FLOAT, "1e999", ISO8601),
        (Kind.FLOAT, "0x1p3", ISO8601),
        (Kind.BOOLEAN, "True", ISO8601),
        (Kind.BOOLEAN, "1", ISO8601),
        (Kind.BLOB, "YQ", ISO8601),
        (Kind.BLOB, "Y Q==", ISO8601),
        (Kind.BLOB, "é", ISO8601),
        (Kind.TIMESTAMP, "2024-03-05", ISO8601),
        (Kind.TIMESTAMP, "2024-W10-1T00:00:00Z", ISO8601),
        (Kind.TIMESTAMP, "2024-13-05T06:07:08Z", ISO8601),
        (Kind.TIMESTAMP, "0001-01-01T00:00:00+23:00", ISO8601),
        (Kind.TIMESTAMP, "Xxx, 99 Mar 2024 06:07:08 GMT", RFC822),
        (Kind.TIMESTAMP, "2024-03-05T06:07:08Z", RFC822),
        (Kind.TIMESTAMP, "NaN", UNIX),
        (Kind.TIMESTAMP, "9" * 30, UNIX),
        (Kind.LIST, "a", ISO8601),
    ],
)
def test_a_scalar_of_text_that_could_be_read_in_two_ways_is_refused(kind: Kind, text: str, times: str) -> None:
    with pytest.raises(RefusedError):
        from_text(node(kind), text, times)


def test_the_model_decides_over_the_protocol_how_a_time_is_written() -> None:
    assert from_text(node(Kind.TIMESTAMP, timestampFormat="unixTimestamp"), "0", ISO8601) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("read", "traits", "value", "expected"),
    [
        (Kind.STRING, {}, "a", "a"),
        (Kind.BOOLEAN, {}, True, True),
        (Kind.INTEGER, {}, 1, 1),
        (Kind.FLOAT, {}, 1, 1),
        (Kind.FLOAT, {}, 1.5, 1.5),
        (Kind.FLOAT, {}, "-Infinity", "-Infinity"),
        (Kind.BLOB, {}, "YQ==", "YQ=="),
        (Kind.TIMESTAMP, {}, 0, "1970-01-01T00:00:00Z"),
        (Kind.TIMESTAMP, {"timestampFormat": "iso8601"}, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    ],
)
def test_a_scalar_of_json_is_read(read: Kind, traits: dict[str, str], value: object, expected: object) -> None:
    assert from_json(node(read, **traits), value) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.STRING, 1),
        (Kind.STRING, True),
        (Kind.BOOLEAN, 1),
        (Kind.BOOLEAN, "true"),
        (Kind.INTEGER, True),
        (Kind.INTEGER, 1.0),
        (Kind.INTEGER, "1"),
        (Kind.FLOAT, "1"),
        (Kind.FLOAT, math.inf),
        (Kind.FLOAT, 10**400),
        (Kind.BLOB, "%"),
        (Kind.TIMESTAMP, "1970-01-01T00:00:00Z"),
        (Kind.TIMESTAMP, False),
        (Kind.TIMESTAMP, 1e300),
    ],
)
def test_a_scalar_of_json_of_another_type_is_refused(kind: Kind, value: object) -> None:
    with pytest.raises(RefusedError):
        from_json(node(kind), value)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Kind.BLOB, b"\xff", "/w=="),
        (Kind.TIMESTAMP, Epoch(0.5), "1970-01-01T00:00:00.500000Z"),
        (Kind.FLOAT, math.nan, "NaN"),
        (Kind.FLOAT, -math.inf, "-Infinity"),
        (Kind.FLOAT, math.inf, "Infinity"),
        (Kind.INTEGER, 3, 3),
    ],
)
def test_a_scalar_of_cbor_is_read(kind: Kind, value: object, expected: object) -> None:
    assert cbor_scalar(node(kind), value) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Kind.BLOB, "YQ=="), (Kind.TIMESTAMP, 0), (Kind.STRING, b"a"), (Kind.FLOAT, Epoch(1)), (Kind.INTEGER, 1.5)],
)
def test_a_scalar_of_cbor_of_another_type_is_refused(kind: Kind, value: object) -> None:
    with pytest.raises(RefusedError):
        cbor_scalar(node(kind), value)


@given(st.datetimes().map(lambda moment: moment.replace(microsecond=0)))
def test_a_time_is_read_the_same_from_every_form(moment: Any) -> None:
    text = f"{moment.isoformat()}Z"
    seconds = (moment - type(moment)(1970, 1, 1)).total_seconds()
    assert from_text(node(Kind.TIMESTAMP), text, ISO8601) == epoch_time(seconds) == text
