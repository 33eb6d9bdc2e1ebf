"""Ostiary between the yardsticks of the LLM door: real processes, a durable ledger, one connection to a model.

Two agents ask the same: ``free`` has no budget, ``bound`` has one of tokens a day and its project one of money a month,
neither of which is ever reached.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.bench.llm_native import pin
from tests.parts.up import Up, data_folder

MODEL: Final = "claude-opus-4-8"
KEY: Final = "sk-ant-bench-000000000000000000"
LARGE_BYTES: Final = 77_000
"""What Claude Code sends with its first request, its tools and its system prompt."""
STREAMS: Final = 500
_MORE: Final = 2 * STREAMS
_CONFIG: Final = """\
version: 1
projects:
  free: {{connections: [models]}}
  bound: {{connections: [models], project_budget: {{monthly_limit: $900000000}}}}
agents:
  free: {{project: free}}
  bound: {{project: bound, budget: {{max_tokens_per_day: 900000000000}}}}
operators: {{admin: {{roles: [admin]}}}}
connections:
  models:
    connector: llm
    credential: llm/bench
    upstreams: [{{name: anthropic, speaks: anthropic, url: "http://127.0.0.1:{port}"}}]
"""
_POLICY: Final = "  - llm:InvokeModel on models/anthropic/claude-*\n"


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who can ask, somewhere.

    Args:
        name: For the table.
        port: Where, on this machine.
        header: Name and value of what is shown there.
    """

    name: str
    port: int
    header: tuple[str, str]

    def request(self, *, size: int = 0, stream: bool = False, paced: bool = False) -> bytes:
        """Return a request as it goes over the wire.

        Args:
            size: Of its body at least, in bytes.
            stream: Whether 200 events are wanted instead of one message.
            paced: Whether those are to come one by one.
        """
        body = _body(size, stream=stream, paced=paced)
        name, value = self.header
        lines = [
            "POST /v1/messages HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"{name}: {value}",
            "anthropic-version: 2023-06-01", "Content-Type: application/json", f"Content-Length: {len(body)}",
            "User-Agent: Anthropic/Python 0.116.0", "", "",
        ]  # fmt: skip
        return "\r\n".join(lines).encode() + body


@dataclass(frozen=True, slots=True)
class House:
    """What runs.

    Args:
        up: Ostiary.
        free: Asks without a budget.
        bound: Asks with two.
    """

    up: Up
    free: Asker
    bound: Asker

    @property
    def pids(self) -> Mapping[str, int]:
        """Of the processes a request goes through."""
        return {name: self.up.pid_of(name) for name in ("api", "vault")}


@contextmanager
def house(upstream: int) -> Iterator[House]:
    """Run it in front of a provider on a port, its api pinned, until the block ends."""
    places = {"OSTIARY_MAX_CONCURRENT_INTENTS": str(_MORE), "OSTIARY_MAX_CONCURRENT_PER_SESSION": str(_MORE)}
    with data_folder(**places) as up:
        up.configure(_CONFIG.format(port=upstream), free=_POLICY, bound=_POLICY)
        up.start()
        up.seal("llm/bench", "bearer", f"127.0.0.1:{upstream}", token=KEY)
        port = int(up.ready["url"].rpartition(":")[2])
        askers = {}
        for agent in ("free", "bound"):
            token = up.answer("session", "start", "--agent", agent, "--ttl", "1h")["token"]
            askers[agent] = Asker(agent, port, ("x-api-key", token))
        pin(up.pid_of("api"))
        yield House(up, askers["free"], askers["bound"])
        up.end()


def _body(size: int, *, stream: bool, paced: bool) -> bytes:
    turns = [{"role": "user", "content": "paced" if paced else "hi"}]
    asked = {"model": MODEL, "max_tokens": 1024, "stream": stream, "messages": turns}
    line = 'The quick brown fox jumps over the lazy dog, and "quotes" are escaped.\n' * 5
    while len(body := json.dumps(asked, separators=(",", ":")).encode()) < size:
        turns += [{"role": "assistant", "content": line}, {"role": "user", "content": line}]
    return body
