"""Heads are read as botocore's parser reads them, over every operation whose body streams."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.aws.answer import plain
from connectors.aws.catalogue.data import load
from connectors.aws.codec import parser
from connectors.aws.heads import head_of
from connectors.aws.model import ApiOperation, operation

VALUES: dict[str, list[str]] = {
    "string": ["", "text/plain; a=b", '"e"'],
    "integer": ["0", "-7"],
    "long": ["5368709120"],
    "float": ["0.5"],
    "double": ["1e3"],
    "boolean": ["true", "false"],
    "timestamp": ["Wed, 04 Mar 2026 12:00:00 GMT", "2026-03-04T12:00:00Z"],
}


def streaming() -> list[ApiOperation]:
    catalogue = load()
    named = [(service, name) for service in sorted(catalogue.services()) for name in catalogue.operations(service)]
    entries = [(each, catalogue.entry(*each)) for each in named]
    found = [operation(*each) for each, entry in entries if entry and entry.streaming_output and not entry.event_stream]
    return [api for api in found if api is not None and api.streams]


def headers_of(api: ApiOperation, turn: int) -> dict[str, str]:
    headers = {"date": "Wed, 04 Mar 2026 12:00:00 GMT", "x-unknown": "1"}
    for name, shape in api.model.output_shape.members.items():
        place, wire_name = shape.serialization.get("location"), shape.serialization.get("name", name).lower()
        if place == "header":
            values = VALUES[shape.type_name]
            headers[wire_name] = values[turn % len(values)]
        elif place == "headers":
            headers |= {f"{wire_name}one": "1", f"{wire_name}two": "2"}
    return headers


def test_every_head_is_read_as_botocore_reads_it() -> None:
    apis = streaming()
    read_here = [api for api in apis if head_of(api) is not None]
    assert (len(apis), len(read_here)) == (63, 61)
    for api in read_here:
        for turn in range(3):
            headers = headers_of(api, turn)
            spelled = {api.spelling.get(name, name): text for name, text in headers.items()}
            outputs = api.model.output_shape
            there: Any = parser(api.protocol).parse({"status_code": 202, "headers": spelled, "body": b""}, outputs)
            there = {key: value for key, value in there.items() if key not in {"ResponseMetadata", _payload(api)}}
            head = head_of(api)
            assert head is not None
            assert plain(head.read(202, headers)) == plain(there), api.action


def _payload(api: ApiOperation) -> str:
    return str(api.model.output_shape.serialization["payload"])


@pytest.mark.parametrize("name", ["HeadObject", "PutObject", "ListBuckets"])
def test_an_operation_without_a_streamed_body_is_botocores(name: str) -> None:
    api = operation("s3", name)
    assert api is not None
    assert head_of(api) is None
