"""Amazon EC2: the operations people use most; the others are bound by rule.

What a call makes has no id yet, and IAM checks it as ``instance/*``. Roles go to instances inside an instance profile,
which the request names and whose role it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.ec2_kinds import TAGS, kind, named_or, of_any_type
from connectors.aws.catalogue.overrides.kinds import Resources, segment
from connectors.aws.catalogue.overrides.kms import uses_key
from connectors.aws.catalogue.overrides.passing import passes_some_role
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given, says
from connectors.aws.catalogue.place import UNKNOWN, Params, Place

_EC2: Final = Service("ec2", "ec2")
_ENCRYPTS: Final = ("CreateGrant", "DescribeKey", "GenerateDataKeyWithoutPlaintext")


def _at(name: str, path: str) -> Resources:
    return kind(name).at(path)


def _where(name: str, path: str) -> Resources:
    return kind(name).where(path)


def _new(name: str) -> Resources:
    return kind(name).new()


def _elsewhere(name: str, path: str, region: str) -> Resources:
    """Return what lies in the region that a param names."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        source = segment(params.get(region), region)
        yield f"arn:{place.partition}:ec2:{source}::{name}/{segment(params.get(path), path)}"

    return resources


def _image(params: Params, place: Place) -> Iterator[str]:
    """Return the image; ``resolve:ssm:`` leaves it to a parameter."""
    value = params.get("ImageId")
    late = isinstance(value, str) and value.startswith("resolve:")
    yield kind("image").named(place, UNKNOWN if late else segment(value, "ImageId"))


