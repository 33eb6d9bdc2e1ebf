"""From the schemas of the description to those of the catalogue: closed, without references, prose and examples.

What is kept of JSON Schema: `type` (a list where null is taken), `enum`, `items`, `properties`, `required`,
`additionalProperties` and `anyOf`. ``{}`` is any JSON value. Patterns, lengths and bounds are GitHub's to check.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

Schema = dict[str, Any]

MAX_DEPTH: Final = 8
"""Levels that are checked; what is nested deeper is any JSON value."""
DROPPED: Final = frozenset({"access_token", "client_secret", "secret", "vcs_password"})
"""Members that hold secrets in the clear; those have no place in params, digests and the ledger."""
_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})


class Schemas:
    """Reads schemas of one description.

    Args:
        description: The whole of it, for its references.
    """

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._description = description

    def resolved(self, node: Any) -> Any:  # noqa: ANN401 - JSON
        """Return what a node refers to, itself when it refers to nothing."""
        while isinstance(node, dict) and "$ref" in node:
            target: Any = self._description
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            node = target
        return node

    def compiled(self, node: Any, depth: int = 0) -> Schema:  # noqa: ANN401 - JSON
        """Return the schema of a node."""
        node = self.resolved(node)
        if not isinstance(node, dict) or depth > MAX_DEPTH:
            return {}
        members = self.members(node, depth)
        if members is not None:
            return self._nullable(node, members)
        choices = node.get("oneOf") or node.get("anyOf")
        if choices:
            return self._nullable(node, any_of(self.compiled(each, depth + 1) for each in choices))
        return self._nullable(node, self._plain(node, depth))

    def members(self, node: Any, depth: int = 0) -> Schema | None:  # noqa: ANN401 - JSON
        """Return the schema of an object whose members are known: its own, and those of all its alternatives.

        Alternatives that differ in what is required become one object in which the common part is required.
        None when it is no object, or one of any members.
        """
        node = self.resolved(node)
        choices = [self.resolved(each) for each in (node.get("oneOf") or node.get("anyOf") or ())]
        parts = [self.resolved(each) for each in node.get("allOf", ())]
        if node.get("type") not in {None, "object"} or any(
            each.get("type") not in {None, "object"} for each in choices
        ):
            return None
        sources = [node, *parts, *choices]
        properties: dict[str, Schema] = {}
        for source in sources:
            for name, member in source.get("properties", {}).items():
                if name not in DROPPED:
                    made = self.compiled(member, depth + 1)
                    properties[name] = any_of([properties[name], made]) if name in properties else made
        if not properties:
            return None
        always = {name for source in (node, *parts) for name in source.get("required", ())}
        if choices:
            always |= set.intersection(*(set(each.get("required", ())) for each in choices))
        return {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            **({"required": sorted(always)} if always else {}),
        }

    def _plain(self, node: Schema, depth: int) -> Schema:
        kind = node.get("type")
        if kind == "array":
            return {"type": "array", "items": self.compiled(node.get("items", {}), depth + 1)}
        if kind == "object":
            values = node.get("additionalProperties")
            return {"type": "object", "additionalProperties": self.compiled(values, depth + 1) if values else {}}
        if kind not in _SCALARS:
            return {}
        enum = [each for each in node.get("enum", ()) if each is not None]
        return {"type": kind, **({"enum": enum} if enum else {})}

    @staticmethod
    def _nullable(node: Schema, made: Schema) -> Schema:
        return any_of([made, {"type": "null"}]) if node.get("nullable") and made else made


def any_of(choices: Iterable[Schema]) -> Schema:
    """Return a schema that takes what one of some takes, each named once."""
    flat = [part for each in choices for part in each.get("anyOf", [each])]
    if {} in flat:
        return {}
    unique = list({json.dumps(each, sort_keys=True): each for each in flat}.values())
    return unique[0] if len(unique) == 1 else {"anyOf": unique}
