"""All of AWS is open, and nothing is big because of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

MAX_BYTES = 150_000_000
"""Resident memory of an API process with ten services in use."""
PROGRAM = """
import broker.serve, broker.wiring
from broker.config.loader import catalogue_of
from connectors.base import Connection
from connectors.registry import build_connectors

connectors = build_connectors()
catalogue = catalogue_of(connectors)
aws = connectors["aws"]
options = aws.connection_model(account="123456789012", regions=["eu-central-1"]).model_dump(mode="json")
for action in (
    "s3:ListBuckets", "ec2:DescribeInstances", "iam:ListRoles", "lambda:ListFunctions", "dynamodb:ListTables",
    "sqs:ListQueues", "sns:ListTopics", "kms:ListKeys", "logs:DescribeLogGroups", "ecs:ListClusters",
):
    load = aws.operations.loading(action)
    assert load is not None, action
    load()
    assert aws.operations.loading(action) is None, action
    aws.plan(action, {}, Connection("aws", "aws", "aws/key", options))
resident = int(open("/proc/self/statm").read().split()[1])
print(resident * __import__("resource").getpagesize())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_with_ten_services_in_use_stays_small() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= MAX_BYTES
