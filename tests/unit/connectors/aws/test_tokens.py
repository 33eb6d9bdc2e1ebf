"""Idempotency tokens are made of what is asked, so that a retry carries the same one."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping

import pytest

from connectors.base import Connection
from tests.unit.connectors.aws.desk import AWS, CONNECTOR

PARAMS = {"Name": "daily", "Database": "sales", "QueryString": "select 1"}
OWN = "a-token-of-my-own-that-is-long-enough"


def token(params: Mapping[str, object], connection: Connection = AWS, action: str = "athena:CreateNamedQuery") -> str:
    return str(CONNECTOR.plan(action, dict(params), connection).call["params"]["ClientRequestToken"])


def test_the_same_intent_carries_the_same_token_and_it_is_a_uuid() -> None:
    first = token(PARAMS)
    assert uuid.UUID(first).version == 4
    assert token(dict(reversed(PARAMS.items()))) == first
    assert CONNECTOR.plan("athena:CreateNamedQuery", dict(PARAMS), AWS).idempotent


@pytest.mark.parametrize(
    ("params", "connection"),
    [
        ({**PARAMS, "Name": "weekly"}, AWS),
        ({**PARAMS, "Description": "x"}, AWS),
        (PARAMS, dataclasses.replace(AWS, name="other")),
    ],
)
def test_another_intent_carries_another_token(params: Mapping[str, object], connection: Connection) -> None:
    assert token(params, connection) != token(PARAMS)


def test_a_token_of_the_caller_stays() -> None:
    assert token({**PARAMS, "ClientRequestToken": OWN}) == OWN


def test_an_operation_without_tokens_gets_none() -> None:
    assert CONNECTOR.plan("ecs:ListTasks", {}, AWS).call["params"] == {}
