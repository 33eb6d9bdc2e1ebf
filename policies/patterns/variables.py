"""Variables of a pattern: ``${agent.id}``, ``${project}``, ``${session.<claim>}``, whose value the request brings.

A value is literal text: a ``*`` in it is a character. It must fit the shape the pattern writes:

- ``${name}``: one segment or a part of one, so neither ``/`` nor ``:``;
- ``${name=*/*}``: exactly two segments with a ``/`` between them, none of them empty;
- ``${name=**}``: any text.

No value is empty or holds a control character. A value that is missing or does not fit is None: what grants then does
not apply, what forbids applies as if the variable were ``**``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from policies.model import AccessRequest

MAX_VALUE_CHARS: Final = 128
"""Characters of a value; a longer one does not fit. Looking for it costs its length for each character asked."""

VARIABLE: Final = re.compile(r"\$\{(?P<name>agent\.id|project|session\.[A-Za-z0-9_.-]+)(?:=(?P<shape>\*/\*|\*\*))?\}")
"""How a pattern writes a variable; any other ``$`` is a character."""

_SEGMENT: Final = "[^/:\x00-\x1f\x7f]+"
_SHAPES: Final = {
    "": re.compile(_SEGMENT),
    "*/*": re.compile(f"{_SEGMENT}/{_SEGMENT}"),
    "**": re.compile("[^\x00-\x1f\x7f]+"),
}


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable as a pattern writes it.

    Args:
        name: ``agent.id``, ``project`` or ``session.<claim>``.
        shape: What its value may be: empty for one segment, ``*/*`` for two, ``**`` for anything.
    """

    name: str
    shape: str = ""


Values = tuple[str | None, ...]
"""A value for each variable of a pattern, in its order; None where there is none that fits."""


def values_of(variables: tuple[Variable, ...], request: AccessRequest) -> Values:
    """Return what a request says for each variable."""
    return tuple(_value_of(variable, request) for variable in variables)


def _value_of(variable: Variable, request: AccessRequest) -> str | None:
    if variable.name == "agent.id":
        fact: object = request.agent
    elif variable.name == "project":
        fact = request.project
    else:
        fact = request.context.get(variable.name)
    if not isinstance(fact, str) or len(fact) > MAX_VALUE_CHARS:
        return None
    return fact if _SHAPES[variable.shape].fullmatch(fact) is not None else None
