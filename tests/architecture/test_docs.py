"""What a user can set, call, run or read in the ledger is on a page of its room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.cli import COMMANDS, load
from broker.settings import CLIENT_VARIABLES, PREFIX, Settings
from broker.store.base import EventType
from connectors.base import LargeCatalogue
from connectors.registry import build_connectors
from tests.architecture.tree import ROOT, files, name_of

PAGES = {
    "settings": ROOT / "deploy" / "README.md",
    "events": ROOT / "broker" / "ledger" / "README.md",
    "commands": ROOT / "broker" / "cli" / "README.md",
    "bootstrap": ROOT / "deploy" / "README.md",
}


def missing(page: Path, names: list[str]) -> list[str]:
    """Names that a page does not show as code: in backticks, or at the start of a line of a code block."""
    text = page.read_text("utf-8")
    lines = [line.strip() for line in text.splitlines()]
    return [
        name
        for name in names
        if f"`{name}`" not in text
        and f"`{name} " not in text
        and not any(line == name or line.startswith(f"{name} ") for line in lines)
    ]


def commands(command: Any, path: str) -> Iterator[str]:
    """Full names of a command line's commands, without the hidden ones; Typer brings its own click, hence Any."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path
        return
    for name, child in children.items():
        if not child.hidden:
            yield from commands(child, f"{path} {name}")


def test_every_setting_is_documented() -> None:
    names = [PREFIX + name.upper() for name in Settings.model_fields]
    assert missing(PAGES["settings"], names + sorted(CLIENT_VARIABLES)) == []


def test_every_setting_says_what_it_does_where_it_is_defined() -> None:
    assert [name for name in Settings.model_fields if f" {name}: " not in (Settings.__doc__ or "")] == []


def test_every_event_type_is_documented() -> None:
    assert missing(PAGES["events"], [kind.value for kind in EventType]) == []


def test_every_command_is_documented() -> None:
    names = [full for name in COMMANDS for full in commands(load(name), f"ostiary {name}")]
    assert len(names) > 10
    assert missing(PAGES["commands"], names) == []


def test_every_operation_is_documented_by_its_connector() -> None:
    for name, connector in build_connectors().items():
        page = ROOT / "connectors" / name / "README.md"
        text = (page if page.exists() else ROOT / "connectors" / "README.md").read_text("utf-8")
        if isinstance(connector.operations, LargeCatalogue):
            assert f"{len(connector.operations):,}".replace(",", " ") in text, name
            continue
        assert [action for action in connector.operations if f"`{action}`" not in text] == [], name


@pytest.mark.parametrize("name", ["up", "tour", "test", "bench", "setup", "catalogue", "github-catalogue", "lock"])
def test_every_command_of_the_bootstrap_is_documented(name: str) -> None:
    assert missing(PAGES["bootstrap"], [f"python3 deploy/bootstrap.py {name}"]) == []


def test_links_between_our_pages_lead_somewhere() -> None:
    dead = [
        (name_of(page), target)
        for page in files()
        if page.suffix == ".md"
        for target in _relative_links(page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert dead == []


def _relative_links(text: str) -> Iterator[str]:
    for part in text.split("](")[1:]:
        target = part.partition(")")[0].partition("#")[0]
        if target and "://" not in target and not target.startswith("mailto:"):
            yield target
