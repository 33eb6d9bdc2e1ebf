"""Agents with limits of every kind in one running house, each in a project of its own: what stops one is its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from tests.parts.llm_house import ModelHouse
from tests.parts.llm_providers import AWS_KEYS, KEYS, Providers
from tests.parts.llm_script import Provider, Reply
from tests.parts.up import data_folder, eventually

MODEL: Final = "claude-opus-4-8"
ANSWER_TOKENS: Final = 16
"""What a request allows its answer, and what the provider then says it wrote."""
CROWD: Final = 100
"""Calls that a budget for a crowd has room for."""

ASK: Final = json.dumps({
    "model": MODEL, "max_tokens": ANSWER_TOKENS, "messages": [{"role": "user", "content": "hi"}],
}).encode()  # fmt: skip
STREAM: Final = json.dumps({
    "model": MODEL, "max_tokens": 4096, "stream": True, "messages": [{"role": "user", "content": "go on"}],
}).encode()  # fmt: skip
READ_TOKENS: Final = len(ASK) // 3 + 1
"""What `ASK` is taken for before it is sent; the provider then says the same."""
CALL_TOKENS: Final = READ_TOKENS + ANSWER_TOKENS
EXACT: Final = Reply(input_tokens=READ_TOKENS, output_tokens=ANSWER_TOKENS, cache_read=0, cache_write=0)

_HEAD: Final = """\
version: 1
operators:
  admin: {{roles: [admin]}}
  alice: {{roles: [approver]}}
connections:
  models:
    connector: llm
    credential: llm/anthropic
    upstreams:
      - {{name: anthropic, speaks: anthropic, url: "{url}"}}
      - {{name: openai, speaks: openai, credential: llm/openai, url: "{url}"}}
  pair:
    connector: llm
    credential: llm/anthropic
    upstreams:
      - {{name: anthropic, speaks: anthropic, url: "{url}"}}
      - {{name: bedrock, speaks: bedrock, credential: aws/models, region: eu-west-1, profile: eu, url: "{url}"}}
"""
_POLICY: Final = "  - llm:InvokeModel on models/*\n"


@contextmanager
def limits_house(
    providers: Providers,
    agents: Mapping[str, str],
    projects: Mapping[str, str] | None = None,
    *,
    settings: Mapping[str, str] | None = None,
) -> Iterator[ModelHouse]:
    """Run a house until the block ends.

    Args:
        providers: Where its connections go.
        agents: Name to more of the agent, as YAML: ``, budget: {…}``. Each is in a project of its own, named after it,
            on the connection ``models``; one whose name begins with ``pair`` on ``pair``.
        projects: Agent to more of its project, likewise.
        settings: As environment variables.
    """
    rows = [_HEAD.format(url=providers.url), "projects:\n"]
    for name in agents:
        where = "pair" if name.startswith("pair") else "models"
        rows.append(f"  of-{name}: {{connections: [{where}]{(projects or {}).get(name, '')}}}\n")
    rows.append("agents:\n")
    rows += [f"  {name}: {{project: of-{name}{more}}}\n" for name, more in agents.items()]
    with data_folder(**(settings or {})) as up:
        up.configure("".join(rows), **{name.replace("-", "_"): _POLICY for name in agents})
        up.start()
        host = providers.url.removeprefix("http://")
        for ref, provider in (("llm/anthropic", "anthropic"), ("llm/openai", "openai")):
            up.seal(ref, "bearer", host, token=KEYS[Provider(provider)])
        up.seal("aws/models", "aws", host, access_key_id=AWS_KEYS[0], secret_access_key=AWS_KEYS[1])
        admin = (up.data / "operator.token").read_text().strip()
        alice = up.answer("operator", "token", "alice")["token"]
        yield ModelHouse(up, providers, admin, alice)
        up.end()


def alerts_of(house: ModelHouse, kind: str, agent: str, wanted: int) -> list[dict[str, Any]]:
    """Wait until there are so many alerts of a kind about an agent, as the command lists them."""

    def found() -> list[dict[str, Any]]:
        listed = house.up.answer("alerts", "list", "--kind", kind, "--limit", "500")
        return [each for each in listed if agent in json.dumps(each)]

    eventually(lambda: len(found()) >= wanted, lambda: str(house.up.answer("alerts", "list")))
    return found()


def budgets_of(house: ModelHouse, **query: str) -> dict[str, dict[str, Any]]:
    """Return how budgets stand, by the name they have in the configuration."""
    asked = [part for name, value in query.items() for part in (f"--{name}", value)]
    return {re.split("/", each["key"])[2]: each for each in house.up.answer("budget", "list", *asked)}
