"""Which operation a request is, when one thing says it, when two do, and when nothing does."""

from __future__ import annotations

import base64
import json

import pytest

from connectors.aws.wire_in.calls import Scope
from connectors.aws.wire_in.parse import parse, takes_stream
from connectors.aws.wire_in.refusal import Reason, Refusal
from connectors.aws.wire_in.services import Protocol
from tests.unit.connectors.aws.wire_in.asking import HOSTS, OWN_HOST, asked, form, read, refused, targeted

INSTANCES = "Action=DescribeInstances&Version=2016-11-15"


@pytest.mark.parametrize(
    ("method", "target", "headers", "operation", "params"),
    [
        ("GET", "/", {}, "ListBuckets", {}),
        ("GET", "/b", {}, "ListObjects", {"Bucket": "b"}),
        ("GET", "/b/?list-type=2&prefix=a%2F*", {}, "ListObjectsV2", {"Bucket": "b", "Prefix": "a/*"}),
        ("GET", "/b/k", {"range": "bytes=0-9"}, "GetObject", {"Bucket": "b", "Key": "k", "Range": "bytes=0-9"}),
        ("GET", "/b/k?x-id=GetObject", {}, "GetObject", {"Bucket": "b", "Key": "k"}),
        ("GET", "/b/x//../y%20%2B?versionId=v", {}, "GetObject", {"Bucket": "b", "Key": "x//../y +", "VersionId": "v"}),
        ("GET", "/b//", {}, "GetObject", {"Bucket": "b", "Key": "/"}),
        ("GET", "/b/k?acl", {}, "GetObjectAcl", {"Bucket": "b", "Key": "k"}),
        ("GET", "/b/k?acl=", {}, "GetObjectAcl", {"Bucket": "b", "Key": "k"}),
        ("HEAD", "/b", {}, "HeadBucket", {"Bucket": "b"}),
        (
            "PUT", "/b/k", {"x-amz-copy-source": "src/a%20b"}, "CopyObject",
            {"Bucket": "b", "Key": "k", "CopySource": "src/a%20b"},
        ),
        (
            "PUT", "/b/k?partNumber=3&uploadId=u", {"x-amz-copy-source": "s/k"}, "UploadPartCopy",
            {"Bucket": "b", "Key": "k", "PartNumber": 3, "UploadId": "u", "CopySource": "s/k"},
        ),
        (
            "POST", "/b/k?uploads", {"x-amz-meta-a": "1"}, "CreateMultipartUpload",
            {"Bucket": "b", "Key": "k", "Metadata": {"a": "1"}},
        ),
        (
            "GET", "/b/k?attributes", {"x-amz-object-attributes": 'ETag,"a,\\"b"'}, "GetObjectAttributes",
            {"Bucket": "b", "Key": "k", "ObjectAttributes": ["ETag", 'a,"b']},
        ),
        (
            "GET", "/b/k", {"if-modified-since": "Tue, 05 Mar 2024 06:07:08 GMT"}, "GetObject",
            {"Bucket": "b", "Key": "k", "IfModifiedSince": "2024-03-05T06:07:08Z"},
        ),
        (
            "GET", "/v20180820/accesspoint/n", {"x-amz-account-id": "1"}, "GetAccessPoint",
            {"AccountId": "1", "Name": "n"},
        ),
    ],
)  # fmt: skip
def test_requests_of_s3_are_told_apart(
    method: str, target: str, headers: dict[str, str], operation: str, params: dict[str, object]
) -> None:
    found = read(asked(method, target, headers=headers), "s3")
    assert (found.operation, found.params) == (operation, params)
    assert found.protocol is Protocol.REST_XML


