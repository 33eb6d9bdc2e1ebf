"""The configuration folder to a `Configuration`, or every fault in it at once.

1. Read the files (`broker.config.files`), refusing what is no plain file.
2. Read ``ostiary.yaml`` section by section (`broker.config.sections`).
3. Load every policy against the actions the connectors can ask for.
4. Check what refers to what: project and owner of an agent, connections of a project, agents of policies, channels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final

from broker.canonical import canonical_bytes, digest
from broker.config.files import MAIN_FILE, POLICY_FOLDER, Folder, read_folder
from broker.config.model import Agent, Channel, ChannelKind, Configuration
from broker.config.sections import Sections, read_sections
from broker.errors import ConfigError, Finding
from broker.model import Operator, Role
from connectors.base import Connector
from policies.digest import policy_version
from policies.engine import CompiledPolicy, compile_policy
from policies.errors import Finding as PolicyFinding
from policies.errors import LoadError, YamlError, did_you_mean, quote
from policies.loader import DEFAULT_CHANNEL, load_policy
from policies.model import PolicySet

_DOMAIN: Final = "ostiary/configuration/v1"


def load_configuration(root: Path, connectors: Mapping[str, Connector]) -> Configuration:
    """Read and validate a configuration folder; reads no other file and no network.

    Args:
        root: The folder with ``ostiary.yaml`` and ``policies/``.
        connectors: By name; they say which options a connection has and which actions a rule can name.

    Raises:
        ConfigError: with every finding, in file and line order.
    """
    return _load(read_folder(root), root, connectors)


def load_files(files: Mapping[str, bytes], root: Path, connectors: Mapping[str, Connector]) -> Configuration:
    """Make a configuration of the files of one that was accepted before (`Configuration.files`).

    Args:
        files: Bytes by name.
        root: The folder they once stood in, for messages.
        connectors: By name.

    Raises:
        ConfigError: they do not fit this version of Ostiary any more.
    """
    return _load(Folder(files=dict(files)), root, connectors)


def _load(folder: Folder, root: Path, connectors: Mapping[str, Connector]) -> Configuration:
    findings = list(folder.findings)
    sections = Sections()
    if MAIN_FILE in folder.files:
        try:
            sections, found = read_sections(folder.files[MAIN_FILE], MAIN_FILE, connectors)
            findings += _converted(found)
        except YamlError as error:
            findings += _converted(error.findings)
    notices = list(folder.notices)
    policies = _load_policies(folder, asked_actions(connectors), findings, notices)
    channels = {DEFAULT_CHANNEL: Channel(DEFAULT_CHANNEL, ChannelKind.LOG), **sections.channels}
    # With a broken main file every name would be unknown; its own faults come first.
    if not any(finding.file == MAIN_FILE for finding in findings):
        findings += _cross_checks(policies, sections.agents, channels)
        notices += _gaps(policies, sections.agents, sections.operators)
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
        policies=MappingProxyType({name: _policy_of(name, policies) for name in sections.agents}),
        notices=tuple(sorted(notices, key=lambda finding: (finding.file, finding.line, finding.column))),
        files=MappingProxyType(folder.files),
    )


def asked_actions(connectors: Mapping[str, Connector]) -> dict[str, tuple[str, ...]]:
    """Return for every operation of every connector the actions it can ask policy for."""
    operations = [operation for connector in connectors.values() for operation in connector.operations.values()]
    return {each.action: each.permissions or (each.action,) for each in operations}


def _load_policies(
    folder: Folder, operations: Mapping[str, tuple[str, ...]], findings: list[Finding], notices: list[Finding]
) -> dict[str, CompiledPolicy]:
    policies = {}
    actions = frozenset(action for asked in operations.values() for action in asked)
    for file, data in folder.files.items():
        if not file.startswith(f"{POLICY_FOLDER}/"):
            continue
        try:
            loaded = load_policy(data, file=file, known_actions=actions, operations=operations)
        except (YamlError, LoadError) as error:
            findings += _converted(error.findings)
            continue
        notices += _converted(loaded.notices)
        policies[PurePosixPath(file).stem] = compile_policy(loaded.policy)
    return policies


def _cross_checks(
    policies: Mapping[str, CompiledPolicy], agents: Mapping[str, Agent], channels: Mapping[str, Channel]
) -> list[Finding]:
    findings = []
    for name, compiled in policies.items():
        if name not in agents:
            file = f"{POLICY_FOLDER}/{name}.yaml"
            fix = did_you_mean(name, agents) or f"declare it under `agents:` in `{MAIN_FILE}`"
            findings.append(Finding(file, 1, 1, f"the policy of an unknown agent {quote(name)}", fix))
        for rule in compiled.policy.rules:
            if rule.approval is not None and rule.approval.channel not in channels:
                message = f"unknown channel {quote(rule.approval.channel)}"
                fix = did_you_mean(rule.approval.channel, channels) or f"declare it under `channels:` in `{MAIN_FILE}`"
                findings.append(Finding(rule.span.file, rule.span.line, rule.span.column, message, fix))
    return findings


def _gaps(
    policies: Mapping[str, CompiledPolicy], agents: Mapping[str, Agent], operators: Mapping[str, Operator]
) -> list[Finding]:
    """Return what is valid and probably not meant."""
    notices = [
        Finding(f"{POLICY_FOLDER}/{name}.yaml", 1, 1, f"no policy for agent {quote(name)}: everything is denied")
        for name in agents
        if name not in policies
    ]
    gates = [rule for compiled in policies.values() for rule in compiled.policy.rules if rule.approval is not None]
    if gates and not any(operator.may(Role.APPROVER) for operator in operators.values()):
        span = gates[0].span
        message = "this rule asks a human, and no operator has the role `approver`"
        notices.append(Finding(span.file, span.line, span.column, message))
    return notices


def _policy_of(agent: str, policies: Mapping[str, CompiledPolicy]) -> CompiledPolicy:
    return policies.get(agent) or compile_policy(PolicySet(agent, (), policy_version(agent, ())))


def _converted(findings: Iterable[PolicyFinding]) -> list[Finding]:
    return [Finding(each.file, each.line, each.column, each.message, each.fix) for each in findings]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
