"""Types of AWS resources and the actions that name them, from the AWS Service Authorization Reference.

One row per type: its ARN as the reference gives it, the actions that take it, and how people write it short. Rows may
stand here before any operation of their service is served, so that policies are read as they are meant from the start.
A name that holds ``/`` (a role with its path, a parameter, a log group) is ``**``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from policies.model import ResourceType

_DEFAULTS: Final[Mapping[str, str]] = MappingProxyType({"partition": "aws"})
_COMMON: Final[Mapping[str, str]] = MappingProxyType(
    {"partition": "aws", "region": "eu-west-1", "account": "123456789012"}
)

_S3: Final = "arn:{partition}:s3:::"
_IAM: Final = "arn:{partition}:iam::{account}:"
_MODELS: Final = "arn:{partition}:bedrock:{region}::"


def _regional(service: str) -> str:
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:"


def _row(name: str, arn: tuple[str, str], actions: str, /, short: str = "", **words: str) -> ResourceType:
    """Return one type.

    Args:
        name: As in the reference, behind the service.
        arn: The head all ARNs of the service share and the tail of this type, which is a short form as well.
        actions: What takes it, without the service where it is that of ``name``.
        short: A tail that leaves something out, with and without the head.
        words: Example values of the tail's variables.
    """
    head, tail = arn
    service = name.partition("/")[0]
    asked = tuple(action if ":" in action else f"{service}:{action}" for action in actions.split())
    forms = (tail, short, head + short) if short else (tail,)
    examples = {key: word for key, word in _COMMON.items() if f"{{{key}}}" in head} | words
    return ResourceType(name, head + tail, asked, forms, _DEFAULTS, MappingProxyType(examples))


RESOURCE_TYPES: Final = (
    _row(
        "s3/bucket",
        (_S3, "{bucket}"),
        "ListBucket* *Bucket* Get*Configuration Put*Configuration",
        bucket="data-lake",
    ),
    _row(
        "s3/object",
        (_S3, "{bucket}/{key=**}"),
        "GetObject* PutObject* DeleteObject* RestoreObject ReplicateObject ReplicateDelete ReplicateTags "
        "AbortMultipartUpload ListMultipartUploadParts BypassGovernanceRetention",
        bucket="data-lake",
        key="raw/2026/report.csv",
    ),
    _row(
        "ecs/cluster",
        (_regional("ecs"), "cluster/{cluster}"),
        "*Cluster* RegisterContainerInstance DeregisterContainerInstance ListContainerInstances ExecuteCommand",
        cluster="main",
    ),
    _row(
        "ecs/service",
        (_regional("ecs"), "service/{cluster}/{service}"),
        "CreateService DeleteService UpdateService UpdateServicePrimaryTaskSet DescribeServices",
        short="service/{service}",
        cluster="main",
        service="prod-web",
    ),
    _row(
        "ecs/task",
        (_regional("ecs"), "task/{cluster}/{task}"),
        "StopTask DescribeTasks ExecuteCommand GetTaskProtection UpdateTaskProtection",
        short="task/{task}",
        cluster="main",
        task="1dc5c17a422b4dc4b493371970c6c4d6",
    ),
    _row(
        "ecs/task-definition",
        (_regional("ecs"), "task-definition/{family}:{revision}"),
        "RunTask StartTask RegisterTaskDefinition DeleteTaskDefinitions",
        short="task-definition/{family}",
        family="web",
        revision="8",
    ),
    _row(
        "iam/role",
        (_IAM, "role/{role=**}"),
        "*Role* UpdateAssumeRolePolicy sts:AssumeRole* sts:TagSession",
        role="deployer",
    ),
    _row("iam/user", (_IAM, "user/{user=**}"), "*User* *AccessKey* *LoginProfile *SSHPublicKey*", user="olivia"),
    _row(
        "iam/policy",
        (_IAM, "policy/{policy=**}"),
        "CreatePolicy* DeletePolicy* GetPolicy* TagPolicy UntagPolicy ListPolicyVersions ListPolicyTags "
        "ListEntitiesForPolicy SetDefaultPolicyVersion",
        policy="read-reports",
    ),
    _row("iam/group", (_IAM, "group/{group=**}"), "*Group*", group="developers"),
    _row("iam/instance-profile", (_IAM, "instance-profile/{profile=**}"), "*InstanceProfile*", profile="web"),
    _row(
        "lambda/function",
        (_regional("lambda"), "function:{function}"),
        "*Function* *Alias* PublishVersion AddPermission RemovePermission GetPolicy InvokeAsync "
        "*ProvisionedConcurrency*",
        function="resize-images",
    ),
    _row(
        "lambda/alias",
        (_regional("lambda"), "function:{function}:{alias}"),
        "InvokeFunction* GetFunction* AddPermission RemovePermission GetPolicy *ProvisionedConcurrency* "
        "Publish* Update* *Alias*",
        function="resize-images",
        alias="live",
    ),
    _row(
        "rds/db",
        (_regional("rds"), "db:{db}"),
        "CreateDBInstance* DeleteDBInstance DescribeDBInstances ModifyDBInstance RebootDBInstance StartDBInstance "
        "StopDBInstance RestoreDBInstance* PromoteReadReplica CreateDBSnapshot",
        db="orders",
    ),
    _row(
        "rds/cluster",
        (_regional("rds"), "cluster:{cluster}"),
        "CreateDBCluster DeleteDBCluster DescribeDBClusters ModifyDBCluster RebootDBCluster StartDBCluster "
        "StopDBCluster FailoverDBCluster RestoreDBCluster* rds-data:*",
        cluster="orders",
    ),
    _row(
        "dms/task",
        (_regional("dms"), "task:{task}"),
        "StartReplicationTask StopReplicationTask ModifyReplicationTask DeleteReplicationTask",
        task="orders-to-lake",
    ),
    _row(
        "dms/replication-instance",
        (_regional("dms"), "rep:{instance}"),
        "ModifyReplicationInstance DeleteReplicationInstance RebootReplicationInstance",
        instance="lake",
    ),
    _row(
        "dynamodb/table",
        (_regional("dynamodb"), "table/{table}"),
        "*Item* Query Scan PartiQL* CreateTable DeleteTable DescribeTable UpdateTable *TimeToLive *ContinuousBackups",
        table="customers",
    ),
    _row(
        "dynamodb/index",
        (_regional("dynamodb"), "table/{table}/index/{index}"),
        "Query Scan PartiQLSelect",
        table="customers",
        index="by-city",
    ),
    _row("secretsmanager/secret", (_regional("secretsmanager"), "secret:{name=**}"), "*", name="prod/orders-AbCdEf"),
    _row("ssm/parameter", (_regional("ssm"), "parameter/{parameter=**}"), "*Parameter*", parameter="prod/orders/url"),
    _row(
        "kms/key",
        (_regional("kms"), "key/{key}"),
        "Decrypt Encrypt GenerateDataKey* GenerateMac VerifyMac ReEncrypt* Sign Verify DescribeKey GetPublicKey "
        "*KeyDeletion DisableKey* EnableKey* *KeyPolicy *KeyRotation* *Grant* CreateAlias UpdateAlias DeleteAlias",
        key="1234abcd-12ab-34cd-56ef-1234567890ab",
    ),
    _row("kms/alias", (_regional("kms"), "alias/{alias=**}"), "CreateAlias UpdateAlias DeleteAlias", alias="orders"),
    _row(
        "logs/log-group",
        (_regional("logs"), "log-group:{group=**}"),
        "CreateLogGroup DeleteLogGroup DescribeLogGroups *LogStream* PutLogEvents GetLogEvents FilterLogEvents "
        "StartQuery *RetentionPolicy *SubscriptionFilter* *MetricFilter*",
        group="/aws/lambda/resize-images",
    ),
    _row("sqs/queue", (_regional("sqs"), "{queue}"), "*", queue="orders"),
    _row(
        "sns/topic",
        (_regional("sns"), "{topic}"),
        "Publish Subscribe ConfirmSubscription *Topic* *Permission",
        topic="alerts",
    ),
    _row(
        "bedrock/foundation-model",
        (_MODELS, "foundation-model/{model=**}"),
        "InvokeModel* GetFoundationModel",
        model="anthropic.claude-sonnet-4-20250514-v1:0",
    ),
    _row(
        "bedrock/inference-profile",
        (_regional("bedrock"), "inference-profile/{profile=**}"),
        "InvokeModel* GetInferenceProfile",
        profile="eu.anthropic.claude-sonnet-4-20250514-v1:0",
    ),
)
