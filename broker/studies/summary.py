"""Many resources summed up as few patterns: exact where they are few, everything below a place where they are many.

The resources of one type are taken apart into the variables of its template, and each variable is summed up for
itself, segment by segment from the left: up to `FEW` different segments are named one by one, more become a ``*``.
``raw/2024/a`` to ``raw/2024/z`` is ``raw/2024/*``; five of them would be five names. A resource without a type is taken
as one variable.

Only what can be written is taken: a name with a ``*`` or a space in it has no literal form in the language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from policies.answers.fixes import literal_rule
from policies.model import Requirement
from policies.resources.catalogue import Catalogue

FEW: Final = 5
"""Up to so many different segments at one place are named one by one."""

_VARIABLE: Final = re.compile(r"\{([^}=]+)(?:=[^}]*)?\}")
_WHOLE: Final = "{resource=**}"
"""The template of a resource that has no type."""

_Row = Mapping[str, str]


def sum_up(needed: Iterable[Requirement], catalogue: Catalogue) -> tuple[str, ...]:
    """Return allow rules that cover everything needed that can be written, sorted.

    Args:
        needed: What was asked.
        catalogue: Types of resources.
    """
    rules: set[str] = set()
    groups: dict[tuple[str, str], list[_Row]] = {}
    for requirement in sorted(set(needed)):
        if not literal_rule(requirement, catalogue):
            continue
        found = catalogue.type_of(requirement.action, requirement.resource)
        template, row = (found[0].template, found[1]) if found else (_WHOLE, {"resource": requirement.resource})
        groups.setdefault((requirement.action, template), []).append(row)
    for (action, template), rows in groups.items():
        for pieces in _combinations(_VARIABLE.findall(template), rows):
            resource = _written(template, pieces)
            literal = "" if "*" in resource else literal_rule(Requirement(action, resource), catalogue)
            rules.add(literal or f"{action} on {resource}")
    return tuple(sorted(rules))


def _combinations(names: Sequence[str], rows: list[_Row]) -> list[dict[str, str]]:
    """Return the pieces that stand for each variable, for as few combinations as cover the rows."""
    if not names:
        return [{}]
    name, rest = names[0], names[1:]
    pieces = _pieces({row[name] for row in rows})
    found = []
    for piece in sorted(set(pieces.values())):
        own = [row for row in rows if pieces[row[name]] == piece]
        found += [{name: piece, **others} for others in _combinations(rest, own)]
    return found


def _pieces(values: set[str]) -> dict[str, str]:
    """Return for each value of a variable the piece of a pattern that stands for it."""
    return {value: "/".join(path) for value, path in _paths({value: value.split("/") for value in values}).items()}


def _paths(values: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return for each value, given by what is left of its segments, the segments of its piece."""
    found: dict[str, list[str]] = {value: [] for value, segments in values.items() if not segments}
    heads = {segments[0] for segments in values.values() if segments}
    if len(heads) > FEW:
        return {value: ["*"] if segments else [] for value, segments in values.items()}
    for head in heads:
        below = {value: segments[1:] for value, segments in values.items() if segments and segments[0] == head}
        found.update({value: [head, *path] for value, path in _paths(below).items()})
    return found


def _written(template: str, pieces: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda variable: pieces[variable[1]], template)
