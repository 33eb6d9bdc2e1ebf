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

NO_CONTEXT: Mapping[str, Scalar] = MappingProxyType({})


class Effect(StrEnum):
    """What a decision or a rule says; the order of strictness is DENY > REQUIRE_APPROVAL > ALLOW."""

    ALLOW = "allow"
    REQUIRE_APPROVAL = "require_approval"
    DENY = "deny"


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
class Span:
    """Where a rule stands: file name relative to the configuration folder, 1-based line and column."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """The obligation of a rule that asks a human: where to ask and how long silence may last (silence is no)."""

    channel: str
    timeout_seconds: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement: an effect, the actions and the resources it speaks of, and where it is written.

    Args:
        id: Unique within its policy set; the author's ``id:`` or one derived from the file's name and the line.
        effect: What the rule says when it matches.
        actions: Action patterns, at least one; ``*`` stays inside its segment, a final ``*`` matches the rest.
        resources: Resource patterns, at least one.
        span: Place in the file.
        approval: Present exactly when ``effect`` is REQUIRE_APPROVAL.
        description: The author's words, shown to people only.
    """

    id: str
    effect: Effect
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    span: Span
    approval: ApprovalTerms | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All rules of one agent; an empty set denies everything."""

    agent: str
    rules: tuple[Rule, ...]
    version: PolicyVersion


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What is decided: who asks for which requirements, in which context.

    Args:
        agent: Name of the agent.
        project: Name of the agent's project.
        requirements: All must be allowed; empty means deny.
        context: Typed facts a condition may look at, keyed by dotted name.
    """

    agent: str
    project: str
    requirements: tuple[Requirement, ...]
    context: Mapping[str, Scalar] = field(default_factory=lambda: NO_CONTEXT)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one requirement got its effect.

    Args:
        requirement: What was asked.
        effect: The strictest effect that applied to it.
        rule_id: The rule that gave it; empty when no rule matched (default deny).
        span: Place of that rule; None for a default deny.
        text: One sentence for people, lower case, no full stop, holding no secret.
    """

    requirement: Requirement
    effect: Effect
    rule_id: str
    span: Span | None
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for a whole request: its strictest effect, a reason per requirement, and what must be carried out.

    Args:
        effect: Strictest effect over all requirements; DENY when there were none.
        reasons: One per requirement, in the order asked.
        approvals: The terms of every approval rule that decided a requirement; empty unless REQUIRE_APPROVAL.
        policy_version: Version of the policy set that decided.
        errors: Faults met while deciding; any fault makes the effect DENY.
    """

    effect: Effect
    reasons: tuple[Reason, ...]
    approvals: tuple[ApprovalTerms, ...]
    policy_version: PolicyVersion
    errors: tuple[str, ...] = ()
