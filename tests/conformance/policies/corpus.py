"""Reads the corpus beside this file: policies, questions and expected answers as data, for whoever answers them.

A group is a set of policy files (by their names in a configuration folder) with questions; a refusal is a text that
must not load, with the place of its first fault. Every other implementation of the language must give the same
answers, so nothing here knows how they are computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
REFUSALS = "refused.yaml"
AGENT = "bot"
PROJECT = "p"
NOW = "2026-11-20T12:00:00Z"
UNKNOWN_PART = "(unknown)"


@dataclass(frozen=True)
class Question:
    """One question to a group of policies; `rule` and `layer` are None where any will do.

    `returns_secrets` is None where the action says it.
    """

    group: str
    files: dict[str, str]
    session: tuple[tuple[str, ...], ...]
    ask: tuple[str, ...]
    expect: str
    rule: str | None
    layer: str | None
    context: dict[str, Any]
    uses: dict[str, int]
    project: str
    now: str | None
    returns_secrets: bool | None

    @property
    def id(self) -> str:
        rest = f"{self.context or ''}{self.uses or ''} {self.now} {self.returns_secrets}"
        return f"{self.group}: {', '.join(self.ask)} {rest}"


@dataclass(frozen=True)
class Refusal:
    """A text that must not load; `strict_yaml` says whether it is YAML, `schema` whether a schema can refuse it."""

    name: str
    file: str
    text: str
    line: int
    column: int
    strict_yaml: bool
    schema: bool


def questions() -> list[Question]:
    """Return every question, in the order of files and lines."""
    paths = sorted(path for path in FOLDER.glob("*.yaml") if path.name != REFUSALS)
    groups = [group for path in paths for group in yaml.safe_load(path.read_text("utf-8"))]
    return [_question(group, asked) for group in groups for asked in group["requests"]]


def refusals() -> list[Refusal]:
    """Return every text that must not load."""
    found = []
    for each in yaml.safe_load((FOLDER / REFUSALS).read_text("utf-8")):
        line, column = map(int, each["refused"].split(":"))
        file = each.get("file", f"policies/{AGENT}.yaml")
        marks = each.get("yaml", True), each.get("schema", True)
        found.append(Refusal(each["name"], file, each["policy"], line, column, *marks))
    return found


def _question(group: dict[str, Any], asked: dict[str, Any]) -> Question:
    _closed(group, {"name", "policy", "files", "session", "requests"})
    _closed(asked, {"ask", "expect", "rule", "layer", "context", "uses", "project", "now", "returns_secrets"})
    ask = (asked["ask"],) if isinstance(asked["ask"], str) else tuple(asked["ask"])
    files = group.get("files") or {f"policies/{AGENT}.yaml": group["policy"]}
    if "policy" in group:
        files = {**files, f"policies/{AGENT}.yaml": group["policy"]}
    return Question(
        group["name"], files, tuple(tuple(scope) for scope in group.get("session", ())), ask, asked["expect"],
        asked.get("rule"), asked.get("layer"), asked.get("context", {}), asked.get("uses", {}),
        asked.get("project", PROJECT), asked.get("now", NOW), asked.get("returns_secrets"),
    )  # fmt: skip


def _closed(data: dict[str, Any], known: set[str]) -> None:
    """A mistyped key of the corpus would make a case that tests nothing."""
    assert set(data) <= known, set(data) - known
