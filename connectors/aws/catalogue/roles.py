"""Roles that a request hands to AWS: whoever passes one needs ``iam:PassRole`` on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from connectors.aws.catalogue.model import Entry
from connectors.aws.catalogue.paths import values_at
from connectors.aws.catalogue.place import UNKNOWN, Params, Place
from connectors.aws.catalogue.templates import printable
from policies.model import Requirement

PASS_ROLE: Final = "iam:PassRole"  # noqa: S105 - an action
_ROLE_ARN: Final = re.compile(r"arn:[^:]*:iam::[^:]*:role/.+", re.DOTALL)
_UNNAMED: Final = "!"
_ONLY_ARNS: Final = "?"


def passed_roles(entry: Entry, params: Params, place: Place) -> Iterator[Requirement]:
    """Yield what passing the roles of a request asks for.

    A role's ARN is used as it is, so that a foreign account shows. A plain name lacks the role's path, and an instance
    profile lacks its role: what is not known is `UNKNOWN`.

    Raises:
        InvalidParamsError: a value holds what no name of a role can hold.
    """
    for member in entry.role_members:
        mark = member[-1]
        for value in values_at(params, member.rstrip(_UNNAMED + _ONLY_ARNS)):
            role = _role(value, mark, place)
            if role:
                yield Requirement(PASS_ROLE, role)


def _role(value: Any, mark: str, place: Place) -> str:  # noqa: ANN401 - JSON
    """Return the ARN of the role a value passes, empty for none."""
    if isinstance(value, str) and mark != _UNNAMED and _ROLE_ARN.fullmatch(value):
        return printable(value)
    if mark == _ONLY_ARNS or value in ("", [], {}):
        return ""
    named = isinstance(value, str) and mark != _UNNAMED and not value.startswith("arn:")
    name = printable(value) if named else ""
    return f"arn:{place.partition}:iam::{place.account}:role/{UNKNOWN}{name}"
