"""JSON Schema of an operation's params, from botocore's shapes.

Every object is closed. Structures are definitions of their own (``$defs``), so that a shape that contains itself has a
schema too and the depth of what is written out is bounded.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.aws import s3
from connectors.aws.model import ApiOperation
from connectors.aws.params import REGION, accepted
from connectors.aws.repeated import schema_of
from connectors.base import JsonObject

_SCALARS: Final[dict[str, JsonObject]] = {
    "string": {"type": "string"},
    "character": {"type": "string"},
    "blob": {"type": "string", "contentEncoding": "base64"},
    "timestamp": {"type": "string", "format": "date-time"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "long": {"type": "integer"},
    "float": {"type": "number"},
    "double": {"type": "number"},
}
_REGION: Final = {"type": "string", "description": "one of the connection's regions; its first by default"}
_LOWEST: Final = {"string": "minLength", "integer": "minimum", "long": "minimum", "list": "minItems"}


def params_schema(api: ApiOperation) -> JsonObject:
    """Return the JSON Schema of an operation's params."""
    definitions: dict[str, JsonObject] = {}
    properties = {
        name: _param(api, name, definitions) if name in api.members else _ours(api, name) for name in accepted(api)
    }
    schema = _closed(properties, api.required)
    return {**schema, "$defs": dict(sorted(definitions.items()))} if definitions else schema


def _ours(api: ApiOperation, name: str) -> JsonObject:
    """Return the schema of a param that the API does not have."""
    return dict(_REGION) if name == REGION else schema_of(api, name)


def _param(api: ApiOperation, name: str, definitions: dict[str, JsonObject]) -> JsonObject:
    """Return the schema of one param; those of S3 say what is checked besides."""
    if name == "CopySource" and s3.is_copy(api):
        parts = {part: {"type": "string", "minLength": 1} for part in ("Bucket", "Key", "VersionId")}
        return _closed(parts, ("Bucket", "Key"))
    schema = _schema(api.members[name], definitions)
    if api.service == s3.NAME:
        if name == "Bucket":
            schema["pattern"] = s3.BUCKET_PATTERN
        elif name in s3.RANGES:
            schema["minimum"], schema["maximum"] = s3.RANGES[name]
    return schema


def _schema(shape: Any, definitions: dict[str, JsonObject]) -> JsonObject:  # noqa: ANN401 - botocore's shape
    kind = shape.type_name
    if kind == "structure":
        return _reference(shape, definitions)
    if kind == "map":
        return {"type": "object", "additionalProperties": _schema(shape.value, definitions)}
    schema = {"type": "array", "items": _schema(shape.member, definitions)} if kind == "list" else dict(_SCALARS[kind])
    if kind in _LOWEST and shape.metadata.get("min"):
        schema[_LOWEST[kind]] = shape.metadata["min"]
    if kind == "string" and shape.enum:
        # Not enforced here: AWS may know more values than this model.
        schema["examples"] = list(shape.enum)
    if kind == "string" and shape.serialization.get("jsonvalue") and shape.serialization.get("location") == "header":
        return {"description": "any JSON"}
    return schema


def _reference(shape: Any, definitions: dict[str, JsonObject]) -> JsonObject:  # noqa: ANN401 - botocore's shape
    if shape.is_document_type:
        return {"description": "any JSON"}
    if shape.name not in definitions:
        definitions[shape.name] = {}  # it may contain itself
        properties = {name: _schema(member, definitions) for name, member in shape.members.items()}
        definition = _closed(properties, shape.required_members)
        if shape.is_tagged_union:
            definition |= {"minProperties": 1, "maxProperties": 1}
        definitions[shape.name] = definition
    return {"$ref": f"#/$defs/{shape.name}"}


def _closed(properties: dict[str, JsonObject], required: Any) -> JsonObject:  # noqa: ANN401 - a sequence of names
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(required),
        "additionalProperties": False,
    }
