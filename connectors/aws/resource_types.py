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
_MAKES_INSTANCES: Final = "CreateDBInstance* ModifyDBInstance RestoreDBInstance*"
_MAKES_CLUSTERS: Final = "CreateDBCluster ModifyDBCluster RestoreDBCluster*"
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
        "InvokeFunction* GetFunction* DeleteFunction* *FunctionScalingConfig AddPermission RemovePermission GetPolicy "
        "*ProvisionedConcurrency* Publish* Update* *Alias*",
        function="resize-images",
        alias="live",
    ),
    _row("lambda/layer", (_regional("lambda"), "layer:{layer=**}"), "PublishLayerVersion", layer="tools"),
    _row(
        "lambda/code-signing",
        (_regional("lambda"), "code-signing-config:{config}"),
        "ListFunctionsByCodeSigningConfig PutFunctionCodeSigningConfig UpdateCodeSigningConfig",
        config="csc-0123456789abcdef0",
    ),
    _row(
        "lambda/event-source",
        (_regional("lambda"), "event-source-mapping:{mapping}"),
        "UpdateEventSourceMapping",
        mapping="1234abcd-12ab-34cd-56ef-1234567890ab",
    ),
    _row(
        "lambda/capacity-provider",
        (_regional("lambda"), "capacity-provider:{provider}"),
        "ListFunctionVersionsByCapacityProvider UpdateCapacityProvider",
        provider="main",
    ),
    _row("lambda/microvm-image", (_regional("lambda"), "microvm-image:{image}"), "UpdateMicrovmImage*", image="tools"),
    _row(
        "lambda/network-connector",
        (_regional("lambda"), "network-connector:{connector}"),
        "UpdateNetworkConnector",
        connector="main",
    ),
    _row("lambda/web-function", (_regional("lambda"), "web-function/{function=**}"), "*WebFunction*", function="shop"),
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
        "CreateDBCluster CreateDBInstance* DeleteDBCluster DescribeDBClusters ModifyDBCluster RebootDBCluster "
        "StartDBCluster StopDBCluster FailoverDBCluster RestoreDBCluster* rds-data:*",
        cluster="orders",
    ),
    _row(
        "rds/global-cluster",
        ("arn:{partition}:rds::{account}:", "global-cluster:{cluster}"),
        "CreateDBCluster",
        cluster="orders",
    ),
    *(
        _row(f"rds/{kind}", (_regional("rds"), f"{kind}:{{{name}=**}}"), actions, **{name: "orders"})
        for kind, name, actions in (
            ("og", "group", f"{_MAKES_INSTANCES} {_MAKES_CLUSTERS}"),
            ("pg", "group", _MAKES_INSTANCES),
            ("cluster-pg", "group", _MAKES_CLUSTERS),
            ("subgrp", "group", f"{_MAKES_INSTANCES} {_MAKES_CLUSTERS}"),
            ("secgrp", "group", "CreateDBInstance* ModifyDBInstance"),
            ("snapshot", "snapshot", "CreateDBSnapshot DeleteDBInstance RestoreDBInstance* RestoreDBCluster*"),
            ("cluster-snapshot", "snapshot", "DeleteDBCluster RestoreDBInstance* RestoreDBCluster*"),
            ("auto-backup", "backup", "RestoreDBInstance* RestoreDBCluster*"),
        )
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
    _row(
        "ssm/public-parameter",
        ("arn:{partition}:ssm:{region}::", "parameter/{parameter=**}"),
        "GetParameter GetParameterHistory GetParameters GetParametersByPath",
        parameter="aws/service/ami-amazon-linux-latest",
    ),
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
    _row(
        "logs/destination",
        (_regional("logs"), "destination:{destination}"),
        "PutSubscriptionFilter",
        destination="audit",
    ),
    _row("sqs/queue", (_regional("sqs"), "{queue}"), "*", queue="orders"),
    _row(
        "sns/topic",
        (_regional("sns"), "{topic}"),
        "Publish Subscribe ConfirmSubscription *Topic* *Permission",
        topic="alerts",
    ),
    _row("sns/endpoint", (_regional("sns"), "endpoint/{endpoint=**}"), "Publish", endpoint="GCM/app/1234abcd"),
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
    *(
        _row(f"bedrock/{kind}", (_regional("bedrock"), f"{kind}/{{{name}=**}}"), "InvokeModel*", **{name: "orders"})
        for kind, name in (
            ("application-inference-profile", "profile"),
            ("custom-model", "model"),
            ("custom-model-deployment", "deployment"),
            ("default-prompt-router", "router"),
            ("imported-model", "model"),
            ("marketplace", "model"),
            ("prompt", "prompt"),
            ("prompt-router", "router"),
            ("provisioned-model", "model"),
        )
    ),
    _row("bedrock/endpoint", (_regional("sagemaker"), "endpoint/{endpoint}"), "InvokeModel*", endpoint="orders"),
    _row(
        "ecs/gateway",
        (_regional("ecs"), "gateway/{gateway=**}"),
        "AssociateGatewayWithCluster DisassociateGatewayFromCluster ListGatewayClusterAssociations",
        gateway="main/1234abcd",
    ),
    _row(
        "iam/role-template",
        ("arn:{partition}:iam::aws:", "role-template/{template=**}"),
        "GetRoleTemplateVersion",
        template="tools/deployer:1",
    ),
)
