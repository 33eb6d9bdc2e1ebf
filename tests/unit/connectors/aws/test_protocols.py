"""Requests and answers in every protocol: what is signed is what botocore would sign, and a no is read in each."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from connectors.aws.wire import build_request
from connectors.base import CallResult, JsonObject
from connectors.errors import NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.streams import read_all
from tests.fakes import Answer, FakeLease, FakeTransport
from tests.unit.connectors.aws.desk import AWS, CONNECTOR, SECRET

REQUESTS: dict[str, JsonObject] = {
    "lambda:DeleteFunction": {"FunctionName": "f"},
    "glacier:DescribeVault": {"accountId": "-", "vaultName": "a b%2F:é*~"},
    "lambda:ListFunctions": {"Marker": "1 +/&=é", "MaxItems": 5},
    "eventbridgev2:CreateEventBus": {"Name": "orders"},
    "lambda:TagResource": {
        "Resource": "arn:aws:lambda:eu-central-1:123456789012:function:f",
        "Tags": {"é": "a & b"},
    },
    "lambda:Invoke": {"FunctionName": "f", "Payload": "e30=", "InvocationType": "Event"},
    "dynamodb:GetItem": {"TableName": "t", "Key": {"id": {"B": "AAE="}}},
    "sqs:SendMessage": {"QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/q", "MessageBody": "é\n"},
    "iam:CreateRole": {"RoleName": "r", "AssumeRolePolicyDocument": '{"a": "b+c&d"}'},
    "ec2:DescribeInstances": {"Filters": [{"Name": "tag:é", "Values": ["a b", "c"]}], "MaxResults": 5},
    "route53:ListHostedZonesByName": {"DNSName": "é.example", "MaxItems": "5"},
    "cloudwatch:PutMetricData": {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1}]},
    "apigateway:GetExport": {
        "restApiId": "a",
        "stageName": "b",
        "exportType": "swagger",
        "parameters": {"extensions": "a b"},
    },
    "workspaces-web:DeletePortal": {"portalArn": "arn:aws:workspaces-web:eu-central-1:123456789012:portal/p"},
    "amp:ListScrapers": {"filters": {"status": ["B", "A"]}, "maxResults": 3},
}


async def run(action: str, answer: Answer | Exception, params: JsonObject | None = None) -> CallResult:
    plan = CONNECTOR.plan(action, params or REQUESTS.get(action, {}), AWS)
    transport = FakeTransport(answer)
    try:
        return await CONNECTOR.execute(plan, AWS, FakeLease("AKIAEXAMPLE", SECRET), transport)
    finally:
        assert len(transport.sent) == 1


@pytest.mark.parametrize("action", REQUESTS)
async def test_the_signature_is_the_one_botocore_makes_in_every_protocol(action: str) -> None:
    plan = CONNECTOR.plan(action, REQUESTS[action], AWS)
    transport, lease = FakeTransport(NotSentError("stop here")), FakeLease("AKIAEXAMPLE", SECRET)
    with pytest.raises(NotSentError):
        await CONNECTOR.execute(plan, AWS, lease, transport)
    sent = transport.sent[0]
    given = {name: value for name, value in sent.headers.items() if name != "authorization"}
    reference = AWSRequest(method=sent.method, url=sent.url, headers=given, data=sent.body)
    reference.context["timestamp"] = given["x-amz-date"]
    scope = plan.call["signing_name"], plan.call["signing_region"]
    signer = SigV4Auth(Credentials("AKIAEXAMPLE", SECRET), *scope)
    canonical = signer.canonical_request(reference)
    signature = signer.signature(signer.string_to_sign(reference, canonical), reference)
    assert sent.headers["authorization"].endswith(f"Signature={signature}")


def test_bytes_of_a_body_travel_outside_the_call() -> None:
    plan = CONNECTOR.plan("lambda:Invoke", REQUESTS["lambda:Invoke"], AWS)
    assert plan.payload == b"{}"
    assert "Payload" not in plan.call["params"]
    assert build_request(plan).body == b"{}"


def test_ends_of_lines_in_xml_stay_what_they_are() -> None:
    params = {"Bucket": "data-lake", "Delete": {"Objects": [{"Key": "a\r\nb"}]}}
    with pytest.raises(Exception, match="control character"):
        CONNECTOR.plan("s3:DeleteObjects", params, AWS)
    tags = {"Bucket": "data-lake", "Tagging": {"TagSet": [{"Key": "k", "Value": "a\r\nb"}]}}
    body = build_request(CONNECTOR.plan("s3:PutBucketTagging", tags, AWS)).body
    assert b"<Value>a&#xD;&#xA;b</Value>" in body


def test_a_service_gets_the_headers_it_wants() -> None:
    assert build_request(CONNECTOR.plan("apigateway:GetAccount", {}, AWS)).headers["accept"] == "application/json"
    plan = CONNECTOR.plan("glacier:ListVaults", {"accountId": "-"}, AWS)
    assert build_request(plan).headers["x-amz-glacier-version"] == "2012-06-01"


def test_a_digest_of_another_body_is_not_sent() -> None:
    example = CONNECTOR.operations["codeartifact:PublishPackageVersion"].example
    build_request(CONNECTOR.plan("codeartifact:PublishPackageVersion", example, AWS))
    plan = CONNECTOR.plan("codeartifact:PublishPackageVersion", {**example, "assetContent": "eA=="}, AWS)
    with pytest.raises(NotSentError):
        build_request(plan)


def cbor(text: str) -> bytes:
    return bytes([0x60 | len(text)]) + text.encode()


@pytest.mark.parametrize(
    ("action", "document", "headers", "code"),
    [
        (
            "dynamodb:GetItem",
            b'{"__type":"x#ResourceNotFoundException","message":"m"}',
            {},
            "ResourceNotFoundException",
        ),
        ("lambda:DeleteFunction", b'{"Message":"m"}', {"x-amzn-errortype": "NoSuch:http://x"}, "NoSuch"),
        ("lambda:DeleteFunction", b"", {"x-amzn-errortype": "NoSuch"}, "NoSuch"),
        ("lambda:DeleteFunction", b'["a"]', {}, "BadRequest"),
        ("lambda:DeleteFunction", b'{"Message":', {}, "BadRequest"),
        (
            "iam:CreateRole",
            b"<ErrorResponse><Error><Code>No</Code><Message>m</Message></Error></ErrorResponse>",
            {},
            "No",
        ),
        ("iam:CreateRole", b"<html>no</html>", {}, "BadRequest"),
        (
            "ec2:DescribeInstances",
            b"<Response><Errors><Error><Code>No</Code><Message>m</Message></Error></Errors></Response>",
            {},
            "No",
        ),
        (
            "route53:ListHostedZonesByName",
            b"<ErrorResponse><Error><Code>No</Code><Message>m</Message></Error></ErrorResponse>",
            {},
            "No",
        ),
        (
            "eventbridgev2:CreateEventBus",
            b"\xa2" + cbor("__type") + cbor("a#No") + cbor("message") + cbor("m"),
            {},
            "No",
        ),
        ("eventbridgev2:CreateEventBus", b"\xff\xff", {}, "BadRequest"),
    ],
)
async def test_a_no_is_read_in_every_protocol(action: str, document: bytes, headers: dict[str, str], code: str) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await run(action, Answer(400, {**headers, "x-amzn-requestid": "R"}, (document,)))
    assert (caught.value.code, caught.value.status, caught.value.upstream_request_id) == (code, 400, "R")


@pytest.mark.parametrize(
    ("action", "document"),
    [
        ("dynamodb:GetItem", b"garbage"),
        ("dynamodb:GetItem", b"[]"),
        ("dynamodb:GetItem", b'{"Item": 5}'),
        ("lambda:ListFunctions", b"\xff"),
        ("iam:CreateRole", b""),
        ("iam:CreateRole", b"<html>hi</html>"),
        ("iam:CreateRole", b"<!DOCTYPE x><CreateRoleResponse/>"),
        ("ec2:DescribeInstances", b"{}"),
        ("route53:ListHostedZonesByName", b"<HTML></HTML>"),
        ("eventbridgev2:CreateEventBus", b"\xff"),
        ("eventbridgev2:CreateEventBus", b""),
    ],
)
async def test_a_yes_that_does_not_fit_the_model_is_unknown(action: str, document: bytes) -> None:
    with pytest.raises(OutcomeUnknownError):
        await run(action, Answer(chunks=(document,)))


@pytest.mark.parametrize(
    ("action", "code", "known"),
    [
        ("dynamodb:GetItem", "InternalServerError", True),
        ("sqs:SendMessage", "InternalError", False),
        ("sqs:SendMessage", "RequestThrottled", True),
    ],
)
async def test_a_fault_of_the_server_is_unknown_to_a_write_only(action: str, code: str, known: bool) -> None:
    body = json.dumps({"__type": code, "message": "m"}).encode()
    with pytest.raises(UpstreamRefusedError if known else OutcomeUnknownError):
        await run(action, Answer(503, chunks=(body,)))


async def test_blobs_come_back_in_base64_and_times_in_rfc_3339() -> None:
    item = {"Item": {"b": {"B": "AAE="}, "n": {"N": "1"}}}
    found = await run("dynamodb:GetItem", Answer(chunks=(json.dumps(item).encode(),)))
    assert found.data == item
    table = {"Table": {"CreationDateTime": 1772625600.25, "TableName": "t"}}
    described = await run("dynamodb:DescribeTable", Answer(chunks=(json.dumps(table).encode(),)), {"TableName": "t"})
    assert described.data["Table"]["CreationDateTime"] == "2026-03-04T12:00:00.250000Z"


async def test_an_answer_of_cbor_is_json_here() -> None:
    found = await run("eventbridgev2:CreateEventBus", Answer(chunks=(b"\xa1" + cbor("Name") + cbor("x"),)))
    assert found.data == {"Name": "x"}


async def test_the_bytes_a_function_returns_are_a_streamed_body() -> None:
    headers = {"x-amz-function-error": "Unhandled", "content-type": "application/json"}
    result = await run("lambda:Invoke", Answer(200, headers, (b'{"a":', b"1}")))
    assert (result.data["FunctionError"], result.media_type) == ("Unhandled", "application/json")
    assert result.body is not None
    assert await read_all(result.body, 100) == b'{"a":1}'


async def test_an_empty_answer_is_a_yes_where_nothing_is_said() -> None:
    assert (await run("lambda:TagResource", Answer(204))).data == {}
    assert (await run("sqs:SendMessage", Answer(chunks=(b"{}",)))).data == {}


async def test_where_a_bucket_is_comes_out_of_the_root_of_its_document() -> None:
    document = b'<?xml version="1.0"?><LocationConstraint xmlns="x">eu-west-1</LocationConstraint>'
    params: dict[str, Any] = {"Bucket": "data-lake"}
    found = await run("s3:GetBucketLocation", Answer(chunks=(document,)), params)
    assert found.data == {"LocationConstraint": "eu-west-1"}
    empty = await run("s3:GetBucketLocation", Answer(chunks=(b"<LocationConstraint/>",)), params)
    assert empty.data == {"LocationConstraint": ""}


async def test_deleting_in_bulk_tells_of_each_key() -> None:
    document = b"<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>No</Code></Error></DeleteResult>"
    params = {"Bucket": "data-lake", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}]}}
    found = await run("s3:DeleteObjects", Answer(chunks=(document,)), params)
    assert found.data == {"Deleted": [{"Key": "a"}], "Errors": [{"Key": "b", "Code": "No"}]}


def test_no_plan_holds_what_was_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://evil.test")
    plan = CONNECTOR.plan("dynamodb:GetItem", REQUESTS["dynamodb:GetItem"], AWS)
    assert plan.host == "dynamodb.eu-central-1.amazonaws.com"
    assert base64.b64decode(plan.call["params"]["Key"]["id"]["B"]) == b"\x00\x01"