def _first_given(name: str, *paths: str, by_name: str = "") -> Resources:
    """Return what stands at any of these paths; unknown when nothing does, or when it is given by name."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        for path in paths:
            yield from kind(name).where(path)(params, place)
        if not given(*paths)(params) or (by_name and given(by_name)(params)):
            yield from kind(name).some()(params, place)

    return resources


_LAUNCH_TEMPLATE: Final = named_or("launch-template", "LaunchTemplateId", "LaunchTemplateName")
_GROUP: Final = named_or("security-group", "GroupId", "GroupName")


def _run(of: Resources, *paths: str) -> Need:
    """Return one resource of a launch, which applies when one of the paths is given; always when there is none."""
    return Need("ec2:RunInstances", of, given(*paths) if paths else None)


_RUN: Final = _EC2.row(
    "RunInstances",
    _run(_new("instance")),
    _run(_image),
    _run(_first_given("subnet", "SubnetId", "NetworkInterfaces[].SubnetId")),
    _run(
        _first_given("security-group", "SecurityGroupIds[]", "NetworkInterfaces[].Groups[]", by_name="SecurityGroups")
    ),
    _run(_new("network-interface")),
    _run(_where("network-interface", "NetworkInterfaces[].NetworkInterfaceId"), "NetworkInterfaces"),
    _run(_new("volume")),
    # What the request leaves out may stand in the launch template.
    _run(_at("key-pair", "KeyName"), "KeyName", "LaunchTemplate"),
    _run(
        named_or("launch-template", "LaunchTemplate.LaunchTemplateId", "LaunchTemplate.LaunchTemplateName"),
        "LaunchTemplate",
    ),
    _run(_where("snapshot", "BlockDeviceMappings[].Ebs.SnapshotId"), "BlockDeviceMappings"),
    _run(_at("placement-group", "Placement.GroupName"), "Placement.GroupName", "Placement.GroupId"),
    _run(
        _where(
            "capacity-reservation",
            "CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId",
        ),
        "CapacityReservationSpecification",
    ),
    TAGS,
    passes_some_role(given("IamInstanceProfile", "LaunchTemplate")),
    *uses_key("BlockDeviceMappings[].Ebs.KmsKeyId", *_ENCRYPTS),
)

_INSTANCES: Final[Rows] = merged(
    _RUN,
    _EC2.each(
        "MonitorInstances RebootInstances StartInstances StopInstances TerminateInstances UnmonitorInstances",
        _at("instance", "InstanceIds[]"),
    ),
    _EC2.each(
        "DescribeInstanceAttribute GetConsoleOutput GetConsoleScreenshot GetPasswordData ModifyInstanceMetadataOptions "
        "ResetInstanceAttribute",
        _at("instance", "InstanceId"),
    ),
    _EC2.each(
        "ModifyInstanceAttribute",
        _at("instance", "InstanceId"),
        _where("security-group", "Groups[]"),
        _where("volume", "BlockDeviceMappings[].Ebs.VolumeId"),
    ),
    _EC2.each("AssociateIamInstanceProfile", _at("instance", "InstanceId"), more=(passes_some_role(),)),
    _EC2.each("DisassociateIamInstanceProfile", kind("instance").some()),
    _EC2.each("ReplaceIamInstanceProfileAssociation", kind("instance").some(), more=(passes_some_role(),)),
    _EC2.each("CreateLaunchTemplate", _new("launch-template"), more=(TAGS,)),
    _EC2.each(
        "CreateLaunchTemplateVersion DeleteLaunchTemplate DeleteLaunchTemplateVersions ModifyLaunchTemplate",
        _LAUNCH_TEMPLATE,
    ),
    _EC2.each("CreateKeyPair ImportKeyPair", _at("key-pair", "KeyName"), more=(TAGS,)),
    _EC2.each("DeleteKeyPair", _at("key-pair", "KeyName")),
    _EC2.each("CreateTags DeleteTags", of_any_type("Resources[]")),
)

_STORAGE: Final[Rows] = merged(
    _EC2.each(
        "CreateVolume",
        _new("volume"),
        _where("snapshot", "SnapshotId"),
        more=(TAGS, *uses_key("KmsKeyId", *_ENCRYPTS)),
    ),
    _EC2.each("DeleteVolume ModifyVolume", _at("volume", "VolumeId")),
    _EC2.each("AttachVolume DetachVolume", _at("volume", "VolumeId"), _at("instance", "InstanceId")),
    _EC2.each("CreateSnapshot", _new("snapshot"), _at("volume", "VolumeId"), more=(TAGS,)),
    _EC2.each(
        "CreateSnapshots",
        _new("snapshot"),
        _at("instance", "InstanceSpecification.InstanceId"),
        kind("volume").some(),
        more=(TAGS,),
    ),
    _EC2.each("DeleteSnapshot ModifySnapshotAttribute ResetSnapshotAttribute", _at("snapshot", "SnapshotId")),
    _EC2.each("DescribeSnapshotAttribute", _at("snapshot", "SnapshotId")),
    _EC2.each(
        "CopySnapshot",
        _new("snapshot"),
        _elsewhere("snapshot", "SourceSnapshotId", "SourceRegion"),
        more=(TAGS, *uses_key("KmsKeyId", *_ENCRYPTS)),
    ),
    _EC2.each("CreateImage", _new("image"), _new("snapshot"), _at("instance", "InstanceId"), more=(TAGS,)),
    _EC2.each("RegisterImage", _new("image"), _where("snapshot", "BlockDeviceMappings[].Ebs.SnapshotId"), more=(TAGS,)),
    _EC2.each(
        "CopyImage",
        _new("image"),
        _new("snapshot"),
        _elsewhere("image", "SourceImageId", "SourceRegion"),
        more=(TAGS, *uses_key("KmsKeyId", *_ENCRYPTS)),
    ),
    _EC2.each("DescribeImageAttribute ModifyImageAttribute ResetImageAttribute", _at("image", "ImageId")),
    _EC2.each(
        "DeregisterImage",
        _at("image", "ImageId"),
        more=(Need("ec2:DeleteSnapshot", kind("snapshot").some(), says("DeleteAssociatedSnapshots", value=True)),),
    ),
)

_GROUPS: Final[Rows] = merged(
    _EC2.each("CreateSecurityGroup", _new("security-group"), _at("vpc", "VpcId"), more=(TAGS,)),
    _EC2.each(
        "AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress",
        _GROUP,
        more=(TAGS,),
    ),
    _EC2.each(
        "DeleteSecurityGroup RevokeSecurityGroupEgress RevokeSecurityGroupIngress "
        "UpdateSecurityGroupRuleDescriptionsEgress UpdateSecurityGroupRuleDescriptionsIngress",
        _GROUP,
    ),
    _EC2.each(
        "ModifySecurityGroupRules",
        _GROUP,
        _where("security-group-rule", "SecurityGroupRules[].SecurityGroupRuleId"),
    ),
)

TABLE: Final[Rows] = merged(_INSTANCES, _STORAGE, _GROUPS)