@pytest.mark.parametrize(
    ("host", "target", "params"),
    [
        (f"my.bucket.{OWN_HOST}:8443", "/k", {"Bucket": "my.bucket", "Key": "k"}),
        ("bucket.broker.test", "/k", {"Bucket": "bucket", "Key": "k"}),
        ("elsewhere.test", "/b/k", {"Bucket": "b", "Key": "k"}),
        (OWN_HOST, "/b/k", {"Bucket": "b", "Key": "k"}),
    ],
)
def test_a_virtual_host_names_the_bucket(host: str, target: str, params: dict[str, object]) -> None:
    found = read(asked("GET", target, headers={"host": host}), "s3")
    assert (found.operation, found.params) == ("GetObject", params)


@pytest.mark.parametrize(
    ("method", "target", "headers", "reason"),
    [
        ("GET", "/b/k?evil=1", {}, Reason.UNKNOWN_INPUT),
        ("GET", "/b/k?acl&tagging", {}, Reason.UNKNOWN_INPUT),
        ("GET", "/b/k?acl=1", {}, Reason.UNKNOWN_INPUT),
        ("GET", "/b/k?versionId=a&versionId=b", {}, Reason.DECOY),
        ("GET", "/b/k?x-id=DeleteObject", {}, Reason.DECOY),
        ("GET", "/b/k?x-id=GetObject&x-id=GetObject", {}, Reason.DECOY),
        ("PUT", "/b/k?partNumber=1", {}, Reason.UNKNOWN_INPUT),
        ("GET", "/b/k?X-Amz-Signature=0", {}, Reason.UNKNOWN_INPUT),
        ("PATCH", "/b/k", {}, Reason.UNKNOWN_OPERATION),
        ("GET", "/b/%ff", {}, Reason.MALFORMED),
        ("GET", "/b/a%00", {}, Reason.MALFORMED),
        ("GET", "/b/k", {"if-modified-since": "now"}, Reason.MALFORMED),
        ("PUT", "/b/k", {"x-amz-meta-": "1"}, Reason.MALFORMED),
        ("PUT", "/b/k", {"x-amz-meta-a": "\xfc"}, Reason.MALFORMED),
        ("GET", "/b/k?attributes", {"x-amz-object-attributes": '"a'}, Reason.MALFORMED),
        ("GET", "/b/k?attributes", {"x-amz-object-attributes": '"a"b'}, Reason.MALFORMED),
        ("GET", "/b/k", {"x-amz-target": "DynamoDB_20120810.GetItem"}, Reason.UNKNOWN_OPERATION),
    ],
)  # fmt: skip
def test_decoys_and_nonsense_for_s3_are_refused(
    method: str, target: str, headers: dict[str, str], reason: Reason
) -> None:
    assert refused(asked(method, target, headers=headers), "s3") is reason


def test_a_header_no_model_knows_is_dropped_and_one_sent_twice_is_not() -> None:
    assert read(asked("GET", "/b/k", headers={"x-forwarded-for": "1.2.3.4"}), "s3").params == {
        "Bucket": "b",
        "Key": "k",
    }
    assert (
        refused(asked("GET", "/b/k", headers={"range": "bytes=0-1"}, more=(("range", "bytes=0-"),)), "s3")
        is Reason.DECOY
    )


def test_checksums_that_are_no_members_are_kept_apart() -> None:
    call = read(
        asked("PUT", "/b?policy", headers={"content-md5": "m", "x-amz-checksum-crc32": "c"}, body=b"{}"), "s3"
    ).candidates[0]
    assert call.params == {"Bucket": "b", "ContentMD5": "m", "Policy": "{}"}
    assert call.checksums == {"x-amz-checksum-crc32": "c"}


@pytest.mark.parametrize(
    ("request_", "service"),
    [
        (targeted("DynamoDB_20120810.GetItem", {}, **{"smithy-protocol": "rpc-v2-cbor"}), "dynamodb"),
        (form("Action=ListMetrics&Version=2010-08-01", **{"x-amz-target": "X.ListMetrics"}), "monitoring"),
        (asked("POST", "/?Action=ListMetrics", headers={"x-amz-target": "X.ListMetrics"}), "monitoring"),
        (targeted("DynamoDB_20120810.GetItem", {}, **{"x-y": "1"}), "iam"),
    ],
)
def test_a_request_that_names_its_operation_in_two_ways_or_a_foreign_one_is_refused(
    request_: object, service: str
) -> None:
    assert refused(request_, service) in {Reason.DECOY, Reason.UNKNOWN_OPERATION}  # type: ignore[arg-type]  # WireRequest


