"""``ostiary action``: what can be asked for, and how."""

from __future__ import annotations

import json
from typing import Any

import pytest

from broker.cli.output import ExitCode
from connectors.aws.connector import AwsConnector
from tests.unit.broker.cli.conftest import House, Run


@pytest.fixture
def aws(house: House) -> House:
    connectors: Any = {**house.world.connectors, "aws": AwsConnector()}
    house.world.connectors = connectors
    house.world.policy = "policies: [s3:GetObject on lake/*]\n"
    return house


def rows(run: Run, *words: str) -> list[str]:
    result = run("action", "list", *words, "-o", "json")
    assert result.exit_code == ExitCode.OK, result.stderr
    return [each["action"] for each in json.loads(result.stdout)]


def test_an_agent_lists_what_its_policy_may_let_it_do_and_with_all_everything(run: Run, aws: House) -> None:
    assert "s3:GetObject" in rows(run)
    assert "sqs:PurgeQueue" not in rows(run, "--limit", "1000")
    assert rows(run, "purge", "--service", "sqs", "--all") == ["sqs:PurgeQueue"]


def test_a_list_is_as_long_as_was_asked_and_says_what_it_left_out(run: Run, aws: House) -> None:
    found = rows(run, "--all", "--limit", "450")
    assert len(found) == len(set(found)) == 450
    result = run("action", "list", "--all", "--limit", "2")
    assert len(result.stdout.splitlines()) == 3
    assert "2 of 19796" in result.stderr


def test_one_action_is_shown_with_its_params_its_rules_and_a_command_to_copy(run: Run, aws: House) -> None:
    result = run("action", "show", "s3:GetObject")
    assert result.exit_code == ExitCode.OK, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["Bucket", "string", "yes"] in lines
    assert ["Range", "string"] in lines
    assert any(line[:2] == ["allow", "s3:GetObject"] for line in lines)
    assert "ostiary do s3:GetObject Bucket=data-lake" in result.stderr
    shown = json.loads(run("action", "show", "sqs:SendMessageBatch", "-o", "json").stdout)
    assert shown["params_schema"]["required"]


def test_an_example_with_more_than_texts_can_be_copied_too(run: Run, aws: House) -> None:
    assert "'Entries:=[" in run("action", "show", "sqs:SendMessageBatch").stderr


def test_an_action_nobody_serves_fails(run: Run, aws: House) -> None:
    assert run("action", "show", "nope:Nope").exit_code != ExitCode.OK
