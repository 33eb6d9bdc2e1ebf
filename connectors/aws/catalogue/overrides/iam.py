"""AWS IAM: users, groups, roles, policies and what belongs to them.

Names are unique without their path, and IAM checks them with it. The path is not in the request but where something is
made, so it is unknown: ``role/<unknown>deployer``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, PATH, Kind, Resources, Scope, as_given, segment
from connectors.aws.catalogue.overrides.passing import ROLE, with_path
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given, shown, text
from connectors.aws.catalogue.place import UNKNOWN, Params, Place
from connectors.errors import InvalidParamsError

_IAM: Final = Service("iam", "iam")


def _kind(name: str, types: tuple[str, ...] = ()) -> Kind:
    return Kind("iam", f"{name}/{{}}", Scope.GLOBAL, spell=with_path, types=types)


def _by_arn(name: str, types: tuple[str, ...] = ()) -> Kind:
    return Kind("iam", f"{name}/{{}}", Scope.GLOBAL, ARN_ONLY, types=types)


_USER, _GROUP, _PROFILE, _CERTIFICATE = map(_kind, ("user", "group", "instance-profile", "server-certificate"))
_MFA: Final = _kind("mfa", ("sms-mfa/",))
_POLICY, _OIDC, _SAML = map(_by_arn, ("policy", "oidc-provider", "saml-provider"))
_PRINCIPAL: Final = _by_arn("role", ("user/", "group/"))
_DELEGATION: Final = Kind("iam", "delegation-request/{}", Scope.GLOBAL)
_ORGANIZATION: Final = Kind("iam", "access-report/{}", Scope.GLOBAL, PATH)


def _made(kind: Kind, name: str, path: str = "Path") -> Resources:
    """Return what is made, whose path the request tells; ``/`` when it does not."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        yield kind.named(place, _path(params.get(path), path) + segment(params.get(name), name))

    return resources


