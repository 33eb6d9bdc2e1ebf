"""What the contract suite of connectors needs to know of each of them; one line in `SAMPLES` for a new one."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.base import JsonObject
from vault.model import CredentialKind

CANARY = "c4n4ry-S3cr3t/Value+0123456789"


@dataclass(frozen=True, slots=True)
class Sample:
    """What the suite needs to know of a connector.

    Args:
        options: Options of a connection.
        kind: Kind of credential it is leased.
        secret: The secret part of it.
        direct: True when every byte of a write goes out through the transport.
        operations: Which operations of a catalogue of thousands stand for all of them; empty for every one.
        safe_methods: Methods of requests that read; a protocol of remote calls posts whatever it asks.
    """

    options: JsonObject
    kind: CredentialKind
    secret: str
    direct: bool
    operations: tuple[str, ...] = ()
    safe_methods: frozenset[str] = frozenset({"GET", "HEAD"})


AWS_OPERATIONS = (
    *(f"s3:{name}" for name in ("GetObject", "HeadObject", "ListObjectsV2", "PutObject", "CopyObject", "DeleteObject")),
    "s3:PutBucketTagging",
    "ecs:UpdateService",
    "dynamodb:GetItem",
    "sqs:SendMessage",
    "iam:GetRole",
    "ec2:TerminateInstances",
    "cloudwatch:PutMetricData",
    "lambda:DeleteFunction",
    "athena:CreateNamedQuery",
    "stepfunctions:StartExecution",
)
"""All six protocols, all classes of access, bodies, tokens and values in every place of a request."""

SAMPLES = {
    "aws": Sample(
        {"account": "123456789012", "regions": ["eu-central-1"]},
        CredentialKind.AWS,
        CANARY,
        direct=True,
        operations=AWS_OPERATIONS,
        safe_methods=frozenset({"GET", "HEAD", "POST"}),
    ),
    "git": Sample({"url": "http://127.0.0.1:1"}, CredentialKind.BEARER, f"Bearer {CANARY}", direct=False),
}
