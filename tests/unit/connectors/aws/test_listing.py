"""Listings of S3 in their older forms, and words people read."""

from __future__ import annotations

import pytest

from connectors.aws.words import camel_words, shown
from connectors.base import JsonObject
from tests.fakes import Answer
from tests.unit.connectors.aws.desk import AWS, CONNECTOR, run


async def test_versions_and_old_listings_come_back_decoded() -> None:
    versions = b"""<ListVersionsResult><EncodingType>url</EncodingType><KeyMarker>a%2Bb</KeyMarker>
    <Version><Key>a%20b</Key></Version><DeleteMarker><Key>c%2Fd</Key></DeleteMarker></ListVersionsResult>"""
    found = await run("ListObjectVersions", Answer(chunks=(versions,)), params={"Bucket": "data-lake"})
    assert found.data == {"KeyMarker": "a+b", "Versions": [{"Key": "a b"}], "DeleteMarkers": [{"Key": "c/d"}]}
    plain = b"<ListBucketResult><Marker>a%20b</Marker><Contents><Size>1</Size></Contents></ListBucketResult>"
    found = await run("ListObjects", Answer(chunks=(plain,)), params={"Bucket": "data-lake"})
    assert found.data == {"Marker": "a%20b", "Contents": [{"Size": 1}]}


@pytest.mark.parametrize(
    ("action", "params", "summary"),
    [
        (
            "ecs:UpdateService",
            {"cluster": "main", "service": "web"},
            "update service service/main/web (ecs, eu-central-1)",
        ),
        ("sts:GetCallerIdentity", {}, "get caller identity (sts, eu-central-1)"),
        ("s3:ListBuckets", {}, "list buckets (s3, eu-central-1)"),
        (
            "s3:PutBucketPolicy",
            {"Bucket": "data-lake", "Policy": "{}"},
            "put bucket policy s3://data-lake (eu-central-1)",
        ),
        (
            "ec2:TerminateInstances",
            {"InstanceIds": ["i-1", "i-2", "i-3"]},
            "terminate instances instance/i-1, instance/i-2 and 1 more (ec2, eu-central-1)",
        ),
    ],
)
def test_a_summary_names_the_deed_and_the_thing(action: str, params: JsonObject, summary: str) -> None:
    assert CONNECTOR.plan(action, params, AWS).summary == summary


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("UpdateDBInstance", "update DB instance"),
        ("GetObject", "get object"),
        ("DescribeEC2TagsV2", "describe EC2 tags V2"),
        ("_", "_"),
    ],
)
def test_a_name_is_read_as_words(name: str, words: str) -> None:
    assert camel_words(name) == words


def test_what_is_shown_cannot_turn_around_or_end_its_quotes() -> None:
    assert shown("a`b\u202e") == "a\\u0060b\\u202e"
