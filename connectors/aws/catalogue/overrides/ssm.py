"""AWS Systems Manager: documents, the machines they run on, sessions, automations and maintenance windows.

Names that begin with ``AWS``, ``Amazon`` or ``Amzn`` are documents of AWS, whose ARNs hold no account. A command that
picks its machines by tags may run on any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, PATH, Kind, Resources, Scope, segment
from connectors.aws.catalogue.overrides.passing import passes, passes_any
from connectors.aws.catalogue.overrides.s3_names import buckets
from connectors.aws.catalogue.overrides.ssm_parameters import parameter
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import found, given, shown, text
from connectors.aws.catalogue.place import UNKNOWN, Params, Place
from connectors.errors import InvalidParamsError

_SSM: Final = Service("ssm", "ssm")
_OF_AWS: Final = re.compile("(aws|amazon|amzn)", re.IGNORECASE)
_TASK: Final = re.compile(r"ecs:(?P<cluster>[A-Za-z0-9_-]+)_(?P<task>[A-Za-z0-9]+)_[A-Za-z0-9-]+")

_OWN_DOCUMENT: Final = Kind("ssm", "document/{}", also=(Scope.SHARED,))
_AWS_DOCUMENT: Final = Kind("ssm", "document/{}", Scope.SHARED, also=(Scope.REGIONAL,))
_EXECUTION: Final = Kind("ssm", "automation-execution/{}")
_ASSOCIATION: Final = Kind("ssm", "association/{}")
_SESSION: Final = Kind("ssm", "session/{}")
_WINDOW: Final = Kind("ssm", "maintenancewindow/{}")
_BASELINE: Final = Kind("ssm", "patchbaseline/{}")
_MANAGED: Final = Kind("ssm", "managed-instance/{}")
_INSTANCE: Final = Kind("ec2", "instance/{}")
_OPS_ITEM: Final = Kind("ssm", "opsitem/{}")
_OPS_METADATA: Final = Kind("ssm", "opsmetadata/{}", form=ARN_ONLY)
_SETTING: Final = Kind("ssm", "servicesetting/{}", form=PATH, spell=lambda name: name.removeprefix("/"))
_SYNC: Final = Kind("ssm", "resource-data-sync/{}")
_TAGGED: Final = {
    "Association": _ASSOCIATION,
    "Automation": _EXECUTION,
    "MaintenanceWindow": _WINDOW,
    "ManagedInstance": _MANAGED,
    "OpsItem": _OPS_ITEM,
    "OpsMetadata": _OPS_METADATA,
    "PatchBaseline": _BASELINE,
}


def _document(value: object, place: Place, path: str) -> str:
    of_aws = isinstance(value, str) and _OF_AWS.match(value) is not None
    return (_AWS_DOCUMENT if of_aws else _OWN_DOCUMENT).read(value, place, path)


def _documents(path: str, *, needed: bool = True) -> Resources:
    def resources(params: Params, place: Place) -> Iterator[str]:
        for value in found(params, path) or [None]:
            if needed or value is not None:
                yield _document(value, place, path)

    return resources


def _machine(value: object, place: Place, path: str) -> str:
    """Return an instance of EC2, a machine that was registered, or a task of ECS."""
    name = UNKNOWN if value is None else text(value, path)
    task = _TASK.fullmatch(name)
    if task is not None:
        return f"arn:{place.partition}:ecs:{place.region}:{place.account}:task/{task['cluster']}/{task['task']}"
    return (_MANAGED if name.startswith("mi-") else _INSTANCE).read(value, place, path)


def _machines(path: str) -> Resources:
    def resources(params: Params, place: Place) -> Iterator[str]:
        for value in found(params, path) or [None]:
            yield _machine(value, place, path)

    return resources


def _targets(*ids: str, needed: bool = True) -> Resources:
    """Return the machines of a request: by their ids, or any where it picks them by something else.

    Args:
        ids: Paths of ids.
        needed: Whether a request that names none means any.
    """

    def resources(params: Params, place: Place) -> Iterator[str]:
        named = [(value, path) for path in ids for value in found(params, path) if value is not None]
        picked = [item or {} for item in found(params, "Targets[]")] if given("Targets")(params) else []
        named += [(value, "Targets[].Values[]") for item in picked if _by_id(item) for value in found(item, "Values[]")]
        for value, path in named:
            yield _machine(value, place, path)
        if any(not _by_id(item) for item in picked) or (needed and not named):
            yield _INSTANCE.named(place, UNKNOWN)
            yield _MANAGED.named(place, UNKNOWN)

    return resources


def _by_id(target: Params) -> bool:
    return target.get("Key") in {"InstanceIds", "instanceids"}


def _automations(params: Params, place: Place) -> Iterator[str]:
    """Return what an automation runs: its definition, whose version may be any, and the document behind it."""
    document = _document(params.get("DocumentName"), place, "DocumentName")
    version = segment(params.get("DocumentVersion"), "DocumentVersion")
    yield f"{document.replace(':document/', ':automation-definition/')}:{version}"
    yield document
    yield from _EXECUTION.new()(params, place)


def _tagged(params: Params, place: Place) -> Iterator[str]:
    """Return what is tagged, by the type the request says."""
    kind, value = params.get("ResourceType"), params.get("ResourceId")
    if kind == "Parameter":
        yield parameter(value, place, "ResourceId")
    elif kind == "Document":
        yield _document(value, place, "ResourceId")
    elif kind in _TAGGED:
        yield _TAGGED[kind].read(value, place, "ResourceId")
    else:
        raise InvalidParamsError(f"`ResourceType` is `{shown(str(kind))}`", fix=f"one of {', '.join(sorted(_TAGGED))}")


_NAME: Final = _documents("Name")
_AT_WINDOW: Final = _WINDOW.at("WindowId")

_DOCUMENTS: Final[Rows] = merged(
    _SSM.each(
        "DeleteDocument DescribeDocument DescribeDocumentPermission GetDocument ListDocumentMetadataHistory "
        "ListDocumentVersions ModifyDocumentPermission UpdateDocument UpdateDocumentDefaultVersion "
        "UpdateDocumentMetadata",
        _NAME,
    ),
    _SSM.each("CreateDocument", _NAME, more=(Need("ssm:AddTagsToResource", _NAME, given("Tags")),)),
    _SSM.each("CreateAssociationBatch", _documents("Entries[].Name"), more=(passes_any(),)),
    _SSM.each("GetCalendarState", _documents("CalendarNames[]")),
    _SSM.row(
        "SendCommand",
        Need("ssm:SendCommand", _documents("DocumentName")),
        Need("ssm:SendCommand", _targets("InstanceIds[]")),
        Need("ssm:SendCommand", buckets("OutputS3BucketName"), given("OutputS3BucketName")),
        *passes("ServiceRoleArn"),
    ),
    _SSM.each("StartSession", _machines("Target"), _documents("DocumentName", needed=False)),
    _SSM.each("ResumeSession TerminateSession", _SESSION.at("SessionId")),
    _SSM.each("StartAutomationExecution StartChangeRequestExecution", _automations, more=(passes_any(),)),
    _SSM.each(
        "DescribeAutomationStepExecutions GetAutomationExecution SendAutomationSignal StopAutomationExecution",
        _EXECUTION.at("AutomationExecutionId"),
    ),
    _SSM.row(
        "CreateAssociation",
        Need("ssm:CreateAssociation", _NAME),
        Need("ssm:CreateAssociation", _ASSOCIATION.new()),
        Need("ssm:CreateAssociation", _targets("InstanceId", needed=False)),
        passes_any(),
    ),
    _SSM.each(
        "UpdateAssociation",
        _ASSOCIATION.at("AssociationId"),
        _documents("Name", needed=False),
        _targets(needed=False),
        more=(passes_any(),),
    ),
    _SSM.each(
        "DeleteAssociation DescribeAssociation DescribeAssociationExecutionTargets DescribeAssociationExecutions "
        "ListAssociationVersions",
        _ASSOCIATION.at("AssociationId"),
    ),
    _SSM.each("StartAssociationsOnce", _ASSOCIATION.at("AssociationIds[]")),
)

_MACHINES: Final[Rows] = merged(
    _SSM.each(
        "DescribeEffectiveInstanceAssociations DescribeInstanceAssociationsStatus DescribeInstancePatches",
        _machines("InstanceId"),
    ),
    _SSM.each("DescribeInstancePatchStates", _machines("InstanceIds[]")),
    _SSM.each("GetConnectionStatus", _machines("Target")),
    _SSM.each("PutComplianceItems", _machines("ResourceId")),
    _SSM.each("UpdateAssociationStatus", _NAME, _machines("InstanceId")),
    _SSM.each("DeregisterManagedInstance", _MANAGED.at("InstanceId")),
    _SSM.each("UpdateManagedInstanceRole", _MANAGED.at("InstanceId"), more=passes("IamRole")),
    _SSM.each("CreateActivation", more=passes("IamRole")),
    _SSM.each(
        "RegisterDefaultHostManagementConfiguration=UpdateServiceSetting", _SETTING.some(), more=passes("RoleArn")
    ),
)

_OPERATIONS: Final[Rows] = merged(
    _SSM.each(
        "DeleteMaintenanceWindow DescribeMaintenanceWindowExecutions DescribeMaintenanceWindowTargets "
        "DescribeMaintenanceWindowTasks GetMaintenanceWindow GetMaintenanceWindowTask "
        "RegisterTargetWithMaintenanceWindow UpdateMaintenanceWindow",
        _AT_WINDOW,
    ),
    _SSM.each("RegisterTaskWithMaintenanceWindow", _AT_WINDOW, more=passes("ServiceRoleArn")),
    _SSM.each(
        "DeregisterTargetFromMaintenanceWindow UpdateMaintenanceWindowTarget",
        _AT_WINDOW,
        Kind("ssm", "windowtarget/{}").at("WindowTargetId"),
    ),
    _SSM.each(
        "DeregisterTaskFromMaintenanceWindow",
        _AT_WINDOW,
        Kind("ssm", "windowtask/{}").at("WindowTaskId"),
    ),
    _SSM.each(
        "UpdateMaintenanceWindowTask",
        _AT_WINDOW,
        Kind("ssm", "windowtask/{}").at("WindowTaskId"),
        more=passes("ServiceRoleArn"),
    ),
    _SSM.each(
        "DeletePatchBaseline DeregisterPatchBaselineForPatchGroup DescribeEffectivePatchesForPatchBaseline "
        "GetPatchBaseline RegisterDefaultPatchBaseline RegisterPatchBaselineForPatchGroup UpdatePatchBaseline",
        _BASELINE.at("BaselineId"),
    ),
    _SSM.each(
        "AssociateOpsItemRelatedItem DeleteOpsItem DisassociateOpsItemRelatedItem GetOpsItem UpdateOpsItem",
        _OPS_ITEM.at("OpsItemId"),
    ),
    _SSM.each("DeleteOpsMetadata GetOpsMetadata UpdateOpsMetadata", _OPS_METADATA.at("OpsMetadataArn")),
    _SSM.each("GetServiceSetting ResetServiceSetting UpdateServiceSetting", _SETTING.at("SettingId")),
    _SSM.each("CreateResourceDataSync DeleteResourceDataSync UpdateResourceDataSync", _SYNC.at("SyncName")),
    _SSM.each("AddTagsToResource ListTagsForResource RemoveTagsFromResource", _tagged),
)

TABLE: Final[Rows] = merged(_DOCUMENTS, _MACHINES, _OPERATIONS)
