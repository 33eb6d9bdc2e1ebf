"""Requirements written by hand, for operations whose pairs no rule can bind from params.

A rule binds a top-level member to a variable of an ARN. What is here needs more: several pairs that depend on params,
lists of names inside structures, names that are not what the ARN holds, ARNs in place of names. `OVERRIDES` is asked
before any rule. One file per service, a table in each; `table` is what tables are made of, `kinds` how resources are
named.

Not checked here: whether params fit their shapes, and whether an operation returns secrets or escalates.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors.aws.catalogue.overrides import (
    apigateway,
    bedrock,
    bedrock_jobs,
    cloudformation,
    dynamodb,
    ec2,
    ec2_network,
    ecr,
    ecs,
    ecs_deployments,
    events,
    iam,
    kms,
    lambda_functions,
    logs,
    rds,
    rds_groups,
    route53,
    s3_buckets,
    s3_objects,
    secretsmanager,
    sns,
    sqs,
    ssm,
    ssm_parameters,
    states,
    sts,
)
from connectors.aws.catalogue.overrides.table import Override, merged

__all__ = ["OVERRIDES", "Override"]

_SERVICES: Final = (
    apigateway, bedrock, bedrock_jobs, cloudformation, dynamodb, ec2, ec2_network, ecr, ecs, ecs_deployments, events,
    iam, kms, lambda_functions, logs, rds, rds_groups, route53, s3_buckets, s3_objects, secretsmanager, sns, sqs, ssm,
    ssm_parameters, states, sts,
)  # fmt: skip

OVERRIDES: Final[Mapping[str, Override]] = MappingProxyType(merged(*(service.TABLE for service in _SERVICES)))
"""By ``service:Operation``, the service as botocore names it."""
