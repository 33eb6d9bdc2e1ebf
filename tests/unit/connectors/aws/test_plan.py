from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.aws.connector import AwsConnector
from connectors.base import Access, Connection, JsonObject
from connectors.errors import InvalidParamsError
from policies.model import Requirement
from vault.model import CredentialRef

CONNECTOR = AwsConnector()
LAKE = Connection(
    "lake",
    "aws",
    CredentialRef("aws/lake"),
    {"account": "123456789012", "regions": ["eu-central-1", "us-east-1"], "partition": "aws", "endpoint": None},
)
OBJECT = {"Bucket": "data-lake", "Key": "raw/x.csv"}
ARN = "arn:aws:s3:::data-lake/raw/x.csv"
SOURCE = {"Bucket": "other-lake", "Key": "a b"}
SOURCE_ARN = "arn:aws:s3:::other-lake/a b"


def needed(action: str, params: JsonObject) -> list[tuple[str, str]]:
    return [(need.action, need.resource) for need in CONNECTOR.plan(action, params, LAKE).requirements]


@pytest.mark.req("A2")
@pytest.mark.parametrize(
    ("action", "params", "requirements"),
    [
        ("s3:GetObject", OBJECT, [("s3:GetObject", ARN)]),
        ("aws:s3:GetObject", OBJECT, [("s3:GetObject", ARN)]),
        ("s3:HeadObject", OBJECT, [("s3:GetObject", ARN)]),
        ("s3:GetObject", {**OBJECT, "VersionId": "v1"}, [("s3:GetObject", ARN), ("s3:GetObjectVersion", ARN)]),
        ("s3:HeadObject", {**OBJECT, "VersionId": "v1"}, [("s3:GetObject", ARN), ("s3:GetObjectVersion", ARN)]),
        ("s3:DeleteObject", OBJECT, [("s3:DeleteObject", ARN)]),
        ("s3:DeleteObject", {**OBJECT, "VersionId": "v"}, [("s3:DeleteObject", ARN), ("s3:DeleteObjectVersion", ARN)]),
        ("s3:ListObjectsV2", {"Bucket": "data-lake", "Prefix": "raw/"}, [("s3:ListBucket", "arn:aws:s3:::data-lake")]),
        ("s3:PutObject", OBJECT, [("s3:PutObject", ARN)]),
        ("s3:PutObject", {**OBJECT, "ACL": "public-read"}, [("s3:PutObject", ARN), ("s3:PutObjectAcl", ARN)]),
        ("s3:PutObject", {**OBJECT, "Tagging": "a=b"}, [("s3:PutObject", ARN), ("s3:PutObjectTagging", ARN)]),
        ("s3:CopyObject", {**OBJECT, "CopySource": SOURCE}, [("s3:GetObject", SOURCE_ARN), ("s3:PutObject", ARN)]),
        (
            "s3:CopyObject",
            {**OBJECT, "CopySource": {**SOURCE, "VersionId": "v"}, "TaggingDirective": "COPY", "ACL": "private"},
            [
                ("s3:GetObject", SOURCE_ARN),
                ("s3:GetObjectVersion", SOURCE_ARN),
                ("s3:GetObjectTagging", SOURCE_ARN),
                ("s3:GetObjectVersionTagging", SOURCE_ARN),
                ("s3:PutObject", ARN),
                ("s3:PutObjectAcl", ARN),
                ("s3:PutObjectTagging", ARN),
            ],
        ),
    ],
)
def test_requirements_follow_the_params(action: str, params: JsonObject, requirements: list[tuple[str, str]]) -> None:
    assert sorted(needed(action, params)) == sorted(requirements)


def test_copying_an_object_onto_itself_asks_for_each_pair_once() -> None:
    params = {**OBJECT, "CopySource": dict(OBJECT), "TaggingDirective": "REPLACE", "Tagging": "a=b"}
    assert needed("s3:CopyObject", params) == [
        ("s3:GetObject", ARN),
        ("s3:PutObject", ARN),
        ("s3:PutObjectTagging", ARN),
    ]


@pytest.mark.parametrize(
    "key",
    [
        "*",
        "raw/*",
        "../secrets",
        "a/../b",
        "%2e%2e/",
        "r\u0430w/x",
        "\uff52aw/x",
        "{Bucket}",
        "{}",
        "a:b",
        "?",
        "x//y",
        "/x",
    ],
)
def test_a_key_is_literal_whatever_it_looks_like(key: str) -> None:
    plan = CONNECTOR.plan("s3:GetObject", {"Bucket": "data-lake", "Key": key}, LAKE)
    assert plan.requirements == (Requirement("s3:GetObject", f"arn:aws:s3:::data-lake/{key}"),)
    assert plan.call["params"]["Key"] == key


