"""Which operations return credentials or secrets.

botocore's ``sensitive`` trait is no help: it is on the answers of a tenth of all operations, mostly personal data, and
missing where it counts (ECR's login, Session Manager's token). So: a list made by hand from AWS's documentation, and
names of members and of operations that mean a secret. What looks at values of users (an object in S3, an environment
variable in a task definition) is not here unless its purpose is to keep secrets.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

_LISTED: Final[dict[str, str]] = {
    "account-access-runtime": "GetRoleCredentials",
    "acm": "ExportCertificate",
    "apigateway": "CreateApiKey GetApiKey GetApiKeys UpdateApiKey",
    "appstream": "CreateStreamingURL CreateImageBuilderStreamingURL CreateAppBlockBuilderStreamingURL",
    "appsync": "CreateApiKey ListApiKeys UpdateApiKey",
    "bedrock-agentcore": "GetResourceApiKey GetResourceOauth2Token GetWorkloadAccessToken "
    "GetWorkloadAccessTokenForJWT GetWorkloadAccessTokenForUserId",
    "chime-sdk-meetings": "CreateMeeting CreateMeetingWithAttendees CreateAttendee BatchCreateAttendee GetAttendee "
    "ListAttendees",
    "codeartifact": "GetAuthorizationToken",
    "codebuild": "CreateWebhook StartSandboxConnection UpdateWebhook",
    "codecatalyst": "CreateAccessToken StartDevEnvironmentSession",
    "codepipeline": "GetJobDetails GetThirdPartyJobDetails PollForJobs",
    "cognito-identity": "GetCredentialsForIdentity GetOpenIdToken GetOpenIdTokenForDeveloperIdentity",
    "cognito-idp": "AdminInitiateAuth AdminRespondToAuthChallenge AssociateSoftwareToken CreateUserPoolClient "
    "DescribeIdentityProvider DescribeUserPoolClient GetClientToken GetDerivedToken GetTokensFromRefreshToken "
    "InitiateAuth RespondToAuthChallenge UpdateUserPoolClient AddUserPoolClientSecret",
    "connect": "CreateAuthCode CreateParticipant GetFederationToken StartWebRTCContact",
    "connectparticipant": "CreateParticipantConnection",
    "datazone": "GetEnvironmentCredentials",
    "deadline": "AssumeFleetRoleForRead AssumeFleetRoleForWorker AssumeQueueRoleForRead AssumeQueueRoleForUser "
    "AssumeQueueRoleForWorker",
    "devicefarm": "CreateTestGridUrl",
    "ec2": "CreateKeyPair CreateVpnConnection DescribeVpnConnections ExportClientVpnClientConfiguration "
    "GetPasswordData GetVpnConnectionDeviceSampleConfiguration ModifyVpnConnection ModifyVpnTunnelOptions "
    "GetActiveVpnTunnelStatus",
    "ecr": "GetAuthorizationToken",
    "ecr-public": "GetAuthorizationToken",
    "ecs": "ExecuteCommand",
    "emr": "GetClusterSessionCredentials GetOnClusterAppUIPresignedURL GetPersistentAppUIPresignedURL",
    "emr-containers": "GetManagedEndpointSessionCredentials",
    "emr-serverless": "GetDashboardForJobRun",
    "gamelift": "GetComputeAccess GetComputeAuthToken GetInstanceAccess RequestUploadCredentials",
    "glue": "GetConnection GetConnections",
    "grafana": "CreateWorkspaceApiKey CreateWorkspaceServiceAccountToken",
    "iam": "CreateAccessKey CreateServiceSpecificCredential CreateVirtualMFADevice ResetServiceSpecificCredential",
    "iot": "CreateKeysAndCertificate CreateProvisioningClaim",
    "iotsecuretunneling": "OpenTunnel RotateTunnelAccessToken",
    "ivs": "BatchGetStreamKey CreateChannel CreateStreamKey GetStreamKey",
    "ivs-realtime": "CreateParticipantToken CreateStage",
    "ivschat": "CreateChatToken",
    "kinesis-video-signaling": "GetIceServerConfig",
    "kms": "Decrypt DeriveSharedSecret GenerateDataKey GenerateDataKeyPair GenerateRandom",
    "lakeformation": "AssumeDecoratedRoleWithSAML GetTemporaryDataLocationCredentials "
    "GetTemporaryGlueFunctionCredentials GetTemporaryGluePartitionCredentials GetTemporaryGlueTableCredentials",
    "lightsail": "CreateBucketAccessKey CreateContainerServiceRegistryLogin CreateKeyPair DownloadDefaultKeyPair "
    "GetBucketAccessKeys GetInstanceAccessDetails GetRelationalDatabaseMasterUserPassword",
    "location": "CreateKey DescribeKey",
    "managedblockchain": "CreateAccessor GetAccessor",
    "mediapackage": "CreateChannel DescribeChannel ListChannels RotateChannelCredentials "
    "RotateIngestEndpointCredentials",
    "mwaa": "CreateCliToken CreateWebLoginToken",
    "mwaa-serverless": "CreateAirflowUiUrl",
    "pca-connector-scep": "GetChallengePassword CreateChallenge",
    "qapps": "CreatePresignedUrl",
    "quicksight": "GenerateEmbedUrlForAnonymousUser GenerateEmbedUrlForRegisteredUser "
    "GenerateEmbedUrlForRegisteredUserWithIdentity GetDashboardEmbedUrl GetSessionEmbedUrl",
    "redshift": "GetClusterCredentials GetClusterCredentialsWithIAM GetIdentityCenterAuthToken",
    "redshift-serverless": "GetCredentials GetIdentityCenterAuthToken",
    "s3": "CreateSession",
    "s3control": "GetDataAccess",
    "sagemaker": "CreatePartnerAppPresignedUrl CreatePresignedDomainUrl CreatePresignedMlflowTrackingServerUrl "
    "CreatePresignedMlflowAppUrl CreatePresignedNotebookInstanceUrl StartSession",
    "secretsmanager": "BatchGetSecretValue GetRandomPassword GetSecretValue",
    "signin": "CreateBearerToken CreateOAuth2Token CreateOAuth2TokenWithIAM CreateOAuth2TokenWithTokenExchange",
    "ssm": "GetAccessToken GetParameter GetParameterHistory GetParameters GetParametersByPath ResumeSession "
    "StartSession",
    "sso": "GetRoleCredentials",
    "sso-oidc": "CreateToken CreateTokenWithIAM RegisterClient StartDeviceAuthorization",
    "storagegateway": "DescribeChapCredentials",
    "sts": "AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot GetDelegatedAccessToken "
    "GetFederationToken GetSessionToken GetWebIdentityToken",
    "workmail": "AssumeImpersonationRole",
}
"""Service -> operations."""

LISTED: Final = frozenset(
    f"{service}:{operation}" for service, operations in _LISTED.items() for operation in operations.split()
)

_MEMBER: Final = re.compile(
    r"(aws)?(secret_?access_?key|session_?token|security_?token|secret_?(string|binary|key|hash)|secret|"
    r"private_?key(_?plaintext)?|plaintext|key_?material|(authorization|access|refresh|id|auth|bearer|web|cli|billing|"
    r"open_?id)_?token|token_?value|client_?secret|api_?key_?(value|secret)?|password(data)?|(db|master_?user|service)"
    r"_?password|credentials?|passphrase|pre_?signed_?.*url.*|authorized_?url|(embed|console|login)_?url|kubeconfig|"
    r"config_?file)",
    re.IGNORECASE,
)
"""Whole names of members of an answer that hold a secret."""
_OPERATION: Final = re.compile(
    r"GetAuthorizationToken|Assume\w*Role|GetSessionToken|Get\w*Credentials|Create\w*Token$|Get\w*Token$|"
    r"CreateAccessKey|Create\w*ApiKey$|Get\w*Password|CreateKeyPair|StartSession|Presigned|EmbedUrl|"
    r"Generate\w*Key(Pair)?$|ExportCertificate|Decrypt$|GetSecretValue"
)
_MEMBERS_WITHOUT: Final[dict[str, frozenset[str]]] = {
    "apigateway": frozenset({"credentials"}),
    "appmesh": frozenset({"privateKey"}),
    "batch": frozenset({"secret"}),
    "codebuild": frozenset({"credential", "secret"}),
    "codeconnections": frozenset({"ConfigFile"}),
    "codestar-connections": frozenset({"ConfigFile"}),
    "docdb": frozenset({"MasterUserPassword"}),
    "elbv2": frozenset({"ClientSecret"}),
    "kendra": frozenset({"Credentials"}),
    "lightsail": frozenset({"masterUserPassword"}),
    "mq": frozenset({"ConsoleURL"}),
    "neptune": frozenset({"MasterUserPassword"}),
    "pipes": frozenset({"Credentials"}),
    "qconnect": frozenset({"plainText"}),
    "quicksight": frozenset({"PlainText"}),
    "rds": frozenset({"MasterUserPassword"}),
    "redshift": frozenset({"MasterUserPassword"}),
    "sagemaker": frozenset({"ConfigFile"}),
    "securityhub": frozenset({"Credential", "MasterUserPassword"}),
    "wisdom": frozenset({"plainText"}),
}
"""Members with a secret's name that AWS masks, never fills, or fills with a path, an ARN or the text of a page."""
_OPERATIONS_WITHOUT: Final = frozenset(
    {
        "deadline:StartSessionsStatisticsAggregation",
        "iam:GetAccountPasswordPolicy",
        "iam:UpdateAssumeRolePolicy",
        "waf-regional:GetChangeToken",
        "waf:GetChangeToken",
    }
)
"""Operations with a name that means a secret and an answer that holds none."""


def returns_secrets(service: str, operation: str, output_names: Collection[str], *, exposing: bool) -> bool:
    """Tell whether an operation returns credentials or secrets.

    Args:
        service: botocore's folder name.
        operation: API name.
        output_names: Names of all members of its answer.
        exposing: `policy_sentry` counts its action among those that show credentials.
    """
    name = f"{service}:{operation}"
    if name in LISTED or (exposing and bool(output_names)):
        return True
    if name not in _OPERATIONS_WITHOUT and _OPERATION.search(operation):
        return True
    without = _MEMBERS_WITHOUT.get(service, frozenset())
    return any(_MEMBER.fullmatch(each) for each in output_names if each not in without)
