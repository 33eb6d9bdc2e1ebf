"""The class of an operation is the gravest thing it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.aws.catalogue.model import AccessClass
from deploy.catalogue.access import access_of, escalates, is_idempotent
from deploy.catalogue.secrets import LISTED, returns_secrets
from deploy.catalogue.sources import Action, Sources

NOTHING = Sources({}, {}, frozenset(), frozenset({"svc:lift"}), frozenset(), None)


def actions(level: str, name: str = "svc:DoIt") -> tuple[Action, ...]:
    """One action of a level."""
    prefix, _, own = name.partition(":")
    return (Action(prefix, own, level, ()),)


@dataclass
class Model:
    """As much of botocore's model of an operation as is looked at."""

    has_streaming_input: bool = False
    _operation_model: dict[str, Any] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("service", "operation", "level", "expected"),
    [
        ("ecs", "DescribeServices", "Read", AccessClass.READ),
        ("ecs", "UpdateService", "Write", AccessClass.WRITE),
        ("ecs", "DeleteService", "Write", AccessClass.DESTROY),
        ("ec2", "TerminateInstances", "Write", AccessClass.DESTROY),
        ("kms", "ScheduleKeyDeletion", "Write", AccessClass.DESTROY),
        ("ec2", "DeregisterImage", "Write", AccessClass.DESTROY),
        ("elbv2", "RemoveTags", "Tagging, Write", AccessClass.WRITE),
        ("dynamodb", "BatchWriteItem", "Write", AccessClass.WRITE),
        ("ivs", "BatchStartViewerSessionRevocation", "Read", AccessClass.WRITE),
        ("sqs", "ReceiveMessage", "Read", AccessClass.WRITE),
        ("cognito-identity", "GetId", "Write", AccessClass.WRITE),
        ("new", "GetThing", "", AccessClass.READ),
        ("new", "FrobThing", "", AccessClass.WRITE),
    ],
)
def test_an_operation_reads_writes_or_destroys(service: str, operation: str, level: str, expected: AccessClass) -> None:
    assert access_of(service, operation, actions(level) if level else ()) is expected


@pytest.mark.parametrize(
    ("service", "operation", "given", "expected"),
    [
        ("ssm", "SendCommand", actions("Write"), True),
        ("cloudcontrol", "UpdateResource", actions("Write"), True),
        ("iam", "TagRole", actions("Tagging, Write"), True),
        ("iam", "ListRoles", actions("List"), False),
        ("iam", "Unheard", (), False),
        ("other", "AddPermission", actions("Permissions management, Write"), True),
        ("other", "Lift", actions("Write", "svc:Lift"), True),
        ("other", "UpdateThing", actions("Write"), False),
    ],
)
def test_what_grants_powers_or_acts_with_others_escalates(
    service: str, operation: str, given: tuple[Action, ...], expected: bool
) -> None:
    assert escalates(service, operation, given, NOTHING) is expected


@pytest.mark.parametrize(
    ("access", "model", "expected"),
    [
        (AccessClass.READ, Model(), True),
        (AccessClass.READ, Model(has_streaming_input=True), False),
        (AccessClass.WRITE, Model(), False),
        (AccessClass.DESTROY, Model(_operation_model={"idempotent": True}), True),
    ],
)
def test_only_reads_and_what_the_model_says_may_be_repeated(access: AccessClass, model: Model, expected: bool) -> None:
    assert is_idempotent(access, model) is expected


@pytest.mark.parametrize(
    ("service", "operation", "outputs", "expected"),
    [
        ("ecr", "GetAuthorizationToken", (), True),
        ("ssm", "GetParameter", (), True),
        ("glue", "GetConnection", (), True),
        ("unheard", "CreateSession", ("sessionToken",), True),
        ("unheard", "AssumeSomeRole", (), True),
        ("unheard", "GetParameter", (), False),
        ("unheard", "GetThing", ("SecretArn", "ClientSecretId"), False),
        ("rds", "DescribeDBInstances", ("MasterUserPassword",), False),
        ("iam", "UpdateAssumeRolePolicy", (), False),
        ("kms", "GenerateDataKeyWithoutPlaintext", ("CiphertextBlob",), False),
    ],
)
def test_secrets_are_known_by_a_list_and_by_names(
    service: str, operation: str, outputs: tuple[str, ...], expected: bool
) -> None:
    assert returns_secrets(service, operation, outputs, exposing=False) is expected


def test_an_action_known_to_show_credentials_counts_when_it_answers_anything() -> None:
    assert returns_secrets("x", "Show", ("Thing",), exposing=True)
    assert not returns_secrets("x", "Show", (), exposing=True)


def test_the_list_of_secrets_is_long_enough_to_matter() -> None:
    assert len(LISTED) >= 107
