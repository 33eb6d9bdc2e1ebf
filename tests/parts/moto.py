"""A real S3-speaking server that checks every signature: moto as a process of its own, on loopback, with auth on.

Used by tests and by the tour, so nothing of pytest is in here.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

REGION = "eu-central-1"
USER = "ostiary"
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Moto:
    """A running server.

    Args:
        endpoint: ``http://127.0.0.1:port``.
        access_key: Access key id of the seeded user.
        secret_key: Its secret; not in the repr.
        region: Region of the seeded buckets.
        account: Account id.
        pid: Process id of the server.
    """

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str
    account: str
    pid: int

    def client(self, service: str = "s3") -> Any:
        """Return a boto3 client with the seeded key, for looking at what really happened."""
        return _client(service, self.endpoint, self.access_key, self.secret_key)


@contextmanager
def moto_server(buckets: Mapping[str, Mapping[str, bytes]], *, actions: tuple[str, ...] = ("s3:*",)) -> Iterator[Moto]:
    """Run moto with seeded buckets and one user, and auth turned on.

    Args:
        buckets: Bucket name to object key to content.
        actions: What the user's policy allows, on every resource.
    """
    process, endpoint = _start()
    try:
        _wait(endpoint, process)
        yield _seed(process, endpoint, buckets, actions)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start() -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return process, f"http://127.0.0.1:{port}"


def _wait(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"moto ended with {process.returncode} before it answered")
        with suppress(OSError, urllib.error.URLError):
            _open(urllib.request.Request(f"{endpoint}/moto-api/"))  # noqa: S310 - our own loopback address
            return
        time.sleep(0.05)
    raise RuntimeError("moto did not answer in time")


def _seed(
    process: subprocess.Popen[bytes],
    endpoint: str,
    buckets: Mapping[str, Mapping[str, bytes]],
    actions: tuple[str, ...],
) -> Moto:
    iam = _client("iam", endpoint, "seed", "seed")
    iam.create_user(UserName=USER)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
    iam.put_user_policy(UserName=USER, PolicyName="all", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    account = _client("sts", endpoint, "seed", "seed").get_caller_identity()["Account"]
    s3 = _client("s3", endpoint, "seed", "seed")
    for bucket, objects in buckets.items():
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        for name, content in objects.items():
            s3.put_object(Bucket=bucket, Key=name, Body=content)
    _post(f"{endpoint}/moto-api/reset-auth", b"0")
    return Moto(endpoint, key["AccessKeyId"], key["SecretAccessKey"], REGION, account, process.pid)


def _client(service: str, endpoint: str, access_key: str, secret_key: str) -> Any:
    return boto3.session.Session().client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, proxies={}),
    )


def _post(url: str, body: bytes) -> None:
    _open(urllib.request.Request(url, data=body, method="POST"))  # noqa: S310 - our own loopback address


def _open(request: urllib.request.Request) -> None:
    request.add_header("Content-Type", "text/plain")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=5) as answer:
        answer.read()
