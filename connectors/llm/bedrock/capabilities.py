"""What Amazon Bedrock takes of a request of Anthropic's Messages API, field by field and beta by beta.

Sources, in the order in which they count here: what Claude Code 2.1 itself sends when it is told to talk to Bedrock
(the same client, the same turn, both formats); the Bedrock user guide, "Anthropic Claude Messages API" and "Get
validated JSON results from models"; Anthropic, "Claude on Amazon Bedrock" and "Versions". A field and its beta travel
together: one without the other is a 400. What nobody has said that Bedrock takes is not sent; a field that is unknown
here is refused, as nobody can say whether the answer means the same without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """What becomes of a field."""

    PASS = "pass"  # noqa: S105 - no password
    """It goes as it is."""
    DROP = "drop"
    """It is left out: the answer means the same without it, though it may cost or take longer."""
    REFUSE = "refuse"
    """It changes what the answer means, so this upstream is not asked."""


FIELDS: Final[Mapping[str, Verdict]] = {
    # What the user guide lists, and what Claude Code sends.
    "max_tokens": Verdict.PASS,
    "messages": Verdict.PASS,
    "metadata": Verdict.PASS,
    "stop_sequences": Verdict.PASS,
    "system": Verdict.PASS,
    "temperature": Verdict.PASS,
    "thinking": Verdict.PASS,
    "tool_choice": Verdict.PASS,
    "tools": Verdict.PASS,
    "top_k": Verdict.PASS,
    "top_p": Verdict.PASS,
    # Keeping the context small is the provider's service to the client: without it the client is told that it is full.
    "compaction": Verdict.DROP,
    "context_management": Verdict.DROP,
    # Caching by itself, without marks; a cache saves money and changes nothing. Marks inside of blocks do pass.
    "cache_control": Verdict.DROP,
    "diagnostics": Verdict.DROP,
    # How fast, and out of which quota; Bedrock has a header of its own for it.
    "service_tier": Verdict.DROP,
    "speed": Verdict.DROP,
    # Which other models may answer in its place, at Anthropic.
    "fallbacks": Verdict.DROP,
    # Tools and files that are at Anthropic.
    "container": Verdict.REFUSE,
    "mcp_servers": Verdict.REFUSE,
    "thread": Verdict.REFUSE,
    # Where the data may be; the region of a connection is what the operator said, not what the agent asks for.
    "inference_geo": Verdict.REFUSE,
    # Who pays, and who is asking, in words of an account at Anthropic.
    "billing_policy": Verdict.REFUSE,
    "fallback_credit_token": Verdict.REFUSE,
    "user_profile_id": Verdict.REFUSE,
    "workspace_id": Verdict.REFUSE,
}
"""By name; ``output_config`` is looked into. A field of null, or a list of nothing, asks for nothing and is dropped
where it would be refused."""

OUTPUT_CONFIG: Final[Mapping[str, Verdict]] = {
    "effort": Verdict.DROP,
    "task_budget": Verdict.DROP,
    "format": Verdict.PASS,
}
"""Of ``output_config``: the schema of the answer is taken (user guide, "Get validated JSON results"); how hard to try
is a 400, "Extra inputs are not permitted", with models before Opus 4.6."""

BETAS: Final[Mapping[str, str]] = {
    "advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19",
    "computer-use-2024-10-22": "computer-use-2024-10-22",
    "computer-use-2025-01-24": "computer-use-2025-01-24",
    "computer-use-2025-11-24": "computer-use-2025-11-24",
    "context-1m-2025-08-07": "context-1m-2025-08-07",
    "fine-grained-tool-streaming-2025-05-14": "fine-grained-tool-streaming-2025-05-14",
    "interleaved-thinking-2025-05-14": "interleaved-thinking-2025-05-14",
    "tool-search-tool-2025-10-19": "tool-search-tool-2025-10-19",
}
"""Betas that Bedrock takes, and how it calls them; one that is not here is dropped. That is safe for the body: what
cannot be had without its beta is found there, by `EVIDENCE` or as a field."""

IN_THE_PATH: Final = frozenset({"model", "stream"})
"""Fields that say nothing in the body any more."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How to see in the bytes that a request cannot be served.

    Args:
        marks: One of them stands there when ``pattern`` fits; much faster to look for.
        pattern: What it is.
    """

    marks: tuple[bytes, ...]
    pattern: re.Pattern[bytes]

    def stands_in(self, value: bytes) -> bool:
        """Tell whether it is there."""
        return any(mark in value for mark in self.marks) and self.pattern.search(value) is not None


EVIDENCE: Final[Mapping[str, Evidence]] = {
    "tools that run at Anthropic": Evidence(
        (b'"web_search', b'"web_fetch', b'"code_execution', b'"advisor', b'"mcp_toolset'),
        re.compile(rb'"type"\s*:\s*"(?:web_search|web_fetch|code_execution|advisor|mcp_toolset)[a-z0-9_]*"'),
    ),
    "files that are at Anthropic, or that it is to fetch": Evidence(
        (b'"file"', b'"url"'), re.compile(rb'"source"\s*:\s*\{[^{}]*"type"\s*:\s*"(?:file|url)"')
    ),
    "a system message amid the conversation": Evidence((b'"system"',), re.compile(rb'"role"\s*:\s*"system"')),
}
"""What stands inside of ``messages``, ``system`` and ``tools`` when Bedrock cannot serve a request, by what it is. In a
string of JSON each quote has a backslash before it, so none of these is found in a text."""

VERSIONS: Final[Mapping[str, str]] = {
    "": "bedrock-2023-05-31",
    "2023-06-01": "bedrock-2023-05-31",
    "2026-10-21": "2026-10-21",
}
"""``anthropic_version`` of the body by the header ``anthropic-version``."""
SINCE_4_7: Final = frozenset({"2026-10-21"})
"""Versions that Bedrock has for Claude 4.7 and later only (Anthropic, "Versions")."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one upstream of Bedrock's takes.

    Args:
        fields: Verdicts by field of the body; one that is not there is refused.
        output_config: Verdicts by field of ``output_config``; one that is not there is refused.
        betas: Its names of betas by Anthropic's; one that is not there is dropped.
        evidence: How to see what it cannot serve, by what that is.
        versions: ``anthropic_version`` by the header of that name; one that is not there is refused.
    """

    fields: Mapping[str, Verdict] = field(default_factory=lambda: FIELDS)
    output_config: Mapping[str, Verdict] = field(default_factory=lambda: OUTPUT_CONFIG)
    betas: Mapping[str, str] = field(default_factory=lambda: BETAS)
    evidence: Mapping[str, Evidence] = field(default_factory=lambda: EVIDENCE)
    versions: Mapping[str, str] = field(default_factory=lambda: VERSIONS)


CAPABILITIES: Final = Capabilities()
"""What is known of Bedrock today."""
