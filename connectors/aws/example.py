"""Params that plan: the required members of an operation with values a person can read."""

from __future__ import annotations

import base64
import re
from typing import Any, Final

from connectors.aws.catalogue.model import Entry, Pair
from connectors.aws.model import ApiOperation
from connectors.aws.words import camel_words
from connectors.base import JsonObject

_SOURCE: Final = {"Bucket": "other-lake", "Key": "raw/2026/april.csv"}
_WRITTEN: Final[dict[str, JsonObject]] = {
    "s3:ListObjectsV2": {"Bucket": "data-lake", "Prefix": "raw/", "MaxKeys": 100},
    "s3:PutObject": {
        "Bucket": "data-lake",
        "Key": "out/hello.txt",
        "Body": "aGVsbG8=",
        "ContentType": "text/plain",
    },
    "s3:CopyObject": {"Bucket": "data-lake", "Key": "out/report.csv", "CopySource": _SOURCE},
    "dynamodb:TransactWriteItems": {
        "TransactItems": [{"Delete": {"TableName": "customers", "Key": {"id": {"S": "42"}}}}],
    },
    "stepfunctions:ListExecutions": {
        "stateMachineArn": "arn:aws:states:eu-central-1:123456789012:stateMachine:nightly",
    },
    "dynamodb:TransactGetItems": {
        "TransactItems": [{"Get": {"TableName": "customers", "Key": {"id": {"S": "42"}}}}],
    },
    "s3:UploadPartCopy": {
        "Bucket": "data-lake",
        "Key": "out/report.csv",
        "CopySource": _SOURCE,
        "PartNumber": 1,
        "UploadId": "example",
    },
}
"""Examples written by hand, where the required members alone would say little."""
_WORDS: Final = {
    "Bucket": "data-lake",
    "Key": "raw/2026/report.csv",
    "AccountId": "123456789012",
    "AwsAccountId": "123456789012",
    "QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/orders",
    "AliasName": "alias/orders",
    "OpenIDConnectProviderArn": "arn:aws:iam::123456789012:oidc-provider/login.example.com",
    "domainNameArn": "arn:aws:apigateway:eu-central-1:123456789012:/domainnames/api.example.com+abc123",
    "domainNameAccessAssociationArn": (
        "arn:aws:apigateway:eu-central-1:123456789012:/domainnameaccessassociations/domainname/api.example.com/vpcesource/a"
    ),
    "stateMachineVersionArn": "arn:aws:states:eu-central-1:123456789012:stateMachine:nightly:1",
    "stateMachineAliasArn": "arn:aws:states:eu-central-1:123456789012:stateMachine:nightly:live",
    "serviceDeploymentArns": "arn:aws:ecs:eu-central-1:123456789012:service-deployment/main/web/1234abcd",
    "serviceRevisionArns": "arn:aws:ecs:eu-central-1:123456789012:service-revision/main/web/1234",
    "daemonDeploymentArns": "arn:aws:ecs:eu-central-1:123456789012:daemon-deployment/main/log/1234abcd",
    "daemonRevisionArns": "arn:aws:ecs:eu-central-1:123456789012:daemon-revision/main/log/1234",
    "PolicySourceArn": "arn:aws:iam::123456789012:role/deployer",
}
"""Values of members whose name says what they are in every service."""
_OWN_WORDS: Final = {
    "sts:TargetPrincipal": "123456789012",
    "bedrock:jobArn": "arn:aws:bedrock:eu-central-1:123456789012:model-copy-job/1234abcd5678",
    "bedrock:policyArn": "arn:aws:bedrock:eu-central-1:123456789012:automated-reasoning-policy/1234abcd5678",
    "lambda:Resource": "arn:aws:lambda:eu-central-1:123456789012:function:resize-images",
    "rds:ResourceName": "arn:aws:rds:eu-central-1:123456789012:db:orders",
    "rds:ResourceIdentifier": "arn:aws:rds:eu-central-1:123456789012:db:orders",
    "rds:SourceArn": "arn:aws:rds:eu-central-1:123456789012:snapshot:orders",
    "sns:SubscriptionArn": "arn:aws:sns:eu-central-1:123456789012:alerts:1234abcd-12ab-34cd-56ef-1234567890ab",
    "sqs:SourceArn": "arn:aws:sqs:eu-central-1:123456789012:orders-dead",
    "codeartifact:assetSHA256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    "appsync:resourceArn": "arn:aws:appsync:eu-central-1:123456789012:apis/example-api-with-a-long-name-of-its-own",
}
_PLACE: Final = {"partition": "aws", "region": "eu-central-1", "account": "123456789012"}
_VARIABLE: Final = re.compile(r"\{([^}]*)\}")
_DEEPEST: Final = 12
"""Levels below which only a shape that contains itself goes on."""


def example_of(api: ApiOperation, entry: Entry) -> JsonObject:
    """Return params that plan.

    Args:
        api: The operation.
        entry: Its row of the catalogue, for the ARNs it takes.
    """
    if api.action in _WRITTEN:
        return _WRITTEN[api.action]
    arns = {member: _arn(pair) for pair in reversed(entry.pairs) for member in pair.arns}
    return {
        name: _OWN_WORDS.get(f"{api.service}:{name}")
        or _WORDS.get(name)
        or arns[name].ljust(shape.metadata.get("min", 0), "x")
        if shape.type_name == "string" and (name in arns or f"{api.service}:{name}" in _OWN_WORDS)
        else _sample(shape, name, 0)
        for name, shape in api.members.items()
        if name in api.required
    }


def _sample(shape: Any, name: str, depth: int) -> Any:  # noqa: ANN401 - botocore's shape, JSON
    match shape.type_name:
        case "structure":
            return _structure(shape, depth)
        case "list":
            if depth > _DEEPEST:
                return []
            return [_sample(shape.member, name, depth + 1)] * max(1, shape.metadata.get("min", 1))
        case "map":
            return {_text(shape.key, "key"): _sample(shape.value, name, depth + 1)}
        case "integer" | "long":
            return max(1, shape.metadata.get("min", 1))
        case "float" | "double":
            return max(1.0, float(shape.metadata.get("min", 1)))
        case "boolean":
            return True
        case "timestamp":
            return "2026-03-04T12:00:00Z"
        case "blob":
            return base64.b64encode(b"hello".ljust(shape.metadata.get("min", 0), b".")).decode()
        case _:
            return _text(shape, name)


def _structure(shape: Any, depth: int) -> JsonObject:  # noqa: ANN401 - botocore's shape
    if shape.is_document_type:
        return {}
    names = list(shape.required_members)
    if shape.is_tagged_union and not names:
        names = list(shape.members)[:1]
    return {name: _sample(shape.members[name], name, depth + 1) for name in names}


def _text(shape: Any, name: str) -> str:  # noqa: ANN401 - botocore's shape
    enum = getattr(shape, "enum", ())
    if enum:
        return str(enum[0])
    word = _WORDS.get(name) or f"example-{camel_words(name).lower().replace(' ', '-')}"
    return word.ljust(shape.metadata.get("min", 0), "x")


def _arn(pair: Pair) -> str:
    """Return an ARN of the kind a pair is about."""
    if pair.template.startswith("arn:"):
        return _VARIABLE.sub(lambda match: _PLACE.get(match[1], "example"), pair.template)
    service, _, rest = next(iter(pair.heads), "example:").partition(":")
    return f"arn:aws:{service}:eu-central-1:123456789012:{rest}example"