@pytest.mark.parametrize(
    ("request_", "service"),
    [
        (form(INSTANCES, target="/?Action=TerminateInstances"), "ec2"),
        (form(INSTANCES, target="/?a=b"), "ec2"),
        (form(INSTANCES, target="/queue"), "ec2"),
        (asked("GET", f"/queue?{INSTANCES}"), "ec2"),
        (asked("PUT", f"/?{INSTANCES}"), "ec2"),
        (asked("POST", "/x", headers={"x-amz-target": "DynamoDB_20120810.ListTables"}), "dynamodb"),
        (asked("POST", "/?x=1", headers={"x-amz-target": "DynamoDB_20120810.ListTables"}), "dynamodb"),
        (asked("GET", "/", headers={"x-amz-target": "DynamoDB_20120810.ListTables"}), "dynamodb"),
        (targeted("DynamoDB_20120810.Nope", {}), "dynamodb"),
        (targeted("Nope.ListTables", {}), "dynamodb"),
        (targeted("ListTables", {}), "dynamodb"),
        (targeted("", {}), "dynamodb"),
        (asked("POST", "/", headers={"smithy-protocol": "rpc-v2-cbor"}), "monitoring"),
        (asked("POST", "/service/X/operation/ListMetrics", headers={"smithy-protocol": "rpc-v2-cbor"}), "monitoring"),
        (asked("GET", "/2015-03-31/functions/f/nope"), "lambda"),
        (asked("GET", "/"), "no-such-service"),
        (asked("GET", "/"), "s3express"),
    ],
)
def test_what_names_no_operation_is_refused(request_: object, service: str) -> None:
    assert refused(request_, service) is Reason.UNKNOWN_OPERATION  # type: ignore[arg-type]  # WireRequest


@pytest.mark.parametrize(
    "target", ["/2015-03-31/functions/..", "/2015-03-31/functions/%2e%2e", "/2015-03-31/functions/."]
)
def test_a_dot_segment_is_a_name_to_s3_only(target: str) -> None:
    assert refused(asked("GET", target), "lambda") is Reason.DECOY


def test_bodies_of_rest_json_are_read() -> None:
    body = json.dumps({"FunctionName": "f", "Code": {"ZipFile": "UEs="}, "Role": "r"}).encode()
    found = read(asked("POST", "/2015-03-31/functions", body=body), "lambda")
    assert found.candidates[0].action == "lambda:CreateFunction"
    assert found.params == {"FunctionName": "f", "Code": {"ZipFile": "UEs="}, "Role": "r"}
    assert refused(asked("POST", "/2015-03-31/functions", body=b'{"Evil":1}'), "lambda") is Reason.UNKNOWN_INPUT
    assert read(asked("POST", "/2015-03-31/functions"), "lambda").params == {}
    assert refused(asked("GET", "/2015-03-31/functions/f", body=b"x"), "lambda") is Reason.UNKNOWN_INPUT
    assert refused(asked("GET", "/2015-03-31/functions/f", body=None), "lambda") is Reason.UNSUPPORTED
    assert refused(asked("GET", "/2016-08-19/account-settings?a=1"), "lambda") is Reason.UNKNOWN_INPUT


