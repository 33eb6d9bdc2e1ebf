"""What the measurements of the AWS paths have in common: a fast S3, Ostiary in front of it, and who asks.

`direct` is a boto3 client that holds the key. `intent` is what an agent does with our API: one HTTP request on a
kept-alive connection. `door` is a boto3 client with a session's key whose endpoint is Ostiary.
"""

from __future__ import annotations

import base64
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore.config import Config

from tests.bench.upstream import BODY
from tests.parts.http_api import call
from tests.parts.up import Up, data_folder

REGION: Final = "eu-central-1"
BUCKET, KEY = "bench", "k"
_SEALED: Final = {
    "access_key_id": "AKIABENCHBENCHBENCH0",
    "secret_access_key": "bench/bench/bench/bench/bench/bench/0000",
}
_CONFIG: Final = """\
version: 1
projects: {{bench: {{connections: [s3]}}}}
agents: {{bench: {{project: bench}}}}
operators: {{admin: {{roles: [admin]}}}}
connections:
  s3:
    connector: aws
    credential: aws/bench
    account: "123456789012"
    regions: [eu-central-1]
    endpoint: http://127.0.0.1:{port}
"""
_POLICY: Final = "  - s3:GetObject on bench/*\n  - s3:PutObject on bench/*\n"


@dataclass(frozen=True, slots=True)
class Bench:
    """What runs.

    Args:
        up: Ostiary.
        upstream: ``host:port`` of the fast S3.
        token: Of the agent's session.
        key: Access key id and secret of the same session, for the door.
    """

    up: Up
    upstream: str
    token: str
    key: tuple[str, str]

    @property
    def host(self) -> str:
        """``host:port`` of Ostiary."""
        return str(self.up.ready["url"]).removeprefix("http://")

    def direct(self) -> Any:
        """Return a boto3 client with the key in hand."""
        return _client(self.upstream, _SEALED["access_key_id"], _SEALED["secret_access_key"])

    def door(self) -> Any:
        """Return a boto3 client of the agent's."""
        return _client(self.host, *self.key)

    def intents(self) -> Agent:
        """Return a client of the API."""
        return Agent(self.host, self.token)


class Agent:
    """An agent's side of the API: one kept-alive connection, no key.

    Args:
        host: ``host:port`` of Ostiary.
        token: Of its session.
    """

    def __init__(self, host: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(host)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def get(self) -> bytes:
        """Read the object."""
        return base64.b64decode(self._ask(intent("GetObject"))["result"]["body"]["data"])

    def put(self) -> None:
        """Write the object."""
        self._ask(intent("PutObject", Body=base64.b64encode(BODY).decode()))

    def _ask(self, asked: Mapping[str, Any]) -> Any:
        self._connection.request("POST", "/v1/intents", json.dumps(asked), self._headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if response.status != http.client.OK:
            raise RuntimeError(answer)
        return answer


def intent(operation: str, **params: Any) -> dict[str, Any]:
    """Return the intent to do something with the object."""
    return {"action": f"s3:{operation}", "params": {"Bucket": BUCKET, "Key": KEY, **params}}


@contextmanager
def bench() -> Iterator[Bench]:
    """Run the real thing, as `up` does, with one credential and one session."""
    with server("tests.bench.upstream") as port, data_folder() as house:
        house.configure(_CONFIG.format(port=port), bench=_POLICY)
        house.start()
        house.seal("aws/bench", "aws", f"127.0.0.1:{port}", **_SEALED)
        token = house.answer("session", "start", "--agent", "bench", "--ttl", "1h")["token"]
        status, key = call(house.ready["url"], "GET", "/v1/sessions/aws-credentials", token)
        if status != http.client.OK:
            raise RuntimeError(key)
        yield Bench(house, f"127.0.0.1:{port}", token, (key["AccessKeyId"], key["SecretAccessKey"]))
        house.end()


@contextmanager
def server(module: str, *arguments: str) -> Iterator[int]:
    """Run a module that prints the port it serves on, and yield that."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline() if process.stdout else 0)
    finally:
        process.terminate()
        process.communicate()


def _client(host: str, access_key: str, secret_key: str) -> Any:
    return boto3.session.Session().client(
        "s3", region_name=REGION, endpoint_url=f"http://{host}",
        aws_access_key_id=access_key, aws_secret_access_key=secret_key,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )  # fmt: skip
