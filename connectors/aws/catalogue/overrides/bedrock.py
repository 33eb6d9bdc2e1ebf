"""Amazon Bedrock: models by id, inference profile or ARN, and what is used along with them.

An inference profile runs its model in several regions, and IAM asks for the model there as well; which regions those
are is not in the request. Profiles made in the account do not tell their model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import Kind, Resources, Scope, read_arn, segment
from connectors.aws.catalogue.overrides.kms import uses_key
from connectors.aws.catalogue.overrides.passing import passes
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import found, given, shown, text
from connectors.aws.catalogue.place import UNKNOWN, Params, Place
from connectors.errors import InvalidParamsError

_RUNTIME: Final = Service("bedrock-runtime", "bedrock")
_BEDROCK: Final = Service("bedrock", "bedrock")
_AGENTS: Final = Service("bedrock-agent-runtime", "bedrock")

_MODEL_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")
_PROFILE_ID: Final = re.compile(
    r"(af|apac|ap|au|ca|eu|global|il|in|jp|kr|me|mx|sa|sg|uk|us|us-gov)\.(?P<model>[a-z0-9-]+\..+)"
)
_MODEL: Final = Kind("bedrock", "foundation-model/{}", Scope.SHARED, _MODEL_ID)
_PROFILE: Final = Kind("bedrock", "inference-profile/{}")
_OWN_TYPES: Final = (
    "custom-model/",
    "custom-model-deployment/",
    "default-prompt-router/",
    "imported-model/",
    "marketplace/model-endpoint/",
    "prompt-router/",
    "prompt/",
    "provisioned-model/",
)
GUARDRAIL: Final = Kind("bedrock", "guardrail/{}")
PROVISIONED: Final = Kind("bedrock", "provisioned-model/{}", spell=lambda _name: UNKNOWN)
"""Given by name or by ARN; its ARN holds an id that the name does not tell."""
_KNOWLEDGE: Final = Kind("bedrock", "knowledge-base/{}")


def _anywhere(place: Place, model: str) -> str:
    return f"arn:{place.partition}:bedrock:{UNKNOWN}::foundation-model/{model}"


def models(path: str) -> Resources:
    """Return the models at a path, and what stands behind a profile."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        for value in found(params, path) or [None]:
            yield from _model(value, place, path)

    return resources


def _model(value: object, place: Place, path: str) -> Iterator[str]:
    name = UNKNOWN if value is None or value == "" else text(value, path)
    arn = read_arn(name, path)
    if arn is None:
        yield from _by_id(value, name, place, path)
    elif arn.service == "sagemaker" and arn.rest.startswith("endpoint/"):
        yield f"arn:{place.partition}:bedrock:{place.region}:{place.account}:marketplace/model-endpoint/all-access"
        yield arn.text
    elif arn.service == "bedrock" and arn.scope is Scope.SHARED and arn.rest.startswith("foundation-model/"):
        yield arn.text
    elif arn.service == "bedrock" and arn.scope is Scope.REGIONAL:
        yield arn.text
        yield from _behind(arn.rest, place, path)
    else:
        raise InvalidParamsError(f"`{path}` is `{shown(name)}`", fix="a model, an inference profile, or an ARN of one")


def _by_id(value: object, name: str, place: Place, path: str) -> Iterator[str]:
    profile = _PROFILE_ID.fullmatch(name)
    if profile is None or _MODEL_ID.fullmatch(name) is None:
        yield _MODEL.read(value, place, path)
        return
    yield _PROFILE.named(place, name)
    yield _anywhere(place, profile["model"])


def _behind(rest: str, place: Place, path: str) -> Iterator[str]:
    """Return the model behind something of an account."""
    profile = _PROFILE_ID.fullmatch(rest.removeprefix("inference-profile/"))
    if rest.startswith("inference-profile/") and profile is not None:
        yield _anywhere(place, profile["model"])
    elif rest.startswith(("application-inference-profile/", "inference-profile/")):
        yield _anywhere(place, UNKNOWN)
    elif not rest.startswith(_OWN_TYPES):
        raise InvalidParamsError(f"`{path}` is an ARN of another type: `{shown(rest)}`")


def _uses_guardrail(path: str) -> Need:
    return Need("bedrock:ApplyGuardrail", GUARDRAIL.where(path), given(path))


_AT: Final = models("modelId")
_GUARDED: Final = _uses_guardrail("guardrailIdentifier")
_GUARDED_CHAT: Final = _uses_guardrail("guardrailConfig.guardrailIdentifier")
_GENERATION: Final = "retrieveAndGenerateConfiguration.knowledgeBaseConfiguration"
_SOURCES: Final = "retrieveAndGenerateConfiguration.externalSourcesConfiguration"


def _output(params: Params, place: Place) -> Iterator[str]:
    """Return where an answer that comes later is written."""
    for uri in found(params, "outputDataConfig.s3OutputDataConfig.s3Uri"):
        match = re.fullmatch(r"s3://(?P<bucket>[a-z0-9.-]+)(/(?P<key>.*))?", text(uri or "", "s3Uri"), re.DOTALL)
        bucket, key = (match["bucket"], match["key"] or "") if match else (UNKNOWN, "")
        yield f"arn:{place.partition}:s3:::{bucket}/{key}{UNKNOWN}"


