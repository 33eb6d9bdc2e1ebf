"""Checksums where the model wants one."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.aws.wire import build_request
from connectors.base import JsonObject
from tests.unit.connectors.aws.desk import AWS, CONNECTOR

BUCKET: JsonObject = {"Bucket": "data-lake"}
DELETE: JsonObject = {**BUCKET, "Delete": {"Objects": [{"Key": "a\u2028"}]}}
VERSIONING: JsonObject = {**BUCKET, "VersioningConfiguration": {"Status": "Enabled"}}
PUT: JsonObject = {**BUCKET, "Key": "k", "Body": "aGk="}


def sums(action: str, params: JsonObject) -> dict[str, str]:
    headers = build_request(CONNECTOR.plan(action, params, AWS)).headers
    return {name: text for name, text in headers.items() if "checksum" in name or name == "content-md5"}


@pytest.mark.parametrize(
    ("action", "params", "names"),
    [
        ("s3:PutObject", PUT, set()),
        ("s3:PutObject", {**PUT, "ChecksumAlgorithm": "SHA256"}, {"x-amz-checksum-sha256"}),
        ("s3:PutObject", {**PUT, "ChecksumAlgorithm": "SHA1"}, {"x-amz-checksum-sha1"}),
        ("s3:PutObject", {**PUT, "ChecksumAlgorithm": "CRC64NVME"}, set()),
        ("s3:PutObject", {**PUT, "ContentMD5": "eB5eJF1ptWaXm4bijSPyxw=="}, {"content-md5"}),
        ("s3:PutBucketVersioning", VERSIONING, {"x-amz-checksum-crc32"}),
        ("s3:DeleteObjects", DELETE, {"x-amz-checksum-crc32"}),
        ("s3:GetObject", {**BUCKET, "Key": "k"}, set()),
        (
            "s3control:CreateAccessGrantsLocation",
            {
                "AccountId": "123456789012",
                "LocationScope": "s3://data-lake",
                "IAMRoleArn": "arn:aws:iam::123456789012:role/a",
            },
            {"content-md5"},
        ),
    ],
)
def test_a_call_carries_the_checksum_its_model_wants(action: str, params: JsonObject, names: set[str]) -> None:
    assert sums(action, params).keys() - {"x-amz-sdk-checksum-algorithm"} == names


@pytest.mark.parametrize(("algorithm", "value"), [("CRC32", "2JMqrA=="), ("SHA1", "witfkXg0JglCjW9RssWvTAveakI=")])
def test_the_checksum_is_that_of_the_body(algorithm: str, value: str) -> None:
    found: dict[str, Any] = sums("s3:PutObject", {**PUT, "ChecksumAlgorithm": algorithm})
    assert found[f"x-amz-checksum-{algorithm.lower()}"] == value
