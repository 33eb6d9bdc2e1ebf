"""The options of one item of a policy file: who is asked, when the rules hold, and how often.

    - allow: ecs:UpdateService on service/prod-*
      id: production-deploys
      requires_approval: true
      approval_channel: slack:#deploy-approvals
      approvers: [alice, bob]
      when: {params.desiredCount: {max: 10}}

What would be silently without effect is refused: words about an approval nobody has to give, a limit of uses on a rule
that grants nothing, a moment that means "never".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policies.conditions.moments import parse_moment
from policies.conditions.when import parse_when
from policies.document.nodes import Node, Reader
from policies.errors import did_you_mean, quote
from policies.model import ApprovalTerms, Assurance, Condition, Effect, Layer

DEFAULT_CHANNEL: Final = "approvals"
"""Where a rule without ``approval_channel`` asks; it exists in every configuration."""
DEFAULT_TIMEOUT_SECONDS: Final = 3600
"""How long a rule without ``approval_timeout`` waits; then the answer is no."""
MAX_TIMEOUT_SECONDS: Final = 7 * 24 * 3600
MAX_DESCRIPTION_CHARS: Final = 500
MAX_USES: Final = 1_000_000
MAX_APPROVERS: Final = 64

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""Names of agents, projects and operators, and so of policy files."""
CHANNEL: Final = re.compile(r"[a-z0-9][A-Za-z0-9:#@_.-]{0,62}")
"""Names of channels: ``approvals``, ``slack:#deploy-approvals``."""
RULE_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
TIMEOUT: Final = re.compile(r"([0-9]{1,6})([smh])")