def test_a_payload_of_bytes_is_apart_from_the_params_until_it_is_wanted() -> None:
    target = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af/invocations"
    call = read(asked("POST", target, body=b"\x00{}", headers={"x-amz-client-context": "e30="}), "lambda").candidates[0]
    name = "arn:aws:lambda:eu-west-1:1:function:f"
    assert call.params == {"FunctionName": name, "ClientContext": "e30="}
    assert (call.payload_member, call.payload) == ("Payload", b"\x00{}")
    assert call.whole_params == {**call.params, "Payload": base64.b64encode(b"\x00{}").decode()}
    empty = read(asked("POST", target), "lambda").candidates[0]
    assert empty.whole_params == empty.params


@pytest.mark.parametrize(
    ("method", "target", "headers", "service", "streams"),
    [
        ("PUT", "/b/k", {}, "s3", True),
        ("PUT", "/b/k?partNumber=1&uploadId=u", {}, "s3", True),
        ("PUT", "/b/k", {"x-amz-copy-source": "a/b"}, "s3", False),
        ("PUT", "/b?policy", {}, "s3", False),
        ("GET", "/b/k", {}, "s3", False),
        ("PATCH", "/b/k", {}, "s3", False),
        ("PUT", "/b/k?x-id=GetObject", {}, "s3", False),
        ("POST", "/", {"x-amz-target": "DynamoDB_20120810.GetItem"}, "dynamodb", False),
        ("POST", "/2015-03-31/functions/f/invocations", {}, "lambda", False),
        ("PUT", "/b/k", {}, "no-such-service", False),
    ],
)
def test_only_a_stream_may_stay_unread(
    method: str, target: str, headers: dict[str, str], service: str, *, streams: bool
) -> None:
    request = asked(method, target, headers=headers, body=None)
    scope = Scope(service, "eu-west-1", hosts=HOSTS)
    assert takes_stream(request, scope) is streams
    if streams:
        call = read(request, service).candidates[0]
        assert (call.payload_member, call.payload) == ("Body", None)
    elif method != "GET":
        assert isinstance(parse(request, scope), Refusal)


def test_the_framing_of_chunks_is_no_encoding_of_the_object() -> None:
    for sent, expected in (("aws-chunked", None), ("gzip, aws-chunked", "gzip"), ("gzip", "gzip")):
        found = read(asked("PUT", "/b/k", headers={"content-encoding": sent, "content-length": "9"}, body=None), "s3")
        assert found.params.get("ContentEncoding") == expected
        assert "ContentLength" not in found.params


PRESIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=1&X-Amz-SignedHeaders=host"


def test_the_signature_of_a_presigned_url_is_no_param() -> None:
    target = f"/b/k?versionId=v&{PRESIGNED}&X-Amz-Signature=0"
    assert read(asked("GET", target), "s3", presigned=True).params == {"Bucket": "b", "Key": "k", "VersionId": "v"}
    hoisted = read(asked("PUT", f"/b/k?x-amz-acl=private&{PRESIGNED}"), "s3", presigned=True)
    assert hoisted.params == {"Bucket": "b", "Key": "k", "ACL": "private"}
    twice = asked("PUT", f"/b/k?x-amz-acl=private&{PRESIGNED}", headers={"x-amz-acl": "public-read"})
    assert refused(twice, "s3", presigned=True) is Reason.DECOY
    identity = asked("GET", f"/?Action=GetCallerIdentity&Version=2011-06-15&{PRESIGNED}")
    assert read(identity, "sts", presigned=True).operation == "GetCallerIdentity"
    assert read(asked("GET", "/b/k"), "s3", presigned=True).operation == "GetObject"


def test_where_the_wire_does_not_tell_every_reading_is_returned() -> None:
    request = form("Action=DescribeDBClusters&Version=2014-10-31")
    found = read(request, "rds")
    assert {call.action for call in found.candidates} == {
        "docdb:DescribeDBClusters", "neptune:DescribeDBClusters", "rds:DescribeDBClusters",
    }  # fmt: skip
    assert not found.hinted
    hinted = read(form("Action=DescribeDBClusters&Version=2014-10-31", **{"user-agent": "x api/neptune#1.2 y"}), "rds")
    assert (hinted.service, hinted.hinted, len(hinted.candidates)) == ("neptune", True, 3)


