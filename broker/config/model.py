"""The configuration as the broker uses it: frozen, validated as a whole, swapped as a whole.

Nothing here can be half right: `broker.config.loader.load_configuration` returns one of these or raises with every
fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from broker.config.alerting import Alerting, Channel, ChannelKind, WorkingHours
from broker.config.content import ContentTerms
from broker.config.limits import Budget, RateLimit
from broker.errors import Finding
from broker.ids import Digest
from broker.model import Operator
from connectors.base import Connection
from policies.engine import CompiledPolicy
from policies.layers import LayeredPolicy
from policies.resources.catalogue import Catalogue

__all__ = ["Agent", "Channel", "ChannelKind", "Configuration", "Project"]


@dataclass(frozen=True, slots=True)
class Project:
    """What agents work in: the connections they may use.

    Args:
        name: Its name.
        description: For people.
        connections: Names of connections, each declared.
        budget: Of all its agents together; None for none.
        content: What is kept of prompts and answers of models.
        hours: When work is expected; None for always.
    """

    name: str
    description: str
    connections: tuple[str, ...]
    budget: Budget | None = None
    content: ContentTerms = field(default_factory=ContentTerms)
    hours: WorkingHours | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """A declared agent; one that is not declared cannot have a session.

    Args:
        name: Its name, also of its policy file.
        project: Name of its project, declared.
        description: For people.
        owner: Name of the operator who answers for it, declared; may be empty.
        budget: Its own; None for none.
        rates: How fast it may ask.
    """

    name: str
    project: str
    description: str
    owner: str
    budget: Budget | None = None
    rates: tuple[RateLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything one folder says.

    Args:
        root: The folder.
        version: Digest over the bytes of every file read.
        projects, agents, operators, connections, channels: By name; every name they refer to is declared.
        policies: Compiled policy of every declared agent; an agent without a file has an empty one.
        layers: What decides for every declared agent: guardrails, the boundary of its project, its own policy.
        rates: How fast each connection may be asked, by its name.
        alerting: What people are told of, and where.
        catalogue: The actions and types of resources the policies were read against.
        notices: What the authors should know; nothing here keeps the configuration from being used.
        files: The bytes it was made of, by name; what is in force is kept with these, so that every process has it.
    """

    root: Path
    version: Digest
    projects: Mapping[str, Project]
    agents: Mapping[str, Agent]
    operators: Mapping[str, Operator]
    connections: Mapping[str, Connection]
    channels: Mapping[str, Channel]
    policies: Mapping[str, CompiledPolicy]
    layers: Mapping[str, LayeredPolicy]
    catalogue: Catalogue
    rates: Mapping[str, tuple[RateLimit, ...]] = field(default_factory=dict)
    alerting: Alerting = field(default_factory=Alerting)
    notices: tuple[Finding, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
