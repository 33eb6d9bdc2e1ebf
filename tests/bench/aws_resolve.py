"""What one request asks policy for: microseconds per class of operation; and what a whole plan costs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from connectors.aws.catalogue.data import load
from connectors.aws.catalogue.place import Place
from connectors.aws.catalogue.resolve import resolve
from connectors.aws.connector import AwsConnector
from connectors.base import Connection
from tests.bench.timing import Result, in_turns, median
from vault.model import CredentialRef

_RESOLVE_MICROS: Final = 20.0
_REGION, _ACCOUNT = "eu-central-1", "123456789012"
_ROUNDS, _CALLS = 5, 500
_ROLE: Final = f"arn:aws:iam::{_ACCOUNT}:role/app"
_CODE: Final = {"S3Bucket": "code", "S3Key": "f.zip"}

_CASES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "by hand, s3 GetObject": ("s3:GetObject", {"Bucket": "lake", "Key": "raw/2027/a.csv"}),
    "by hand, s3 CopyObject": (
        "s3:CopyObject",
        {"Bucket": "lake", "Key": "b", "CopySource": {"Bucket": "lake", "Key": "a"}, "TaggingDirective": "COPY"},
    ),
    "by hand, s3 DeleteObjects of 10": (
        "s3:DeleteObjects",
        {"Bucket": "lake", "Delete": {"Objects": [{"Key": f"k{number}"} for number in range(10)]}},
    ),
    "by hand, dynamodb GetItem": ("dynamodb:GetItem", {"TableName": "orders", "Key": {"id": {"S": "1"}}}),
    "by hand, ecs UpdateService": ("ecs:UpdateService", {"cluster": "main", "service": "web", "desiredCount": 2}),
    "by hand, sqs SendMessage": (
        "sqs:SendMessage",
        {"QueueUrl": f"https://sqs.{_REGION}.amazonaws.com/{_ACCOUNT}/jobs", "MessageBody": "x"},
    ),
    "by hand, a passed role, lambda CreateFunction": (
        "lambda:CreateFunction",
        {"FunctionName": "f", "Role": _ROLE, "Handler": "m.h", "Runtime": "python3.12", "Code": _CODE},
    ),
    "by hand, ec2 RunInstances": (
        "ec2:RunInstances",
        {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1, "SubnetId": "subnet-1", "SecurityGroupIds": ["sg-1"]},
    ),
    "by rule, bound, glue GetTable": ("glue:GetTable", {"DatabaseName": "lake", "Name": "raw"}),
    "by rule, bound, backup StartBackupJob": (
        "backup:StartBackupJob",
        {"BackupVaultName": "v", "ResourceArn": f"arn:aws:rds:{_REGION}:{_ACCOUNT}:db:x", "IamRoleArn": _ROLE},
    ),
    "by rule, no resource, ec2 DescribeInstances": ("ec2:DescribeInstances", {}),
    "by rule, unknown part, athena StartQueryExecution": ("athena:StartQueryExecution", {"QueryString": "select 1"}),
}


def measure() -> list[Result]:
    """Return microseconds of resolving, with its bar, and of planning."""
    connector, place = AwsConnector(), Place("aws", _REGION, _ACCOUNT)
    options = {"account": _ACCOUNT, "regions": [_REGION], "endpoint": "http://127.0.0.1:1"}
    model = connector.connection_model.model_validate(options)
    connection = Connection("prod", "aws", CredentialRef("aws/prod"), model.model_dump(mode="json"))
    asks: dict[str, Callable[[], object]] = {}
    for name, (action, params) in _CASES.items():
        entry = load().entry(*action.split(":"))
        if entry is None:
            raise RuntimeError(f"`{action}` is not in the catalogue")
        pairs = len(resolve(entry, params, place))
        asks[f"resolve {name}, {pairs} pairs"] = partial(resolve, entry, params, place)
        asks[f"plan {name}"] = partial(connector.plan, action, params, connection)
    taken = in_turns(asks, rounds=_ROUNDS, calls=_CALLS)
    return [_result(name, seconds) for name, seconds in taken.items()]


def _result(name: str, seconds: list[float]) -> Result:
    micros, least = median(seconds) * 1e6, min(seconds) * 1e6
    shown = f"{name} (min {least:.1f})"
    if name.startswith("plan"):
        return Result(shown, micros, "us")
    return Result(shown, micros, "us", f"<= {_RESOLVE_MICROS:g}", micros <= _RESOLVE_MICROS)
