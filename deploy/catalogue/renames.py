"""Operations that IAM checks under another name, from AWS's public documentation.

Only what cannot be found by a rule stands here. Where a request decides which actions are needed, all of them are
listed, so that none is missed; the exact ones are in `connectors.aws.catalogue.overrides`.
"""

from __future__ import annotations

from typing import Final

_TABLES: Final[dict[str, str]] = {
    "apigatewaymanagementapi": "PostToConnection GetConnection DeleteConnection = execute-api:ManageConnections",
    "bedrock-agent-runtime": "RetrieveAndGenerateStream = bedrock:RetrieveAndGenerate",
    "bedrock-runtime": """
        Converse = bedrock:InvokeModel
        ConverseStream = bedrock:InvokeModelWithResponseStream
    """,
    "budgets": """
        CreateBudget DeleteBudget UpdateBudget CreateNotification DeleteNotification UpdateNotification
            CreateSubscriber DeleteSubscriber UpdateSubscriber = budgets:ModifyBudget
        DescribeBudget DescribeBudgets DescribeBudgetNotificationsForAccount DescribeBudgetPerformanceHistory
            DescribeNotificationsForBudget DescribeSubscribersForNotification = budgets:ViewBudget
    """,
    "cloudfront": "CreateDistributionWithTags = cloudfront:CreateDistribution cloudfront:TagResource",
    "dynamodb": """
        TransactGetItems = dynamodb:GetItem
        TransactWriteItems = dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem dynamodb:ConditionCheckItem
        ExecuteStatement BatchExecuteStatement ExecuteTransaction = dynamodb:PartiQLSelect dynamodb:PartiQLInsert
            dynamodb:PartiQLUpdate dynamodb:PartiQLDelete
    """,
    "keyspaces": """
        CreateKeyspace CreateTable CreateType = cassandra:Create
        DeleteKeyspace DeleteTable DeleteType = cassandra:Drop
        UpdateKeyspace UpdateTable = cassandra:Alter
        RestoreTable = cassandra:Restore
        GetKeyspace GetTable GetTableAutoScalingSettings GetType ListKeyspaces ListTables ListTypes
            ListTagsForResource = cassandra:Select
    """,
    "kms": "ReEncrypt = kms:ReEncryptFrom kms:ReEncryptTo",
    "lambda": """
        Invoke InvokeWithResponseStream = lambda:InvokeFunction
        GetLayerVersionByArn = lambda:GetLayerVersion
    """,
    "neptune-graph": "ExecuteQuery = neptune-graph:ReadDataViaQuery neptune-graph:WriteDataViaQuery "
    "neptune-graph:DeleteDataViaQuery",
    "neptunedata": """
        CancelGremlinQuery CancelOpenCypherQuery = neptune-db:CancelQuery
        GetGremlinQueryStatus GetOpenCypherQueryStatus ListGremlinQueries ListOpenCypherQueries
            = neptune-db:GetQueryStatus
        ExecuteGremlinQuery ExecuteOpenCypherQuery ExecuteGremlinExplainQuery ExecuteGremlinProfileQuery
            ExecuteOpenCypherExplainQuery
            = neptune-db:ReadDataViaQuery neptune-db:WriteDataViaQuery neptune-db:DeleteDataViaQuery
        GetPropertygraphStatistics GetSparqlStatistics = neptune-db:GetStatisticsStatus
        ManagePropertygraphStatistics ManageSparqlStatistics = neptune-db:ManageStatistics
        DeletePropertygraphStatistics DeleteSparqlStatistics = neptune-db:DeleteStatistics
        GetPropertygraphSummary GetRDFGraphSummary = neptune-db:GetGraphSummary
        GetPropertygraphStream GetSparqlStream = neptune-db:GetStreamRecords
        ExecuteFastReset = neptune-db:ResetDatabase
        GetMLDataProcessingJob = neptune-db:GetMLDataProcessingJobStatus
        GetMLEndpoint = neptune-db:GetMLEndpointStatus
        GetMLModelTrainingJob = neptune-db:GetMLModelTrainingJobStatus
        GetMLModelTransformJob = neptune-db:GetMLModelTransformJobStatus
    """,
    "s3": """
        CopyObject UploadPartCopy UploadPart CreateMultipartUpload CompleteMultipartUpload = s3:PutObject
        DeleteObjects = s3:DeleteObject
        HeadObject SelectObjectContent = s3:GetObject
        HeadBucket ListObjects ListObjectsV2 = s3:ListBucket
        ListBuckets = s3:ListAllMyBuckets
        ListDirectoryBuckets = s3express:ListAllMyDirectoryBuckets
        CreateSession = s3express:CreateSession
        WriteGetObjectResponse = s3-object-lambda:WriteGetObjectResponse
        GetPublicAccessBlock = s3:GetBucketPublicAccessBlock
        PutPublicAccessBlock DeletePublicAccessBlock = s3:PutBucketPublicAccessBlock
        GetBucketNotificationConfiguration = s3:GetBucketNotification
        PutBucketNotificationConfiguration = s3:PutBucketNotification
        GetBucketLifecycle = s3:GetLifecycleConfiguration
        PutBucketLifecycle DeleteBucketLifecycle = s3:PutLifecycleConfiguration
        ListBucketAnalyticsConfigurations = s3:GetAnalyticsConfiguration
        ListBucketIntelligentTieringConfigurations = s3:GetIntelligentTieringConfiguration
        ListBucketInventoryConfigurations = s3:GetInventoryConfiguration
        ListBucketMetricsConfigurations = s3:GetMetricsConfiguration
        DeleteBucketAnalyticsConfiguration = s3:PutAnalyticsConfiguration
        DeleteBucketIntelligentTieringConfiguration = s3:PutIntelligentTieringConfiguration
        DeleteBucketInventoryConfiguration = s3:PutInventoryConfiguration
        DeleteBucketMetricsConfiguration = s3:PutMetricsConfiguration
        DeleteBucketCors = s3:PutBucketCORS
        DeleteBucketEncryption = s3:PutEncryptionConfiguration
        DeleteBucketOwnershipControls = s3:PutBucketOwnershipControls
        DeleteBucketReplication = s3:PutReplicationConfiguration
        DeleteBucketTagging = s3:PutBucketTagging
        RenameObject = s3:GetObject s3:PutObject s3:DeleteObject
    """,
    "s3control": """
        GetPublicAccessBlock = s3:GetAccountPublicAccessBlock
        PutPublicAccessBlock DeletePublicAccessBlock = s3:PutAccountPublicAccessBlock
    """,
    "sns": "PublishBatch = sns:Publish",
    "sqs": """
        SendMessageBatch = sqs:SendMessage
        DeleteMessageBatch = sqs:DeleteMessage
        ChangeMessageVisibilityBatch = sqs:ChangeMessageVisibility
    """,
}
"""Service -> ``Operations = actions`` groups; a group ends where the next operation follows an action."""


def _read(service: str, text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    operations: list[str] = []
    actions: list[str] = []
    for word in [*text.split(), ""]:
        if ":" in word:
            actions.append(word)
        elif word != "=":
            if actions:
                found |= {f"{service}:{operation}": tuple(actions) for operation in operations}
                operations, actions = [], []
            operations.append(word)
    return found


RENAMED: Final[dict[str, tuple[str, ...]]] = {
    operation: actions for service, text in _TABLES.items() for operation, actions in _read(service, text).items()
}
"""``service:Operation`` -> IAM actions."""
