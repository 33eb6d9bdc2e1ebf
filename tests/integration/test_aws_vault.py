"""S3 with keys that only the vault process knows: static ones, and temporary ones with their session token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.aws.connector import AwsConnector
from connectors.base import Connection
from connectors.errors import UpstreamRefusedError
from connectors.guard import AddressGuard, endpoint_of
from connectors.streams import read_all
from connectors.transport import HttpTransport
from tests.parts.moto import Moto, moto_server
from tests.unit.vault.process import running_vault
from vault.client import VaultClient
from vault.errors import LeaseRefusedError
from vault.model import CredentialKind, CredentialRef, SecretValue

LAKE = CredentialRef("aws/lake")


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with moto_server({"lake": {"a.txt": b"plain"}}, actions=("s3:*", "sts:*", "iam:*")) as server:
        yield server


def static_key(moto: Moto) -> dict[str, str | SecretValue]:
    return {"access_key_id": moto.access_key, "secret_access_key": SecretValue(moto.secret_key.encode())}


def temporary_key(moto: Moto) -> dict[str, str | SecretValue]:
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Principal": {"AWS": "*"}}]}
    iam = moto.client("iam")
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.put_role_policy(RoleName="reader", PolicyName="all", PolicyDocument=json.dumps(allow))
    answer: dict[str, Any] = moto.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="test")
    given = answer["Credentials"]
    return {
        "access_key_id": given["AccessKeyId"],
        "secret_access_key": SecretValue(given["SecretAccessKey"].encode()),
        "session_token": SecretValue(given["SessionToken"].encode()),
    }


async def read(moto: Moto, vault: VaultClient, endpoint: str) -> bytes:
    connection = Connection(
        "lake", "aws", LAKE, {"account": moto.account, "regions": [moto.region], "endpoint": endpoint}
    )
    connector, transport = AwsConnector(), HttpTransport(AddressGuard([endpoint_of(endpoint)]))
    plan = connector.plan("s3:GetObject", {"Bucket": "lake", "Key": "a.txt"}, connection)
    try:
        async with vault.lease(plan.credential, host=plan.host, purpose="int_test") as lease:
            result = await connector.execute(plan, connection, lease, transport)
            assert result.body is not None
            return await read_all(result.body, 1000)
    finally:
        await transport.aclose()


@pytest.mark.req("V1")
@pytest.mark.parametrize("key", [static_key, temporary_key])
async def test_the_vault_signs_what_aws_accepts(moto: Moto, short_tmp: Any, key: Any) -> None:
    with running_vault(short_tmp) as process:
        vault = VaultClient(process.socket)
        host = moto.endpoint.removeprefix("http://")
        await vault.put(LAKE, CredentialKind.AWS, key(moto), (host,))
        assert await read(moto, vault, moto.endpoint) == b"plain"
        await vault.close()


async def test_rotation_takes_effect_at_the_next_call_and_a_wrong_key_is_refused_upstream(
    moto: Moto, short_tmp: Any
) -> None:
    with running_vault(short_tmp) as process:
        vault = VaultClient(process.socket)
        host = moto.endpoint.removeprefix("http://")
        await vault.put(LAKE, CredentialKind.AWS, static_key(moto), (host,))
        assert await read(moto, vault, moto.endpoint) == b"plain"
        await vault.rotate(LAKE, {**static_key(moto), "secret_access_key": SecretValue(b"x" * 40)})
        with pytest.raises(UpstreamRefusedError):
            await read(moto, vault, moto.endpoint)
        await vault.rotate(LAKE, static_key(moto))
        assert await read(moto, vault, moto.endpoint) == b"plain"
        await vault.close()


async def test_a_key_bound_to_another_host_signs_nothing(moto: Moto, short_tmp: Any) -> None:
    with running_vault(short_tmp) as process:
        vault = VaultClient(process.socket)
        await vault.put(LAKE, CredentialKind.AWS, static_key(moto), ("*.amazonaws.com",))
        with pytest.raises(LeaseRefusedError):
            await read(moto, vault, moto.endpoint)
        await vault.close()
