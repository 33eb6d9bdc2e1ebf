"""Facts a condition looks at: where each one comes from, and the params of an operation as facts.

Who asks and when stand in the request itself (``agent.id``, ``project``, ``time``) and are never read from its context,
so no caller's label can pose as them. Everything else is in the context under its dotted name: ``source_ip``,
``agent.owner``, ``session.id``, ``session.owner``, ``session.LABEL``, ``rate_class``, ``params.NAME``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policies.model import AccessRequest, Fact, Scalar

MAX_DEPTH: Final = 8
"""Levels of lists and mappings in the params; what lies deeper is not known to conditions."""
MAX_LEAVES: Final = 512
"""Values of one operation's params; the ones after them are not known to conditions."""

MAX_FACT_CHARS: Final = 4096
"""Characters of one text; a longer one is not known to conditions."""
MAX_PARAMS_CHARS: Final = 64 << 10
"""Characters of all texts of one operation's params; together with `MAX_LEAVES` it bounds what a request can cost."""

TIME: Final = "time"
AGENT_ID: Final = "agent.id"
PROJECT: Final = "project"

VARIABLE: Final = re.compile(r"\$\{([^{}$]*)\}")
"""A variable in a value, as ``${agent.id}``; the group is its name."""

_SESSION_FACT: Final = re.compile(r"session\.[a-z0-9][a-z0-9._/-]{0,62}")
"""``session.`` and the name of a label, as sessions are given them; ``id`` and ``owner`` are always there."""


def is_session_fact(key: str) -> bool:
    """Tell whether a key names a fact of the session."""
    return _SESSION_FACT.fullmatch(key) is not None


def is_variable(name: str) -> bool:
    """Tell whether ``${name}`` is a variable."""
    return name in {AGENT_ID, PROJECT} or is_session_fact(name)


def fact_of(request: AccessRequest, key: str) -> Fact | None:
    """Return what a request says about a key; None when it says nothing."""
    if key == AGENT_ID:
        return request.agent or None
    if key == PROJECT:
        return request.project or None
    return request.now_ns if key == TIME else request.context.get(key)


def variable_of(request: AccessRequest, name: str) -> str | None:
    """Return the text a variable stands for in one request; None when it is not known, empty or no text."""
    value = fact_of(request, name)
    return value if isinstance(value, str) and value else None


def flatten_params(params: Mapping[str, object], prefix: str = "params") -> dict[str, Fact]:
    """Return an operation's params as facts, keyed by dotted path.

    A list is one fact, the tuple of what every item has under the path: ``Objects: [{Key: a}, {Key: b}]`` is
    ``params.Objects.Key`` = ``("a", "b")``. A path that only some of the items have is left out altogether, since the
    rest of the list would pass for the whole; so is whatever is no text, whole number or boolean (a float, a null),
    is too long, lies deeper than `MAX_DEPTH`, or comes after `MAX_LEAVES` values or `MAX_PARAMS_CHARS` characters. A
    key with a dot in it has no path.

    Args:
        params: The parsed params, JSON-like.
        prefix: First part of every key.
    """
    found = _Flattening(MAX_LEAVES, MAX_PARAMS_CHARS).of(params, MAX_DEPTH)
    return {prefix + path: fact for path, fact in found.items() if fact is not None}


_Found = dict[str, Fact | None]
"""Facts by path below the present value (empty, or beginning with a dot); None marks one that must not be used."""


@dataclass(slots=True)
class _Flattening:
    """One walk over the params, with what is left of its budget."""

    leaves: int
    chars: int

    def of(self, value: object, depth: int) -> _Found:
        if depth and value and isinstance(value, Mapping):
            return self._of_mapping(value, depth)
        if depth and value and isinstance(value, (list, tuple)):
            return self._of_list(value, depth)
        # Everything that is not entered counts, empty containers too: that bounds the walk.
        self.leaves -= 1
        if isinstance(value, (list, tuple)) and not value:
            return {"": ()}
        if isinstance(value, str) and len(value) <= MAX_FACT_CHARS:
            self.chars -= len(value)
            return {"": value if self.chars >= 0 and self.leaves >= 0 else None}
        return {"": value if isinstance(value, int) and self.leaves >= 0 else None}

    def _of_mapping(self, value: Mapping[object, object], depth: int) -> _Found:
        found: _Found = {}
        for key, item in value.items():
            if self.leaves <= 0:
                break
            if not isinstance(key, str) or "." in key or not key:
                self.leaves -= 1
                continue
            for path, fact in self.of(item, depth - 1).items():
                found[f".{key}{path}"] = fact
        return found

    def _of_list(self, items: Sequence[object], depth: int) -> _Found:
        parts: list[_Found] = []
        for item in items:
            if self.leaves <= 0:
                parts.append({})  # an item nobody looked at has no path: no fact of this list is whole
                break
            parts.append(self.of(item, depth - 1))
        return {path: _joined(parts, path) for part in parts for path in part}


def _joined(parts: list[_Found], path: str) -> Fact | None:
    joined: list[Scalar] = []
    for part in parts:
        fact = part.get(path)
        if fact is None:
            return None
        joined.extend(fact if isinstance(fact, tuple) else (fact,))
    return tuple(joined)
