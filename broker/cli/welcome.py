"""What `ostiary up` says when all is ready: where it is, what it made, and the next three commands.

The commands fit the configuration in force, the untouched starter included, and can be typed as they are printed: the
credential is the one its connection names, bound to that connection's host, and what is asked for is something that a
rule of the agent allows. The last one is a dry run, as nobody knows here which objects there are.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from policies.model import Effect

if TYPE_CHECKING:
    from broker.config.model import Agent, Configuration
    from broker.settings import Settings
    from connectors.base import Connection

_NAME: Final = "NAME"
"""Stands where a rule says `*`."""
_KINDS: Final = {"aws": "aws", "git": "basic"}
"""Connector -> the usual kind of its credential."""
_OBJECT: Final = re.compile(r"arn:aws[a-z-]*:s3:::([^/]+)/(.+)")


def kept_files(settings: Settings) -> list[Path]:
    """Return what a first start makes and people should know of."""
    root = settings.config_dir
    policies = sorted((root / "policies").glob("*.yaml"))
    key_file = [settings.key_file] if settings.key_file is not None else []
    ledger = [] if settings.database_url else [settings.data / "ledger.sqlite3"]
    return [root / "ostiary.yaml", *policies, *ledger, settings.vault_storage, *key_file]


def welcome(settings: Settings, configuration: Configuration, made: list[Path], url: str) -> list[str]:
    """Return the lines.

    Args:
        settings: How this instance runs.
        configuration: In force.
        made: What this start made.
        url: Of the API.
    """
    ostiary = _command(settings)
    agent = next(iter(sorted(configuration.agents.values(), key=lambda each: each.name)), None)
    steps = [f"  add an agent to {settings.config_dir / 'ostiary.yaml'}", f"  {ostiary} reload"]
    if agent is not None:
        steps = list(_steps(ostiary, configuration, agent))
    if settings.vault_storage in made and settings.key_file is None:
        steps.insert(0, f"  {ostiary} vault initialise")
    elif settings.key_file is None and not settings.vault_kms_key:
        steps.insert(0, f"  {ostiary} vault unseal")
    return [f"ostiary is running: {url}", *(f"  made {path}" for path in made), "next, in another terminal:", *steps]


def _steps(ostiary: str, configuration: Configuration, agent: Agent) -> Iterator[str]:
    connections = [configuration.connections[name] for name in configuration.projects[agent.project].connections]
    connector, ask = _ask(configuration, agent.name)
    wanted = [each for each in connections if each.connector == connector] or connections
    if wanted:
        kind = _KINDS.get(wanted[0].connector, "bearer")
        host = shlex.quote(_host(wanted[0]))
        yield f"  {ostiary} vault put {wanted[0].credential} --kind {kind} --host {host}"
    yield f"  {ostiary} session start --agent {agent.name}"
    yield f"  OSTIARY_TOKEN=TOKEN {ostiary} do {ask} --dry-run"


def _command(settings: Settings) -> str:
    """Return how `ostiary` is called from where it was started: the bootstrap puts it on no shell's PATH."""
    program = Path(sys.argv[0]).absolute()
    here = Path.cwd()
    name = "ostiary"
    if program.name == name:
        name = str(program.relative_to(here)) if program.is_relative_to(here) else str(program)
    given = [] if settings.data == here / "ostiary-data" else ["--data", str(settings.data)]
    if "OSTIARY_CONFIG" not in os.environ and settings.config_dir != settings.data / "config":
        given += ["--config", str(settings.config_dir)]
    return shlex.join([name, *given])


def _ask(configuration: Configuration, agent: str) -> tuple[str, str]:
    """Return the connector and the words of something the agent's rules allow."""
    allowed = [rule for rule in configuration.policies[agent].policy.rules if rule.effect is Effect.ALLOW]
    pairs = [(action, name) for rule in allowed for action in rule.actions for name in rule.resources]
    for action, name in pairs:
        found = _OBJECT.fullmatch(name)
        if action == "s3:GetObject" and found is not None:
            bucket, key = (re.sub(r"\*+", _NAME, part) for part in found.groups())
            return "aws", shlex.join([action, f"Bucket={bucket}", f"Key={key}"])
    for action, name in pairs:
        parts = name.split("/")[1:3]
        if action == "git:read" and name.startswith("repos/"):
            owner, repo = [*parts, "*"][:2]
            return "git", shlex.join([action, f"repo={owner.replace('*', 'owner')}/{repo.replace('*', 'name')}"])
    return "aws", "s3:GetObject Bucket=NAME Key=NAME"


def _host(connection: Connection) -> str:
    """Return the host a credential for a connection is bound to: its own endpoint's, else all of AWS."""
    from connectors.aws.connection import DNS_SUFFIXES

    if connection.connector == "llm":
        from connectors.llm.connection import LlmConnection

        return LlmConnection.model_validate(connection.options).upstreams[0].host
    written = connection.options.get("endpoint") or connection.options.get("url")
    return urlsplit(str(written)).netloc if written else "*." + DNS_SUFFIXES[connection.options["partition"]]