def _renamed(kind: Kind, name: str) -> Resources:
    """Return what a thing is called afterwards; a part that stays is as unknown as it was."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        new_path, new_name = params.get("NewPath"), params.get(f"New{name}")
        if new_path is None and new_name is None:
            return
        path = UNKNOWN if new_path is None else _path(new_path, "NewPath")
        yield kind.named(place, path + segment(new_name or params.get(name), f"New{name}"))

    return resources


def _path(value: object, member: str) -> str:
    """Return a path without its first slash.

    Raises:
        InvalidParamsError: it does not begin and end with one.
    """
    path = "/" if value is None else text(value, member)
    if not (path.startswith("/") and path.endswith("/")):
        raise InvalidParamsError(f"`{member}` is `{shown(path)}`", fix="begin and end it with `/`")
    return path[1:]


def _oidc_url(params: Params, place: Place) -> Iterator[str]:
    url = params.get("Url")
    yield _OIDC.named(place, UNKNOWN if url is None else text(url, "Url").removeprefix("https://").rstrip("/"))


def _saml_name(params: Params, place: Place) -> Iterator[str]:
    yield _SAML.named(place, segment(params.get("Name"), "Name"))


def _linked(params: Params, place: Place) -> Iterator[str]:
    """Return the role of a service, whose name the service chooses."""
    service = segment(params.get("AWSServiceName"), "AWSServiceName")
    yield ROLE.named(place, f"aws-service-role/{service}/{UNKNOWN}")


_AT_USER, _AT_GROUP = _USER.at("UserName"), _GROUP.at("GroupName")

_AT_ROLE, _AT_PROFILE = _kind("role").at("RoleName"), _PROFILE.at("InstanceProfileName")
_AT_CERTIFICATE, _AT_POLICY = _CERTIFICATE.at("ServerCertificateName"), _POLICY.at("PolicyArn")
_AT_MFA: Final = _MFA.at("SerialNumber")

_USERS: Final[Rows] = merged(
    _IAM.each(
        "AttachUserPolicy CreateAccessKey CreateLoginProfile CreateServiceSpecificCredential DeactivateMFADevice "
        "DeleteAccessKey DeleteLoginProfile DeleteSSHPublicKey DeleteServiceSpecificCredential "
        "DeleteSigningCertificate DeleteUser DeleteUserPermissionsBoundary DeleteUserPolicy DetachUserPolicy "
        "EnableMFADevice GetLoginProfile GetMFADevice GetSSHPublicKey GetUser GetUserPolicy ListAccessKeys "
        "ListAttachedUserPolicies ListGroupsForUser ListMFADevices ListSSHPublicKeys ListServiceSpecificCredentials "
        "ListSigningCertificates ListUserPolicies ListUserTags PutUserPermissionsBoundary PutUserPolicy "
        "ResetServiceSpecificCredential ResyncMFADevice TagUser UntagUser UpdateAccessKey UpdateLoginProfile "
        "UpdateSSHPublicKey UpdateServiceSpecificCredential UpdateSigningCertificate UploadSSHPublicKey "
        "UploadSigningCertificate",
        _AT_USER,
    ),
    # Whose password or key it is, only the credential tells.
    _IAM.each("ChangePassword GetAccessKeyLastUsed", _USER.some()),
    _IAM.each(
        "CreateUser", _made(_USER, "UserName"), more=(Need("iam:TagUser", _made(_USER, "UserName"), given("Tags")),)
    ),
    _IAM.each("UpdateUser", _AT_USER, _renamed(_USER, "UserName")),
    _IAM.each("DeleteVirtualMFADevice ListMFADeviceTags TagMFADevice UntagMFADevice", _AT_MFA),
    _IAM.each(
        "CreateVirtualMFADevice",
        _made(_MFA, "VirtualMFADeviceName"),
        more=(Need("iam:TagMFADevice", _made(_MFA, "VirtualMFADeviceName"), given("Tags")),),
    ),
)

_GROUPS: Final[Rows] = merged(
    _IAM.each(
        "AddUserToGroup AttachGroupPolicy DeleteGroup DeleteGroupPolicy DetachGroupPolicy GetGroup GetGroupPolicy "
        "ListAttachedGroupPolicies ListGroupPolicies PutGroupPolicy RemoveUserFromGroup",
        _AT_GROUP,
    ),
    _IAM.each("CreateGroup", _made(_GROUP, "GroupName")),
    _IAM.each("UpdateGroup", _AT_GROUP, _renamed(_GROUP, "GroupName")),
)

_ROLES: Final[Rows] = merged(
    _IAM.each(
        "AttachRolePolicy DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy DeleteServiceLinkedRole "
        "DetachRolePolicy GetRole GetRolePolicy ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies "
        "ListRoleTags PutRolePermissionsBoundary PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy UpdateRole "
        "UpdateRoleDescription",
        _AT_ROLE,
    ),
    _IAM.each(
        "CreateRole", _made(ROLE, "RoleName"), more=(Need("iam:TagRole", _made(ROLE, "RoleName"), given("Tags")),)
    ),
    _IAM.each("CreateServiceLinkedRole", _linked),
    _IAM.each("GetServiceLinkedRoleDeletionStatus", ROLE.some()),
    _IAM.each(
        "DeleteInstanceProfile GetInstanceProfile ListInstanceProfileTags RemoveRoleFromInstanceProfile "
        "TagInstanceProfile UntagInstanceProfile",
        _AT_PROFILE,
    ),
    _IAM.each("AddRoleToInstanceProfile", _AT_PROFILE, more=(Need("iam:PassRole", _AT_ROLE),)),
    _IAM.each(
        "CreateInstanceProfile",
        _made(_PROFILE, "InstanceProfileName"),
        more=(Need("iam:TagInstanceProfile", _made(_PROFILE, "InstanceProfileName"), given("Tags")),),
    ),
)

_POLICIES: Final[Rows] = merged(
    _IAM.each(
        "CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion ListEntitiesForPolicy "
        "ListPolicyTags ListPolicyVersions SetDefaultPolicyVersion TagPolicy UntagPolicy",
        _AT_POLICY,
    ),
    _IAM.each(
        "CreatePolicy",
        _made(_POLICY, "PolicyName"),
        more=(Need("iam:TagPolicy", _made(_POLICY, "PolicyName"), given("Tags")),),
    ),
    _IAM.each("GenerateServiceLastAccessedDetails ListPoliciesGrantingServiceAccess", as_given("iam", "Arn")),
    _IAM.each("GetContextKeysForPrincipalPolicy SimulatePrincipalPolicy", _PRINCIPAL.at("PolicySourceArn")),
)

_PROVIDERS: Final[Rows] = merged(
    _IAM.each(
        "AddClientIDToOpenIDConnectProvider DeleteOpenIDConnectProvider GetOpenIDConnectProvider "
        "ListOpenIDConnectProviderTags RemoveClientIDFromOpenIDConnectProvider TagOpenIDConnectProvider "
        "UntagOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint",
        _OIDC.at("OpenIDConnectProviderArn"),
    ),
    _IAM.each(
        "CreateOpenIDConnectProvider", _oidc_url, more=(Need("iam:TagOpenIDConnectProvider", _oidc_url, given("Tags")),)
    ),
    _IAM.each(
        "DeleteSAMLProvider GetSAMLProvider ListSAMLProviderTags TagSAMLProvider UntagSAMLProvider UpdateSAMLProvider",
        _SAML.at("SAMLProviderArn"),
    ),
    _IAM.each("CreateSAMLProvider", _saml_name, more=(Need("iam:TagSAMLProvider", _saml_name, given("Tags")),)),
    _IAM.each(
        "DeleteServerCertificate GetServerCertificate ListServerCertificateTags TagServerCertificate "
        "UntagServerCertificate",
        _AT_CERTIFICATE,
    ),
    _IAM.each("UpdateServerCertificate", _AT_CERTIFICATE, _renamed(_CERTIFICATE, "ServerCertificateName")),
    _IAM.each(
        "UploadServerCertificate",
        _made(_CERTIFICATE, "ServerCertificateName"),
        more=(Need("iam:TagServerCertificate", _made(_CERTIFICATE, "ServerCertificateName"), given("Tags")),),
    ),
    _IAM.each(
        "AcceptDelegationRequest AssociateDelegationRequest GetDelegationRequest RejectDelegationRequest "
        "SendDelegationToken",
        _DELEGATION.at("DelegationRequestId"),
    ),
    _IAM.each("GenerateOrganizationsAccessReport", _ORGANIZATION.at("EntityPath")),
)

TABLE: Final[Rows] = merged(_USERS, _GROUPS, _ROLES, _POLICIES, _PROVIDERS)
