"""The whole of Ostiary between unmodified clients of models and providers that are scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.parts.http_api import call
from tests.parts.llm_providers import AWS_KEYS, KEYS, Providers
from tests.parts.llm_script import Provider
from tests.parts.up import Up, data_folder, eventually

AGENT: Final = "writer"
WAIT_SECONDS: Final = 1
"""A client's patience with people, in this house."""

CONFIG: Final = """\
version: 1
projects:
  lab: {{connections: [models]{project}}}
agents:
  writer: {{project: lab{agent}}}
operators:
  admin: {{roles: [admin]}}
  alice: {{roles: [approver]}}
connections:
  models:
    connector: llm
    credential: llm/anthropic
    upstreams:
      - {{name: anthropic, speaks: anthropic, url: "{url}"}}
      - {{name: bedrock, speaks: bedrock, credential: aws/models, region: eu-west-1, profile: eu, url: "{url}"}}
      - {{name: openai, speaks: openai, credential: llm/openai, url: "{url}"}}
      - {{name: azure, speaks: azure, credential: llm/azure, url: "{url}", api_version: 2025-04-01-preview,
          deployments: {{gpt-5: prod-gpt5}}}}
    aliases: {{sonnet: anthropic/claude-sonnet-5}}
"""
POLICY: Final = """\
  - llm:InvokeModel on models/anthropic/claude-*
  - llm:InvokeModel on models/openai/gpt-5*
  - {allow: "llm:InvokeModel on models/openai/o3", id: dear, requires_approval: true}
  - {deny: "llm:InvokeModel on models/anthropic/claude-haiku-*", id: no-haiku, description: "not good enough"}
"""


@dataclass
class ModelHouse:
    """A running Ostiary and the tokens of its people."""

    up: Up
    providers: Providers
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

    def session_of(self, token: str) -> str:
        """Id of a session."""
        return str(self.call("GET", "/v1/whoami", token)[1]["session"]["id"])

    def call(self, method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
        return call(self.url, method, path, token, body, timeout_seconds=30)

    def events(self, token: str, kind: str = "") -> list[dict[str, Any]]:
        """The events of a session, oldest first."""
        path = f"/v1/events?session={self.session_of(token)}&limit=1000" + (f"&type={kind}" if kind else "")
        _, page = self.call("GET", path, self.admin)
        return [each["event"] for each in page["events"]]

    def outcome(self, token: str) -> dict[str, Any]:
        """Wait for the outcome of the last intent of a session and return its event."""
        ends = {"intent.succeeded", "intent.failed", "intent.cancelled", "intent.refused", "intent.denied"}
        eventually(lambda: self.events(token)[-1]["type"] in ends, lambda: str(self.events(token)[-1]))
        return self.events(token)[-1]


@contextmanager
def model_house(
    providers: Providers, *, agent: str = "", project: str = "", policy: str = POLICY, **settings: str
) -> Iterator[ModelHouse]:
    """Run it until the block ends.

    Args:
        providers: Where its connection goes.
        agent: More of the agent, as YAML: ``, budget: {…}``.
        project: More of the project, likewise.
        policy: Of the agent.
        **settings: As environment variables.
    """
    with data_folder(OSTIARY_WIRE_APPROVAL_WAIT_SECONDS=str(WAIT_SECONDS), **settings) as up:
        up.configure(CONFIG.format(url=providers.url, agent=agent, project=project), writer=policy)
        up.start()
        host = providers.url.removeprefix("http://")
        for ref, provider in (("llm/anthropic", "anthropic"), ("llm/openai", "openai"), ("llm/azure", "azure")):
            up.seal(ref, "bearer", host, token=KEYS[Provider(provider)])
        up.seal("aws/models", "aws", host, access_key_id=AWS_KEYS[0], secret_access_key=AWS_KEYS[1])
        admin = (up.data / "operator.token").read_text().strip()
        alice = up.answer("operator", "token", "alice")["token"]
        yield ModelHouse(up, providers, admin, alice)
        up.end()
