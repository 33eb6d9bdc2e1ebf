"""Listings of S3 whose names are encoded on the client's wish."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.aws import s3
from connectors.aws.codec import parser
from connectors.aws.wire_out.errors import RenderError
from tests.unit.connectors.aws.wire_out.answering import answer, operation

NAMES = "a b+c/*%25\x01é"
LISTED: dict[str, Any] = {
    "Prefix": NAMES,
    "KeyCount": 1,
    "Contents": [{"Key": NAMES, "Size": 1}, {"Size": 2}],
    "CommonPrefixes": [{"Prefix": NAMES}],
}


def test_a_client_that_asks_for_encoded_names_gets_any_name_back() -> None:
    api, got = operation("s3:ListObjectsV2"), answer("s3:ListObjectsV2", {**LISTED, "EncodingType": "url"})
    parsed = parser("rest-xml").parse({"status_code": 200, "headers": {}, "body": got.body}, api.model.output_shape)
    del parsed["ResponseMetadata"]
    assert parsed["EncodingType"] == "url"
    s3.mend(api, parsed, got.body)
    assert parsed == LISTED


def test_a_name_that_xml_cannot_hold_is_refused_to_a_client_that_does_not_ask() -> None:
    with pytest.raises(RenderError):
        answer("s3:ListObjectsV2", LISTED)
    with pytest.raises(RenderError):
        answer("s3:ListObjectsV2", {"EncodingType": "url", "Contents": NAMES, "Prefix": 1})


def test_names_of_uploads_are_encoded_too() -> None:
    got = answer("s3:ListMultipartUploads", {"EncodingType": "url", "Uploads": [{"Key": "a\x01"}], "KeyMarker": "b c"})
    assert b"<Key>a%01</Key>" in got.body
    assert b"<KeyMarker>b+c</KeyMarker>" in got.body
