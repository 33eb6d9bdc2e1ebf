"""How much of AWS the catalogue knows exactly: counts over its entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from connectors.aws.catalogue.data import AwsCatalogue
from connectors.aws.catalogue.model import Entry
from connectors.aws.catalogue.overrides import OVERRIDES

_CORE: Final = (
    "acm apigateway apigatewayv2 athena autoscaling backup batch bedrock bedrock-runtime cloudformation cloudfront "
    "cloudwatch codebuild codepipeline cognito-identity cognito-idp dynamodb ec2 ecr ecs efs eks elasticache elb elbv2 "
    "events firehose glue iam kinesis kms lambda logs opensearch organizations rds redshift route53 s3 sagemaker "
    "secretsmanager sns sqs ssm stepfunctions sts"
)
CORE: Final = tuple(_CORE.split())
"""The services people use most."""


_BY_HAND: Final = (
    "apigateway apigatewayv2 bedrock bedrock-runtime cloudformation dynamodb ecr ecs events iam kms lambda logs rds s3 "
    "secretsmanager sns sqs ssm stepfunctions sts"
)
BY_HAND: Final = tuple(_BY_HAND.split())
"""Services each of whose operations was looked at by a person; of EC2 those with a row of their own were."""
_PARTLY: Final = "ec2"


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts over some operations.

    Args:
        operations: All of them.
        exact: IAM has each of their actions under that name.
        mechanical: Params or IAM itself give every resource, as compiled.
        complete: The same, or written by hand in the overrides.
        secrets: They return secrets.
        escalating: They lead to more powers.
    """

    operations: int
    exact: int
    mechanical: int
    complete: int
    secrets: int
    escalating: int

    def percent(self, part: int) -> float:
        """Return a part of the operations in per cent, to one place; 0 for none at all."""
        return round(100 * part / self.operations, 1) if self.operations else 0.0


def figures(catalogue: AwsCatalogue, services: Iterable[str]) -> Figures:
    """Count over services; reads each of them.

    Args:
        catalogue: Where to look.
        services: As botocore's folders are called; one that is not there has no operations.
    """
    return _counted(_entries(catalogue, services))


def most_used(catalogue: AwsCatalogue) -> tuple[Figures, tuple[str, ...]]:
    """Count over the operations people use most, and return the actions of those that are not complete, in order.

    These are all operations of `BY_HAND`, and EC2's with a row in the overrides: some eighteen hundred.

    Args:
        catalogue: Where to look.
    """
    entries = _entries(catalogue, BY_HAND) + [each for each in _entries(catalogue, [_PARTLY]) if _by_hand(each)]
    left = (each for each in entries if not each.complete and not _by_hand(each))
    return _counted(entries), tuple(sorted(f"{each.service}:{each.operation}" for each in left))


def _entries(catalogue: AwsCatalogue, services: Iterable[str]) -> list[Entry]:
    return [
        entry
        for service in services
        for operation in catalogue.operations(service)
        if (entry := catalogue.entry(service, operation))
    ]


def _counted(entries: list[Entry]) -> Figures:
    return Figures(
        operations=len(entries),
        exact=sum(entry.exact for entry in entries),
        mechanical=sum(entry.complete for entry in entries),
        complete=sum(entry.complete or _by_hand(entry) for entry in entries),
        secrets=sum(entry.returns_secrets for entry in entries),
        escalating=sum(entry.escalates for entry in entries),
    )


def _by_hand(entry: Entry) -> bool:
    return f"{entry.service}:{entry.operation}" in OVERRIDES
