"""Values at the edges of what JSON, XML and CBOR can hold, there and back through our own strict parsers."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from botocore.model import ShapeResolver

from connectors.aws.codec import parser
from connectors.aws.wire_in.parse_cbor import load_cbor
from connectors.aws.wire_in.services import Protocol
from connectors.aws.wire_in.shapes import Node, ShapeTable
from connectors.aws.wire_out.cbor import dump_cbor
from connectors.aws.wire_out.errors import RenderError
from connectors.aws.wire_out.scalars import blob_text, epoch_seconds, header_writer, iso_time, scalar_text, text_writer
from connectors.aws.wire_out.write_tree import cbor_leaf
from connectors.aws.wire_out.write_xml import XmlWriters, escape
from tests.unit.connectors.aws.wire_out.answering import answer, operation


@pytest.mark.parametrize(
    "value",
    [0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1, -1, -24, -25, -(2**63), 0.1, -0.0, math.inf,
     True, False, None, "", "x" * 300, "é😀", b"\x00" * 70_000, [], [[1], {}], {"a": {"b": [None]}}],
)  # fmt: skip
def test_cbor_comes_back(value: Any) -> None:
    back = load_cbor(dump_cbor(value))
    assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize("value", [2**64, -(2**64) - 1, "\ud800", object()])
def test_cbor_holds_no_more_than_it_can(value: Any) -> None:
    with pytest.raises(RenderError):
        dump_cbor(value)


@pytest.mark.parametrize(
    ("protocol", "value", "back"),
    [
        (protocol, value, back)
        for protocol in (Protocol.JSON, Protocol.CBOR, Protocol.QUERY)
        for value, back in ((math.nan, math.nan), ("NaN", math.nan), (-math.inf, -math.inf), (1, 1.0), (1e300, 1e300))
    ],
)
def test_numbers_that_are_none_are_words_where_there_is_no_number(protocol: Protocol, value: Any, back: float) -> None:
    data = {"Datapoints": [{"Average": value, "Timestamp": "2024-03-05T06:07:08.5Z"}]}
    got = answer("cloudwatch:GetMetricStatistics", data, protocol=protocol)
    response = {"status_code": 200, "headers": {}, "body": got.body}
    shape = operation("cloudwatch:GetMetricStatistics").model.output_shape
    [point] = parser(protocol.value).parse(response, shape)["Datapoints"]
    assert float(point["Average"]) == back or (math.isnan(back) and math.isnan(float(point["Average"])))
    assert point["Timestamp"].microsecond == 500_000


@pytest.mark.parametrize("value", [True, "seven", [], 10**400])
def test_cbor_takes_numbers_for_numbers_only(value: Any) -> None:
    with pytest.raises(RenderError):
        answer("cloudwatch:GetMetricStatistics", {"Datapoints": [{"Average": value}]}, protocol=Protocol.CBOR)


def test_a_blob_that_was_sealed_on_the_way_is_handed_out_as_what_stands_there() -> None:
    name = "sealed:i-1#/Plaintext"
    got = json.loads(answer("kms:Decrypt", {"Plaintext": name, "KeyId": "k"}).body)
    parsed = parser("json").parse(
        {"status_code": 200, "headers": {}, "body": json.dumps(got).encode()},
        operation("kms:Decrypt").model.output_shape,
    )
    assert parsed["Plaintext"] == name.encode()
    assert blob_text("YQ==") == "YQ=="
    with pytest.raises(RenderError):
        blob_text(1)


@pytest.mark.parametrize("text", ["a<b>&\"c'", "a\r\nb\tc", " lead", "]]>", "\u2028\x85\ufffd😀"])
def test_text_in_xml_comes_back(text: str) -> None:
    got = answer("sns:ListTopics", {"NextToken": text})
    response = {"status_code": 200, "headers": {}, "body": got.body}
    assert parser("query").parse(response, operation("sns:ListTopics").model.output_shape)["NextToken"] == text


@pytest.mark.parametrize("text", ["\x00", "\x0b", "\x1f", "\ud800", "\ufffe"])
def test_text_that_xml_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(RenderError):
        escape(f"a{text}")


@pytest.mark.parametrize(
    ("time", "seconds", "iso"),
    [
        ("2024-03-05T06:07:08Z", 1_709_618_828, "2024-03-05T06:07:08Z"),
        ("2024-03-05T06:07:08.250000Z", 1_709_618_828.25, "2024-03-05T06:07:08.250000Z"),
        ("2024-03-05T07:07:08+01:00", 1_709_618_828, "2024-03-05T06:07:08Z"),
        ("2024-03-05T06:07:08", 1_709_618_828, "2024-03-05T06:07:08Z"),
        ("1-01-01T00:00:00Z", -62_135_596_800, "0001-01-01T00:00:00Z"),
    ],
)
def test_times_are_written_in_utc(time: str, seconds: float, iso: str) -> None:
    assert (epoch_seconds(time), iso_time(time)) == (seconds, iso)
    assert isinstance(epoch_seconds(time), type(seconds))


@pytest.mark.parametrize("time", ["", "x", "2024", None, "2024-03-05T06:07:08<b>"])
def test_what_is_no_time_is_refused(time: Any) -> None:
    with pytest.raises(RenderError):
        iso_time(time)


def test_scalars_are_written_whatever_type_they_came_in() -> None:
    assert [scalar_text(each) for each in ("a", True, False, 7, 1.5, math.inf)] == [
        "a", "true", "false", "7", "1.5", "Infinity",
    ]  # fmt: skip


def test_lists_and_maps_of_json_keep_their_nulls() -> None:
    data = {"Attributes": {"A": None, "B": "b"}}
    assert json.loads(answer("sqs:GetQueueAttributes", data).body) == data
    assert json.loads(answer("sqs:ListQueues", {"QueueUrls": ["a", None]}).body) == {"QueueUrls": ["a", None]}


def test_maps_of_xml_leave_them_out() -> None:
    got = answer("sns:GetTopicAttributes", {"Attributes": {"A": None, "B": "b"}})
    response = {"status_code": 200, "headers": {}, "body": got.body}
    parsed = parser("query").parse(response, operation("sns:GetTopicAttributes").model.output_shape)
    assert parsed["Attributes"] == {"B": "b"}
    with pytest.raises(RenderError):
        answer("sns:GetTopicAttributes", {"Attributes": "x"})


SHAPES = {
    "Times": {"type": "list", "member": {"shape": "Time"}},
    "Time": {"type": "timestamp"},
    "Seconds": {"type": "timestamp", "timestampFormat": "unixTimestamp"},
    "Flat": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Seconds"}, "flattened": True},
    "Text": {"type": "string"},
    "Free": {"type": "structure", "members": {}, "document": True},
    "Blob": {"type": "blob"},
}


def node(name: str, traits: dict[str, Any] | None = None) -> Node:
    return ShapeTable().node(ShapeResolver(SHAPES).get_shape_by_name(name, traits))


def test_lists_in_headers_are_joined() -> None:
    write = header_writer(node("Times", {"location": "header"}))
    assert write(["2024-03-05T06:07:08Z"] * 2) == "Tue, 05 Mar 2024 06:07:08 GMT, Tue, 05 Mar 2024 06:07:08 GMT"
    with pytest.raises(RenderError):
        write("x")


def test_what_is_no_scalar_is_no_text() -> None:
    with pytest.raises(RenderError):
        text_writer(node("Times"), "iso8601")


def test_flat_maps_of_xml_stand_without_an_element_around_them() -> None:
    out: list[str] = []
    XmlWriters().element("Attribute", node("Flat"))(out, {"a": "1970-01-01T00:00:01.5Z", "b": "1970-01-01T00:00:02Z"})
    assert "".join(out) == (
        "<Attribute><key>a</key><value>1.5</value></Attribute><Attribute><key>b</key><value>2</value></Attribute>"
    )


def test_cbor_holds_bytes_and_documents() -> None:
    assert cbor_leaf(node("Blob"))("YQ==") == b"a"
    assert cbor_leaf(node("Free"))({"any": [1]}) == {"any": [1]}
