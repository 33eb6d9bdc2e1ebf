"""The frozen words of the policy room: what is asked, what a rule says, what was decided.

These types are stored (a policy version is a digest over them) and cross every door, so a field is added with a
default and never changes its meaning. Nothing here does I/O, reads a clock or knows who calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NewType

PolicyVersion = NewType("PolicyVersion", str)
"""Hex SHA-256 over the canonical form of every rule of a policy set; equal text in another file differs."""

Scalar = str | int | bool
"""A value a condition may look at."""

Fact = Scalar | tuple[Scalar, ...]
"""What the context holds under one key; a list of the request is a tuple here."""


class KnownItems(tuple[Scalar, ...]):
    """A list that the broker found out itself, whole: what is not in it is not there, and empty means none.

    Of a list in a request nobody knows what leaving it empty means upstream, so an empty one cannot be told.
    """

    __slots__ = ()


NO_CONTEXT: Mapping[str, Fact] = MappingProxyType({})
NO_USES: Mapping[str, int] = MappingProxyType({})


class Effect(StrEnum):
    """What a decision or a rule says; the order of strictness is DENY > REQUIRE_APPROVAL > ALLOW."""

    ALLOW = "allow"
    REQUIRE_APPROVAL = "require_approval"
    DENY = "deny"


class Layer(StrEnum):
    """Where a policy set stands; every layer is asked by itself and the strictest answer counts.

    A guardrail only forbids and asks: where it is silent it objects to nothing. In every other layer silence is a no,
    and none of them grants what another one does not.
    """

    GUARDRAIL = "guardrail"
    BOUNDARY = "boundary"
    AGENT = "agent"
    SESSION = "session"


class Assurance(StrEnum):
    """How surely the person who answers is who they say, weakest first."""

    CHAT = "chat"
    WEB = "web"
    PASSKEY = "passkey"


@dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """One (action, resource) pair that policy must allow.

    Args:
        action: Canonical action, ``service:Operation``; never a pattern.
        resource: Full name of one thing; a ``*`` in it is a literal character, never a wildcard.
    """

    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A kind of resource as its connector names it.

    A template is literal text and variables. ``{name}`` is one segment (no ``/``, no ``:``), ``{name=*/*}`` is exactly
    two segments with a ``/`` between them, ``{name=**}`` is one or more segments: the rest of the resource, or up to
    the literal that follows. Every variable fills its segments whole.

    Args:
        name: ``service/type``, as ``git/branch``.
        template: As ``repos/{repo=*/*}/branches/{branch=**}``.
        actions: Action patterns (``git:push``, ``s3:*Object``) whose requirements can name this type.
        short_forms: Templates over a part of the same variables that people write; what a short form leaves out is
            any value.
        defaults: What an allow rule means by a variable its short form leaves out, as ``{"partition": "aws"}``.
        words: For each variable a value to show in examples, as ``{"repo": "acme/app"}``.
    """

    name: str
    template: str
    actions: tuple[str, ...]
    short_forms: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    words: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Span:
    """Where a rule stands: file name relative to the configuration folder, 1-based line and column."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """The obligation of a rule that asks a human.

    Args:
        channel: Where people are asked.
        timeout_seconds: How long silence may last; then it is a no.
        approvers: Names of the operators who may answer; empty for every approver.
        assurance: How surely the one who answers must be known.
    """

    channel: str
    timeout_seconds: int
    approvers: tuple[str, ...] = ()
    assurance: Assurance = Assurance.CHAT


@dataclass(frozen=True, slots=True)
class Condition:
    """One test on one fact of the context; see `policies.conditions.guards` for the operators.

    Args:
        key: Name of the fact: ``source_ip``, ``params.InstanceType``, ``session.branch``.
        operator: Name in the registry of operators.
        operands: What it compares with, already typed and validated by the loader.
    """

    key: str
    operator: str
    operands: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement: an effect, the actions and the resources it speaks of, when it holds, and where it is written.

    Args:
        id: Unique within its policy set; the author's ``id:`` or one derived from the file's name and the line.
        effect: What the rule says when it matches.
        actions: Action patterns, at least one; ``*`` stays inside its segment, a final ``*`` matches the rest.
        resources: Resource patterns written out in full (`policies.patterns.pattern`), at least one.
        span: Place in the file.
        approval: Present exactly when ``effect`` is REQUIRE_APPROVAL.
        description: The author's words, shown to people only.
        text: The rule as written, ``action on resource``; empty for a rule no file holds.
        conditions: All must hold.
        until_ns: End of the rule, nanoseconds since the epoch, UTC; 0 for none.
        max_uses: How often the rule may grant; 0 for no limit.
        returns_secrets: It grants requests that return secrets, too; in the agent's own layer only.
    """

    id: str
    effect: Effect
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    span: Span
    approval: ApprovalTerms | None = None
    description: str = ""
    text: str = ""
    conditions: tuple[Condition, ...] = ()
    until_ns: int = 0
    max_uses: int = 0
    returns_secrets: bool = False


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The rules of one layer for one agent.

    Args:
        agent: Whose requests it decides.
        rules: In no meaningful order.
        version: Digest over all of it.
        layer: Decides what silence means.
    """

    agent: str
    rules: tuple[Rule, ...]
    version: PolicyVersion
    layer: Layer = Layer.AGENT


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What is decided: who asks for which requirements, in which context.

    Args:
        agent: Name of the agent.
        project: Name of the agent's project.
        requirements: All must be allowed; empty means deny.
        context: Typed facts a condition or a variable may look at, keyed by dotted name.
        now_ns: The moment, nanoseconds since the epoch, UTC; None when it is not known, which no grant survives that
            looks at the time.
        uses: How often a rule was used before, by `rule_key`; one that is not named was never used.
        returns_secrets: What is asked for would answer with secrets, so that each requirement needs a rule that grants
            that by name.
    """

    agent: str
    project: str
    requirements: tuple[Requirement, ...]
    context: Mapping[str, Fact] = field(default_factory=lambda: NO_CONTEXT)
    now_ns: int | None = None
    uses: Mapping[str, int] = field(default_factory=lambda: NO_USES)
    returns_secrets: bool = False


