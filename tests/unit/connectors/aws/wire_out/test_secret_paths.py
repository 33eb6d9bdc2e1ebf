"""Where secrets stand, for every operation of the catalogue that returns some."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.aws import model
from connectors.aws.catalogue.data import load
from connectors.aws.catalogue.model import AccessClass, Entry
from connectors.aws.wire_out.secret_paths import secret_paths
from tests.conformance.aws_answers.samples import OutputSampler
from tests.conformance.aws_roundtrip.samples import Variant
from tests.unit.connectors.aws.wire_out.answering import operation

WITHOUT = {
    "athena:StartSession",  # the id of a session, whose token another operation returns
    "emr:StartSession",  # likewise
    "emr-serverless:StartSession",  # likewise
    "quicksight:DescribeDlpSetting",  # the ARN of a secret
    "iam:CreateLoginProfile",  # the password is the caller's own, and is not in the answer
}
"""Operations that IAM calls secret and whose answers hold nothing to seal."""


def returning() -> list[tuple[str, str, Entry]]:
    catalogue = load()
    rows = [
        (service, name, catalogue.entry(service, name))
        for service in sorted(catalogue.services())
        for name in catalogue.operations(service)
    ]
    return [
        (service, name, entry)
        for service, name, entry in rows
        if entry is not None and (entry.returns_secrets or entry.access is AccessClass.SECRET)
    ]


def paths(action: str, data: dict[str, Any]) -> set[str]:
    entry = load().entry(*action.split(":"))
    assert entry is not None
    return {"/".join(map(str, path)) for path in secret_paths(operation(action), entry, data)}


def sensitive(shape: Any, value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the texts and blobs that the model itself calls sensitive, or that stand alone in what it calls so."""
    match shape.type_name, value:
        case "structure", dict() if not shape.is_document_type:
            for name, each in value.items():
                yield from sensitive(shape.members[name], each, (*path, name))
        case "list", list():
            for index, each in enumerate(value):
                yield from sensitive(shape.member, each, (*path, index))
        case "map", dict():
            for key, each in value.items():
                yield from sensitive(shape.value, each, (*path, key))
        case (("string" | "blob"), _) if shape.metadata.get("sensitive"):
            yield path
        case _:
            pass


def with_arns(value: Any, name: str = "") -> Any:
    """Put ARNs where there should be some."""
    if isinstance(value, dict):
        return {key: with_arns(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [with_arns(each, name) for each in value]
    return "arn:aws:iam::1:role/r" if name.lower().endswith("arn") else value


def test_every_operation_that_returns_secrets_has_some_sealed() -> None:
    rows = returning()
    assert len(rows) >= 290
    empty, left_out = set(), []
    for service, name, entry in rows:
        api = model.operation(service, name)
        assert api is not None
        assert not api.streams, "a body that streams is not sealed"
        data = with_arns(OutputSampler(Variant.FULL).result(api.model))
        found = secret_paths(api, entry, data)
        assert len(set(found)) == len(found)
        if not found:
            empty.add(api.action)
        left_out += [(api.action, path) for path in sensitive(api.model.output_shape, data) if path not in set(found)]
    assert empty == WITHOUT
    assert left_out == []


@pytest.mark.parametrize(
    ("action", "data", "sealed"),
    [
        (
            "secretsmanager:GetSecretValue",
            {
                "ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:x", "Name": "x", "VersionId": "v",
                "VersionStages": ["AWSCURRENT"], "CreatedDate": "2024-03-05T06:07:08Z", "SecretString": "s",
                "SecretBinary": "cw==",
            },
            {"SecretString", "SecretBinary"},
        ),
        (
            "ssm:GetParameters",
            {"Parameters": [{"Name": "/a", "Type": "SecureString", "Value": "s", "Version": 1}]},
            {"Parameters/0/Value"},
        ),
        (
            "sts:AssumeRole",
            {
                "Credentials": {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t",
                                "Expiration": "2024-03-05T06:07:08Z"},
                "AssumedRoleUser": {"AssumedRoleId": "AROA:me", "Arn": "arn:aws:sts::1:assumed-role/r/me"},
                "PackedPolicySize": 3,
            },
            {"Credentials/SecretAccessKey", "Credentials/SessionToken"},
        ),
        (
            "iam:CreateAccessKey",
            {"AccessKey": {"UserName": "u", "AccessKeyId": "AKIA", "Status": "Active", "SecretAccessKey": "s"}},
            {"AccessKey/SecretAccessKey"},
        ),
        (
            "kms:GenerateDataKey",
            {"KeyId": "arn:aws:kms:eu-west-1:1:key/k", "Plaintext": "cw==", "CiphertextBlob": "cw=="},
            {"Plaintext", "CiphertextBlob"},
        ),
        (
            "ec2:CreateKeyPair",
            {"KeyName": "k", "KeyPairId": "key-1", "KeyFingerprint": "f", "KeyMaterial": "s",
             "Tags": [{"Key": "a", "Value": "b"}]},
            {"KeyMaterial"},
        ),
# What stands in a structure that the model calls sensitive is a secret, whatever its name.
        (
            "datazone:GetEnvironmentCredentials",
            {"accessKeyId": "ASIA", "secretAccessKey": "s", "expiration": "2024-03-05T06:07:08Z"},
            {"accessKeyId", "secretAccessKey"},
        ),
        ("license-manager:CreateToken", {"TokenId": "i", "TokenType": "bearer", "Token": "t"}, {"TokenId", "Token"}),
        ("appsync:ListApiKeys", {"apiKeys": [{"id": "da2-x", "expires": 1}], "nextToken": "n"}, {"apiKeys/0/id"}),
        ("ecr:GetAuthorizationToken", {"authorizationData": [{"authorizationToken": "t"}]},
         {"authorizationData/0/authorizationToken"}),
        ("glue:GetConnection", {"Connection": {"Name": "c", "ConnectionProperties": {"PASSWORD": "s", "HOST": None}}},
         {"Connection/ConnectionProperties/PASSWORD"}),
        ("cognito-idp:InitiateAuth", {"AuthenticationResult": {"TokenType": "Bearer", "IdToken": "t", "ExpiresIn": 9}},
         {"AuthenticationResult/IdToken"}),
    ],
)  # fmt: skip
def test_secrets_are_found_and_identities_are_left(action: str, data: dict[str, Any], sealed: set[str]) -> None:
    assert paths(action, data) == sealed


@pytest.mark.parametrize(
    ("data", "sealed"),
    [
        ({"NewMember": "s", "Other": {"a": ["s", 1]}}, {"NewMember", "Other/a/0", "Other/a/1"}),
        ({"ARN": "the secret itself"}, {"ARN"}),
        ({"VersionStages": [{"odd": "s"}]}, {"VersionStages/0/odd"}),
        ({"CreatedDate": ["s"]}, {"CreatedDate/0"}),
        ({"Name": None, "CreatedDate": None}, set()),
    ],
)
def test_what_no_model_knows_is_a_secret(data: dict[str, Any], sealed: set[str]) -> None:
    assert paths("secretsmanager:GetSecretValue", data) == sealed


def test_other_operations_have_nothing_sealed() -> None:
    assert paths("s3:ListBuckets", {"Buckets": [{"Name": "b"}], "Secret": "x"}) == set()