def _session(params: Params, place: Place) -> Iterator[str]:
    yield from Kind("bedrock", "session/{}").at("sessionIdentifier")(params, place)


def _agent_alias(params: Params, place: Place) -> Iterator[str]:
    agent, alias = (segment(params.get(name), name) for name in ("agentId", "agentAliasId"))
    yield f"arn:{place.partition}:bedrock:{place.region}:{place.account}:agent-alias/{agent}/{alias}"


def _flow_alias(params: Params, place: Place) -> Iterator[str]:
    """Return a flow's alias; ARNs of both are taken apart, so that one of another account shows."""
    flow = Kind("bedrock", "flow/{}").read(params.get("flowIdentifier"), place, "flowIdentifier")
    alias = params.get("flowAliasIdentifier")
    arn = None if alias is None else read_arn(text(alias, "flowAliasIdentifier"), "flowAliasIdentifier")
    if arn is not None:
        yield Kind("bedrock", "flow/{}").whole(arn, "flowAliasIdentifier")
    yield f"{flow}/alias/{UNKNOWN if arn else segment(alias, 'flowAliasIdentifier')}"


TABLE: Final[Rows] = merged(
    _RUNTIME.each("InvokeModel", _AT, more=(_GUARDED,)),
    _RUNTIME.each("InvokeModelWithResponseStream", _AT, more=(_GUARDED,)),
    _RUNTIME.each("InvokeModelWithBidirectionalStream=InvokeModel CountTokens", _AT),
    _RUNTIME.each("Converse=InvokeModel", _AT, more=(_GUARDED_CHAT,)),
    _RUNTIME.each("ConverseStream=InvokeModelWithResponseStream", _AT, more=(_GUARDED_CHAT,)),
    _RUNTIME.each("StartAsyncInvoke=InvokeModel", _AT, more=(Need("s3:PutObject", _output),)),
    _RUNTIME.each("ApplyGuardrail", GUARDRAIL.at("guardrailIdentifier")),
    _RUNTIME.each("GetAsyncInvoke", Kind("bedrock", "async-invoke/{}").at("invocationArn")),
    _AGENTS.each("InvokeAgent DeleteAgentMemory GetAgentMemory", _agent_alias),
    _AGENTS.each("InvokeFlow", _flow_alias),
    _AGENTS.each("Retrieve", _KNOWLEDGE.at("knowledgeBaseId")),
    _AGENTS.each(
        "RetrieveAndGenerate RetrieveAndGenerateStream=RetrieveAndGenerate",
        more=(
            Need("bedrock:Retrieve", _KNOWLEDGE.at(f"{_GENERATION}.knowledgeBaseId"), given(_GENERATION)),
            Need("bedrock:InvokeModel", models(f"{_GENERATION}.modelArn"), given(_GENERATION)),
            Need("bedrock:InvokeModel", models(f"{_SOURCES}.modelArn"), given(_SOURCES)),
        ),
    ),
    _AGENTS.each(
        "CreateInvocation DeleteSession EndSession GetInvocationStep GetSession ListInvocationSteps ListInvocations "
        "PutInvocationStep UpdateSession",
        _session,
    ),
    _BEDROCK.each("GetFoundationModel", _MODEL.at("modelIdentifier")),
    _BEDROCK.each(
        "GetInferenceProfile",
        Kind("bedrock", "inference-profile/{}", types=("application-inference-profile/",)).at(
            "inferenceProfileIdentifier"
        ),
    ),
    _BEDROCK.each(
        "DeleteInferenceProfile", Kind("bedrock", "application-inference-profile/{}").at("inferenceProfileIdentifier")
    ),
    _BEDROCK.each("CreateGuardrailVersion DeleteGuardrail GetGuardrail", GUARDRAIL.at("guardrailIdentifier")),
    _BEDROCK.each("UpdateGuardrail", GUARDRAIL.at("guardrailIdentifier"), more=uses_key("kmsKeyId", "CreateGrant")),
    _BEDROCK.each(
        "CreateModelCustomizationJob",
        models("baseModelIdentifier"),
        Kind("bedrock", "custom-model/{}").new(),
        more=passes("roleArn"),
    ),
    _BEDROCK.each("CreateModelImportJob", more=passes("roleArn")),
    _BEDROCK.each(
        "CreateModelInvocationJob",
        models("modelId"),
        Kind("bedrock", "model-invocation-job/{}").new(),
        more=passes("roleArn"),
    ),
    _BEDROCK.each("CreateProvisionedModelThroughput", models("modelId")),
    _BEDROCK.each(
        "DeleteProvisionedModelThroughput GetProvisionedModelThroughput", PROVISIONED.at("provisionedModelId")
    ),
    _BEDROCK.each("PutModelInvocationLoggingConfiguration", more=passes("loggingConfig.cloudWatchConfig.roleArn")),
)
