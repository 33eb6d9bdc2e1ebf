"""Amazon ECR: repositories by name, in the registry of the account or of the one the request says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, Kind, Resources
from connectors.aws.catalogue.overrides.kms import uses_key
from connectors.aws.catalogue.overrides.passing import passes
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import found, given, shown, text
from connectors.aws.catalogue.place import UNKNOWN, Params, Place
from connectors.errors import InvalidParamsError

_ECR: Final = Service("ecr", "ecr")
_ACCOUNT: Final = re.compile("[0-9]{12}")
_NAME: Final = re.compile("[^:]+")
_BY_ARN: Final = Kind("ecr", "repository/{}", form=ARN_ONLY)


def _repositories(path: str) -> Resources:
    def resources(params: Params, place: Place) -> Iterator[str]:
        registry = text(params.get("registryId") or place.account, "registryId")
        if _ACCOUNT.fullmatch(registry) is None:
            raise InvalidParamsError(f"`registryId` is `{shown(registry)}`", fix="an account of 12 digits")
        for value in found(params, path) or [None]:
            name = UNKNOWN if value is None or value == "" else text(value, path)
            if _NAME.fullmatch(name) is None:
                raise InvalidParamsError(f"`{path}` is `{shown(name)}`", fix="a name without `:`")
            yield f"arn:{place.partition}:ecr:{place.region}:{registry}:repository/{name}"

    return resources


_AT: Final = _repositories("repositoryName")

TABLE: Final[Rows] = merged(
    _ECR.each(
        "BatchCheckLayerAvailability BatchDeleteImage BatchGetImage CompleteLayerUpload DeleteLifecyclePolicy "
        "DeleteRepository DeleteRepositoryPolicy DescribeImageReplicationStatus DescribeImageScanFindings "
        "DescribeImageSigningStatus DescribeImages GetDownloadUrlForLayer GetLifecyclePolicy GetLifecyclePolicyPreview "
        "GetRepositoryPolicy InitiateLayerUpload ListImages PutImage PutImageScanningConfiguration "
        "PutImageTagMutability PutLifecyclePolicy SetRepositoryPolicy StartImageScan StartLifecyclePolicyPreview "
        "UpdateImageStorageClass UploadLayerPart",
        _AT,
    ),
    _ECR.each(
        "CreateRepository",
        _AT,
        more=(
            Need("ecr:TagResource", _AT, given("tags")),
            *uses_key("encryptionConfiguration.kmsKey", "CreateGrant", "DescribeKey"),
        ),
    ),
    _ECR.each("BatchGetRepositoryScanningConfiguration DescribeRepositories", _repositories("repositoryNames[]")),
    _ECR.each("ListTagsForResource TagResource UntagResource", _BY_ARN.at("resourceArn")),
    _ECR.each("CreatePullThroughCacheRule UpdatePullThroughCacheRule", more=passes("customRoleArn")),
    _ECR.each("CreateRepositoryCreationTemplate UpdateRepositoryCreationTemplate", more=passes("customRoleArn")),
)