def test_a_reading_that_does_not_fit_its_model_is_no_candidate() -> None:
    found = read(form("Action=CreateDBInstance&Version=2014-10-31&DBInstanceIdentifier=i&MaxAllocatedStorage=9"), "rds")
    assert [call.service for call in found.candidates] == ["rds"]


def test_a_deprecated_twin_comes_after_its_heir() -> None:
    found = read(asked("GET", "/b?lifecycle"), "s3")
    assert [(call.operation, call.deprecated) for call in found.candidates] == [
        ("GetBucketLifecycleConfiguration", False),
        ("GetBucketLifecycle", True),
    ]


def test_unread_bodies_of_other_protocols_are_refused() -> None:
    for request, service in (
        (asked("POST", "/", headers={"x-amz-target": "DynamoDB_20120810.ListTables"}, body=None), "dynamodb"),
        (asked("POST", "/", headers={"content-type": "application/x-www-form-urlencoded"}, body=None), "ec2"),
        (asked("POST", "/b?delete", body=None), "s3"),
    ):
        assert refused(request, service) is Reason.UNSUPPORTED


def test_operations_without_input_take_an_empty_object_and_no_more() -> None:
    target = "AWSOrganizationsV20161128.DescribeOrganization"
    assert read(targeted(target, b""), "organizations").params == {}
    assert read(targeted(target, {}), "organizations").params == {}
    assert refused(targeted(target, {"a": 1}), "organizations") is Reason.UNKNOWN_INPUT


def test_events_as_input_are_refused() -> None:
    target = "/model/m/invoke-with-bidirectional-stream"
    assert refused(asked("POST", target), "bedrock") is Reason.UNSUPPORTED


def test_rest_members_stand_where_the_model_says() -> None:
    imported = read(asked("PUT", "/restapis/a?mode=merge&basepath=x", body=b"{}"), "apigateway").candidates[0]
    assert imported.whole_params == {
        "restApiId": "a", "mode": "merge", "parameters": {"basepath": "x"}, "body": "e30=",
    }  # fmt: skip
    assert refused(asked("PUT", "/restapis/a?x=1&x=2", body=b"{}"), "apigateway") is Reason.DECOY
    tags = read(asked("DELETE", "/2017-03-31/tags/a?tagKeys=x&tagKeys=y"), "lambda")
    assert tags.params == {"Resource": "a", "TagKeys": ["x", "y"]}
    lists = read(asked("GET", "/scrapers?a=1&a=2"), "aps")
    assert lists.params == {"filters": {"a": ["1", "2"]}}


def test_json_in_a_header_is_read() -> None:
    carried = base64.b64encode(b'[{"a": "b"}]').decode()
    request = asked("POST", "/topics/t", headers={"x-amz-mqtt5-user-properties": carried}, body=b"hello")
    assert read(request, "iotdata").params == {"topic": "t", "userProperties": [{"a": "b"}]}
    for wrong in ("%", "e30", base64.b64encode(b"{").decode()):
        request = asked("POST", "/topics/t", headers={"x-amz-mqtt5-user-properties": wrong})
        assert refused(request, "iotdata") is Reason.MALFORMED


def test_a_payload_of_text_is_unicode() -> None:
    assert refused(asked("PUT", "/b?policy", body=b"\xff"), "s3") is Reason.MALFORMED
    assert refused(asked("PUT", "/b?policy", body=None), "s3") is Reason.UNSUPPORTED


def test_a_structure_that_is_the_body_is_read() -> None:
    tagged = read(asked("POST", "/v2/email/tags", body=b'{"ResourceArn":"a","Tags":[]}'), "ses")
    assert tagged.params == {"ResourceArn": "a", "Tags": []}
    job = asked("POST", "/app/a/environment/e/components", body=b'{"name":"n"}')
    assert read(job, "amplifyuibuilder").params["componentToCreate"] == {"name": "n"}
