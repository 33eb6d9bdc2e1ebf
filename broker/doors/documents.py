"""Parts of the OpenAPI document that routes give: their problems and their request bodies."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from broker.doors.problems import MEDIA_TYPE, TABLE, JsonObject
from broker.outcome import ProblemKind

PROBLEM_REF: Final = "#/components/schemas/ProblemView"

EVERYWHERE: Final = (
    ProblemKind.UNAUTHENTICATED,
    ProblemKind.SESSION_EXPIRED,
    ProblemKind.FORBIDDEN,
    ProblemKind.MALFORMED_REQUEST,
    ProblemKind.STORE_UNAVAILABLE,
    ProblemKind.INTERNAL,
)
"""What any route with a token can answer."""


def problems(*kinds: ProblemKind) -> dict[int | str, JsonObject]:
    """Return the ``responses`` of a route that can answer ``kinds`` and what every route can."""
    by_status: dict[int, list[str]] = {}
    for kind in (*EVERYWHERE, *kinds):
        names = by_status.setdefault(TABLE[kind][0], [])
        if kind.value not in names:
            names.append(kind.value)
    return {
        status: {
            "description": "Problem: " + ", ".join(f"`{name}`" for name in sorted(by_status[status])),
            "content": {MEDIA_TYPE: {"schema": {"$ref": PROBLEM_REF}}},
        }
        for status in sorted(by_status)
    }


def body_of(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Return the ``requestBody`` of a route that reads ``model`` by itself, strictly."""
    schema = model.model_json_schema()
    # A reference would lead into the document, where the definitions of this schema do not stand.
    schema = _inlined(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def _inlined(schema: Any, named: JsonObject) -> Any:  # noqa: ANN401 - JSON
    """Return a schema with each definition where it is referred to; none of ours refers to itself."""
    if isinstance(schema, list):
        return [_inlined(each, named) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(named[schema["$ref"].rpartition("/")[2]], named)
    return {name: _inlined(value, named) for name, value in schema.items()}
