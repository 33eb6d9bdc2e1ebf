"""By intent, through the whole house: files that stream up, with and without a person, and secrets that are sealed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.parts.http_api import call
from tests.parts.moto import Moto, moto_server
from tests.parts.up import Up, data_folder

SECRET = "correct-horse-battery-staple-7"
CONFIG = """\
version: 1
projects: {{shop: {{connections: [prod]}}}}
agents: {{bot: {{project: shop}}}}
operators:
  admin: {{roles: [admin]}}
  alice: {{roles: [approver]}}
connections:
  prod: {{connector: aws, credential: aws/prod, account: "{account}", regions: [{region}], endpoint: "{endpoint}"}}
"""
POLICY = """\
  - s3:PutObject,s3:GetObject on lake/free/*
  - {allow: "s3:PutObject on lake/asked/*", requires_approval: true}
  - {allow: "secretsmanager:GetSecretValue on arn:aws:secretsmanager:*:*:secret:granted*", returns_secrets: true}
  - secretsmanager:GetSecretValue on arn:aws:secretsmanager:*:*:secret:plain*
"""


@dataclass(frozen=True)
class World:
    house: Up
    moto: Moto
    token: str
    file: Path

    def do(self, *arguments: str) -> Any:
        return self.house.cli("do", *arguments, "--output", "json", OSTIARY_TOKEN=self.token)

    def client(self, service: str) -> Any:
        status, key = call(self.house.ready["url"], "GET", "/v1/sessions/aws-credentials", self.token)
        assert status == 200, key
        return boto3.client(
            service, region_name=self.moto.region, endpoint_url=self.house.ready["url"],
            aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"],
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with data_folder() as house, moto_server({"lake": {}}, actions=("s3:*", "secretsmanager:*")) as moto:
        for name in ("granted", "plain"):
            moto.client("secretsmanager").create_secret(Name=name, SecretString=SECRET)
        config = CONFIG.format(account=moto.account, region=moto.region, endpoint=moto.endpoint)
        house.configure(config, bot=POLICY)
        house.start()
        fields = {"access_key_id": moto.access_key, "secret_access_key": moto.secret_key}
        house.seal("aws/prod", "aws", urlsplit(moto.endpoint).netloc, **fields)
        token = house.answer("session", "start", "--agent", "bot", "--ttl", "1h")["token"]
        file = house.folder / "large"
        file.write_bytes(os.urandom(3 << 20))
        yield World(house, moto, token, file)
        house.end()


def stored(world: World, key: str) -> bytes:
    content: bytes = world.moto.client().get_object(Bucket="lake", Key=key)["Body"].read()
    return content


@pytest.mark.req("A1", "A2")
def test_a_file_streams_up_and_comes_back(world: World) -> None:
    done = world.do("s3:PutObject", "Bucket=lake", "Key=free/x", "--upload", f"Body={world.file}")
    assert done.returncode == 0, done.stderr
    assert stored(world, "free/x") == world.file.read_bytes()
    back = world.house.folder / "back"
    assert world.do("s3:GetObject", "Bucket=lake", "Key=free/x", "--out", str(back)).returncode == 0
    assert back.read_bytes() == world.file.read_bytes()
    denied = world.do("s3:PutObject", "Bucket=lake", "Key=elsewhere", "--upload", f"Body={world.file}")
    assert denied.returncode == 3


@pytest.mark.req("H3")
def test_a_file_people_are_asked_about_waits_and_is_sent_as_it_was(world: World) -> None:
    asked = world.do("s3:PutObject", "Bucket=lake", "Key=asked/x", "--upload", f"Body={world.file}")
    assert asked.returncode == 8, (asked.stdout, asked.stderr)
    intent = json.loads(asked.stdout)
    alice = world.house.answer("operator", "token", "alice")["token"]
    approve = world.house.cli("approvals", "approve", intent["approval"]["id"], OSTIARY_TOKEN=alice)
    assert approve.returncode == 0, approve.stderr
    shown = world.house.cli("intent", "show", intent["intent"], "--wait", "30", OSTIARY_TOKEN=world.token)
    assert shown.returncode == 0, shown.stdout
    assert stored(world, "asked/x") == world.file.read_bytes()


@pytest.mark.req("V2", "A2")
def test_a_secret_needs_its_grant_and_is_sealed_all_the_same(world: World) -> None:
    denied = world.do("secretsmanager:GetSecretValue", "SecretId=plain")
    assert (denied.returncode, "returns_secrets" in denied.stderr) == (3, True)
    got = world.do("secretsmanager:GetSecretValue", "SecretId=granted")
    assert got.returncode == 0, got.stderr
    result = json.loads(got.stdout)
    assert SECRET not in got.stdout
    name = f"sealed/{result['intent']}"
    assert result["result"]["SecretString"] == f"sealed:{name}#/SecretString"
    assert result["result"]["Name"] == "granted"
    assert name in world.house.cli("vault", "list").stdout
    client = world.client("secretsmanager")
    assert client.get_secret_value(SecretId="granted")["SecretString"].startswith("sealed:sealed/int_")
    with pytest.raises(ClientError, match="returns_secrets"):
        client.get_secret_value(SecretId="plain")
