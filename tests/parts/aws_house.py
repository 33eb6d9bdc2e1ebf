"""The whole of Ostiary between AWS's own clients and two upstreams: moto, which checks, and one that misbehaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.parts import aws_script
from tests.parts.aws_upstream import Upstream
from tests.parts.http_api import call
from tests.parts.moto import Moto
from tests.parts.up import Up, data_folder, eventually

SCRIPTED, ODD = "scripted", "odd"
"""The agents: one works on moto by the script's policy, one on the upstream that misbehaves."""
SECRET: Final = "odd-upstream-odd-upstream-odd-upstream-0"
CREDENTIALS: Final = "/v1/sessions/aws-credentials"
WAIT_SECONDS: Final = 4
"""A client's patience with people, in this house."""

_CONFIG: Final = """\
version: 1
projects: {{shop: {{connections: [prod]}}, lab: {{connections: [odd]}}}}
agents: {{scripted: {{project: shop}}, odd: {{project: lab}}}}
operators:
  admin: {{roles: [admin]}}
  alice: {{roles: [approver]}}
connections:
  prod: {{connector: aws, credential: aws/prod, account: "{account}", regions: [{region}], endpoint: "{moto}"}}
  odd: {{connector: aws, credential: aws/odd, account: "{account}", regions: [{region}], endpoint: "{odd}"}}
"""
_ODD_POLICY: Final = """\
  - s3:GetObject,s3:PutObject on bkt/free/*
  - dynamodb:PutItem,dynamodb:UpdateItem on table/orders
  - {deny: "s3:* on bkt/not/*", id: not-there}
"""


@dataclass
class AwsHouse:
    """A running Ostiary and the tokens of its people.

    Args:
        up: Ostiary.
        moto, odd: What it acts on.
        admin, alice: Tokens of the operators.
    """

    up: Up
    moto: Moto
    odd: Upstream
    admin: str
    alice: str

    @property
    def url(self) -> str:
        """Where the API listens, which is where the door is."""
        return str(self.up.ready["url"])

    def begin(self, agent: str) -> tuple[str, str]:
        """Start a session of an agent; return its id and its token."""
        status, started = self.call("POST", "/v1/sessions", self.admin, {"agent": agent})
        assert status == 201, started
        return started["session"]["id"], started["token"]

    def environment(self, token: str) -> dict[str, str]:
        """What a session's processes are given: the door, a key for it, a region."""
        status, key = self.call("GET", CREDENTIALS, token)
        assert status == 200, key
        return client_environment(self.url, key["AccessKeyId"], key["SecretAccessKey"])

    def call(self, method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
        return call(self.url, method, path, token, body, timeout_seconds=30)

    def kill(self, session: str) -> None:
        assert self.call("DELETE", f"/v1/sessions/{session}", self.admin)[0] == 204

    def pending(self, token: str) -> list[dict[str, Any]]:
        """Approvals a session waits for."""
        status, found = self.call("GET", "/v1/approvals?state=pending", token)
        assert status == 200, found
        return list(found["approvals"])

    def approve(self, token: str) -> str:
        """Wait until a session asks for an approval, and give it; return its id."""
        eventually(lambda: self.pending(token), lambda: self.up.said[-2000:])
        (asked,) = self.pending(token)
        status, given = self.call("POST", f"/v1/approvals/{asked['id']}/approve", self.alice, {"reason": ""})
        assert status == 200, given
        return str(asked["id"])

    def events(self, session: str) -> list[dict[str, Any]]:
        """The events of a session, oldest first."""
        after: int = 0
        events: list[dict[str, Any]] = []
        while True:
            _, page = self.call("GET", f"/v1/sessions/{session}/events?limit=500&after={after}", self.admin)
            if not page["events"]:
                return events
            after = page["events"][-1]["seq"]
            events += [each["event"] for each in page["events"]]


def client_environment(url: str, access_key: str, secret_key: str, **more: str) -> dict[str, str]:
    """Return the variables AWS's clients read."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_REGION": aws_script.REGION,
        "AWS_DEFAULT_REGION": aws_script.REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        **more,
    }


@contextmanager
def aws_house(moto: Moto, odd: Upstream, settings: Mapping[str, str] | None = None) -> Iterator[AwsHouse]:
    """Run it until the block ends, with these ``OSTIARY_*`` settings as well."""
    chosen = {"OSTIARY_WIRE_APPROVAL_WAIT_SECONDS": str(WAIT_SECONDS), **(settings or {})}
    with data_folder(**chosen) as up:
        config = _CONFIG.format(account=moto.account, region=moto.region, moto=moto.endpoint, odd=odd.url)
        up.configure(config, scripted=aws_script.POLICY, odd=_ODD_POLICY)
        up.start()
        _seal(up, "aws/prod", moto.endpoint, moto.access_key, moto.secret_key)
        _seal(up, "aws/odd", odd.url, "AKIAODDODDODDODDODD0", SECRET)
        admin = (up.data / "operator.token").read_text().strip()
        alice = up.answer("operator", "token", "alice")["token"]
        yield AwsHouse(up, moto, odd, admin, alice)
        odd.release()
        up.end()


def _seal(up: Up, name: str, url: str, access_key: str, secret_key: str) -> None:
    host = url.removeprefix("http://")
    up.seal(name, "aws", host, access_key_id=access_key, secret_access_key=secret_key)
