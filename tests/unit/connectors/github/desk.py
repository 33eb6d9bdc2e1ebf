"""What the tests of the connector work with: a connection, plans with evidence, and a transport from a script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from connectors.base import CallResult, Connection, JsonObject, Plan
from connectors.github.connection import GitHubConnection
from connectors.github.connector import GitHubConnector
from connectors.inspection import Evidence, Inquiry
from tests.fakes import Answer, FakeLease, FakeTransport
from vault.model import CredentialKind, CredentialRef

API = "https://api.github.com"
HEAD = "1dc5c17a422b4dc4b493371970c6c4d6ad4b3ba5"
OLD = "0f2a17a422b4dc4b493371970c6c4d6ad4b3ba50"
GITHUB = GitHubConnector()
THERE = {"owner": "acme", "repo": "app"}


class NoMasker:
    """A masker that knows no secrets."""

    async def scrub(self, data: bytes) -> tuple[bytes, int]:
        return data, 0


def connection(**options: Any) -> Connection:
    """A connection to GitHub with these options."""
    model = GitHubConnection.model_validate({"url": API, **options})
    return Connection("hub", "github", CredentialRef("github/acme"), model.model_dump(mode="json"))


def pull(**changes: Any) -> JsonObject:
    """A pull request as GitHub answers."""
    repo = {"full_name": "Acme/App"}
    found = {
        "number": 7,
        "title": "add the login",
        "body": "closes 3",
        "state": "open",
        "draft": False,
        "merged": False,
        "user": {"login": "octocat"},
        "labels": [{"name": "ready"}],
        "base": {"ref": "main", "repo": repo},
        "head": {"ref": "feature/login", "sha": HEAD, "repo": repo},
    }
    return {**found, **changes}


def answered(body: Any) -> JsonObject:
    """The result of a read."""
    return {"status": 200, "headers": {}, "body": body}


async def looked(action: str, params: JsonObject, *answers: Any) -> Evidence:
    """What is found out about an action when its reads are answered so."""
    inquiry = Inquiry(tuple(answered(each) for each in answers), NoMasker())
    async with GITHUB.inspect(action, params, connection(), inquiry) as evidence:
        return evidence


async def planned(action: str, params: JsonObject, *answers: Any, **options: Any) -> Plan:
    """The plan of an action, inspected where it has to be."""
    found: JsonObject = {}
    if GITHUB.inspects(action):
        found = (await looked(action, params, *answers)).found
    return GITHUB.plan_on(action, params, connection(**options), found)


def needs(plan: Plan) -> list[str]:
    """What must be allowed, as a rule would say it."""
    return [f"{each.action} on {each.resource}" for each in plan.requirements]


def said(status: int, body: Any = None, **headers: str) -> Answer:
    """A JSON answer of GitHub; a `_` in the name of a header is a `-`."""
    content = () if body is None else (json.dumps(body).encode(),)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json; charset=utf-8", **named}, content)


async def run(plan: Plan, script: Sequence[Answer | Exception], **options: Any) -> tuple[CallResult, FakeTransport]:
    """Execute a plan against a script; the transport holds what was sent."""
    transport = FakeTransport(*script)
    lease = FakeLease("", "Bearer t0ken", CredentialKind.BEARER)
    return await GITHUB.execute(plan, connection(**options), lease, transport), transport