@dataclass(frozen=True, slots=True)
class UseLimit:
    """One use of a rule that may only grant so often; whoever acts must count it.

    Args:
        key: `policies.digest.rule_key` of the rule.
        rule_id: Its id, for people.
        used: What the request said.
        max_uses: The limit.
    """

    key: str
    rule_id: str
    used: int
    max_uses: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one requirement got its effect.

    Args:
        requirement: What was asked.
        effect: The strictest effect that applied to it.
        rule_id: The rule that gave it; empty when no rule matched (default deny).
        span: Place of that rule; None for a default deny.
        text: One sentence for people, lower case, no full stop, holding no secret.
        layer: The layer that said so.
        returns_secrets: What is missing is a rule with `returns_secrets: true`; only in a default deny.
    """

    requirement: Requirement
    effect: Effect
    rule_id: str
    span: Span | None
    text: str
    layer: Layer = Layer.AGENT
    returns_secrets: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for a whole request: its strictest effect, a reason per requirement, and what must be carried out.

    Args:
        effect: Strictest effect over all requirements; DENY when there were none.
        reasons: One per requirement, in the order asked.
        approvals: The terms of every approval rule that decided a requirement; empty unless REQUIRE_APPROVAL.
        policy_version: Version of what decided, all layers together.
        errors: Faults met while deciding; any fault makes the effect DENY.
        uses: Rules with a limit that this decision draws on; each must be counted when the act begins. Empty for DENY.
    """

    effect: Effect
    reasons: tuple[Reason, ...]
    approvals: tuple[ApprovalTerms, ...]
    policy_version: PolicyVersion
    errors: tuple[str, ...] = ()
    uses: tuple[UseLimit, ...] = ()
