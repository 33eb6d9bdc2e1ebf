"""The whole of Ostiary between GitHub's own clients and the emulator, which checks tokens and branch protection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.parts.github import ADMIN_TOKEN, Hub
from tests.parts.github_script import ScriptedGitHub
from tests.parts.http_api import call
from tests.parts.up import Up, data_folder, eventually

AGENT: Final = "octo"
ODD_TOKEN: Final = "odd-upstream-odd-upstream-odd-upstream-0"
WAIT_SECONDS: Final = 1
"""A client's patience with people, in this house."""

_CONFIG: Final = """\
version: 1
projects: {{app: {{connections: [hub, spare]}}, one: {{connections: [hub]}}, odd: {{connections: [odd]}}}}
agents: {{octo: {{project: one}}, many: {{project: app}}, odd: {{project: odd}}}}
operators:
  admin: {{roles: [admin]}}
  alice: {{roles: [approver]}}
connections:
  hub: {{connector: github, credential: github/hub, url: "{url}"}}
  spare: {{connector: github, credential: github/hub, url: "{url}"}}
  odd: {{connector: github, credential: github/odd, url: "{odd_url}", download_hosts: ["{odd_host}"]}}
"""
POLICY: Final = """\
  - git:read on repos/acme/app
  - git:read on user
  - git:read on github
  - git:comment on repos/acme/app/*
  - github:issues.create on repos/acme/app
  - {allow: "git:merge on repos/acme/app/pull-requests/*", id: merges, requires_approval: true}
  - {deny: "github:issues.lock on repos/acme/app/*", id: no-locks, description: "people lock"}
"""


@dataclass
class GitHubHouse:
    """A running Ostiary and the tokens of its people.

    Args:
        up: Ostiary.
        hub, odd: What it acts on.
        admin, alice: Tokens of the operators.
    """

    up: Up
    hub: Hub
    odd: ScriptedGitHub
    admin: str
    alice: str

    @property
    def url(self) -> str:
        """Where the API listens."""
        return str(self.up.ready["url"])

    @property
    def port(self) -> int:
        """Likewise."""
        return int(self.url.rpartition(":")[2])

    def begin(self, agent: str = AGENT) -> str:
        """Start a session of an agent and return its token."""
        status, started = self.call("POST", "/v1/sessions", self.admin, {"agent": agent})
        assert status == 201, started
        return str(started["token"])

    def call(self, method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
        return call(self.url, method, path, token, body, timeout_seconds=30)

    def pending(self, token: str) -> list[dict[str, Any]]:
        """Approvals a session waits for."""
        status, found = self.call("GET", "/v1/approvals?state=pending", token)
        assert status == 200, found
        return list(found["approvals"])

    def approve(self, token: str) -> dict[str, Any]:
        """Give the one approval a session waits for, and return it."""
        (asked,) = self.pending(token)
        status, given = self.call("POST", f"/v1/approvals/{asked['id']}/approve", self.alice, {"reason": ""})
        assert status == 200, given
        return asked

    def events(self, token: str) -> list[dict[str, Any]]:
        """The events of a session, oldest first."""
        _, who = self.call("GET", "/v1/whoami", token)
        _, page = self.call("GET", f"/v1/sessions/{who['session']['id']}/events?limit=500", self.admin)
        return [each["event"] for each in page["events"]]

    def ended(self, token: str, intent: str) -> dict[str, Any]:
        """Wait until an intent of a session is over and return it."""
        path = f"/v1/intents/{intent}"
        eventually(lambda: self.call("GET", path, token)[0] != 202, lambda: self.up.said[-2000:])
        return dict(self.call("GET", path, token)[1])


@contextmanager
def github_house(hub: Hub, odd: ScriptedGitHub) -> Iterator[GitHubHouse]:
    """Run it until the block ends."""
    with data_folder(OSTIARY_WIRE_APPROVAL_WAIT_SECONDS=str(WAIT_SECONDS)) as up:
        config = _CONFIG.format(url=hub.url, odd_url=odd.url, odd_host=odd.host)
        up.configure(config, octo=POLICY, many=POLICY, odd=POLICY)
        up.start()
        up.seal("github/hub", "bearer", hub.url.removeprefix("http://"), token=ADMIN_TOKEN)
        up.seal("github/odd", "bearer", odd.host, token=ODD_TOKEN)
        admin = (up.data / "operator.token").read_text().strip()
        alice = up.answer("operator", "token", "alice")["token"]
        yield GitHubHouse(up, hub, odd, admin, alice)
        up.end()
