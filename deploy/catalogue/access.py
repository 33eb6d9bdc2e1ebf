"""What an operation does: reads, writes, destroys or leads to more powers; and what may be repeated."""

from __future__ import annotations

from typing import Any, Final

from connectors.aws.catalogue.model import AccessClass
from deploy.catalogue.sources import Action, Sources
from deploy.catalogue.words import verb


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_READING_LEVELS: Final = frozenset({"Read", "List"})
_READING_VERBS: Final = _set(
    "Check Compare Count Describe Detect Discover Estimate Evaluate Explain Filter Find Get Head Is List Lookup "
    "Preview Query Read Resolve Retrieve Scan Search Select Simulate Translate Validate Verify View"
)
_CHANGING_VERBS: Final = _set(
    "Accept Add Allocate Apply Approve Assign Associate Attach Authorize Cancel Change Chat Complete Confirm "
    "Converse Copy Create Deliver Disable Disassociate Enable Execute Generate Import Invite Invoke Modify Move "
    "Post Promote Publish Put Reboot Register Reject Request Reset Restore Resume Revoke Rotate Run Send Set Share "
    "Start Stop Submit Subscribe Suspend Swap Tag Transfer Untag Update Upgrade Upload Write"
)
"""Verbs that change something even where IAM calls the action a reading one."""
_DESTROYING_VERBS: Final = _set(
    "Close Decommission Delete Deprovision Deregister Destroy Discard Drop Empty Erase Expire Forget Purge Release "
    "Remove Terminate Wipe"
)
_DESTROYING: Final = frozenset({"kms:ScheduleKeyDeletion", "s3:DeleteObjects"})
_BESIDE_THE_THING: Final = ("RemoveTags", "RemovePermission", "RemoveTargets", "RemoveRole", "ReleaseHosts")
"""Removing these takes a label or a link away, not the thing."""
_POLLING_THAT_CHANGES: Final = frozenset(
    {"codepipeline:PollForJobs", "sqs:ReceiveMessage", "stepfunctions:GetActivityTask", "swf:PollForActivityTask"}
)
"""Reading by name, and by IAM's level, but they take what they read away from others."""

_ESCALATING: Final[dict[str, str]] = {
    "batch": "RegisterJobDefinition SubmitJob",
    "cloudcontrol": "*",
    "cloudformation": "CreateChangeSet CreateStack CreateStackInstances CreateStackSet ExecuteChangeSet "
    "UpdateStack UpdateStackInstances UpdateStackSet ImportStacksToStackSet CreateStackRefactor ExecuteStackRefactor",
    "codebuild": "CreateProject StartBuild StartBuildBatch UpdateProject",
    "codepipeline": "CreatePipeline StartPipelineExecution UpdatePipeline",
    "cognito-identity": "GetCredentialsForIdentity SetIdentityPoolRoles",
    "datapipeline": "ActivatePipeline CreatePipeline PutPipelineDefinition",
    "ec2": "AssociateIamInstanceProfile ReplaceIamInstanceProfileAssociation ModifyInstanceAttribute",
    "ec2-instance-connect": "SendSSHPublicKey SendSerialConsoleSSHPublicKey",
    "ecs": "ExecuteCommand RegisterTaskDefinition RunTask StartTask",
    "eks": "AssociateAccessPolicy CreateAccessEntry CreatePodIdentityAssociation UpdateAccessEntry "
    "UpdatePodIdentityAssociation",
    "glue": "CreateDevEndpoint CreateJob CreateSession RunStatement StartJobRun UpdateDevEndpoint UpdateJob",
    "identitystore": "CreateGroupMembership",
    "lakeformation": "GrantPermissions BatchGrantPermissions PutDataLakeSettings",
    "lambda": "AddLayerVersionPermission AddPermission CreateEventSourceMapping CreateFunction CreateFunctionUrlConfig "
    "PublishLayerVersion UpdateFunctionCode UpdateFunctionConfiguration UpdateEventSourceMapping",
    "organizations": "AttachPolicy CreateAccount DetachPolicy DisablePolicyType InviteAccountToOrganization "
    "LeaveOrganization MoveAccount PutResourcePolicy RemoveAccountFromOrganization UpdatePolicy",
    "ram": "AcceptResourceShareInvitation AssociateResourceShare CreateResourceShare",
    "rolesanywhere": "CreateProfile CreateTrustAnchor UpdateProfile UpdateTrustAnchor",
    "sagemaker": "CreateNotebookInstance CreateNotebookInstanceLifecycleConfig CreateProcessingJob CreateTrainingJob "
    "UpdateNotebookInstance UpdateNotebookInstanceLifecycleConfig",
    "ssm": "CreateAssociation CreateAssociationBatch ResumeSession SendCommand StartAutomationExecution "
    "StartChangeRequestExecution StartSession UpdateAssociation",
    "sso-admin": "AttachCustomerManagedPolicyReferenceToPermissionSet AttachManagedPolicyToPermissionSet "
    "CreateAccountAssignment PutInlinePolicyToPermissionSet ProvisionPermissionSet",
    "stepfunctions": "CreateStateMachine StartExecution StartSyncExecution UpdateStateMachine TestState",
    "sts": "AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot GetDelegatedAccessToken "
    "GetFederationToken GetSessionToken GetWebIdentityToken",
}
_GRANTING: Final = "Permissions management"


def access_of(service: str, operation: str, actions: tuple[Action, ...]) -> AccessClass:
    """Return READ, WRITE or DESTROY.

    botocore's ``readonly`` trait is not looked at: it is set on operations that start and stop things.

    Args:
        service: botocore's folder name.
        operation: API name.
        actions: IAM actions it asks for; their level decides where the verb does not.
    """
    name, first = f"{service}:{operation}", verb(operation)
    if name in _DESTROYING or (first in _DESTROYING_VERBS and not operation.startswith(_BESIDE_THE_THING)):
        return AccessClass.DESTROY
    if first in _CHANGING_VERBS or name in _POLLING_THAT_CHANGES:
        return AccessClass.WRITE
    levels = {action.level for action in actions}
    reading = levels <= _READING_LEVELS if levels else first in _READING_VERBS
    return AccessClass.READ if reading else AccessClass.WRITE


def escalates(service: str, operation: str, actions: tuple[Action, ...], sources: Sources) -> bool:
    """Tell whether an operation grants powers or acts with those of another principal.

    Args:
        service: botocore's folder name.
        operation: API name.
        actions: IAM actions it asks for.
        sources: Public data: what is known to lead to more powers.
    """
    listed = _ESCALATING.get(service, "").split()
    if operation in listed or "*" in listed:
        return True
    if any(action.full_name.lower() in sources.escalating for action in actions):
        return True
    if any(_GRANTING in action.level for action in actions):
        return True
    return service == "iam" and not all(action.level in _READING_LEVELS for action in actions)


def is_idempotent(access: AccessClass, model: Any) -> bool:  # noqa: ANN401 - botocore has no types
    """Tell whether sending it twice has the effect of sending it once.

    Args:
        access: READ, WRITE or DESTROY.
        model: botocore's model of the operation; a body that is a stream cannot be sent twice.
    """
    # The trait stands in botocore's file and no class of its hands it out.
    declared: dict[str, Any] = model._operation_model  # noqa: SLF001
    return not model.has_streaming_input and (access is AccessClass.READ or bool(declared.get("idempotent")))
