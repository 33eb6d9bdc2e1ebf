"""AWS CloudFormation: stacks by name, whose id is not in the request, or by ARN.

A stack does what its template says with the caller's rights or with a role's: who may make one may make anything those
rights reach. That is a matter of the class of these operations; here are the pairs IAM asks for. A template in S3 is
read with the caller's rights, so the object is one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, Kind, Resources, read_arn, segment
from connectors.aws.catalogue.overrides.passing import passes
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given, text
from connectors.aws.catalogue.place import UNKNOWN, Params, Place

_CFN: Final = Service("cloudformation", "cloudformation")
STACK: Final = Kind("cloudformation", f"stack/{{}}/{UNKNOWN}")
_CHANGE_SET: Final = Kind("cloudformation", "changeSet/{}", form=ARN_ONLY)
_STACK: Final = STACK.at("StackName")
_S3_URL: Final = re.compile(
    r"https://(?:(?P<bucket>[a-z0-9.-]+)\.)?s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?/(?P<path>[^?#]+)"
)


def _stack_sets(params: Params, place: Place) -> Iterator[str]:
    """Return the stack set; ``name:id`` is what AWS answers with, so it is taken as well."""
    value = params.get("StackSetName")
    name = UNKNOWN if value is None else text(value, "StackSetName")
    arn = read_arn(name, "StackSetName")
    if arn is not None:
        yield _STACK_SET.whole(arn, "StackSetName")
        return
    name, _, number = name.partition(":")
    known = UNKNOWN if name == UNKNOWN else segment(name, "StackSetName")
    yield f"{_STACK_SET.named(place, known)}:{segment(number, 'StackSetName')}"


_STACK_SET: Final = Kind("cloudformation", "stackset/{}", form=ARN_ONLY)


def _of_change_set(params: Params, place: Place) -> Iterator[str]:
    """Return the stack of a change set; one that is given by its ARN alone does not tell its stack."""
    value = params.get("ChangeSetName")
    arn = None if value is None else read_arn(text(value, "ChangeSetName"), "ChangeSetName")
    if arn is not None:
        _CHANGE_SET.whole(arn, "ChangeSetName")
    yield from _STACK(params, place)


def template_at(path: str) -> Need:
    """Return the need to read a template that the request leaves in S3."""
    return Need("s3:GetObject", _object_of_url(path), given(path))


def _any_object(place: Place) -> str:
    return f"arn:{place.partition}:s3:::{UNKNOWN}"


def _object_of_url(path: str) -> Resources:
    def resources(params: Params, place: Place) -> Iterator[str]:
        match = _S3_URL.fullmatch(text(params.get(path), path))
        names = [name for name in (match["bucket"], match["path"]) if name] if match else []
        bucket, _, key = "/".join(names).partition("/")
        yield f"arn:{place.partition}:s3:::{bucket}/{text(unquote(key), path)}" if key else _any_object(place)

    return resources


_TEMPLATE: Final = (template_at("TemplateURL"), template_at("StackPolicyURL"))
_ROLE: Final = passes("RoleARN")
_TAGS: Final = Need("cloudformation:TagResource", _STACK, given("Tags"))

TABLE: Final[Rows] = merged(
    _CFN.each("CreateStackRefactor", STACK.at("StackDefinitions[].StackName")),
    _CFN.each(
        "CancelUpdateStack DescribeStackEvents DescribeStackResource "
        "DescribeStackResourceDrifts DescribeStackResources DescribeStacks DetectStackDrift DetectStackResourceDrift "
        "GetStackPolicy ListChangeSets ListStackResources SignalResource UpdateTerminationProtection",
        _STACK,
    ),
    _CFN.each(
        "CreateStack UpdateStack", _STACK, more=(*_TEMPLATE, *_ROLE, _TAGS, template_at("StackPolicyDuringUpdateURL"))
    ),
    _CFN.each("CreateChangeSet", _STACK, more=(*_TEMPLATE, *_ROLE, _TAGS)),
    _CFN.each("ContinueUpdateRollback DeleteStack RollbackStack", _STACK, more=_ROLE),
    _CFN.each("SetStackPolicy", _STACK, more=(template_at("StackPolicyURL"),)),
    _CFN.each("DeleteChangeSet DescribeChangeSet DescribeChangeSetHooks ExecuteChangeSet GetTemplate", _of_change_set),
    # A template by itself is of no stack.
    _CFN.row(
        "GetTemplateSummary",
        Need(
            "cloudformation:GetTemplateSummary", _STACK, lambda params: not given("TemplateBody", "TemplateURL")(params)
        ),
        Need("cloudformation:GetTemplateSummary", when=given("TemplateBody", "TemplateURL")),
        Need("cloudformation:GetTemplateSummary", _stack_sets, given("StackSetName")),
        template_at("TemplateURL"),
    ),
    _CFN.each("EstimateTemplateCost ValidateTemplate", more=(template_at("TemplateURL"),)),
    _CFN.each("CreateStackSet", more=(template_at("TemplateURL"), *passes("AdministrationRoleARN"))),
    _CFN.each("UpdateStackSet", _stack_sets, more=(template_at("TemplateURL"), *passes("AdministrationRoleARN"))),
    _CFN.each(
        "CreateStackInstances DeleteStackInstances DeleteStackSet DescribeStackInstance DescribeStackSet "
        "DescribeStackSetOperation DetectStackSetDrift ImportStacksToStackSet ListStackInstanceResourceDrifts "
        "ListStackInstances ListStackSetAutoDeploymentTargets ListStackSetOperationResults ListStackSetOperations "
        "StopStackSetOperation UpdateStackInstances",
        _stack_sets,
    ),
    _CFN.each("ActivateType", more=passes("ExecutionRoleArn", "LoggingConfig.LogRoleArn")),
    _CFN.each("RegisterType", more=passes("ExecutionRoleArn", "LoggingConfig.LogRoleArn")),
)
