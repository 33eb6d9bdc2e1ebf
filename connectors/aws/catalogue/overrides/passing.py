"""Handing a role to a service: ``iam:PassRole`` on the role.

A role that is given by its name alone has a path nobody can tell from the request, so its path is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors.aws.catalogue.overrides.kinds import PATH, Kind, Resources, Scope
from connectors.aws.catalogue.overrides.table import Need
from connectors.aws.catalogue.overrides.values import Test
from connectors.aws.catalogue.place import UNKNOWN, Params, Place

_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+", re.DOTALL)


def with_path(name: str) -> str:
    """Return a name behind an unknown path, unless it carries one."""
    return name.lstrip("/") if "/" in name else UNKNOWN + name


ROLE: Final = Kind("iam", "role/{}", Scope.GLOBAL, PATH, spell=with_path)


def passes(*paths: str, when: Test | None = None) -> tuple[Need, ...]:
    """Return the need to pass the roles at these paths, where there are any."""
    return tuple(Need("iam:PassRole", ROLE.where(path), when) for path in paths)


def passes_some_role(when: Test | None = None) -> Need:
    """Return the need to pass a role that the params do not tell."""
    return Need("iam:PassRole", ROLE.some(), when)


def passes_any(path: str = "") -> Need:
    """Return the need to pass every role whose ARN stands anywhere in the params, or in one member of them."""
    return Need("iam:PassRole", _roles_in(path))


def _roles_in(path: str) -> Resources:
    def resources(params: Params, place: Place) -> Iterator[str]:
        for role in _role_arns(params.get(path) if path else params):
            yield ROLE.read(role, place, path or "params")

    return resources


def _role_arns(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever a param holds
    if isinstance(value, str):
        if _ROLE.fullmatch(value) is not None:
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _role_arns(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _role_arns(item)