EFFECTS: Final = ("allow", "deny")
"""The keys that hold the rules of an item; exactly one of them stands in it."""
APPROVAL_OPTIONS: Final = ("approval_channel", "approval_timeout", "approvers", "assurance")
"""What only means something beside ``requires_approval: true``."""
OPTIONS: Final = (
    "id", "description", "returns_secrets", "requires_approval", *APPROVAL_OPTIONS, "when", "until", "max_uses",
)  # fmt: skip
"""What may stand beside ``allow:`` or ``deny:``, in the order `policies.language.fmt` writes it."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Options:
    """What all rules of one item share.

    Args:
        effect: What its rules say.
        approval: Present exactly when ``effect`` is REQUIRE_APPROVAL.
        id: The author's name for it, or empty.
        description: For people, or empty.
        conditions: All must hold.
        until_ns: End of the rules, nanoseconds since the epoch, UTC; 0 for none.
        max_uses: How often each of the rules may grant; 0 for no limit.
        returns_secrets: They grant requests that return secrets, too.
    """

    effect: Effect
    approval: ApprovalTerms | None = None
    id: str = ""
    description: str = ""
    conditions: tuple[Condition, ...] = ()
    until_ns: int = 0
    max_uses: int = 0
    returns_secrets: bool = False


def read_options(reader: Reader, word: str, found: Mapping[str, Node], layer: Layer) -> Options:
    """Read the options of an item; every fault is a finding of the reader.

    Args:
        reader: Collects the findings.
        word: ``allow`` or ``deny``, as the item begins.
        found: Its options by name, each one of `OPTIONS`.
        layer: Where the policy stands; a guardrail counts no uses, and only the agent's own policy hands out secrets.
    """
    approval = _approval(reader, word, found)
    effect = Effect.DENY if word == "deny" else Effect.REQUIRE_APPROVAL if approval else Effect.ALLOW
    return Options(
        effect,
        approval,
        id=_id(reader, found),
        description=_description(reader, found),
        conditions=parse_when(reader, found["when"]) if "when" in found else (),
        until_ns=_until(reader, found["until"]) if "until" in found else 0,
        max_uses=_max_uses(reader, word, found["max_uses"], layer) if "max_uses" in found else 0,
        returns_secrets="returns_secrets" in found and _returns_secrets(reader, word, found["returns_secrets"], layer),
    )


def _approval(reader: Reader, word: str, found: Mapping[str, Node]) -> ApprovalTerms | None:
    gate = found.get("requires_approval")
    gated = gate is not None and reader.boolean(gate, "`requires_approval`")
    if word == "deny" and gate is not None:
        reader.report(gate, "a deny rule asks nobody", "delete it, or write `allow:`")
    for name in APPROVAL_OPTIONS:
        if name in found and not gated:
            reader.report(found[name], f"`{name}` without `requires_approval: true`", "add `requires_approval: true`")
    channel, seconds, assurance = DEFAULT_CHANNEL, DEFAULT_TIMEOUT_SECONDS, Assurance.CHAT
    approvers: tuple[str, ...] = ()
    if "approval_channel" in found:
        channel = reader.text(found["approval_channel"], "`approval_channel`", CHANNEL, "a name under `channels:`")
    if "approval_timeout" in found:
        seconds = _timeout(reader, found["approval_timeout"])
    if "approvers" in found:
        words = "names under `operators:`, as in `[alice, bob]`"
        approvers = reader.texts(found["approvers"], "`approvers`", NAME, words, most=MAX_APPROVERS)
    if "assurance" in found:
        assurance = _assurance(reader, found["assurance"])
    return ApprovalTerms(channel, seconds, approvers, assurance) if gated else None


def _timeout(reader: Reader, node: Node) -> int:
    text = reader.text(node, "`approval_timeout`", TIMEOUT, "write `90s`, `60m` or `24h`")
    match = TIMEOUT.fullmatch(text)
    if match is None:
        return DEFAULT_TIMEOUT_SECONDS
    seconds = int(match[1]) * _UNITS[match[2]]
    if not 1 <= seconds <= MAX_TIMEOUT_SECONDS:
        reader.report(node, f"`approval_timeout` is 1s to {MAX_TIMEOUT_SECONDS // 3600}h, found {quote(text)}")
    return seconds


def _assurance(reader: Reader, node: Node) -> Assurance:
    text = reader.text(node, "`assurance`")
    if text in set(Assurance):
        return Assurance(text)
    # An empty text must not pass for the weakest assurance.
    if isinstance(node.value, str):
        known = ", ".join(f"`{each}`" for each in Assurance)
        fix = did_you_mean(text, Assurance) or f"write one of {known}"
        reader.report(node, f"unknown assurance {quote(text)}", fix)
    return Assurance.CHAT


def _id(reader: Reader, found: Mapping[str, Node]) -> str:
    if "id" not in found:
        return ""
    return reader.text(found["id"], "`id`", RULE_ID, "lower-case letters, digits, `-`, `_`, `.`")


def _description(reader: Reader, found: Mapping[str, Node]) -> str:
    if "description" not in found:
        return ""
    text = reader.text(found["description"], "`description`")
    if len(text) > MAX_DESCRIPTION_CHARS:
        reader.report(found["description"], f"`description` has more than {MAX_DESCRIPTION_CHARS} characters")
    return text


def _until(reader: Reader, node: Node) -> int:
    text = reader.text(node, "`until`")
    moment = parse_moment(text)
    # An empty text must not pass for a rule without an end.
    if moment is None and isinstance(node.value, str):
        message = f"`until` must be a moment with its offset, found {quote(text)}"
        reader.report(node, message, 'write it quoted, as in `"2027-01-31T18:00:00Z"`')
    return moment or 0


def _max_uses(reader: Reader, word: str, node: Node, layer: Layer) -> int:
    if word == "deny":
        reader.report(node, "a deny rule grants nothing that could be counted", "delete `max_uses`")
    elif layer is Layer.GUARDRAIL:
        reader.report(node, "a guardrail must not run out: it has no `max_uses`", "limit the agent's own rule")
    uses = reader.integer(node, "`max_uses`")
    if isinstance(node.value, int) and not isinstance(node.value, bool) and not 1 <= uses <= MAX_USES:
        reader.report(node, f"`max_uses` is 1 to {MAX_USES}, found {uses}")
    return uses


def _returns_secrets(reader: Reader, word: str, node: Node, layer: Layer) -> bool:
    if word == "deny":
        reader.report(node, "a deny rule forbids secrets like everything else", "delete `returns_secrets`")
    elif layer is not Layer.AGENT:
        fix = "write it on the agent's own rule, and deny here what no agent may get"
        reader.report(node, "only an agent's own rule grants secrets", fix)
    return reader.boolean(node, "`returns_secrets`")
