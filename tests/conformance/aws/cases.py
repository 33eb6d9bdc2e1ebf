"""Reads the tables beside this file: operations with params, and the exact pairs they need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from connectors.aws.catalogue.place import UNKNOWN, Place

FOLDER = Path(__file__).parent / "overrides"
PLACE = Place("aws", "eu-central-1", "123456789012")
UNKNOWN_PART = "(unknown)"
HERE = f"{PLACE.region}:{PLACE.account}"


@dataclass(frozen=True)
class Case:
    """One operation with params; `needs` is None where it is refused."""

    operation: str
    params: dict[str, Any]
    needs: tuple[tuple[str, str], ...] | None


def cases() -> list[Case]:
    """Return every case, in the order of files and lines."""
    return [_case(row) for path in sorted(FOLDER.glob("*.yaml")) for row in yaml.safe_load(path.read_text("utf-8"))]


def spelled(pair: str) -> tuple[str, str]:
    """Return the action and the resource of a pair as a table writes it."""
    action, _, resource = pair.partition(" ")
    return action, resource.replace(UNKNOWN_PART, UNKNOWN).replace(":HERE:", f":{HERE}:")


def _case(row: dict[str, Any]) -> Case:
    assert set(row) in ({"do", "with", "needs"}, {"do", "with", "refused"}), row
    needs = None if "refused" in row else tuple(spelled(pair) for pair in row["needs"])
    return Case(row["do"], row["with"], needs)
