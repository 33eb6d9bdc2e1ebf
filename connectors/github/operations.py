"""Every operation of GitHub's REST API as a mapping; the compiled catalogue is read when it is first looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Final

from connectors.base import Access, JsonObject, LargeCatalogue, Operation
from connectors.github.catalogue import Entry, Schema, actions
from connectors.github.graphql.operations import GRAPHQL_OPERATIONS
from connectors.github.params import extras_of
from connectors.github.places import place_of
from connectors.github.requirements import asked_by
from connectors.github.verbs import SECRETS, access_of, why_unserved

_ROWS: Final = 512
"""Rows kept; a row takes a few kilobytes."""
_TEXT: Final = {"type": "string"}
_DEPTH: Final = 4
_WORDS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "owner": "acme",
        "org": "acme",
        "repo": "app",
        "template_owner": "acme",
        "template_repo": "template",
        "username": "octocat",
        "branch": "main",
        "base": "main",
        "head": "feature/login",
        "ref": "heads/main",
        "basehead": "main...feature/login",
        "path": "README.md",
        "dir": "docs",
        "sha": "1dc5c17a422b4dc4b493371970c6c4d6ad4b3ba5",
        "workflow_id": "build.yml",
        "secret_name": "DEPLOY_KEY",
        "environment_name": "production",
        "content": "aGVsbG8=",
        "tag_name": "v1.2.0",
        "target_ref": "feature/login",
    }
)
"""Params of examples."""
_REFS_IN_FULL: Final = frozenset({"github:git.create-ref"})


class OperationTable(LargeCatalogue):
    """The operations by canonical action, ``github:pulls.merge``."""

    def __getitem__(self, action: str) -> Operation:
        """Return the row of an action."""
        if action in GRAPHQL_OPERATIONS:
            return GRAPHQL_OPERATIONS[action]
        if action not in actions():
            raise KeyError(action)
        return _row(action)

    def __contains__(self, action: object) -> bool:
        """Tell whether there is such an operation."""
        return isinstance(action, str) and (action in GRAPHQL_OPERATIONS or action in actions())

    def __iter__(self) -> Iterator[str]:
        """Yield every canonical action: those of GraphQL, then those of REST in order."""
        yield from GRAPHQL_OPERATIONS
        yield from actions()

    def __len__(self) -> int:
        """Return how many operations there are."""
        return len(GRAPHQL_OPERATIONS) + len(actions())

    @property
    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """For each operation the actions it asks policy for."""
        return _permissions()

    @property
    def other_actions(self) -> frozenset[str]:
        """Actions no operation asks for: there are none."""
        return frozenset()

    @property
    def secret_operations(self) -> frozenset[str]:
        """The operations whose answer holds secrets."""
        return frozenset(SECRETS)

    def outline(self, action: str) -> Operation:
        """Return what a list says of an operation.

        Raises:
            KeyError: there is no such operation.
        """
        return GRAPHQL_OPERATIONS[action] if action in GRAPHQL_OPERATIONS else _outline(action, actions()[action])

    def loading(self, action: str) -> Callable[[], None] | None:  # noqa: ARG002 - all of it is read at once
        """Return what reads the catalogue; None when it is in memory."""
        return None if actions.cache_info().currsize else _load


def _load() -> None:
    actions()


@cache
def _permissions() -> Mapping[str, tuple[str, ...]]:
    by_hand = {action: row.permissions for action, row in GRAPHQL_OPERATIONS.items()}
    return MappingProxyType(by_hand | {action: asked_by(action, entry) for action, entry in actions().items()})


def _outline(action: str, entry: Entry) -> Operation:
    access, reason = access_of(action, entry), why_unserved(action, entry)
    return Operation(
        action=action,
        access=access,
        idempotent=access is Access.READ,
        summary=f"{entry.summary} (not served: {reason})" if reason else entry.summary,
        resources=(),
        params_schema={},
        example={},
        permissions=_permissions()[action],
    )


@lru_cache(maxsize=_ROWS)
def _row(action: str) -> Operation:
    entry = actions()[action]
    outline = _outline(action, entry)
    known = {**entry.in_body, **entry.in_query, **entry.in_path}
    extras = dict.fromkeys(extras_of(entry, secret=action in SECRETS), _TEXT)
    schema = {
        "type": "object",
        "properties": {**{name: _written(each) for name, each in known.items()}, **extras},
        "required": list(entry.required),
        "additionalProperties": False,
    }
    example = {name: _sample(name, known[name]) for name in entry.required if name in known}
    if "ref" in entry.in_body and "ref" in example:
        example["ref"] = "refs/heads/feature/login" if action in _REFS_IN_FULL else "main"
    place = place_of(entry.path, reads=outline.access is Access.READ)
    return Operation(
        action=action,
        access=outline.access,
        idempotent=outline.idempotent,
        summary=outline.summary,
        resources=(place.template,),
        params_schema=schema,
        example=example,
        permissions=outline.permissions,
    )


def _written(schema: Schema) -> JsonObject:
    """Return a schema of the catalogue as JSON Schema, in which nothing is open by accident."""
    made: JsonObject = dict(schema)
    if "items" in made:
        made["items"] = _written(made["items"])
    if "anyOf" in made:
        made["anyOf"] = [_written(each) for each in made["anyOf"]]
    if "properties" in made:
        made["properties"] = {name: _written(each) for name, each in made["properties"].items()}
    if isinstance(made.get("additionalProperties"), dict):
        made["additionalProperties"] = _written(made["additionalProperties"])
    return made


def _sample(name: str, schema: Schema, depth: int = 0) -> Any:  # noqa: ANN401 - JSON of any type
    """Return a value that fits, a readable one where the name has one."""
    if "anyOf" in schema:
        return _sample(name, schema["anyOf"][0], depth)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "integer" | "number":
            return 7
        case "boolean":
            return True
        case "array":
            return [_sample("", schema["items"], depth + 1)] if depth < _DEPTH else []
        case "object":
            members = schema.get("properties", {})
            return {each: _sample(each, members[each], depth + 1) for each in schema.get("required", ())}
        case "string" | None:
            return _WORDS.get(name, "text")
        case _:
            return None
