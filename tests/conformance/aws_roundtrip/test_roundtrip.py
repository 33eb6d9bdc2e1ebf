"""What botocore sends, we read as what it meant: a twentieth of all operations here, all of them in ``tests/bench``."""

from __future__ import annotations

import pytest

from connectors.aws import model
from connectors.aws.wire_in.services import Protocol, summaries
from tests.conformance.aws_roundtrip.samples import Variant
from tests.conformance.aws_roundtrip.trip import Figures, travel

STEP = 20
EVENT_STREAMS = {
    "bedrock-runtime:InvokeModelWithBidirectionalStream",
    "connecthealth:StartMedicalScribeListeningSession",
    "lexv2-runtime:StartConversation",
    "polly:StartSpeechSynthesisStream",
    "qbusiness:Chat",
}
"""Refused, because their input is a stream of events."""
DOTS = {
    "greengrassv2:GetComponentVersionArtifact", "route53globalresolver:DisassociateHostedZone",
    "workspaces-web:ListIdentityProviders",
}  # fmt: skip
"""Greedy labels, into which a nasty value puts a ``..``: refused for everyone but S3."""
COMMON = ("s3", "dynamodb", "sqs", "sns", "sts", "iam", "lambda", "ec2", "ecs", "kms", "ssm", "logs", "cloudwatch")


def unexplained(figures: Figures) -> list[str]:
    return [each for each in figures.failures if each.split(" ")[0] not in EVENT_STREAMS | DOTS]


@pytest.mark.parametrize("shard", range(3))
def test_a_twentieth_of_all_operations_comes_back(shard: int) -> None:
    names = sorted(model.service_names())[shard::3]
    figures = travel(names, list(Variant), step=STEP, offset=shard)
    assert figures.counts["operations"] >= 200
    assert unexplained(figures) == []


@pytest.mark.parametrize("variant", list(Variant))
def test_every_operation_of_the_common_services_comes_back(variant: Variant) -> None:
    figures = travel(COMMON, [variant])
    # One deprecated structure writes two members under one name; nobody can tell them apart.
    assert [each.split(" ")[0] for each in figures.failures] in ([], ["s3:PutBucketNotification"])


def test_operations_spoken_in_another_protocol_come_back() -> None:
    for name, protocol in (("cloudwatch", "query"), ("cloudwatch", "json"), ("dynamodb", "smithy-rpc-v2-cbor")):
        figures = travel([name], [Variant.FULL], protocol=protocol)
        assert figures.failures == []
    both = [name for name, summary in summaries().items() if Protocol.CBOR in summary.protocols][::4]
    every = travel(both, [Variant.NASTY], protocol="smithy-rpc-v2-cbor")
    assert every.counts["operations"] >= 200
    assert every.failures == []
