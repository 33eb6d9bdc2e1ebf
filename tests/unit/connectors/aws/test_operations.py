"""The catalogue as the broker sees it: names without models, rows on demand, and examples that plan or say why not."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # has no types
import pytest

from connectors.aws.catalogue.data import load
from connectors.aws.connector import AwsConnector
from connectors.aws.model import is_in_memory, read_model, service, service_names
from connectors.aws.operations import OperationTable
from connectors.aws.wire import build_request
from connectors.base import Access, LargeCatalogue, Operation, Plan, outline_of, permissions_of, secret_operations_of
from connectors.errors import InvalidParamsError
from tests.unit.connectors.aws.desk import AWS, CONNECTOR

ROWS = CONNECTOR.operations
SAMPLED = 9
"""One service in so many, each commit the same ones."""


def test_every_operation_of_botocore_is_there_and_none_besides() -> None:
    names = list(ROWS)
    assert len(names) == len(ROWS) == len(set(names)) == 19_796
    assert {action.partition(":")[0] for action in names} == service_names()
    for name in ("ecs", "s3", "sesv2"):
        assert set(load().operations(name)) == set(service(name).model.operation_names)


def test_names_counts_and_permissions_cost_no_model() -> None:
    code = (
        "from connectors.aws.connector import AwsConnector as A; from connectors.base import permissions_of;"
        "from connectors.aws import model; rows = A().operations;"
        "assert len(rows) == len(list(rows)); assert 'ecs:UpdateService' in rows; assert 'ecs:Nope' not in rows;"
        "assert permissions_of(rows)['ecs:UpdateService']; A().services;"
        "print(model.read_model.cache_info().currsize); rows['ecs:UpdateService'];"
        "print(model.read_model.cache_info().currsize)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["0", "1"]


@pytest.mark.parametrize(
    ("alias", "action"),
    [
        ("states:StartExecution", "stepfunctions:StartExecution"),
        ("aws:ecs:UpdateService", "ecs:UpdateService"),
        ("elasticloadbalancing:DescribeTargetGroups", "elbv2:DescribeTargetGroups"),
    ],
)
def test_the_name_iam_gives_a_service_finds_it_when_there_is_one(alias: str, action: str) -> None:
    assert alias in ROWS
    assert ROWS[alias].action == action


@pytest.mark.parametrize(
    "action", ["elasticloadbalancing:CreateLoadBalancer", "nope:Nope", "s3", "", ":", "s3:*", "S3:GetObject", 5]
)
def test_what_is_ambiguous_or_unknown_is_not_there(action: Any) -> None:
    assert action not in ROWS
    with pytest.raises((KeyError, AttributeError)):
        ROWS[action]


def test_permissions_name_what_a_plan_can_ask() -> None:
    assert isinstance(ROWS, LargeCatalogue)
    asked = permissions_of(ROWS)
    assert len(ROWS.permissions) == len(ROWS)
    assert asked["s3:HeadObject"] == ROWS["s3:HeadObject"].permissions
    assert {"s3:GetObject", "s3:PutObject"} <= set(asked["s3:CopyObject"])
    assert next(iter(ROWS.permissions)) == next(iter(ROWS))
    with pytest.raises(KeyError):
        ROWS.permissions["s3:Nope"]


def test_what_iam_knows_and_no_operation_asks_for_can_be_named_in_a_policy() -> None:
    assert isinstance(ROWS, LargeCatalogue)
    assert "sso:AssociateProfile" in ROWS.other_actions
    assert permissions_of(ROWS)["sso:AssociateProfile"] == ("sso:AssociateProfile",)
    assert "ecs:UpdateService" not in ROWS.other_actions


def sampled() -> list[str]:
    def chosen(name: str) -> bool:
        return int(hashlib.sha256(name.encode()).hexdigest(), 16) % SAMPLED == 0

    return sorted(name for name in service_names() if chosen(name))


def planned(row: Operation) -> Plan | None:
    """Return the plan of an example; None when the operation says why there is none."""
    try:
        return CONNECTOR.plan(row.action, row.example, AWS)
    except InvalidParamsError as error:
        if any(word in str(error) for word in ("is not served", "has no endpoint", "signing name")):
            return None
        raise


@pytest.mark.parametrize("name", [*sampled(), "ec2", "cloudwatch", "iam", "s3control"])
def test_every_example_plans_and_fits_its_schema_or_the_operation_says_why_not(name: str) -> None:
    for operation in service(name).model.operation_names:
        row = ROWS[f"{name}:{operation}"]
        assert row.summary
        assert row.resources
        jsonschema.Draft202012Validator(row.params_schema).validate(row.example)
        plan = planned(row)
        if plan is None:
            continue
        assert plan.call == json.loads(json.dumps(plan.call))
        assert plan.summary.isprintable()
        assert plan.summary[0].islower()
        assert {need.action.partition(":")[0] for need in plan.requirements} <= CONNECTOR.services
        assert plan == AwsConnector().plan(row.action, row.example, AWS)
        assert build_request(plan).path.startswith("/")


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("cognito-idp:InitiateAuth", "not signed"),
        ("sts:AssumeRoleWithWebIdentity", "not signed"),
        ("sso:GetRoleCredentials", "not signed"),
        ("kinesis:SubscribeToShard", "stream of events"),
        ("bedrock-runtime:InvokeModelWithResponseStream", "stream of events"),
        ("s3:SelectObjectContent", "stream of events"),
        ("s3:WriteGetObjectResponse", "Object Lambda"),
        ("s3:CreateSession", "directory bucket"),
    ],
)
def test_what_streams_events_or_is_unsigned_is_refused(action: str, reason: str) -> None:
    with pytest.raises(InvalidParamsError, match="is not served") as caught:
        CONNECTOR.plan(action, dict(ROWS[action].example), AWS)
    assert reason in str(caught.value)
    assert reason in ROWS[action].summary


@pytest.mark.parametrize(
    "action", ["sts:AssumeRole", "secretsmanager:GetSecretValue", "iam:CreateAccessKey", "ecr:GetAuthorizationToken"]
)
def test_what_returns_secrets_is_planned_as_such_and_left_to_policy(action: str) -> None:
    plan = CONNECTOR.plan(action, dict(ROWS[action].example), AWS)
    assert plan.access is ROWS[action].access is Access.SECRET
    assert action in secret_operations_of(ROWS)


def test_the_operations_that_return_secrets_are_named_without_making_rows() -> None:
    rows = (load().entry(name, each) for name in load().services() for each in load().operations(name))
    flagged = {f"{row.service}:{row.operation}" for row in rows if row is not None and row.returns_secrets}
    assert secret_operations_of(ROWS) == flagged
    assert load().secret_operations("nope") == ()
    assert secret_operations_of({}) == frozenset()


def test_the_schema_of_a_shape_that_contains_itself_ends() -> None:
    schema = ROWS["dynamodb:PutItem"].params_schema
    assert schema["$defs"]["AttributeValue"]["properties"]["L"]["items"] == {"$ref": "#/$defs/AttributeValue"}
    jsonschema.Draft202012Validator.check_schema(schema)
    checked = jsonschema.Draft202012Validator(schema)
    assert checked.is_valid({"TableName": "t", "Item": {"id": {"S": "1"}}})
    assert not checked.is_valid({"TableName": "t", "Item": {"id": {"Nope": "1"}}})
    assert not checked.is_valid({"TableName": "t", "Item": {}, "Nope": 1})


def test_a_row_reads_like_the_documentation() -> None:
    row = ROWS["ecs:UpdateService"]
    assert (row.action, row.access) == ("ecs:UpdateService", Access.WRITE)
    assert row.summary == "Modifies the parameters of a service"
    assert row.example == {"service": "example-service"}
    assert "Region" in row.params_schema["properties"]
    assert ROWS["s3:GetObject"].resources == ("arn:aws:s3:::{Bucket}/{Key}",)


def test_an_operation_with_a_region_of_its_own_keeps_it() -> None:
    example = ROWS["glue:GetUnfilteredTableMetadata"].example
    plan = CONNECTOR.plan("glue:GetUnfilteredTableMetadata", {**example, "Region": "us-west-2"}, AWS)
    assert (plan.call["params"]["Region"], plan.call["region"]) == ("us-west-2", "eu-central-1")


@pytest.mark.parametrize(
    "action", ["s3:GetObject", "ecs:UpdateService", "ec2:RunInstances", "sqs:SendMessage", "iam:CreateAccessKey"]
)
def test_an_outline_says_of_a_row_what_is_known_without_its_model(action: str) -> None:
    assert isinstance(ROWS, LargeCatalogue)
    outline, row = outline_of(ROWS, action), ROWS[action]
    assert (outline.action, outline.access, outline.permissions) == (row.action, row.access, row.permissions)
    assert outline.idempotent == row.idempotent
    assert outline.summary
    assert (outline.params_schema, outline.example, outline.resources) == ({}, {}, ())
    with pytest.raises(KeyError):
        ROWS.outline("s3:Nope")


def test_outlines_and_models_agree_on_what_is_idempotent() -> None:
    assert isinstance(ROWS, LargeCatalogue)
    for name in ("ecs", "ec2", "dynamodb"):
        for each in service(name).model.operation_names:
            action = f"{name}:{each}"
            assert ROWS.outline(action).idempotent == ROWS[action].idempotent, action


def test_what_a_plan_needs_to_read_is_read_once() -> None:
    assert isinstance(ROWS, LargeCatalogue)
    read_model.cache_clear()
    load = ROWS.loading("states:StartExecution")
    assert load is not None
    load()
    assert is_in_memory("stepfunctions")
    for action in ("stepfunctions:StopExecution", "stepfunctions:Nope", "nope:Nope", ""):
        assert ROWS.loading(action) is None


def test_threads_that_need_a_model_at_once_read_it_once_and_find_it_afterwards() -> None:
    read_model.cache_clear()
    loading = OperationTable().loading("sqs:SendMessage")
    assert loading is not None
    gate = threading.Barrier(8)

    def load() -> None:
        gate.wait()
        loading()
        service("sqs")

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_model.cache_info().currsize == 1
    assert is_in_memory("sqs")
    assert OperationTable().loading("sqs:SendMessage") is None
