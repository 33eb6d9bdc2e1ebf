"""Writes the list of all rows; run it after a table changed and read what it changes.

Each line: an operation, the params its row looks at, and the pairs it needs when no param is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session

from connectors.aws.catalogue.overrides import OVERRIDES
from connectors.aws.catalogue.overrides.table import Row
from connectors.errors import InvalidParamsError
from tests.conformance.aws.cases import HERE, PLACE, UNKNOWN_PART

LIST = Path(__file__).parent / "rows.txt"
NOTHING = "refused"
_DEPTH = 6


class Watched(dict[str, Any]):
    """A structure that remembers which members were asked for."""

    def __init__(self, path: str, seen: set[str]) -> None:
        super().__init__()
        self.path = path
        self.seen = seen

    def get(self, name: str, default: Any = None) -> Any:
        self.seen.add(f"{self.path}{name}")
        return super().get(name, default)


@cache
def input_shape(operation: str) -> Any:
    """Return the shape of an operation's params; None when it takes none."""
    service, name = operation.split(":")
    return _model(service).operation_model(name).input_shape


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def asked(operation: str) -> set[str]:
    """Return every member that a row looks at, nested ones with their path."""
    row, seen = OVERRIDES[operation], set[str]()
    shape = input_shape(operation)
    params = Watched("", seen) if shape is None else _filled(shape, "", seen, 0)
    for need in row.needs if isinstance(row, Row) else ():
        try:
            if need.when is not None:
                need.when(params)
            list(need.of(params, PLACE))
        except InvalidParamsError:
            continue
    return seen


def _filled(shape: Any, path: str, seen: set[str], depth: int) -> Any:
    match shape.type_name:
        case "structure":
            made = Watched(path, seen)
            for name, member in shape.members.items() if depth < _DEPTH else ():
                made[name] = _filled(member, f"{path}{name}.", seen, depth + 1)
            return made
        case "list":
            return [_filled(shape.member, path, seen, depth + 1)]
        case "map":
            return {"key": _filled(shape.value, path, seen, depth + 1)}
        case "boolean":
            return True
        case _:
            return ""


def pairs(operation: str) -> list[str]:
    """Return what an operation needs when no param is given."""
    try:
        needs = OVERRIDES[operation]({}, PLACE)
    except InvalidParamsError:
        return [NOTHING]
    short = ((need.action, need.resource.replace(f":{HERE}:", ":HERE:")) for need in needs)
    return [f"{action} {resource}".replace("\x00", UNKNOWN_PART) for action, resource in short]


def lines() -> Iterator[str]:
    """Return the list, line by line."""
    for operation in sorted(OVERRIDES):
        tops = sorted(name for name in asked(operation) if "." not in name and name in members_of(operation))
        yield f"{operation} | {' '.join(tops)} | {', '.join(pairs(operation))}"


def members_of(operation: str) -> frozenset[str]:
    """Return the top-level members of an operation."""
    shape = input_shape(operation)
    return frozenset() if shape is None else frozenset(shape.members)


if __name__ == "__main__":
    LIST.write_text("".join(f"{line}\n" for line in lines()), "utf-8")
