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
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}
