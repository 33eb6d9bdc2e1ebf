"""What the tests of the aws connector share: a connector with a fixed clock, connections, and one call on a script."""

from __future__ import annotations

import dataclasses

from connectors.aws.connector import AwsConnector
from connectors.base import CallResult, Connection, JsonObject, Plan
from tests.fakes import Answer, FakeLease, FakeTransport
from vault.model import CredentialRef

SECRET = "canary-secret-key-0123456789"
NOW_NS = 1_772_625_600 * 1_000_000_000
CONNECTOR = AwsConnector(lambda: NOW_NS)
AWS = Connection(
    "lake",
    "aws",
    CredentialRef("aws/lake"),
    {"account": "123456789012", "regions": ["eu-central-1"], "partition": "aws"},
)
MINIO = dataclasses.replace(AWS, options={**AWS.options, "endpoint": "http://127.0.0.1:9000"})
OBJECT = {"Bucket": "data-lake", "Key": "raw/x.csv"}
COPY = {**OBJECT, "CopySource": {"Bucket": "other-lake", "Key": "é/a b+c?d", "VersionId": "v+1"}}
PARAMS: dict[str, JsonObject] = {
    "GetObject": OBJECT,
    "HeadObject": OBJECT,
    "ListObjectsV2": {"Bucket": "data-lake"},
    "PutObject": {**OBJECT, "Body": "aGk="},
    "CopyObject": COPY,
    "DeleteObject": OBJECT,
}
WRITES = ["PutObject", "CopyObject", "DeleteObject"]
COPIED = b'<?xml version="1.0"?>\n<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>'


def plan_of(operation: str, params: JsonObject | None = None, connection: Connection = AWS) -> Plan:
    return CONNECTOR.plan(f"s3:{operation}", params or PARAMS[operation], connection)


async def run(operation: str, *script: Answer | Exception, params: JsonObject | None = None) -> CallResult:
    transport = FakeTransport(*script)
    lease = FakeLease("AKIAEXAMPLE", SECRET)
    try:
        return await CONNECTOR.execute(plan_of(operation, params), AWS, lease, transport)
    finally:
        assert len(transport.sent) == 1


def error(code: str, message: str = "no") -> tuple[bytes, ...]:
    return (f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode(),)
