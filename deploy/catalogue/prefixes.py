"""Under which prefix IAM knows a service of botocore.

In order: the table below; the signing name; the endpoint prefix; the folder name; the prefix that has most of the
service's operations. The table holds what none of these would find, or would find wrongly.
"""

from __future__ import annotations

from typing import Any, Final

from deploy.catalogue.sources import Sources

_TABLE: Final = {
    "amp": "aps",
    "appconfigdata": "appconfig",
    "cloudsearchdomain": "cloudsearch",
    "cloudwatch": "cloudwatch",
    "connectcases": "cases",
    "connectparticipant": "execute-api",
    "customer-profiles": "profile",
    "docdb": "rds",
    "dynamodbstreams": "dynamodb",
    "finspace-data": "finspace-api",
    "greengrassv2": "greengrass",
    "iot-managed-integrations": "iotmanagedintegrations",
    "keyspaces": "cassandra",
    "launch-wizard": "launchwizard",
    "lex-runtime": "lex",
    "location": "geo",
    "migrationhub-config": "mgh",
    "mturk": "mechanicalturk",
    "neptune": "rds",
    "neptunedata": "neptune-db",
    "opensearch": "es",
    "opensearchserverless": "aoss",
    "personalize-events": "personalize",
    "resourcegroupstaggingapi": "tag",
    "s3control": "s3",
    "service-quotas": "servicequotas",
    "sesv2": "ses",
    "socialmessaging": "social-messaging",
    "sso-oidc": "sso-oauth",
    "supplychain": "scn",
    "support-app": "supportapp",
    "taxsettings": "tax",
    "timestream-query": "timestream",
    "voice-id": "voiceid",
    "workspaces-thin-client": "thinclient",
}
_SIGNED_AS: Final = {
    "AWSMarketplaceMetering": "aws-marketplace",
    "email": "ses",
    "monitoring": "cloudwatch",
    "tagging": "tag",
}
_LIKELY_SHARE: Final = 0.6
"""Of a service's operations; a prefix that knows fewer is another service's."""


def prefix_of(service: str, model: Any, sources: Sources) -> str:  # noqa: ANN401 - botocore has no types
    """Return the IAM prefix of a service; its signing name when IAM does not know it."""
    signing = str(model.signing_name)
    for candidate in (_TABLE.get(service), _SIGNED_AS.get(signing), signing, model.endpoint_prefix, service):
        if candidate in sources.actions:
            return str(candidate)
    names = {operation.lower() for operation in model.operation_names}
    likely = max(sorted(sources.actions), key=lambda prefix: len(names & sources.actions[prefix].keys()))
    shared = len(names & sources.actions[likely].keys())
    return likely if shared > 1 and shared >= _LIKELY_SHARE * len(names) else signing
