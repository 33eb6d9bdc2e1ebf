"""Status, headers and bodies of answers, where the protocols differ and where data is odd."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from connectors.aws import s3
from connectors.aws.codec import parser
from connectors.aws.wire_in.services import Protocol
from connectors.aws.wire_out.answer import head
from connectors.aws.wire_out.errors import RenderError
from tests.unit.connectors.aws.wire_out.answering import REQUEST_ID, answer, operation

OBJECT = {
    "LastModified": "2024-03-05T06:07:08Z",
    "ContentLength": 5,
    "ETag": '"e"',
    "ContentType": "text/plain",
    "DeleteMarker": False,
    "ObjectLockRetainUntilDate": "2030-01-02T03:04:05Z",
    "Metadata": {"Colour": "bl\u00fc"},
}
XML = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def root_of(body: bytes) -> Any:
    return ET.fromstring(body)  # noqa: S314 - our own bytes


def test_a_head_says_what_the_result_says() -> None:
    status, headers = head(operation("s3:GetObject"), OBJECT, request_id=REQUEST_ID)
    assert (status, headers) == (
        200,
        {
            "x-amzn-requestid": "r-1",
            "x-amz-request-id": "r-1",
            "last-modified": "Tue, 05 Mar 2024 06:07:08 GMT",
            "content-length": "5",
            "etag": '"e"',
            "content-type": "text/plain",
            "x-amz-delete-marker": "false",
            "x-amz-object-lock-retain-until-date": "2030-01-02T03:04:05Z",
            "x-amz-meta-colour": "bl\u00fc",
        },
    )


def test_a_head_without_a_type_is_one_of_bytes() -> None:
    assert head(operation("lambda:Invoke"), {"LogResult": None}, request_id=REQUEST_ID)[1] == {
        "x-amzn-requestid": "r-1",
        "x-amz-request-id": "r-1",
        "content-type": "application/octet-stream",
    }


def test_a_range_is_partial_content() -> None:
    ranged = {**OBJECT, "ContentRange": "bytes 0-4/10"}
    assert head(operation("s3:GetObject"), ranged, request_id=REQUEST_ID)[0] == 206
    assert answer("s3:GetObject", ranged, body=b"01234").status == 206


def test_a_small_body_gets_its_own_length() -> None:
    got = answer("s3:GetObject", {**OBJECT, "ContentLength": 9}, body=b"hello")
    assert (got.body, got.headers["content-length"]) == (b"hello", "5")


def test_expires_is_what_the_writer_of_the_object_wrote() -> None:
    assert answer("s3:HeadObject", {"ExpiresString": "soon"}).headers["expires"] == "soon"


def test_the_answer_to_head_keeps_the_length_and_has_no_body() -> None:
    got = answer("s3:HeadObject", OBJECT)
    assert (got.body, got.headers["content-length"], got.status) == (b"", "5", 200)


@pytest.mark.parametrize(
    ("action", "data", "status", "body"),
    [
        ("s3:DeleteObject", {"DeleteMarker": True}, 204, b""),
        ("s3:PutObject", {"ETag": '"e"'}, 200, b""),
        ("apigateway:CreateApiKey", {"id": "k"}, 201, b'{"id":"k"}'),
        ("lambda:Invoke", {"StatusCode": 202}, 202, b""),
        ("lambda:Invoke", {"StatusCode": 500}, 200, b""),
        ("apigateway:DeleteIntegration", {}, 204, b""),
        ("quicksight:DeleteSpace", {"unknown": 1}, 204, b""),
        ("quicksight:DeleteSpace", {"RequestId": "r"}, 200, b'{"RequestId":"r"}'),
        ("sqs:DeleteMessage", {}, 200, b""),
        ("sqs:ListQueues", {"NoMember": 1}, 200, b"{}"),
        ("lambda:GetPolicy", {"Policy": "p"}, 200, b'{"Policy":"p"}'),
        ("s3:GetBucketPolicy", {"Policy": "{}"}, 200, b"{}"),
        ("appconfig:GetAccountSettings", {"VendedMetrics": None}, 200, b"{}"),
        ("amplifyuibuilder:GetComponent", {"component": {"name": "c", "id": None}}, 200, b'{"name":"c"}'),
        ("amplifyuibuilder:GetComponent", {"component": None}, 200, b"{}"),
    ],
)
def test_status_and_body_are_the_operations_own(action: str, data: dict[str, Any], status: int, body: bytes) -> None:
    got = answer(action, data, body=b"" if action == "lambda:Invoke" else None)
    assert (got.status, got.body) == (status, body)
    assert got.headers.get("content-length", "0") == str(len(body))


@pytest.mark.parametrize(
    ("action", "protocol", "media_type"),
    [
        ("dynamodb:ListTables", Protocol.JSON, "application/x-amz-json-1.0"),
        ("ecs:ListClusters", Protocol.JSON, "application/x-amz-json-1.1"),
        ("cloudwatch:ListMetrics", Protocol.CBOR, "application/cbor"),
        ("cloudwatch:ListMetrics", Protocol.QUERY, "text/xml"),
        ("lambda:ListFunctions", Protocol.REST_JSON, "application/json"),
        ("ec2:DescribeVpcs", Protocol.EC2, "text/xml;charset=UTF-8"),
        ("s3:ListBuckets", Protocol.REST_XML, "application/xml"),
        ("route53:ListHostedZones", Protocol.REST_XML, "text/xml"),
    ],
)
def test_each_protocol_has_its_content_type_and_names_the_request(
    action: str, protocol: Protocol, media_type: str
) -> None:
    got = answer(action, {}, protocol=protocol)
    assert got.headers["content-type"] == media_type
    assert got.headers["x-amzn-requestid"] == REQUEST_ID
    assert ("smithy-protocol" in got.headers) is (protocol is Protocol.CBOR)


def test_forms_are_answered_in_their_wrappers() -> None:
    got = root_of(answer("sts:GetCallerIdentity", {"Account": "1"}).body)
    space = "{https://sts.amazonaws.com/doc/2011-06-15/}"
    assert got.tag == f"{space}GetCallerIdentityResponse"
    assert got.findtext(f"{space}GetCallerIdentityResult/{space}Account") == "1"
    assert got.findtext(f"{space}ResponseMetadata/{space}RequestId") == REQUEST_ID
    empty = root_of(answer("iam:DeleteUser", {}).body)
    assert [each.tag.rpartition("}")[2] for each in empty] == ["ResponseMetadata"]


def test_ec2_is_answered_flat() -> None:
    space = "{http://ec2.amazonaws.com/doc/2016-11-15/}"
    got = root_of(answer("ec2:DescribeVpcs", {"Vpcs": [{"VpcId": "v"}, None]}).body)
    assert [each.tag for each in got] == [f"{space}requestId", f"{space}vpcSet"]
    assert got.findtext(f"{space}vpcSet/{space}item/{space}vpcId") == "v"
    assert root_of(answer("ec2:CreateTags", {}).body).findtext(f"{space}return") == "true"


def test_s3_names_its_documents_as_s3_does() -> None:
    roots = {
        "ListObjectsV2": "ListBucketResult",
        "GetBucketAcl": "AccessControlPolicy",
        "CopyObject": "CopyObjectResult",
        "GetBucketEncryption": "ServerSideEncryptionConfiguration",
    }
    data: dict[str, Any] = {
        "CopyObject": {"CopyObjectResult": {}},
        "GetBucketEncryption": {"ServerSideEncryptionConfiguration": {}},
    }
    found = {name: root_of(answer(f"s3:{name}", data.get(name, {})).body).tag for name in roots}
    assert found == {name: XML + root for name, root in roots.items()}


@pytest.mark.parametrize("region", ["eu-west-1", ""])
def test_a_buckets_location_is_the_text_of_the_root(region: str) -> None:
    api, got = operation("s3:GetBucketLocation"), answer("s3:GetBucketLocation", {"LocationConstraint": region})
    parsed: dict[str, Any] = {}
    s3.mend(api, parsed, got.body)
    assert parsed["LocationConstraint"] == region


def test_a_grantee_keeps_its_type() -> None:
    grants = {"Grants": [{"Grantee": {"Type": "Group", "URI": "u", "ID": None}, "Permission": "READ"}]}
    api, got = operation("s3:GetBucketAcl"), answer("s3:GetBucketAcl", grants)
    response = {"status_code": 200, "headers": {}, "body": got.body}
    back = parser("rest-xml").parse(response, api.model.output_shape)
    assert back["Grants"] == [{"Grantee": {"Type": "Group", "URI": "u"}, "Permission": "READ"}]


@pytest.mark.parametrize(
    ("protocol", "union", "back"),
    [
        (Protocol.JSON, {"SDK_UNKNOWN_MEMBER": {"name": "Moon"}}, {"SDK_UNKNOWN_MEMBER": {"name": "Moon"}}),
        (Protocol.QUERY, {"SDK_UNKNOWN_MEMBER": {"name": "Moon"}}, {"SDK_UNKNOWN_MEMBER": {"name": "Moon"}}),
        (Protocol.CBOR, {"SDK_UNKNOWN_MEMBER": {"name": "Moon"}}, {}),
        (Protocol.QUERY, {"SDK_UNKNOWN_MEMBER": {"name": "<a/>"}}, {"SDK_UNKNOWN_MEMBER": {"name": "Unknown"}}),
        (Protocol.JSON, {"SDK_UNKNOWN_MEMBER": "odd"}, {"SDK_UNKNOWN_MEMBER": {"name": "SDK_UNKNOWN_MEMBER"}}),
        (Protocol.JSON, {}, {"SDK_UNKNOWN_MEMBER": {"name": "SDK_UNKNOWN_MEMBER"}}),
    ],
)
def test_a_union_always_has_a_member(protocol: Protocol, union: dict[str, Any], back: dict[str, Any]) -> None:
    got = answer("cloudwatch:DescribeAlarms", {"MetricAlarms": [{"EvaluationWindow": union}]}, protocol=protocol)
    response = {"status_code": 200, "headers": {}, "body": got.body}
    shape = operation("cloudwatch:DescribeAlarms").model.output_shape
    assert parser(protocol.value).parse(response, shape)["MetricAlarms"] == [{"EvaluationWindow": back}]


def test_every_member_of_another_connection_is_left_out() -> None:
    sent = {"one": "1", "content-length": "9", "Transfer-Encoding": "chunked", "x-amzn-requestid": "theirs"}
    got = answer("dataexchange:SendApiAsset", {"Body": "text", "ResponseHeaders": sent})
    assert got.headers["one"] == "1"
    assert (got.headers["content-length"], got.headers["x-amzn-requestid"]) == ("4", REQUEST_ID)
    assert "transfer-encoding" not in got.headers


def test_headers_hold_json_in_base64() -> None:
    got = answer("lex-runtime:PostContent", {"slots": {"a": None}}, body=b"")
    assert got.headers["x-amz-lex-slots"] == "eyJhIjogbnVsbH0="


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("s3:HeadObject", {"ETag": "a\r\nset-cookie: b"}),
        ("s3:HeadObject", {"ETag": ["x"]}),
        ("s3:HeadObject", {"LastModified": "yesterday"}),
        ("s3:HeadObject", {"LastModified": 7}),
        ("s3:HeadObject", {"Metadata": {"a b": "c"}}),
        ("s3:HeadObject", {"Metadata": ["a"]}),
        ("s3:ListBuckets", {"Buckets": [{"Name": "a\x00"}]}),
        ("s3:ListBuckets", {"Buckets": [{"Name": "\ud800"}]}),
        ("s3:ListBuckets", {"Buckets": {}}),
        ("s3:ListBuckets", {"Owner": "me"}),
        ("s3:GetBucketAcl", {"Grants": [{"Grantee": "me"}]}),
        ("s3:GetBucketPolicy", {"Policy": "\ud800"}),
        ("sqs:ListQueues", {"QueueUrls": "x"}),
        ("sqs:ListQueues", {"QueueUrls": [{}]}),
        ("sqs:GetQueueAttributes", {"Attributes": []}),
        ("dynamodb:GetItem", {"Item": {"k": "x"}}),
        ("rds:DescribeEvents", {"Events": [{"Date": {}}]}),
        ("dynamodb:DescribeTable", {"Table": {"CreationDateTime": "2024-13-01T00:00:00Z"}}),
        ("elasticache:DescribeEvents", {"Events": [{"Date": {}}]}),
        ("iam:SimulatePrincipalPolicy", {"EvaluationResults": [{"EvalDecisionDetails": ["x"]}]}),
        ("bedrock-agent:GetPrompt", {"variants": [{"additionalModelRequestFields": {"n": float("nan")}}]}),
    ],
)
def test_odd_data_is_refused_and_never_written(action: str, data: dict[str, Any]) -> None:
    with pytest.raises(RenderError):
        answer(action, data)


def test_a_head_of_odd_data_is_refused() -> None:
    with pytest.raises(RenderError):
        head(operation("s3:GetObject"), {"ETag": {}}, request_id=REQUEST_ID)
    with pytest.raises(RenderError):
        head(operation("lex-runtime:PostContent"), {"slots": float("nan")}, request_id=REQUEST_ID)


def test_nesting_without_end_is_refused() -> None:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(2000):
        value = {"L": [value]}
    with pytest.raises(RenderError):
        answer("dynamodb:GetItem", {"Item": {"k": value}})