@given(st.text())
def test_any_key_is_refused_or_stands_unchanged_in_its_resource(key: str) -> None:
    try:
        plan = CONNECTOR.plan("s3:GetObject", {"Bucket": "data-lake", "Key": key}, LAKE)
    except InvalidParamsError:
        return
    assert plan.requirements[0].resource == f"arn:aws:s3:::data-lake/{key}"
    assert json.loads(json.dumps(plan.call)) == plan.call


@pytest.mark.parametrize("key", ["", "a\x00", "a\nb", "\x1b[2J", "a\x7f", "a\x85", "\ud800", "é" * 513, "a" * 1025])
def test_a_key_that_nobody_could_read_is_refused(key: str) -> None:
    with pytest.raises(InvalidParamsError, match="Key"):
        CONNECTOR.plan("s3:GetObject", {"Bucket": "data-lake", "Key": key}, LAKE)


def test_a_key_that_turns_writing_around_is_escaped_where_people_read_it() -> None:
    plan = CONNECTOR.plan("s3:DeleteObject", {"Bucket": "data-lake", "Key": "a\u202egpj`.exe"}, LAKE)
    assert plan.summary == "delete s3://data-lake/a\\u202egpj\\u0060.exe (eu-central-1)"


@pytest.mark.parametrize(
    "bucket",
    [
        "",
        "ab",
        "a" * 64,
        "Data-Lake",
        "data_lake",
        "data..lake",
        "data.-lake",
        "data-.lake",
        "-data",
        "data-",
        "192.168.0.1",
        "*",
        "data*",
        "data/lake",
        "../data",
        "data lake",
        "data-lake\n",
        "dаta-lake",  # noqa: RUF001 - a Cyrillic letter is what is tested
        "xn--lake",
        "sthree-lake",
        "lake-s3alias",
        "lake--ol-s3",
        "lake--euc1-az1--x-s3",
        "arn:aws:s3:eu-central-1:1:accesspoint/x",
    ],
)
def test_a_bucket_that_is_no_bucket_is_refused(bucket: str) -> None:
    with pytest.raises(InvalidParamsError, match=r"is not a bucket name|`Bucket`"):
        CONNECTOR.plan("s3:GetObject", {"Bucket": bucket, "Key": "k"}, LAKE)
    with pytest.raises(InvalidParamsError, match="is not a bucket name"):
        CONNECTOR.plan("s3:CopyObject", {**OBJECT, "CopySource": {"Bucket": bucket, "Key": "k"}}, LAKE)


