"""The configuration folder to a `Configuration`, or every fault in it at once.

1. Read the files (`broker.config.files`), refusing what is no plain file.
2. Read ``ostiary.yaml`` section by section (`broker.config.sections`).
3. Load every policy against the actions the connectors can ask for (`broker.config.policies`), and compile the layers.
4. Check what refers to what: project and owner of an agent, connections of a project, agents of policies, channels,
   approvers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from broker.canonical import canonical_bytes, digest
from broker.config.files import MAIN_FILE, POLICY_FOLDER, Folder, read_folder
from broker.config.limits import Asking
from broker.config.model import Agent, Channel, ChannelKind, Configuration, Project
from broker.config.policies import PolicyFiles, compile_policies, read_policies, speaks_of
from broker.config.sections import Sections, read_sections
from broker.errors import ConfigError, Finding
from broker.model import Operator, Role
from connectors.base import Connector, permissions_of, secret_operations_of
from policies.errors import Finding as PolicyFinding
from policies.errors import YamlError, did_you_mean, quote
from policies.language.loader import DEFAULT_CHANNEL, LoadedPolicy
from policies.model import ApprovalTerms
from policies.resources.catalogue import Catalogue, build_catalogue

_DOMAIN: Final = "ostiary/configuration/v1"


def load_configuration(root: Path, connectors: Mapping[str, Connector]) -> Configuration:
    """Read and validate a configuration folder; reads no other file and no network.

    Args:
        root: The folder with ``ostiary.yaml`` and ``policies/``.
        connectors: By name; they say which options a connection has and which actions a rule can name.

    Raises:
        ConfigError: with every finding, in file and line order.
    """
    return load_folder(read_folder(root), root, connectors)


def load_files(files: Mapping[str, bytes], root: Path, connectors: Mapping[str, Connector]) -> Configuration:
    """Make a configuration of the files of one that was accepted before (`Configuration.files`).

    Args:
        files: Bytes by name.
        root: The folder they once stood in, for messages.
        connectors: By name.

    Raises:
        ConfigError: they do not fit this version of Ostiary any more.
    """
    return load_folder(Folder(files=dict(files)), root, connectors)


def load_folder(folder: Folder, root: Path, connectors: Mapping[str, Connector]) -> Configuration:
    """Make a configuration of a folder that was read elsewhere, a revision of git for one.

    Args:
        folder: What was read, with its faults.
        root: The folder it stands for, for messages.
        connectors: By name.

    Raises:
        ConfigError: with every finding.
    """
    findings = list(folder.findings)
    sections = Sections()
    if MAIN_FILE in folder.files:
        try:
            sections, found = read_sections(folder.files[MAIN_FILE], MAIN_FILE, connectors)
            findings += _converted(found)
        except YamlError as error:
            findings += _converted(error.findings)
    catalogue = catalogue_of(connectors)
    policies = read_policies(folder.files, catalogue)
    findings += _converted(policies.findings)
    notices = [*folder.notices, *_converted(policies.notices)]
    channels = {DEFAULT_CHANNEL: Channel(DEFAULT_CHANNEL, ChannelKind.LOG), **sections.channels}
    compiled = compile_policies(policies, sections.agents)
    findings += _converted(compiled.findings)
    # With a broken main file every name would be unknown; its own faults come first.
    if not any(finding.file == MAIN_FILE for finding in findings):
        findings += _cross_checks(policies, sections, channels)
        notices += _gaps(policies, sections)
    if findings:
        raise ConfigError(sorted(findings, key=lambda finding: (finding.file, finding.line, finding.column)))
    return Configuration(
        root=root,
        version=digest(_DOMAIN, canonical_bytes({name: _sha256(data) for name, data in folder.files.items()})),
        projects=MappingProxyType(sections.projects),
        agents=MappingProxyType(sections.agents),
        operators=MappingProxyType(sections.operators),
        connections=MappingProxyType(sections.connections),
        channels=MappingProxyType(channels),
        policies=MappingProxyType(compiled.own),
        layers=MappingProxyType(compiled.layers),
        rates=MappingProxyType(sections.rates),
        alerting=sections.alerting,
        catalogue=catalogue,
        notices=tuple(sorted(notices, key=lambda finding: (finding.file, finding.line, finding.column))),
        files=MappingProxyType(folder.files),
    )


def catalogue_of(connectors: Mapping[str, Connector]) -> Catalogue:
    """Return what the connectors can ask policy for: actions, and the types of resources they name.

    The same connectors have the same one: there are twenty thousand actions, and a reload changes none of them.
    """
    return _catalogue_of(tuple(connectors.values()))


@lru_cache(maxsize=4)
def _catalogue_of(connectors: tuple[Connector, ...]) -> Catalogue:
    asked = {
        action: names for connector in connectors for action, names in permissions_of(connector.operations).items()
    }
    secret = [name for connector in connectors for name in secret_operations_of(connector.operations)]
    return build_catalogue([each for connector in connectors for each in connector.resource_types], asked, secret)


def _cross_checks(files: PolicyFiles, sections: Sections, channels: Mapping[str, Channel]) -> list[Finding]:
    findings = []
    for loaded in files.agents:
        findings += [
            _unknown(loaded, "agent", name, sections.agents, "agents")
            for name in loaded.agents
            if "*" not in name and name not in sections.agents
        ]
    for project, loaded in files.boundaries.items():
        if project not in sections.projects:
            findings.append(_unknown(loaded, "project", project, sections.projects, "projects"))
    for rule in (rule for loaded in files.all() for rule in loaded.rules if rule.approval is not None):
        if rule.approval is not None:
            place = rule.span.file, rule.span.line, rule.span.column
            findings += _approval_faults(rule.approval, place, channels, sections.operators)
    owners: list[Agent | Project] = [*sections.agents.values(), *sections.projects.values()]
    for owner in owners:
        if owner.budget is not None and owner.budget.asking is not None:
            for fault in _approval_faults(owner.budget.asking, (MAIN_FILE, 1, 1), channels, sections.operators):
                findings.append(replace(fault, message=f"{fault.message} in the budget of {quote(owner.name)}"))
    return findings


def _unknown(loaded: LoadedPolicy, kind: str, name: str, known: Iterable[str], section: str) -> Finding:
    fix = did_you_mean(name, known) or f"declare it under `{section}:` in `{MAIN_FILE}`"
    return Finding(loaded.file, 1, 1, f"the policy of an unknown {kind} {quote(name)}", fix)


def _approval_faults(
    terms: ApprovalTerms | Asking,
    place: tuple[str, int, int],
    channels: Mapping[str, Channel],
    operators: Mapping[str, Operator],
) -> Iterator[Finding]:
    if terms.channel not in channels:
        fix = did_you_mean(terms.channel, channels) or f"declare it under `channels:` in `{MAIN_FILE}`"
        yield Finding(*place, f"unknown channel {quote(terms.channel)}", fix)
    for name in terms.approvers:
        if name not in operators:
            fix = did_you_mean(name, operators) or f"declare it under `operators:` in `{MAIN_FILE}`"
            yield Finding(*place, f"unknown approver {quote(name)}", fix)
        elif not operators[name].may(Role.APPROVER):
            message = f"{quote(name)} has not the role `approver`, so nobody can answer there"
            yield Finding(*place, message, f"give the role under `operators: {name}:`")


def _gaps(files: PolicyFiles, sections: Sections) -> list[Finding]:
    """Return what is valid and probably not meant."""
    notices = [
        Finding(f"{POLICY_FOLDER}/{name}.yaml", 1, 1, f"no policy for agent {quote(name)}: everything is denied")
        for name in sections.agents
        if not any(speaks_of(loaded, name) for loaded in files.agents)
    ]
    notices += [
        Finding(loaded.file, 1, 1, f"speaks of no declared agent: {quote(', '.join(loaded.agents))}")
        for loaded in (*files.agents, *files.guardrails)
        if loaded.agents != ("*",) and not any(speaks_of(loaded, name) for name in sections.agents)
    ]
    gates = [rule for loaded in files.all() for rule in loaded.rules if rule.approval is not None]
    if gates and not any(operator.may(Role.APPROVER) for operator in sections.operators.values()):
        span = gates[0].span
        message = "this rule asks a human, and no operator has the role `approver`"
        notices.append(Finding(span.file, span.line, span.column, message))
    return notices


def _converted(findings: Iterable[PolicyFinding]) -> list[Finding]:
    return [Finding(each.file, each.line, each.column, each.message, each.fix) for each in findings]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
