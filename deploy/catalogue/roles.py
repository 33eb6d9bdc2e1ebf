"""Which members of a request hand a role to AWS: for each of them the caller needs ``iam:PassRole``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

_ROLE: Final = re.compile(r"(roles?|role_?arns?)$", re.IGNORECASE)
_DEEPEST: Final = 8
"""Levels of members that are looked through; the deepest role of any model lies at 7."""
_PASS_NOTHING: Final = frozenset({"account-access-runtime", "iam", "securityhub", "sts"})
"""Services whose role members are what the call is about, or what a finding tells."""

EXTRA: Final[dict[str, tuple[str, ...]]] = {
    "apigateway:CreateAuthorizer": ("authorizerCredentials",),
    "apigateway:PutIntegration": ("credentials",),
    "apigateway:UpdateAuthorizer": ("patchOperations[].value?",),
    "apigateway:UpdateIntegration": ("patchOperations[].value?",),
    "apigatewayv2:CreateAuthorizer": ("AuthorizerCredentialsArn",),
    "apigatewayv2:CreateIntegration": ("CredentialsArn",),
    "apigatewayv2:UpdateAuthorizer": ("AuthorizerCredentialsArn",),
    "apigatewayv2:UpdateIntegration": ("CredentialsArn",),
    "autoscaling:CreateAutoScalingGroup": (
        "InstanceId!",
        "LaunchConfigurationName!",
        "LaunchTemplate!",
        "MixedInstancesPolicy!",
    ),
    "autoscaling:CreateLaunchConfiguration": ("IamInstanceProfile!", "InstanceId!"),
    "autoscaling:UpdateAutoScalingGroup": ("LaunchConfigurationName!", "LaunchTemplate!", "MixedInstancesPolicy!"),
    "config:PutRemediationConfigurations": ("RemediationConfigurations[].Parameters{}.StaticValue.Values[]?",),
    "ec2:AssociateIamInstanceProfile": ("IamInstanceProfile!",),
    "ec2:CreateFleet": ("LaunchTemplateConfigs!",),
    "ec2:CreateFlowLogs": ("DeliverCrossAccountRole", "DeliverLogsPermissionArn"),
    "ec2:CreateLaunchTemplate": ("LaunchTemplateData.IamInstanceProfile!",),
    "ec2:CreateLaunchTemplateVersion": ("LaunchTemplateData.IamInstanceProfile!", "SourceVersion!"),
    "ec2:ReplaceIamInstanceProfileAssociation": ("IamInstanceProfile!",),
    "ec2:RequestSpotFleet": (
        "SpotFleetRequestConfig.LaunchSpecifications[].IamInstanceProfile!",
        "SpotFleetRequestConfig.LaunchTemplateConfigs!",
    ),
    "ec2:RequestSpotInstances": ("LaunchSpecification.IamInstanceProfile!",),
    "ec2:RunInstances": ("IamInstanceProfile!", "LaunchTemplate!"),
    "elasticbeanstalk:CreateConfigurationTemplate": ("OptionSettings[].Value?",),
    "elasticbeanstalk:CreateEnvironment": ("OperationsRole", "OptionSettings[].Value?"),
    "elasticbeanstalk:UpdateConfigurationTemplate": ("OptionSettings[].Value?",),
    "elasticbeanstalk:UpdateEnvironment": ("OptionSettings[].Value?",),
    "iam:AddRoleToInstanceProfile": ("RoleName",),
    "imagebuilder:CreateInfrastructureConfiguration": ("instanceProfileName!",),
    "imagebuilder:UpdateInfrastructureConfiguration": ("instanceProfileName!",),
    "pcs:CreateComputeNodeGroup": ("iamInstanceProfileArn!",),
    "pcs:UpdateComputeNodeGroup": ("iamInstanceProfileArn!",),
    "rds:CreateDBCluster": ("DomainIAMRoleName",),
    "rds:CreateDBInstance": ("DomainIAMRoleName",),
    "rds:ModifyDBCluster": ("DomainIAMRoleName",),
    "rds:ModifyDBInstance": ("DomainIAMRoleName",),
    "rds:ModifyOptionGroup": ("OptionsToInclude[].OptionSettings[].Value?",),
    "sns:CreatePlatformApplication": ("Attributes{}?",),
    "sns:CreateTopic": ("Attributes{}?",),
    "sns:SetPlatformApplicationAttributes": ("Attributes{}?",),
    "sns:SetTopicAttributes": ("AttributeValue?",),
    "ssm:StartAutomationExecution": ("Parameters{}[]?", "TargetMaps[]{}[]?"),
    "ssm:SendCommand": ("Parameters{}[]?",),
}
"""Members whose name does not tell: instance profiles, templates that may hold one, values of any kind.

A path that ends with ``?`` counts only where the value is the ARN of a role; one that ends with ``!`` brings a role
that the request does not name.
"""


def role_members(service: str, operation: str, shape: Any) -> tuple[str, ...]:  # noqa: ANN401 - botocore has no types
    """Return the paths of the members of a request that pass a role, sorted.

    Args:
        service: botocore's folder name.
        operation: API name.
        shape: Of the request; None for none.
    """
    paths = set(EXTRA.get(f"{service}:{operation}", ()))
    if service not in _PASS_NOTHING:
        paths |= {path for path, name in _texts(shape, "", ()) if _ROLE.search(name)}
    return tuple(sorted(paths))


def _texts(shape: Any, path: str, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - botocore's
    """Yield path and name of every free text below a shape; a shape inside itself is not entered again."""
    if shape is None or shape.name in above or len(above) > _DEEPEST:
        return
    inside = (*above, shape.name)
    match shape.type_name:
        case "structure":
            for name, member in shape.members.items():
                yield from _member(member, f"{path}.{name}" if path else name, name, inside)
        case "list":
            yield from _texts(shape.member, f"{path}[]", inside)
        case "map":
            yield from _texts(shape.value, f"{path}{{}}", inside)
        case _:
            return


def _member(member: Any, path: str, name: str, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - botocore's
    """Yield a member that is text, or a list or a map of texts, under its own name."""
    ends = {"list": ("[]", "member"), "map": ("{}", "value")}
    mark, attribute = ends.get(member.type_name, ("", ""))
    inner = getattr(member, attribute) if attribute else member
    if inner.type_name != "string":
        yield from _texts(member, path, above)
    elif not inner.enum:
        yield path + mark, name
