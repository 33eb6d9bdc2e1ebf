"""Where calls go: hosts, names and regions of signatures, as AWS documents them."""

from __future__ import annotations

import pytest

from connectors.aws.endpoint import endpoint_of
from connectors.aws.model import ApiOperation, operation
from connectors.base import JsonObject
from connectors.errors import InvalidParamsError


def api(action: str) -> ApiOperation:
    found = operation(*action.split(":"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("action", "params", "region", "host", "scope"),
    [
        ("ecs:UpdateService", {}, "eu-west-1", "ecs.eu-west-1.amazonaws.com", "eu-west-1/ecs"),
        ("ecs:UpdateService", {}, "cn-north-1", "ecs.cn-north-1.amazonaws.com.cn", "cn-north-1/ecs"),
        ("iam:GetUser", {}, "eu-west-1", "iam.amazonaws.com", "us-east-1/iam"),
        ("iam:GetUser", {}, "us-gov-west-1", "iam.us-gov.amazonaws.com", "us-gov-west-1/iam"),
        ("route53:ListHostedZones", {}, "eu-west-1", "route53.amazonaws.com", "us-east-1/route53"),
        ("sts:GetCallerIdentity", {}, "eu-west-1", "sts.eu-west-1.amazonaws.com", "eu-west-1/sts"),
        (
            "stepfunctions:StartSyncExecution",
            {},
            "eu-west-1",
            "sync-states.eu-west-1.amazonaws.com",
            "eu-west-1/states",
        ),
        ("cloudwatch:PutMetricData", {}, "eu-west-1", "monitoring.eu-west-1.amazonaws.com", "eu-west-1/monitoring"),
        (
            "dynamodb:GetItem",
            {"TableName": "arn:aws:dynamodb:eu-west-1:123456789012:table/t"},
            "eu-west-1",
            "dynamodb.eu-west-1.amazonaws.com",
            "eu-west-1/dynamodb",
        ),
        (
            "s3control:GetPublicAccessBlock",
            {"AccountId": "123456789012"},
            "eu-west-1",
            "123456789012.s3-control.eu-west-1.amazonaws.com",
            "eu-west-1/s3",
        ),
        (
            "neptune-graph:ExecuteQuery",
            {"graphIdentifier": "g-123"},
            "eu-west-1",
            "g-123.eu-west-1.neptune-graph.amazonaws.com",
            "eu-west-1/neptune-graph",
        ),
    ],
)
def test_a_call_goes_to_the_host_of_aws_and_is_signed_for_its_service(
    action: str, params: JsonObject, region: str, host: str, scope: str
) -> None:
    found = endpoint_of(api(action), params, region, None)
    assert (found.origin, f"{found.signing_region}/{found.signing_name}") == (f"https://{host}", scope)


def test_an_endpoint_of_the_connection_is_used_as_it_is_and_signed_for_the_same() -> None:
    own = "http://127.0.0.1:5000"
    found = endpoint_of(api("iam:GetUser"), {}, "eu-west-1", own)
    assert (found.origin, found.signing_name, found.signing_region) == (own, "iam", "us-east-1")
    sync = endpoint_of(api("stepfunctions:StartSyncExecution"), {}, "eu-west-1", own)
    assert sync.origin == own


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("events:PutEvents", {"EndpointId": "abc.xyz"}),  # signed with Signature Version 4A
        ("events:PutEvents", {"EndpointId": "evil.test/#"}),
        ("cloudfront-keyvaluestore:GetKey", {}),
        ("opensearchmemory:GetMemory", {"spaceId": "abc"}),  # below on.aws, where customers have hosts
        ("opensearchmemory:GetMemory", {"spaceId": "user@x"}),
        ("s3control:GetPublicAccessBlock", {"AccountId": "evil.test/"}),
    ],
)
def test_what_has_no_host_of_aws_or_another_signature_is_refused(action: str, params: JsonObject) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        endpoint_of(api(action), params, "eu-west-1", None)
    assert "evil" not in str(caught.value)


def test_no_setting_of_the_machine_changes_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECS", "AWS_DEFAULT_REGION", "AWS_USE_FIPS_ENDPOINT"):
        monkeypatch.setenv(name, "http://evil.test")
    assert endpoint_of(api("ecs:ListTasks"), {}, "eu-west-2", None).origin == "https://ecs.eu-west-2.amazonaws.com"


def test_a_signing_name_with_capitals_is_one() -> None:
    assert (
        endpoint_of(api("iotsecuretunneling:ListTunnels"), {}, "eu-west-1", None).signing_name == "IoTSecuredTunneling"
    )
