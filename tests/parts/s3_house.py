"""The whole of Ostiary with one S3 upstream that counts, one agent, and two people: what most system tests need."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.parts.counting_s3 import CountingS3, counting_s3
from tests.parts.http_api import call
from tests.parts.up import Up, data_folder, eventually

CONFIG: Final = """\
version: 1
projects: {{p: {{connections: [s3]}}}}
agents: {{agent: {{project: p}}}}
operators:
  admin: {{roles: [admin]}}
  alice: {{roles: [approver]}}
connections:
  s3: {{connector: aws, credential: aws/k, account: "123456789012", regions: [eu-west-1], endpoint: "{url}"}}
"""
POLICY: Final = """\
  - s3:GetObject on bkt/*
  - s3:PutObject on bkt/free/*
  - allow: s3:PutObject on bkt/gated/*
    requires_approval: true
    approval_timeout: 10m
"""
SECRET: Final = "0123456789012345678901234567890123456789"


class Hanging:
    """A request that was sent and whose answer is read later.

    Args:
        url: Of the API.
        token: Of the agent.
        body: The intent.
    """

    def __init__(self, url: str, token: str, body: object) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection.request("POST", "/v1/intents", json.dumps(body), headers)

    def answer(self) -> tuple[int, Any]:
        """Wait for the answer."""
        try:
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            self._connection.close()


@dataclass
class S3House:
    """A running Ostiary, its upstream, and the tokens of its people.

    Args:
        up: Ostiary.
        upstream: What it acts on.
        admin, alice: Tokens of the operators.
        token: Token of the agent's session.
        session: Id of that session.
    """

    up: Up
    upstream: CountingS3
    admin: str
    alice: str
    token: str = ""
    session: str = ""

    @property
    def url(self) -> str:
        """Where the API listens now; a restarted one may have another port."""
        return str(json.loads((self.up.data / "run" / "api.json").read_text())["url"])

    def begin(self) -> None:
        """Start another session; from here on it is the agent's."""
        status, started = self.call("POST", "/v1/sessions", self.admin, {"agent": "agent"})
        assert status == 201, started
        self.token, self.session = started["token"], started["session"]["id"]

    def call(self, method: str, path: str, token: str = "", body: Any = None, **headers: str) -> tuple[int, Any]:
        return call(self.url, method, path, token or self.token, body, timeout_seconds=30, **headers)

    def put(self, key: str, **headers: str) -> tuple[int, Any]:
        """Ask for a PUT of one object."""
        return self.call("POST", "/v1/intents", body=put_body(key), **headers)

    def get(self, key: str, **headers: str) -> tuple[int, Any]:
        """Ask for one object."""
        body = {"action": "s3:GetObject", "params": {"Bucket": "bkt", "Key": key}}
        return self.call("POST", "/v1/intents", body=body, **headers)

    def hang(self, key: str, body: Any = None, *, url: str = "") -> Hanging:
        """Send an intent, a PUT when nothing else is said, whose call upstream will hang; return once it does."""
        self.await_hanging(key)
        sent = Hanging(url or self.url, self.token, body or put_body(key))
        assert self.upstream.arrived.wait(20)
        return sent

    def await_hanging(self, key: str) -> None:
        """Let the next call on ``key`` hang; ``upstream.arrived`` tells when it does."""
        self.upstream.hang.add(f"/bkt/{key}")
        self.upstream.arrived.clear()

    def kill(self) -> int:
        """Kill the agent's session; return the status."""
        return self.call("DELETE", f"/v1/sessions/{self.session}", self.admin)[0]

    def approve(self, approval: str) -> tuple[int, Any]:
        return self.call("POST", f"/v1/approvals/{approval}/approve", self.alice, {"reason": ""})

    def state_of(self, intent: str) -> str:
        """Where an intent stands, by the ledger's last word, which outlives its session."""
        _, found = self.call("GET", f"/v1/events?intent={intent}", self.admin)
        return str(found["events"][-1]["event"]["type"]) if found["events"] else ""

    def await_state(self, intent: str, event: str) -> None:
        """Wait until the last event of an intent is this one."""
        eventually(lambda: self.state_of(intent) == event, lambda: f"{self.state_of(intent)}; {self.up.said[-2000:]}")


def put_body(key: str) -> dict[str, Any]:
    """The intent to PUT one object."""
    body = base64.b64encode(b"x").decode()
    return {"action": "s3:PutObject", "params": {"Bucket": "bkt", "Key": key, "Body": body}}


@contextmanager
def s3_house(**settings: str) -> Iterator[S3House]:
    """Run it until the block ends, with these ``OSTIARY_*`` settings."""
    with counting_s3() as upstream, data_folder(**settings) as up:
        up.configure(CONFIG.format(url=upstream.url), agent=POLICY)
        up.start()
        seal_key(up, upstream)
        admin = (up.data / "operator.token").read_text().strip()
        alice = up.answer("operator", "token", "alice")["token"]
        house = S3House(up, upstream, admin, alice)
        house.begin()
        yield house
        upstream.release.set()
        up.end()


def seal_key(up: Up, upstream: CountingS3) -> None:
    """Put the key of the upstream into the vault."""
    host = upstream.url.removeprefix("http://")
    up.seal("aws/k", "aws", host, access_key_id="AKIAKILLKILLKILLKILL", secret_access_key=SECRET)
