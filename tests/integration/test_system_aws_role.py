"""A connection with a role: AWS sees a short-lived key, held to what was asked, under the agent's name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import parse_qsl

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.parts.http_api import call
from tests.parts.moto import Moto, moto_server
from tests.parts.threaded_http import QuietHandler, threaded
from tests.parts.up import Up, data_folder

CONFIG = """\
version: 1
projects: {{shop: {{connections: [prod]}}}}
agents: {{bot: {{project: shop}}}}
operators: {{admin: {{roles: [admin]}}}}
connections:
  prod:
    connector: aws
    credential: aws/prod
    account: "{account}"
    regions: [{region}]
    endpoint: "http://{host}"
    assume_role: {{role: "arn:aws:iam::{account}:role/agents", duration_seconds: 900, also: ["kms:Decrypt"]}}
"""


class Recorder:
    """What went by on the way to AWS."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.keys: list[tuple[str, str]] = []
        self.host = ""


@contextmanager
def before(moto: Moto) -> Iterator[Recorder]:
    """Hand everything on to moto as it came, and write down who signed it."""
    recorder, upstream = Recorder(), moto.endpoint.removeprefix("http://")

    class Handler(QuietHandler):
        def respond(self) -> None:
            body = self.body()
            key = self.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
            recorder.keys.append((self.path, key))
            recorder.forms += [dict(parse_qsl(body.decode()))] if self.path == "/" else []
            connection = HTTPConnection(upstream)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            kept = [each for each in answer.getheaders() if each[0].lower() not in {"connection", "content-length"}]
            self.reply(answer.status, content, *kept)
            connection.close()

    with threaded(Handler) as recorder.host:
        yield recorder


def begin(house: Up) -> tuple[str, dict[str, str]]:
    started = house.answer("session", "start", "--agent", "bot", "--ttl", "1h")
    status, key = call(house.ready["url"], "GET", "/v1/sessions/aws-credentials", started["token"])
    assert status == 200, key
    return started["session"]["id"], key


@pytest.mark.req("V1", "A2")
def test_a_plan_goes_out_with_a_key_that_opens_what_it_requires_and_bears_the_agents_name() -> None:
    objects = {"raw/x.csv": b"1,2\n", "raw/y.csv": b"3,4\n", "other": b"no"}
    with (
        data_folder() as house,
        moto_server({"lake": objects}, actions=("s3:*", "sts:*", "iam:*")) as moto,
        before(moto) as seen,
    ):
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Principal": {"AWS": "*"}}]}
        allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        iam = moto.client("iam")
        iam.create_role(RoleName="agents", AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName="agents", PolicyName="all", PolicyDocument=json.dumps(allow))
        house.configure(
            CONFIG.format(account=moto.account, region=moto.region, host=seen.host),
            bot="  - s3:GetObject on lake/raw/*\n",
        )
        house.start()
        fields = {"access_key_id": moto.access_key, "secret_access_key": moto.secret_key}
        house.seal("aws/prod", "aws", seen.host, **fields)
        session, key = begin(house)
        client = boto3.client(
            "s3", region_name=moto.region, endpoint_url=house.ready["url"],
            aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"],
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip
        for _ in range(2):
            assert client.get_object(Bucket="lake", Key="raw/x.csv")["Body"].read() == b"1,2\n"
        assert client.get_object(Bucket="lake", Key="raw/y.csv")["Body"].read() == b"3,4\n"
        with pytest.raises(ClientError) as denied:
            client.get_object(Bucket="lake", Key="other")
        assert denied.value.response["Error"]["Code"] == "AccessDenied"

        asked = [form for form in seen.forms if form["Action"] == "AssumeRole"]
        assert len(asked) == 2, "one per set of requirements, and none for what was denied"
        assert [json.loads(form["Policy"])["Statement"] for form in asked] == [
            [
                {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"},
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::lake/raw/{name}.csv"},
            ]
            for name in ("x", "y")
        ]
        assert {(form["RoleSessionName"], form["DurationSeconds"]) for form in asked} == {(f"bot@{session}", "900")}
        signed = [each for path, each in seen.keys if path.startswith("/lake/")]
        assert len(signed) == 3
        assert signed[0] == signed[1] != signed[2]
        assert moto.access_key not in signed
        assert key["AccessKeyId"] not in signed
        house.end()
