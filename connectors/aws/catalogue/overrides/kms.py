"""AWS KMS.

IAM decides on keys, also where the request names an alias; which key an alias stands for is not in the request, so the
key is unknown then. A ciphertext hides its key as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import Kind, Resources, anything
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import Test, found, given
from connectors.aws.catalogue.place import UNKNOWN, Params, Place

_KMS: Final = Service("kms", "kms")
_ALIAS: Final = Kind(
    "kms", "alias/{}", form=re.compile("alias/.+", re.DOTALL), spell=lambda name: name.removeprefix("alias/")
)
KEY: Final = Kind(
    "kms",
    "key/{}",
    form=re.compile("[^/:]+|alias/.+", re.DOTALL),
    spell=lambda name: UNKNOWN if name.startswith("alias/") else name,
    types=("alias/",),
)


def key_at(path: str) -> Resources:
    """Return the keys at a path: an id or a key's ARN, or an alias or its ARN, whose key is unknown."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        for value in found(params, path) or [None]:
            head, alias, _ = (resource := KEY.read(value, place, path)).partition(":alias/")
            yield f"{head}:key/{UNKNOWN}" if alias else resource

    return resources


def uses_key(path: str, *actions: str, when: Test | None = None) -> tuple[Need, ...]:
    """Return what a service needs from the caller to use the key at a path, when one is given.

    Args:
        path: Of the param that names the key.
        actions: Without ``kms:``.
        when: A further test.
    """

    def test(params: Params) -> bool:
        return given(path)(params) and (when is None or when(params))

    return tuple(Need(f"kms:{action}", key_at(path), test) for action in actions)


_ON_KEY: Final = (
    "CancelKeyDeletion CreateGrant Decapsulate Decrypt DeleteImportedKeyMaterial DeriveSharedSecret DescribeKey "
    "DisableKey DisableKeyRotation EnableKey EnableKeyRotation Encapsulate Encrypt GenerateDataKey "
    "GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac "
    "GetKeyLastUsage GetKeyPolicy GetKeyRotationStatus GetParametersForImport GetPublicKey ImportKeyMaterial "
    "ListGrants ListKeyPolicies ListKeyRotations ListResourceTags PutKeyPolicy RetireGrant RevokeGrant "
    "RotateKeyOnDemand ScheduleKeyDeletion Sign TagResource UntagResource UpdateKeyDescription UpdatePrimaryRegion "
    "Verify VerifyMac"
)

TABLE: Final[Rows] = merged(
    _KMS.each(_ON_KEY, key_at("KeyId")),
    _KMS.each("CreateKey", anything, more=(Need("kms:TagResource", anything, given("Tags")),)),
    # The replica is made in another region, where its creation is asked for too.
    _KMS.each("ReplicateKey", key_at("KeyId"), more=(Need("kms:CreateKey"),)),
    _KMS.row(
        "ReEncrypt",
        Need("kms:ReEncryptFrom", key_at("SourceKeyId")),
        Need("kms:ReEncryptTo", key_at("DestinationKeyId")),
    ),
    _KMS.each("CreateAlias", _ALIAS.at("AliasName"), key_at("TargetKeyId")),
    # Which key the alias stands for until now is not in the request.
    _KMS.each("UpdateAlias", _ALIAS.at("AliasName"), key_at("TargetKeyId"), KEY.some()),
    _KMS.each("DeleteAlias", _ALIAS.at("AliasName"), KEY.some()),
)
