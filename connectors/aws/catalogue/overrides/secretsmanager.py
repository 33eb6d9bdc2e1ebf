"""AWS Secrets Manager.

The ARN of a secret ends in six characters that its name does not tell, so a name stands with an unknown end. A whole
ARN is told from one without its end by those six characters; who names a secret like that is warned by AWS itself.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.aws.catalogue.overrides.kinds import PATH, Kind, anything
from connectors.aws.catalogue.overrides.kms import uses_key
from connectors.aws.catalogue.overrides.lambda_functions import functions
from connectors.aws.catalogue.overrides.passing import passes
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given
from connectors.aws.catalogue.place import UNKNOWN

_SECRETS: Final = Service("secretsmanager", "secretsmanager")
_ENDED: Final = re.compile(r".+-[A-Za-z0-9]{6}", re.DOTALL)


def _with_end(name: str) -> str:
    return f"{name}-{UNKNOWN}"


def _with_end_if_missing(name: str) -> str:
    return name if _ENDED.fullmatch(name) is not None else _with_end(name)


SECRET: Final = Kind("secretsmanager", "secret:{}", form=PATH, spell=_with_end, settle=_with_end_if_missing)
_AT: Final = SECRET.at("SecretId")

TABLE: Final[Rows] = merged(
    _SECRETS.each(
        "CancelRotateSecret DeleteResourcePolicy DeleteSecret DescribeSecret GetResourcePolicy GetSecretValue "
        "ListSecretVersionIds PutResourcePolicy PutSecretValue RemoveRegionsFromReplication RestoreSecret "
        "StopReplicationToReplica TagResource UntagResource UpdateSecretVersionStage ValidateResourcePolicy",
        _AT,
    ),
    _SECRETS.each(
        "CreateSecret",
        SECRET.at("Name"),
        more=(
            Need("secretsmanager:TagResource", SECRET.at("Name"), given("Tags")),
            Need("secretsmanager:ReplicateSecretToRegions", SECRET.at("Name"), given("AddReplicaRegions")),
            *uses_key("KmsKeyId", "GenerateDataKey", "Decrypt"),
        ),
    ),
    _SECRETS.each("UpdateSecret", _AT, more=uses_key("KmsKeyId", "GenerateDataKey", "Decrypt")),
    _SECRETS.each(
        "ReplicateSecretToRegions", _AT, more=uses_key("AddReplicaRegions[].KmsKeyId", "GenerateDataKey", "Decrypt")
    ),
    _SECRETS.each(
        "RotateSecret",
        _AT,
        more=(
            Need("lambda:InvokeFunction", functions("RotationLambdaARN"), given("RotationLambdaARN")),
            *passes("ExternalSecretRotationRoleArn"),
        ),
    ),
    # A filter may find any secret.
    _SECRETS.each(
        "BatchGetSecretValue",
        anything,
        more=(
            Need("secretsmanager:GetSecretValue", SECRET.where("SecretIdList[]")),
            Need("secretsmanager:GetSecretValue", SECRET.some(), given("Filters")),
            Need("secretsmanager:ListSecrets", anything, given("Filters")),
        ),
    ),
)
