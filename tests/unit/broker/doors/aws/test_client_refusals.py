"""What unmodified clients of boto3 are told when they do not get what they asked for, and what they then do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from broker.errors import LedgerUnavailableError
from broker.model import IntentState
from broker.outcome import Outcome, Problem, ProblemKind
from tests.unit.broker.doors.aws.house import (
    Asked,
    Clients,
    WireWorld,
    gives,
    refuses,
)
from tests.unit.broker.doors.parts import CANARY

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs"
DENIED = Problem(
    ProblemKind.DENIED, "policy denies `x:Y` on `arn`", "no rule allows it", "policies/a.yaml:3 (mine)", "allow: x:Y"
)
NOS: list[tuple[str, str, dict[str, Any], str]] = [
    ("s3", "list_buckets", {}, "AccessDenied"),
    ("dynamodb", "list_tables", {}, "AccessDeniedException"),
    ("lambda", "list_functions", {}, "AccessDeniedException"),
    ("sts", "get_caller_identity", {}, "AccessDenied"),
    ("ec2", "describe_instances", {}, "UnauthorizedOperation"),
    ("cloudwatch", "list_metrics", {}, "AccessDeniedException"),
    ("route53", "list_hosted_zones", {}, "AccessDenied"),
]


def everything(world: WireWorld, act: Any) -> None:
    for action in (
        "dynamodb:GetItem", "sqs:SendMessage", "lambda:ListFunctions", "sts:GetCallerIdentity",
        "ec2:DescribeInstances", "cloudwatch:ListMetrics", "route53:ListHostedZones",
        "s3:ListBuckets", "dynamodb:ListTables", "dynamodb:PutItem", "s3:PutObject", "s3:DeleteObject",
    ):  # fmt: skip
        world.acts[action] = act


@pytest.mark.parametrize(("service", "method", "given", "code"), NOS)
def test_a_denial_names_the_rule_the_reason_and_the_fix_where_the_sdk_prints_it(
    world: WireWorld, clients: Clients, service: str, method: str, given: Any, code: str
) -> None:
    everything(world, refuses(DENIED, IntentState.DENIED))
    with pytest.raises(ClientError) as caught:
        getattr(clients(service, world, attempts=3), method)(**given)
    answer = caught.value.response
    assert answer["Error"]["Code"] == code
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert answer["ResponseMetadata"]["RequestId"].startswith("int_")
    for part in (DENIED.rule, DENIED.reason, DENIED.fix):
        assert part in answer["Error"]["Message"]
    assert len(world.drafts) == 1


@pytest.mark.parametrize(
    ("service", "method", "given", "code", "status", "caught_as"),
    [
        ("s3", "get_object", {"Bucket": "lake", "Key": "k"}, "NoSuchKey", 404, "NoSuchKey"),
        ("s3", "get_object", {"Bucket": "lake", "Key": "k"}, "NotModified", 304, "ClientError"),
        ("s3", "get_object", {"Bucket": "lake", "Key": "k"}, "PreconditionFailed", 412, "ClientError"),
        ("s3", "copy_object", {"Bucket": "lake", "Key": "k", "CopySource": "lake/k"}, "NoSuchKey", 200, "ClientError"),
        (
            "dynamodb", "put_item", {"TableName": "t", "Item": {}}, "ConditionalCheckFailedException", 400,
            "ConditionalCheckFailedException",
        ),
        ("lambda", "get_policy", {"FunctionName": "f"}, "ResourceNotFoundException", 404, "ResourceNotFoundException"),
        ("iam", "get_user", {"UserName": "u"}, "NoSuchEntity", 404, "NoSuchEntityException"),
    ],
)  # fmt: skip
def test_a_no_of_the_upstream_is_caught_as_if_it_had_come_directly(
    world: WireWorld, clients: Clients, service: str, method: str, given: Any, code: str, status: int, caught_as: str
) -> None:
    problem = Problem(ProblemKind.UPSTREAM_REFUSED, "the words", code, extra={"upstream_status": status})
    client = clients(service, world)
    action = f"{service}:{''.join(part.title() for part in method.split('_'))}"
    world.acts[action] = refuses(problem)
    expected = getattr(client.exceptions, caught_as)
    with pytest.raises(expected) as caught:
        getattr(client, method)(**given)
    found = caught.value.response
    assert found["ResponseMetadata"]["HTTPStatusCode"] == (status if status != 200 else 400)
    assert status == 304 or (found["Error"]["Code"], found["Error"]["Message"]) == (code, "the words")


UNKNOWN = Problem(ProblemKind.OUTCOME_UNKNOWN, "no definite answer came")


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_what_may_have_been_done_is_asked_once_in_every_mode_of_retries(
    world: WireWorld, clients: Clients, mode: str
) -> None:
    everything(world, refuses(UNKNOWN, IntentState.UNKNOWN))
    calls: list[tuple[str, Callable[[Any], Any]]] = [
        ("dynamodb", lambda client: client.put_item(TableName="t", Item={"id": {"S": "1"}})),
        ("s3", lambda client: client.delete_object(Bucket="lake", Key="k")),
        ("sqs", lambda client: client.send_message(QueueUrl=QUEUE, MessageBody="x")),
    ]
    for service, call in calls:
        world.drafts.clear()
        with pytest.raises(ClientError) as caught:
            call(clients(service, world, mode=mode, attempts=3))
        assert caught.value.response["Error"]["Code"] == "OstiaryOutcomeUnknown"
        assert len(world.drafts) == 1


def test_a_fault_of_ours_after_a_write_was_handed_on_is_not_asked_again(world: WireWorld, clients: Clients) -> None:
    async def act(_asked: Asked) -> Outcome:
        raise RuntimeError("secret words")

    world.acts["dynamodb:PutItem"] = world.acts["s3:GetObject"] = act
    with pytest.raises(ClientError) as caught:
        clients("dynamodb", world, mode="legacy", attempts=3).put_item(TableName="t", Item={})
    assert caught.value.response["Error"]["Code"] == "OstiaryOutcomeUnknown"
    assert "secret" not in str(caught.value.response)
    assert len(world.drafts) == 1
    with pytest.raises(ClientError) as read:
        clients("s3", world).get_object(Bucket="lake", Key="k")
    assert read.value.response["Error"]["Code"] == "InternalError"


@pytest.mark.parametrize(
    "kind", [ProblemKind.TOO_BUSY, ProblemKind.LEDGER_UNAVAILABLE, ProblemKind.VAULT_UNAVAILABLE,
             ProblemKind.STORE_UNAVAILABLE, ProblemKind.UPSTREAM_UNREACHABLE],
)  # fmt: skip
def test_what_was_certainly_not_done_is_asked_again_by_the_sdk_itself(
    world: WireWorld, clients: Clients, kind: ProblemKind
) -> None:
    async def act(asked: Asked) -> Outcome:
        return asked.done({}) if len(world.drafts) > 1 else asked.refused(Problem(kind, "not now"))

    world.acts["s3:DeleteObject"] = world.acts["dynamodb:DescribeTable"] = act
    clients("s3", world, mode="standard", attempts=2).delete_object(Bucket="lake", Key="k")
    assert len(world.drafts) == 2


@pytest.mark.parametrize("state", [IntentState.PENDING_APPROVAL, IntentState.APPROVED])
def test_what_waits_for_people_says_where_and_is_not_asked_again_at_once(
    world: WireWorld, clients: Clients, state: IntentState
) -> None:
    async def act(asked: Asked) -> Outcome:
        return Outcome(asked.intent_id, state, approval_id="apr_1")

    world.acts["s3:DeleteObject"] = act
    with pytest.raises(ClientError) as caught:
        clients("s3", world, mode="legacy", attempts=3).delete_object(Bucket="lake", Key="k")
    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDenied"
    assert (f"{clients.url}/v1/approvals/apr_1" in error["Message"]) is (state is IntentState.PENDING_APPROVAL)
    assert len(world.drafts) == 1


@pytest.mark.parametrize("result", [{"withheld": "it could not be scanned"}, {"LastModified": 5}])
def test_a_result_that_cannot_be_told_is_a_no_that_is_not_asked_again(
    world: WireWorld, clients: Clients, result: dict[str, Any]
) -> None:
    world.acts["s3:HeadObject"] = world.acts["s3:GetObjectAcl"] = gives(result)
    world.acts["s3:GetObject"] = gives(result, body=b"x")
    with pytest.raises(ClientError) as caught:
        clients("s3", world, mode="legacy", attempts=3).get_object(Bucket="lake", Key="k")
    assert caught.value.response["Error"]["Code"] == "OstiaryAnswerWithheld"
    assert len(world.drafts) == 1


def test_a_killed_session_is_told_that_its_token_has_expired(world: WireWorld, clients: Clients) -> None:
    s3 = clients("s3", world)
    s3.list_buckets()
    world.end()
    with pytest.raises(ClientError) as caught:
        s3.list_buckets()
    assert caught.value.response["Error"]["Code"] == "ExpiredToken"
    assert len(world.drafts) == 1


@pytest.mark.parametrize(
    ("service", "method", "code"),
    [
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("dynamodb", "list_tables", "UnrecognizedClientException"),
        ("lambda", "list_functions", "UnrecognizedClientException"),
        ("ec2", "describe_instances", "AuthFailure"),
    ],
)
def test_a_key_that_is_not_ours_is_refused_as_aws_refuses_it(
    world: WireWorld, clients: Clients, service: str, method: str, code: str
) -> None:
    client = clients(service, world)
    client._request_signer._credentials.access_key = "AKIAIOSFODNN7EXAMPLE"
    with pytest.raises(ClientError) as caught:
        getattr(client, method)()
    assert caught.value.response["Error"]["Code"] == code
    assert world.drafts == []


def test_a_session_nobody_knows_is_refused_though_its_secret_is_right(world: WireWorld, clients: Clients) -> None:
    client = clients("s3", world)
    del world.sessions_by_id[world.wire_session.id]
    with pytest.raises(ClientError) as caught:
        client.list_buckets()
    assert caught.value.response["Error"]["Code"] == "InvalidAccessKeyId"


@pytest.mark.parametrize("away", ["vault_away", "store_away"])
def test_without_the_vault_or_the_store_nothing_is_asked_and_the_sdk_may_try_again(
    world: WireWorld, clients: Clients, away: str
) -> None:
    setattr(world, away, True)
    with pytest.raises(ClientError) as caught:
        clients("s3", world).list_buckets()
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert world.drafts == []


def test_a_no_that_cannot_be_recorded_stays_one_that_may_be_asked_again(world: WireWorld, clients: Clients) -> None:
    async def act(_asked: Asked) -> Outcome:
        raise LedgerUnavailableError(CANARY)

    world.acts["dynamodb:DeleteTable"] = act
    with pytest.raises(ClientError) as caught:
        clients("dynamodb", world).delete_table(TableName="orders")
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailableException"
    assert CANARY not in str(caught.value.response)