@pytest.mark.req("O2")
@pytest.mark.parametrize(
    ("action", "change", "words"),
    [
        ("s3:GetObject", {"Nope": 1}, "does not take `Nope`"),
        ("s3:GetObject", {"SSECustomerKey": "k"}, "does not take `SSECustomerKey`"),
        ("s3:GetObject", {"SSECustomerAlgorithm": "AES256"}, "does not take `SSECustomerAlgorithm`"),
        ("s3:DeleteObject", {"MFA": "serial 123456"}, "does not take `MFA`"),
        ("s3:GetObject", {"Key": 5}, "`Key` must be a string, found a number"),
        ("s3:GetObject", {"Key": True}, "`Key` must be a string, found a boolean"),
        ("s3:GetObject", {"Key": None}, "`Key` must be a string, found null"),
        ("s3:GetObject", {"Key": ["a"]}, "`Key` must be a string, found an array"),
        ("s3:GetObject", {"Bucket": {"a": 1}}, "`Bucket` must be a string, found an object"),
        ("s3:GetObject", {"PartNumber": True}, "`PartNumber` must be a whole number, found a boolean"),
        ("s3:GetObject", {"PartNumber": 1.0}, "`PartNumber` must be a whole number"),
        ("s3:GetObject", {"PartNumber": 0}, "must be from 1 to 10000, found 0"),
        ("s3:GetObject", {"PartNumber": 10**400}, "`PartNumber` must be from"),
        ("s3:GetObject", {"PartNumber": 10_001}, "must be from 1 to 10000, found 10001"),
        ("s3:GetObject", {"Range": "bytes=0-1,5-6"}, "`Range` must be one byte range"),
        ("s3:GetObject", {"Range": "bytes=\uff10-1"}, "`Range`"),
        ("s3:GetObject", {"ChecksumMode": "enabled"}, "`ChecksumMode` is `enabled`"),
        ("s3:GetObject", {"IfMatch": " x"}, "travels in a header"),
        ("s3:GetObject", {"IfMatch": "a  b"}, "travels in a header"),
        ("s3:GetObject", {"IfMatch": "é"}, "travels in a header"),
        ("s3:GetObject", {"IfMatch": "a\r\nb: c"}, "control character"),
        ("s3:GetObject", {"IfMatch": ""}, "`IfMatch` must have 1 to 8192 characters, found 0"),
        ("s3:GetObject", {"VersionId": "v" * 3000}, "found 3000"),
        ("s3:GetObject", {"ExpectedBucketOwner": "1"}, "an account id of 12 digits"),
        ("s3:GetObject", {"IfModifiedSince": 5}, "must be a string"),
        ("s3:GetObject", {"IfModifiedSince": "yesterday"}, "must be a time"),
        ("s3:GetObject", {"IfModifiedSince": "2026-03-04T12:00:00"}, "must be a time"),
        ("s3:GetObject", {"IfModifiedSince": "2026-03-04T12:00:00.5Z"}, "must be a time"),
        ("s3:GetObject", {"IfModifiedSince": "2026-02-30T12:00:00Z"}, "must be a time"),
        ("s3:GetObject", {"IfModifiedSince": "1969-01-01T00:00:00Z"}, "must be a time"),
        ("s3:GetObject", {"IfModifiedSince": "0001-01-01T00:00:00+10:00"}, "must be a time"),
        ("s3:GetObject", {"Region": "eu-west-1"}, "`Region` must be one of the connection's, found `eu-west-1`"),
        ("s3:GetObject", {"Region": 5}, "found a number"),
        ("s3:PutObject", {"Body": 5}, "`Body` must be a string in base64"),
        ("s3:PutObject", {"Body": "aGVsbG8"}, "`Body` is not base64"),
        ("s3:PutObject", {"Body": "aGVs\nbG8="}, "`Body` is not base64"),
        ("s3:PutObject", {"Body": "aGVsbG8_"}, "`Body` is not base64"),
        ("s3:PutObject", {"Body": "é"}, "`Body` is not base64"),
        ("s3:PutObject", {"Metadata": []}, "`Metadata` must be an object, found an array"),
        ("s3:PutObject", {"Metadata": {"a": 1}}, "`Metadata.a` must be a string, found a number"),
        ("s3:PutObject", {"Metadata": {"A": "b"}}, "`Metadata` has the name `A`"),
        ("s3:PutObject", {"Metadata": {"a: b": "c"}}, "has the name"),
        ("s3:PutObject", {"Metadata": {"a": "b\r\nc: d"}}, "travels in a header"),
        ("s3:PutObject", {"Metadata": {"a": "b" * 2048}}, "at most 2048 bytes, found 2049"),
        ("s3:PutObject", {"ServerSideEncryption": "aes256"}, "`ServerSideEncryption` is `aes256`"),
        ("s3:CopyObject", {"CopySource": "data-lake/x"}, "`CopySource` must be an object, found a string"),
        ("s3:CopyObject", {"CopySource": {"Bucket": "data-lake"}}, "has `Bucket` and `Key`"),
        ("s3:CopyObject", {"CopySource": {**SOURCE, "Nope": "x"}}, "and nothing else"),
        ("s3:CopyObject", {"CopySource": {**SOURCE, "Key": 5}}, "`CopySource.Key` must be a string"),
        ("s3:CopyObject", {"CopySource": {**SOURCE, "Key": "\x00"}}, "control character"),
        (
            "s3:CopyObject",
            {"CopySource": SOURCE, "TaggingDirective": "COPY", "Tagging": "a=b"},
            "contradict each other",
        ),
        ("s3:CopyObject", {}, "needs `CopySource`"),
    ],
)
def test_params_that_do_not_fit_are_refused_with_the_name_of_the_param(
    action: str, change: JsonObject, words: str
) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        CONNECTOR.plan(action, {**OBJECT, **change}, LAKE)
    assert words in str(caught.value)


@pytest.mark.parametrize("params", [{}, {"Bucket": "data-lake"}, {"Key": "k"}])
def test_missing_params_are_named(params: JsonObject) -> None:
    with pytest.raises(InvalidParamsError, match=r"needs `(Bucket|Key)`"):
        CONNECTOR.plan("s3:GetObject", params, LAKE)


@pytest.mark.parametrize(
    "action", ["s3:NoSuchThing", "s3:getobject", "nope:GetObject", "s3", "", ":", "aws:aws:s3:GetObject"]
)
def test_an_unknown_action_is_refused(action: str) -> None:
    with pytest.raises(InvalidParamsError, match="is not an operation of aws"):
        CONNECTOR.plan(action, OBJECT, LAKE)


