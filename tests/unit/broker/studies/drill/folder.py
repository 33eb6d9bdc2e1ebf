"""Configuration folders for the drill."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from broker.config.loader import load_configuration
from broker.config.model import Configuration
from connectors.base import Connector

MAIN = """\
version: 1
projects:
  desk: {connections: [own]}
  shop: {connections: [other]}
agents:
  scribe: {project: desk}
  clerk: {project: shop}
operators:
  olivia: {roles: [admin]}
  alice: {roles: [approver]}
connections:
  own: {connector: paper, credential: paper/one}
  other: {connector: paper, credential: paper/two}
"""

SCRIBE = """\
policies:
  - paper:Read on sheets/*
  - allow: paper:Write on sheets/gated
    requires_approval: true
"""


def configured(folder: Path, connectors: Mapping[str, Connector], main: str, **policies: str) -> Configuration:
    """The configuration of these files, `policies` by agent."""
    config = folder / "config"
    (config / "policies").mkdir(parents=True)
    (config / "ostiary.yaml").write_text(main)
    for agent, text in policies.items():
        (config / "policies" / f"{agent}.yaml").write_text(text)
    return load_configuration(config, connectors)
