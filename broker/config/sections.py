"""``ostiary.yaml`` section by section: names, closed sets of keys, references to what is declared.

    version: 1
    projects:    {data: {connections: [lake]}}
    agents:      {ci-runner: {project: data}}
    operators:   {alice: {roles: [approver]}}
    connections: {lake: {connector: aws, credential: aws/prod, account: "123456789012", regions: [eu-west-1]}}
    channels:    {"slack:#deploys": {kind: log}}

The options of a connection belong to its connector: its pydantic model judges them, and its complaints get their places
here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ValidationError

from broker.config.alerting import Alerting, Channel, read_alerting, read_channel, read_hours
from broker.config.content import ContentTerms, read_content
from broker.config.limits import Per, RateLimit, read_budget, read_rates
from broker.config.model import Agent, Project
from broker.model import Operator, Role
from connectors.base import Connection, Connector, JsonObject
from policies.document.nodes import Fields, Node, Reader, describe, to_json
from policies.document.strict_yaml import parse
from policies.errors import Finding, did_you_mean, quote
from policies.language.loader import CHANNEL, NAME
from vault.model import CredentialRef

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_ENTRIES: Final = 1000
"""Entries of one section."""
MAX_DESCRIPTION_CHARS: Final = 500

_SECTIONS: Final = ("projects", "agents", "operators", "connections", "channels")
_TOP: Final = ("version", *_SECTIONS, "alerts")
_OF_EVERY_CONNECTION: Final = frozenset({"connector", "credential", "rate_limits"})
_NAME_WORDS: Final = "lower-case letters, digits and `-`, at most 63"
_CHANNEL_WORDS: Final = "letters, digits and `:#@_.-`, at most 63, the first a small letter or a digit"
_CREDENTIAL: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}/[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(slots=True)
class Sections:
    """What ``ostiary.yaml`` declares."""

    projects: dict[str, Project] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    operators: dict[str, Operator] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    rates: dict[str, tuple[RateLimit, ...]] = field(default_factory=dict)
    alerting: Alerting = field(default_factory=Alerting)


def read_sections(data: bytes, file: str, connectors: Mapping[str, Connector]) -> tuple[Sections, list[Finding]]:
    """Read the main file.

    Args:
        data: Its bytes.
        file: Its name in the findings.
        connectors: By name.

    Returns:
        What it declares and what is wrong with it; with findings the declarations are not to be used.

    Raises:
        YamlError: the text is not strict YAML.
    """
    root = parse(data, file)
    reading = _Reading(Reader(file), connectors)
    reading.file(root)
    return reading.sections, reading.reader.findings


@dataclass(slots=True)
class _Reading:
    """One run over one file; sections others refer to are read first."""

    reader: Reader
    connectors: Mapping[str, Connector]
    sections: Sections = field(default_factory=Sections)
    named_connections: set[str] = field(default_factory=set)

    def file(self, root: Node) -> None:
        top = self.reader.fields(root, "the configuration", _TOP, required=("version",))
        version = top.get("version")
        if version is not None and (version.value != 1 or isinstance(version.value, bool)):
            message = f"this build reads version 1, found {describe(version)}"
            self.reader.report(version, message, "write `version: 1`")
        declared = self.sections
        for name, node in self._entries(top, "connections"):
            # A connection with a fault is still declared: its faults are told once, not at each reference.
            self.named_connections.add(name)
            self._connection(name, node)
        for name, node in self._entries(top, "projects"):
            declared.projects[name] = self._project(name, node)
        for name, node in self._entries(top, "operators"):
            declared.operators[name] = self._operator(name, node)
        for name, node in self._entries(top, "agents"):
            declared.agents[name] = self._agent(name, node)
        for name, node in self._entries(top, "channels", CHANNEL, _CHANNEL_WORDS):
            declared.channels[name] = read_channel(self.reader, name, node)
        if "alerts" in top:
            declared.alerting = read_alerting(self.reader, top["alerts"], declared.channels)

    def _entries(
        self, top: Mapping[str, Node], section: str, pattern: re.Pattern[str] = NAME, words: str = _NAME_WORDS
    ) -> Iterator[tuple[str, Node]]:
        if section not in top:
            return
        pairs = self.reader.pairs(top[section], f"`{section}`")
        if len(pairs) > MAX_ENTRIES:
            self.reader.report(top[section], f"`{section}` has more than {MAX_ENTRIES} entries")
        for pair in pairs[:MAX_ENTRIES]:
            name = self.reader.text(pair.key, f"a name under `{section}`", pattern, words)
            if name:
                yield name, pair.value

    def _project(self, name: str, node: Node) -> Project:
        keys = ("description", "connections", "project_budget", "content", "hours")
        found = self.reader.fields(node, "a project", keys, required=("connections",))
        names: list[str] = []
        for item in self.reader.items(found["connections"], "`connections`") if "connections" in found else ():
            connection = self._reference(item, "connection", self.named_connections)
            if connection in names:
                self.reader.report(item, f"the connection {quote(connection)} stands twice")
            names.append(connection)
        reader = self.reader
        return Project(
            name,
            self._description(found),
            tuple(names),
            read_budget(reader, found["project_budget"], project=True) if "project_budget" in found else None,
            read_content(reader, found["content"]) if "content" in found else ContentTerms(),
            read_hours(reader, found["hours"]) if "hours" in found else None,
        )

    def _agent(self, name: str, node: Node) -> Agent:
        keys = ("project", "description", "owner", "budget", "rate_limits")
        found = self.reader.fields(node, "an agent", keys, required=("project",))
        project = self._reference(found["project"], "project", self.sections.projects) if "project" in found else ""
        owner = self._reference(found["owner"], "operator", self.sections.operators) if "owner" in found else ""
        budget = read_budget(self.reader, found["budget"], project=False) if "budget" in found else None
        rates = read_rates(self.reader, found["rate_limits"], Per.SESSION) if "rate_limits" in found else ()
        return Agent(name, project, self._description(found), owner, budget, rates)

    def _operator(self, name: str, node: Node) -> Operator:
        found = self.reader.fields(node, "an operator", ("roles",), required=("roles",))
        roles = set()
        for item in self.reader.items(found["roles"], "`roles`") if "roles" in found else ():
            role = self._reference(item, "role", [role.value for role in Role])
            if role:
                roles.add(Role(role))
        return Operator(name, frozenset(roles))

    def _connection(self, name: str, node: Node) -> None:
        pairs = {pair.name: pair for pair in self.reader.pairs(node, "a connection")}
        missing = [key for key in ("connector", "credential") if key not in pairs]
        for key in missing:
            self.reader.report(node, f"a connection has no `{key}`")
        if missing:
            return
        used = self._reference(pairs["connector"].value, "connector", self.connectors)
        words = "a credential is named `folder/name`, as in `aws/prod`"
        credential = self.reader.text(pairs["credential"].value, "`credential`", _CREDENTIAL, words)
        if not used:
            return
        if "rate_limits" in pairs:
            self.sections.rates[name] = read_rates(self.reader, pairs["rate_limits"].value, Per.CONNECTION)
        own = Fields(tuple(pair for pair in pairs.values() if pair.name not in _OF_EVERY_CONNECTION))
        options = self._options(Node(own, node.line, node.column), self.connectors[used].connection_model)
        self.sections.connections[name] = Connection(name, used, CredentialRef(credential), options)

    def _options(self, node: Node, model: type[BaseModel]) -> JsonObject:
        try:
            return model.model_validate(to_json(node)).model_dump(mode="json")
        except ValidationError as error:
            # The input is left out: an operator may have put a secret where it does not belong.
            for detail in error.errors(include_url=False, include_context=False, include_input=False):
                self._report_option(node, detail, model)
            return {}

    def _report_option(self, node: Node, detail: ErrorDetails, model: type[BaseModel]) -> None:
        place, name = _locate(node, detail["loc"])
        match detail["type"]:
            case "extra_forbidden":
                known = list(model.model_fields)
                fix = did_you_mean(name, known) or f"known here: {', '.join(known)}"
                self.reader.report(_key(node, detail["loc"]), f"unknown key {quote(name)} in a connection", fix)
            case "missing":
                self.reader.report(place, f"a connection has no {quote(name)}")
            case kind:
                text = detail["msg"].removeprefix("Value error, ")
                fix = "put the value in quotes" if kind == "string_type" and isinstance(place.value, int) else ""
                subject = f"{quote(name)}: " if name else ""
                self.reader.report(place, subject + text[:1].lower() + text[1:], fix)

    def _reference(self, node: Node, what: str, known: Collection[str]) -> str:
        """Read a name that must be one of ``known``."""
        name = self.reader.text(node, f"a {what}")
        if name and name not in known:
            listed = f"known here: {', '.join(sorted(known)[:20])}" if known else "none is declared"
            self.reader.report(node, f"unknown {what} {quote(name)}", did_you_mean(name, known) or listed)
            return ""
        return name

    def _description(self, found: Mapping[str, Node]) -> str:
        if "description" not in found:
            return ""
        text = self.reader.text(found["description"], "`description`")
        if len(text) > MAX_DESCRIPTION_CHARS:
            self.reader.report(found["description"], f"`description` has more than {MAX_DESCRIPTION_CHARS} characters")
        return text


def _key(node: Node, path: tuple[int | str, ...]) -> Node:
    """Return the node of the key a pydantic location names."""
    parent, _ = _locate(node, path[:-1])
    pair = parent.value.get(str(path[-1])) if isinstance(parent.value, Fields) else None
    return parent if pair is None else pair.key


def _locate(node: Node, path: tuple[int | str, ...]) -> tuple[Node, str]:
    """Return the node a pydantic location names, or the deepest one there is, and the last name on the way."""
    name = ""
    for step in path:
        value = node.value
        if isinstance(step, str):
            name = step
            pair = value.get(step) if isinstance(value, Fields) else None
            if pair is None:
                break
            node = pair.value
        elif isinstance(value, tuple) and step < len(value):
            node = value[step]
    return node, name
