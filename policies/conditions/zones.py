"""Time zones by their IANA names, from the pinned ``tzdata`` package alone.

The machine's own zone files are not asked: the same policy must give the same answer on every machine of a fleet, and
a machine may know names that others do not (``localtime``). A zone is read when a rule is validated or compiled and
stays in memory; no decision reads one.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo


@cache
def zone_names() -> frozenset[str]:
    """Return every name `load_zone` knows."""
    return frozenset(files("tzdata").joinpath("zones").read_text("ascii").split())


def load_zone(name: str) -> ZoneInfo | None:
    """Return a zone by its exact name, as ``Europe/Berlin``; None when there is no such zone."""
    return _read(name) if name in zone_names() else None


@cache
def _read(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)
