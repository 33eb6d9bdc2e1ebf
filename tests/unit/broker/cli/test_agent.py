from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from broker.cli import app

CONFIG = """\
version: 1
projects: {data: {description: numbers, connections: []}}
agents:
  reader: {project: data, description: reads}
  idle: {project: data}
operators: {ana: {roles: [admin]}}
connections: {}
"""
POLICY = """\
policies:
  - s3:GetObject on data-lake/raw/*
  - git:read on repos/*
"""


def _run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(folder), "agent", *words])


def _write(folder: Path) -> None:
    (folder / "policies").mkdir(parents=True)
    (folder / "ostiary.yaml").write_text(CONFIG)
    (folder / "policies" / "reader.yaml").write_text(POLICY)


def test_agents_are_listed_with_their_rules(tmp_path: Path) -> None:
    _write(tmp_path)
    result = _run(tmp_path, "list", "-o", "json")
    assert result.exit_code == 0, result.stderr
    shown = {row["agent"]: (row["project"], row["rules"]) for row in json.loads(result.stdout)}
    assert shown == {"reader": ("data", 2), "idle": ("data", 0)}


def test_one_agent_is_shown_with_its_connections(tmp_path: Path) -> None:
    _write(tmp_path)
    result = _run(tmp_path, "show", "reader", "-o", "json")
    shown = json.loads(result.stdout)
    assert (shown["connections"], shown["description"]) == ([], "reads")
    assert _run(tmp_path, "show", "nobody").exit_code == 2


def test_a_configuration_that_cannot_be_used_exits_2_with_its_place(tmp_path: Path) -> None:
    _write(tmp_path)
    (tmp_path / "ostiary.yaml").write_text(CONFIG.replace("roles", "rolls"))
    result = _run(tmp_path, "list")
    assert result.exit_code == 2
    assert "ostiary.yaml:6" in result.stderr