def test_the_call_holds_everything_but_the_payload() -> None:
    params = {
        **OBJECT,
        "Body": base64.b64encode(b"hello").decode(),
        "Region": "us-east-1",
        "Metadata": {"b": "2", "a": "1"},
    }
    plan = CONNECTOR.plan("s3:PutObject", params, LAKE)
    assert plan.call == {
        "service": "s3",
        "operation": "PutObject",
        "params": {**OBJECT, "Metadata": {"a": "1", "b": "2"}},
        "region": "us-east-1",
        "origin": "https://data-lake.s3.us-east-1.amazonaws.com",
        "path_style": False,
        "signing_name": "s3",
        "signing_region": "us-east-1",
        "payload_sha256": hashlib.sha256(b"hello").hexdigest(),
    }
    assert plan.host == "data-lake.s3.us-east-1.amazonaws.com"
    assert (plan.payload, plan.estimate.request_bytes) == (b"hello", 5)
    assert plan.summary == "put 5 bytes to s3://data-lake/raw/x.csv (us-east-1)"
    assert (plan.access, plan.idempotent, plan.connection, plan.credential) == (Access.WRITE, False, "lake", "aws/lake")


@pytest.mark.parametrize(
    ("action", "params", "summary"),
    [
        ("s3:GetObject", {**OBJECT, "VersionId": "v1"}, "get s3://data-lake/raw/x.csv version v1 (eu-central-1)"),
        ("s3:ListObjectsV2", {"Bucket": "data-lake"}, "list s3://data-lake (eu-central-1)"),
        ("s3:ListObjectsV2", {"Bucket": "data-lake", "Prefix": ""}, "list s3://data-lake (eu-central-1)"),
        ("s3:ListObjectsV2", {"Bucket": "data-lake", "Prefix": "raw/"}, "list s3://data-lake/raw/ (eu-central-1)"),
        (
            "s3:CopyObject",
            {**OBJECT, "CopySource": SOURCE},
            "copy s3://other-lake/a b to s3://data-lake/raw/x.csv (eu-central-1)",
        ),
        ("s3:GetObject", {**OBJECT, "Key": "k" * 100}, f"get s3://data-lake/{'k' * 60}… (eu-central-1)"),
    ],
)
def test_the_summary_is_a_line_a_person_can_approve(action: str, params: JsonObject, summary: str) -> None:
    assert CONNECTOR.plan(action, params, LAKE).summary == summary


def test_the_same_moment_in_another_zone_is_the_same_plan() -> None:
    def call(text: str) -> Any:
        return CONNECTOR.plan("s3:GetObject", {**OBJECT, "IfModifiedSince": text}, LAKE).call

    assert call("2026-03-04T12:00:00Z") == call("2026-03-04t14:00:00+02:00")
    assert call("2026-03-04T12:00:00Z")["params"]["IfModifiedSince"] == "2026-03-04T12:00:00Z"


def test_the_partition_of_the_connection_is_in_the_resource() -> None:
    china = Connection(
        "cn", "aws", CredentialRef("a/b"), {"account": "123456789012", "regions": ["cn-north-1"], "partition": "aws-cn"}
    )
    plan = CONNECTOR.plan("s3:GetObject", OBJECT, china)
    assert plan.requirements[0].resource == "arn:aws-cn:s3:::data-lake/raw/x.csv"
    assert plan.call["origin"] == "https://data-lake.s3.cn-north-1.amazonaws.com.cn"


def test_the_schema_of_an_operation_names_every_param_it_takes_and_no_other() -> None:
    schema = CONNECTOR.operations["s3:CopyObject"].params_schema
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["Bucket", "CopySource", "Key"]
    assert schema["properties"]["Metadata"] == {
        "type": "object",
        "additionalProperties": {"type": "string"},
    }
    assert schema["properties"]["CopySourceIfModifiedSince"] == {"type": "string", "format": "date-time"}
    assert schema["properties"]["CopySource"]["required"] == ["Bucket", "Key"]
    listing = CONNECTOR.operations["s3:ListObjectsV2"].params_schema["properties"]
    assert listing["MaxKeys"] == {"type": "integer", "minimum": 0, "maximum": 1000}
    assert listing["FetchOwner"] == {"type": "boolean"}
    assert CONNECTOR.operations["s3:PutObject"].params_schema["properties"]["Body"]["contentEncoding"] == "base64"
    assert CONNECTOR.operations["s3:GetObject"].resources == ("arn:aws:s3:::{Bucket}/{Key}",)


def test_a_name_that_is_too_long_for_any_rule_is_refused() -> None:
    with pytest.raises(InvalidParamsError, match="too long"):
        CONNECTOR.plan("dynamodb:GetItem", {"TableName": "t" * 3000, "Key": {}}, LAKE)


def test_the_connector_says_what_it_serves() -> None:
    assert (CONNECTOR.name, CONNECTOR.connection_model.__name__) == ("aws", "AwsConnection")
    assert {"s3", "stepfunctions", "states"} <= CONNECTOR.services
    assert "s3/object" in {each.name for each in CONNECTOR.resource_types}
