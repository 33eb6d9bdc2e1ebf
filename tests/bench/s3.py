"""S3 by intent against boto3 with the keys in hand, on the same fast upstream: GET and PUT of 1 KiB, ledger durable.

The contestants take turns in one run. `direct` is a boto3 client that holds the key; `intent` is what an agent does
instead: one HTTP request on a kept-alive connection to a running Ostiary, which decides, records, signs and sends.
"""

from __future__ import annotations

import base64
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import boto3
from botocore.config import Config

from tests.bench.timing import Result, in_turns, median, percentile, ratio
from tests.bench.upstream import BODY
from tests.parts.up import data_folder

_ROUNDS, _CALLS = 5, 100
_CONNECTIONS, _LOAD_SECONDS = 32, 4.0
_KEY = {"access_key_id": "AKIABENCHBENCHBENCH0", "secret_access_key": "bench/bench/bench/bench/bench/bench/0000"}

_CONFIG = """\
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
_POLICY = "  - s3:GetObject on bench/*\n  - s3:PutObject on bench/*\n"


def measure() -> list[Result]:
    """Return latencies side by side, their ratios, and what 32 connections get through."""
    with ExitStack() as stack:
        port = stack.enter_context(_upstream())
        url, token = stack.enter_context(_ostiary(port))
        agent, boto = _Agent(url, token), _boto(port)
        taken = in_turns(
            {
                "direct GET": partial(_read, boto),
                "intent GET": agent.get,
                "direct PUT": lambda: boto.put_object(Bucket="bench", Key="k", Body=BODY),
                "intent PUT": agent.put,
            },
            rounds=_ROUNDS,
            calls=_CALLS,
        )
        results = []
        for verb in ("GET", "PUT"):
            direct, intent = taken[f"direct {verb}"], taken[f"intent {verb}"]
            results += [
                Result(f"boto3 direct, {verb} 1 KiB, p50", median(direct) * 1e6, "us"),
                Result(f"by intent, {verb} 1 KiB, p50", median(intent) * 1e6, "us"),
                Result(f"by intent, {verb} 1 KiB, p99", percentile(intent, 0.99) * 1e6, "us"),
                ratio(f"S3 {verb} by intent versus boto3 direct, p50", median(intent) / median(direct), at_most=1.0),
            ]
        return [*results, *_load(url, token, port)]


def _load(url: str, token: str, port: int) -> list[Result]:
    """32 connections at once: through Ostiary, and straight to the upstream for what Ostiary adds."""
    host = url.removeprefix("http://")
    body = json.dumps({"action": "s3:GetObject", "params": {"Bucket": "bench", "Key": "k"}})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    through = _drive(host, "POST", "/v1/intents", body, headers)
    straight = _drive(f"127.0.0.1:{port}", "GET", "/bench/k", "", {})
    return [
        Result("intents at 32 connections", len(through) / _LOAD_SECONDS, "intents/s"),
        Result("added at 32 connections, p50", (median(through) - median(straight)) * 1e3, "ms"),
        Result("added at 32 connections, p99", (percentile(through, 0.99) - percentile(straight, 0.99)) * 1e3, "ms"),
    ]


def _drive(host: str, method: str, path: str, body: str, headers: dict[str, str]) -> list[float]:
    """Return the seconds of every request that 32 connections of one client process got through."""
    program = [sys.executable, "-m", "tests.bench.load", host, method, path, str(_CONNECTIONS), str(_LOAD_SECONDS)]
    done = subprocess.run(
        program, input=json.dumps({"body": body, "headers": headers}), capture_output=True, text=True, check=True
    )
    return [float(each) for each in json.loads(done.stdout)]


class _Agent:
    """An agent's side: one kept-alive connection, no key."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"))
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def get(self) -> bytes:
        """Read the object."""
        answer = self._ask({"action": "s3:GetObject", "params": {"Bucket": "bench", "Key": "k"}})
        return base64.b64decode(answer["result"]["body"]["data"])

    def put(self) -> None:
        """Write the object."""
        body = base64.b64encode(BODY).decode()
        self._ask({"action": "s3:PutObject", "params": {"Bucket": "bench", "Key": "k", "Body": body}})

    def _ask(self, intent: dict[str, Any]) -> Any:
        self._connection.request("POST", "/v1/intents", json.dumps(intent), self._headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if response.status != http.client.OK:
            raise RuntimeError(answer)
        return answer


def _boto(port: int) -> Any:
    return boto3.client(
        "s3", region_name="eu-central-1", endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=_KEY["access_key_id"], aws_secret_access_key=_KEY["secret_access_key"],
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )  # fmt: skip


def _read(boto: Any) -> bytes:
    body: bytes = boto.get_object(Bucket="bench", Key="k")["Body"].read()
    return body


@contextmanager
def _upstream() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.upstream"], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline() if process.stdout else 0)
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def _ostiary(port: int) -> Iterator[tuple[str, str]]:
    """Run the real thing, as `up` does, with one credential and one session."""
    with data_folder() as house:
        house.configure(_CONFIG.format(port=port), bench=_POLICY)
        house.start()
        house.seal("aws/bench", "aws", f"127.0.0.1:{port}", **_KEY)
        yield house.ready["url"], house.answer("session", "start", "--agent", "bench")["token"]
        house.end()
