"""AWS Lambda: functions by name, partial ARN or ARN, with a version or alias behind any of them or in ``Qualifier``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, Kind, Resources, as_given
from connectors.aws.catalogue.overrides.kms import uses_key
from connectors.aws.catalogue.overrides.passing import passes
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given, says, shown, text
from connectors.aws.catalogue.place import UNKNOWN, Params, Place
from connectors.errors import InvalidParamsError

_LAMBDA: Final = Service("lambda", "lambda")
_FORM: Final = re.compile(
    r"(arn:(?P<partition>aws[a-z-]*):lambda:)?((?P<region>[a-z]{2}(-[a-z]+)+-\d):)?((?P<account>\d{12}):)?"
    r"(?P<marked>function:)?(?P<name>[\w.-]+)(:(?P<qualifier>\$LATEST(\.PUBLISHED)?|[\w-]+))?",
    re.ASCII,
)
_QUALIFIER: Final = re.compile(r"\$LATEST(\.PUBLISHED)?|[\w-]+", re.ASCII)


def functions(path: str = "FunctionName", *, with_qualifier: bool = False) -> Resources:
    """Return the function at a path.

    Args:
        path: Of a top-level member.
        with_qualifier: Whether ``Qualifier`` says which version is meant; one that contradicts the name is a second
            resource.
    """

    def resources(params: Params, place: Place) -> Iterator[str]:
        base, qualifier = _read(params.get(path), place, path)
        asked = params.get("Qualifier") if with_qualifier else None
        if asked is not None and _QUALIFIER.fullmatch(text(asked, "Qualifier")) is None:
            raise InvalidParamsError(f"`Qualifier` is `{shown(asked)}`", fix="a version or an alias")
        for each in dict.fromkeys(which for which in (qualifier, asked) if which) or {"": None}:
            yield f"{base}:{each}" if each else base

    return resources


def _read(value: object, place: Place, path: str) -> tuple[str, str]:
    """Return the ARN of a function and the version or alias its name carries."""
    head = f"arn:{place.partition}:lambda:{place.region}:"
    if value is None or value == "":
        return f"{head}{place.account}:function:{UNKNOWN}", ""
    name = text(value, path)
    match = _FORM.fullmatch(name)
    if match is None or (match["partition"] and not (match["region"] and match["account"] and match["marked"])):
        raise InvalidParamsError(f"`{path}` is `{shown(name)}`", fix="a name, a partial ARN or an ARN of a function")
    partition, region = match["partition"] or place.partition, match["region"] or place.region
    base = f"arn:{partition}:lambda:{region}:{match['account'] or place.account}:function:{match['name']}"
    return base, match["qualifier"] or ""


def _layer_versions(params: Params, place: Place) -> Iterator[str]:
    version = params.get("VersionNumber")
    for layer in _LAYER.at("LayerName")(params, place):
        yield f"{layer}:{UNKNOWN if version is None else version}"


_LAYER: Final = Kind("lambda", "layer:{}")
_LAYER_ARN: Final = Kind("lambda", "layer:{}", form=ARN_ONLY)
_MAPPING: Final = Kind("lambda", "event-source-mapping:{}")
_SIGNING: Final = Kind("lambda", "code-signing-config:{}", form=ARN_ONLY)
_CAPACITY: Final = Kind("lambda", "capacity-provider:{}")
_DURABLE: Final = Kind("lambda", "function:{}", form=ARN_ONLY)

_FUNCTION: Final = functions()
_QUALIFIED: Final = functions(with_qualifier=True)

_ON_FUNCTION: Final = (
    "CreateAlias DeleteAlias DeleteFunctionCodeSigningConfig DeleteFunctionConcurrency GetAlias "
    "GetFunctionCodeSigningConfig GetFunctionConcurrency GetFunctionRecursionConfig ListAliases "
    "ListFunctionEventInvokeConfigs ListFunctionUrlConfigs ListProvisionedConcurrencyConfigs ListVersionsByFunction "
    "PublishVersion PutFunctionConcurrency PutFunctionRecursionConfig UpdateAlias UpdateFunctionCode"
)
_ON_VERSION: Final = (
    "AddPermission CreateFunctionUrlConfig DeleteFunction DeleteFunctionEventInvokeConfig DeleteFunctionUrlConfig "
    "DeleteProvisionedConcurrencyConfig GetFunction GetFunctionConfiguration GetFunctionEventInvokeConfig "
    "GetFunctionScalingConfig GetFunctionUrlConfig GetPolicy GetProvisionedConcurrencyConfig "
    "GetRuntimeManagementConfig Invoke=InvokeFunction InvokeAsync InvokeWithResponseStream=InvokeFunction "
    "ListDurableExecutionsByFunction PutFunctionEventInvokeConfig PutFunctionScalingConfig "
    "PutProvisionedConcurrencyConfig PutRuntimeManagementConfig RemovePermission UpdateFunctionEventInvokeConfig "
    "UpdateFunctionUrlConfig"
)

TABLE: Final[Rows] = merged(
    _LAMBDA.each(_ON_FUNCTION, _FUNCTION),
    _LAMBDA.each(_ON_VERSION, _QUALIFIED),
    _LAMBDA.each(
        "CreateFunction",
        _FUNCTION,
        more=(
            *passes("Role"),
            Need("lambda:GetLayerVersion", _LAYER_ARN.where("Layers[]"), given("Layers")),
            Need("lambda:TagResource", _FUNCTION, given("Tags")),
            Need("lambda:PublishVersion", _FUNCTION, says("Publish", value=True)),
            *uses_key("KMSKeyArn", "Encrypt", "CreateGrant"),
        ),
    ),
    _LAMBDA.each(
        "UpdateFunctionConfiguration",
        _FUNCTION,
        more=(
            *passes("Role"),
            Need("lambda:GetLayerVersion", _LAYER_ARN.where("Layers[]"), given("Layers")),
            *uses_key("KMSKeyArn", "Encrypt", "CreateGrant"),
        ),
    ),
    _LAMBDA.each("PutFunctionCodeSigningConfig", _SIGNING.at("CodeSigningConfigArn"), _FUNCTION),
    _LAMBDA.each(
        "DeleteCodeSigningConfig GetCodeSigningConfig ListFunctionsByCodeSigningConfig UpdateCodeSigningConfig",
        _SIGNING.at("CodeSigningConfigArn"),
    ),
    _LAMBDA.each(
        "AddLayerVersionPermission DeleteLayerVersion GetLayerVersion GetLayerVersionPolicy "
        "RemoveLayerVersionPermission",
        _layer_versions,
    ),
    _LAMBDA.each("GetLayerVersionByArn=GetLayerVersion", _LAYER_ARN.at("Arn")),
    _LAMBDA.each("PublishLayerVersion", _LAYER.at("LayerName")),
    _LAMBDA.each("DeleteEventSourceMapping GetEventSourceMapping UpdateEventSourceMapping", _MAPPING.at("UUID")),
    _LAMBDA.each(
        "DeleteCapacityProvider GetCapacityProvider ListFunctionVersionsByCapacityProvider UpdateCapacityProvider",
        _CAPACITY.at("CapacityProviderName"),
    ),
    _LAMBDA.each(
        "CreateCapacityProvider",
        _CAPACITY.at("CapacityProviderName"),
        more=passes("PermissionsConfig.CapacityProviderOperatorRoleArn"),
    ),
    _LAMBDA.each(
        "CheckpointDurableExecution GetDurableExecution GetDurableExecutionHistory GetDurableExecutionState "
        "StopDurableExecution",
        _DURABLE.at("DurableExecutionArn"),
    ),
    _LAMBDA.each("ListTags TagResource UntagResource", as_given("lambda", "Resource")),
    _LAMBDA.each("DeleteResourcePolicy GetResourcePolicy PutResourcePolicy", as_given("lambda", "ResourceArn")),
)
