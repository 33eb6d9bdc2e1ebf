"""REST routes: method, path and query to the operations they can mean.

The most specific path that matches decides, a literal segment before a label before a greedy label, as AWS itself
routes. A path that matches it and then lacks its query is not tried against a less specific one: what AWS would read
as one operation is never read as another here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.aws.wire_in.request import split_query

_LABEL: Final = re.compile(r"\{([^{}]+)\}")
_LITERAL_RANK, _LABEL_RANK, _GREEDY_RANK, _END_RANK = range(4)
Specificity = tuple[int, ...]
"""One number per segment of a path; the smaller tuple is the more specific path."""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation's place.

    Args:
        operation: Its name.
        deprecated: botocore says so.
        labels: Names of the path's labels, in order.
        constants: Query parameters the operation is told by.
        query: Names of query parameters it needs.
        headers: Lower-case names of headers it needs.
    """

    operation: str
    deprecated: bool
    labels: tuple[str, ...]
    constants: Mapping[str, str]
    query: frozenset[str]
    headers: frozenset[str]

    @property
    def rank(self) -> tuple[int, int]:
        """How much of the request tells this operation from others of the same path."""
        return len(self.constants), len(self.query) + len(self.headers)

    def fits(self, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> bool:
        """Tell whether a request has what the operation needs."""
        return (
            all(query.get(name) == [value] for name, value in self.constants.items())
            and self.query <= query.keys()
            and self.headers <= headers.keys()
        )


@dataclass(frozen=True, slots=True)
class Match:
    """A route a request took.

    Args:
        route: The route.
        values: Label to the raw, still encoded, part of the path.
        strength: Compares matches of several services: specificity, then rank; the smallest is the best.
    """

    route: Route
    values: Mapping[str, str]
    strength: tuple[Specificity, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Template:
    pattern: re.Pattern[str]
    specificity: Specificity
    routes: list[Route] = field(default_factory=list)


class RouteTable:
    """The routes of one service.

    Args:
        operations: botocore's models of its operations.
    """

    def __init__(self, operations: Iterable[Any]) -> None:
        templates: dict[tuple[str, str], _Template] = {}
        for each in operations:
            path, _, _ = each.http["requestUri"].partition("?")
            shape = _LABEL.sub(lambda label: "{+}" if label.group(1).endswith("+") else "{}", path).rstrip("/")
            key = (each.http["method"], shape)
            templates.setdefault(key, _template(shape)).routes.append(_route(each))
        self._index: dict[tuple[str, str], list[_Template]] = {}
        for (method, shape), template in sorted(templates.items(), key=lambda item: item[1].specificity):
            first = shape.split("/")[1] if shape else ""
            self._index.setdefault((method, "" if first.startswith("{") else first), []).append(template)

    def match(
        self, method: str, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]
    ) -> tuple[Match, ...]:
        """Return the best matches, all equally good; empty when there is none.

        Args:
            method: HTTP method.
            path: Raw path.
            query: Decoded query, every value of a name.
            headers: Lower-case names to values.
        """
        first = path.split("/", 2)[1]
        for template in (*self._index.get((method, first), ()), *(self._index.get((method, ""), ()) if first else ())):
            found = template.pattern.fullmatch(path)
            if found is not None:
                return _best(template, found.groups(), query, headers)
        return ()


def _best(
    template: _Template, parts: tuple[str, ...], query: Mapping[str, list[str]], headers: Mapping[str, str]
) -> tuple[Match, ...]:
    fitting = [route for route in template.routes if route.fits(query, headers)]
    top = max((route.rank for route in fitting), default=(0, 0))
    strength = (template.specificity, (-top[0], -top[1]))
    return tuple(
        Match(route, dict(zip(route.labels, parts, strict=True)), strength) for route in fitting if route.rank == top
    )


def _template(shape: str) -> _Template:
    segments = shape.split("/")[1:]
    ranks = {"{}": _LABEL_RANK, "{+}": _GREEDY_RANK}
    patterns = {"{}": "([^/]+)", "{+}": "(.+)"}
    body = "".join(f"/{patterns.get(segment, re.escape(segment))}" for segment in segments)
    # SDKs differ on a slash at the end, and S3 reads ``/bucket/`` as the bucket; a greedy label takes it for its own.
    end = "" if shape.endswith("{+}") else "/?"
    specificity = (*(ranks.get(segment, _LITERAL_RANK) for segment in segments), _END_RANK)
    return _Template(re.compile(body + end, re.ASCII | re.DOTALL), specificity)


def _route(operation: Any) -> Route:  # noqa: ANN401 - botocore has no types
    path, _, constants = operation.http["requestUri"].partition("?")
    shape = operation.input_shape
    query, headers = set(), set()
    for member in () if shape is None else shape.required_members:
        traits = shape.members[member].serialization
        name = traits.get("name", member)
        if traits.get("location") == "querystring" and shape.members[member].type_name != "map":
            query.add(name)
        elif traits.get("location") == "header":
            headers.add(name.lower())
    return Route(
        operation=operation.name,
        deprecated=bool(operation.deprecated),
        labels=tuple(label.rstrip("+") for label in _LABEL.findall(path)),
        constants=dict(split_query(constants)),
        query=frozenset(query),
        headers=frozenset(headers),
    )
