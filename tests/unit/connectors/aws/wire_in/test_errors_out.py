"""Refusals as SDKs read them: every protocol's own parser finds the code and the message."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.parsers import create_parser

from connectors.aws import model
from connectors.aws.wire_in.errors_out import MAX_MESSAGE_CHARS, ErrorAnswer, Problem, render, spoken
from connectors.aws.wire_in.refusal import AWS_FORM, Reason, Refusal, shown
from connectors.aws.wire_in.services import Protocol
from tests.unit.connectors.aws.wire_in.asking import FORM, asked

PROBLEM = Problem("AccessDenied", "rule `no-<prod>` & \"friends\": ask for 'approval'", 403, "req-1")
SPEAKERS = [
    (Protocol.REST_XML, "s3", "s3", "GetObject"),
    (Protocol.REST_XML, "route53", "route53", "GetHostedZone"),
    (Protocol.QUERY, "iam", "iam", "GetUser"),
    (Protocol.EC2, "ec2", "ec2", "DescribeInstances"),
    (Protocol.JSON, "dynamodb", "dynamodb", "GetItem"),
    (Protocol.JSON, "sqs", "sqs", "SendMessage"),
    (Protocol.REST_JSON, "lambda", "lambda", "Invoke"),
    (Protocol.CBOR, "monitoring", "cloudwatch", "PutMetricData"),
]


def parsed(answer: ErrorAnswer, protocol: Protocol, service: str, operation: str) -> Any:
    shape = model.service(service).model.operation_model(operation).output_shape
    response = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    return create_parser(protocol.value).parse(response, shape)


@pytest.mark.parametrize(("protocol", "signing_name", "service", "operation"), SPEAKERS)
def test_the_sdk_reads_code_message_and_status(
    protocol: Protocol, signing_name: str, service: str, operation: str
) -> None:
    answer = render(PROBLEM, protocol, signing_name=signing_name, method="POST")
    found = parsed(answer, protocol, service, operation)
    assert (found["Error"]["Code"], found["Error"]["Message"]) == (PROBLEM.code, PROBLEM.message)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert "req-1" in (answer.headers["x-amzn-requestid"], found["ResponseMetadata"].get("RequestId"))


@pytest.mark.parametrize(("protocol", "signing_name", "service", "operation"), SPEAKERS)
def test_an_answer_to_head_has_no_body(protocol: Protocol, signing_name: str, service: str, operation: str) -> None:
    answer = render(PROBLEM, protocol, signing_name=signing_name, method="HEAD")
    assert (answer.status, answer.body) == (403, b"")


def test_fault_says_whose_it_is() -> None:
    broken = Problem("InternalFailure", "later", 500, "r")
    assert b"<Type>Receiver</Type>" in render(broken, Protocol.QUERY, signing_name="iam", method="POST").body
    assert render(broken, Protocol.JSON, signing_name="sqs", method="POST").headers["x-amzn-query-error"] == (
        "InternalFailure;Receiver"
    )


def test_a_message_cannot_break_the_document_it_is_in() -> None:
    hostile = Problem("AccessDenied", "</Message>\x00\x1b[31m\ud800" + "x" * 5000, 403, "r")
    for protocol, signing_name, service, operation in SPEAKERS:
        found = parsed(render(hostile, protocol, signing_name=signing_name, method="GET"), protocol, service, operation)
        assert found["Error"]["Message"].startswith("</Message>[31mx")
        assert len(found["Error"]["Message"]) == MAX_MESSAGE_CHARS


@pytest.mark.parametrize(
    ("headers", "signing_name", "protocol"),
    [
        ({"smithy-protocol": "rpc-v2-cbor"}, "monitoring", Protocol.CBOR),
        ({"x-amz-target": "a.b"}, "dynamodb", Protocol.JSON),
        ({"content-type": FORM}, "monitoring", Protocol.QUERY),
        ({}, "ec2", Protocol.EC2),
        ({}, "lambda", Protocol.REST_JSON),
        ({}, "s3", Protocol.REST_XML),
        ({}, "dynamodb", Protocol.JSON),
        ({}, "", Protocol.REST_XML),
        ({}, "nope", Protocol.REST_XML),
    ],
)
def test_the_protocol_of_an_answer_is_that_of_the_question(
    headers: dict[str, str], signing_name: str, protocol: Protocol
) -> None:
    assert spoken(asked("POST", "/", headers=headers), signing_name) is protocol


def test_every_reason_has_a_code_and_a_status_of_aws() -> None:
    assert set(AWS_FORM) == set(Reason)
    for reason in Reason:
        refusal = Refusal(reason, "no")
        assert refusal.code.isalnum()
        assert 400 <= refusal.status < 600


def test_what_was_sent_is_shown_without_what_it_could_do() -> None:
    assert shown("a\x1b[31m`b`\n") == "a?[31m?b??"
    assert len(shown("x" * 1000)) < 100
