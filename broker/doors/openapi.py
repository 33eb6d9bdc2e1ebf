"""The OpenAPI 3.1 document: what FastAPI derives from its routes, and what it cannot see."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from broker.doors.documents import body_of, problems
from broker.doors.forms import BODY_PART, INTENT_PART, MEDIA_TYPE
from broker.doors.intents import MAX_IDEMPOTENCY_KEY_CHARS, PATH, IntentRequest
from broker.doors.problems import TABLE, JsonObject
from broker.doors.requests import MAX_WAIT_SECONDS
from broker.doors.views import ProblemView
from broker.outcome import ProblemKind

DOCUMENT_PATH: Final = "/v1/openapi.json"
PUBLIC: Final = frozenset(("/livez", "/readyz", "/metrics", DOCUMENT_PATH))
"""Paths without a token."""

_PREFER: Final = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": f"`wait=N`: wait up to N seconds, at most {MAX_WAIT_SECONDS}, for the intent to end",
}
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY_CHARS, "pattern": "^[!-~]+$"},
    "description": "the same key with the same body brings back the first outcome; with another body it is refused",
}
_INTENT: Final = {"application/json": {"schema": {"$ref": "#/components/schemas/IntentView"}}}


def document(api: FastAPI) -> JsonObject:
    """Return the whole document."""
    made = get_openapi(
        title=api.title, version=api.version, openapi_version="3.1.0", description=api.description, routes=api.routes
    )
    paths: dict[str, Any] = made["paths"]
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["ProblemView"] = ProblemView.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schemas["ProblemView"].pop("$defs", {}))
    # FastAPI documents a 422 shape of its own, which this API never sends.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "ost_…"}}
    made["security"] = [{"bearer": []}]
    paths[PATH] = {"post": _make_intent()}
    paths[DOCUMENT_PATH] = {"get": _read_document()}
    paths[PATH + "/{intent_id}"]["get"].setdefault("parameters", []).append(_PREFER)
    for path, item in paths.items():
        for operation in item.values():
            _mend(path, operation)
    return made


def _mend(path: str, operation: JsonObject) -> None:
    answers = operation["responses"]
    if "422" in answers and "application/problem+json" not in answers["422"].get("content", {}):
        del answers["422"]
    if path in PUBLIC:
        operation["security"] = []
        for kind in (ProblemKind.MALFORMED_REQUEST, ProblemKind.INTERNAL):
            answers.setdefault(str(TABLE[kind][0]), problems()[TABLE[kind][0]])


def _make_intent() -> JsonObject:
    answers: JsonObject = {
        "200": {"description": "Done, or decided for a dry run", "content": _INTENT},
        "202": {
            "description": "Waits for a person or a worker",
            "content": _INTENT,
            "headers": {
                "Location": {"schema": {"type": "string"}, "description": "where it is read"},
                "Retry-After": {"schema": {"type": "integer"}, "description": "seconds"},
            },
        },
        **{str(status): item for status, item in problems(*ProblemKind).items()},
    }
    return {
        "tags": ["intents"],
        "operationId": "make_intent",
        "summary": "Make Intent",
        "description": "Ask for something to be done. Policy decides, the broker acts, and the result comes back.",
        "parameters": [_IDEMPOTENCY_KEY, _PREFER],
        "responses": answers,
        "requestBody": _intent_body(),
    }


def _intent_body() -> JsonObject:
    body: JsonObject = body_of(IntentRequest)["requestBody"]
    content = body["content"]
    form = {
        "type": "object",
        "required": [INTENT_PART, BODY_PART],
        "properties": {
            INTENT_PART: content["application/json"]["schema"],
            BODY_PART: {
                "description": 'streams in; `{"upload": {"bytes": N, "sha256": "…"}}` stands for it in the params',
                "contentMediaType": "application/octet-stream",
            },
        },
    }
    content[MEDIA_TYPE] = {"schema": form, "encoding": {INTENT_PART: {"contentType": "application/json"}}}
    return body


def _read_document() -> JsonObject:
    found = {"description": "This document", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"operationId": "read_document", "summary": "Read Document", "responses": {"200": found}}
