"""What we answer, botocore reads as it was: a twentieth of all operations here, all of them in ``tests/bench``."""

from __future__ import annotations

import pytest

from connectors.aws import model
from connectors.aws.wire_in.services import summaries
from tests.conformance.aws_answers.trip import Answers, answers_of
from tests.conformance.aws_roundtrip.samples import Variant

STEP = 20
EXPLAINED = {
    "s3:GetBucketNotification",  # deprecated: two members share one name, nobody can tell them apart
    "dataexchange:SendApiAsset",  # all headers of the answer are one member, ours among them
}
COMMON = ("s3", "dynamodb", "sqs", "sns", "sts", "iam", "lambda", "kms", "ssm", "logs", "cloudwatch")


def unexplained(answers: Answers) -> list[str]:
    return [each for each in answers.failures if each.split(" ")[0] not in EXPLAINED]


@pytest.mark.parametrize("shard", range(3))
def test_a_twentieth_of_all_answers_is_read_as_it_was(shard: int) -> None:
    names = sorted(model.service_names())[shard::3]
    answers = answers_of(names, list(Variant), step=STEP, offset=shard)
    assert answers.counts["answers"] >= 200
    assert unexplained(answers) == []


@pytest.mark.parametrize("variant", list(Variant))
def test_every_answer_of_the_common_services_is_read_as_it_was(variant: Variant) -> None:
    assert unexplained(answers_of(COMMON, [variant])) == []


def test_answers_in_another_protocol_are_read_as_they_were() -> None:
    several = [name for name, summary in summaries().items() if len(summary.protocols) > 1]
    answers = answers_of(["cloudwatch", *several[::5]], [Variant.NASTY], others=True)
    assert answers.counts["answers"] >= 250
    assert answers.failures == []
