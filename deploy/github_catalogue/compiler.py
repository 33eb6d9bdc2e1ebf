"""From the description to rows of the catalogue; `connectors.github.catalogue` says what a row holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from deploy.github_catalogue.schemas import Schemas

METHODS: Final = ("get", "post", "put", "patch", "delete")
_JSON: Final = "application/json"
_NAME: Final = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")
_RENAMED: Final = "new_{}"
"""A member of the body with the name of a part of the path gets another, as GitHub's own ``new_name`` of labels."""


class CompilerError(Exception):
    """The description holds what the catalogue cannot say."""


def compile_rows(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the rows by operation id, sorted.

    Raises:
        CompilerError: an operation cannot be said in a row.
    """
    schemas = Schemas(description)
    rows = {each[2]["operationId"]: _row(each, schemas) for each in _operations(description)}
    return dict(sorted(rows.items()))


def _operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in description["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def _row(found: tuple[str, str, dict[str, Any]], schemas: Schemas) -> dict[str, Any]:
    method, path, operation = found
    if _NAME.fullmatch(operation["operationId"]) is None:
        raise CompilerError(f"{operation['operationId']} is no name")
    row: dict[str, Any] = {"method": method.upper(), "path": path, "summary": _summary(operation["summary"])}
    row |= {"in_path": {}, "in_query": {}, "in_body": {}}
    required = set()
    for given in map(schemas.resolved, operation.get("parameters", ())):
        name = given["name"].replace("-", "_")
        row["path"] = row["path"].replace(f"{{{given['name']}}}", f"{{{name}}}")
        row[f"in_{given['in']}"][name] = schemas.compiled(given["schema"])
        if given.get("required"):
            required.add(name)
    required |= _body(row, schemas.resolved(operation.get("requestBody") or {}), schemas)
    row["required"] = sorted(required)
    if operation.get("deprecated"):
        row["deprecated"] = True
    if "302" in operation["responses"]:
        row["redirects"] = True
    media = sorted(set(_media(operation, schemas)) - {_JSON})
    if media:
        row["media"] = media
    return {name: value for name, value in row.items() if value}


def _body(row: dict[str, Any], body: dict[str, Any], schemas: Schemas) -> set[str]:
    """Put the params of the body into a row and return those that are required."""
    content = body.get("content", {})
    if not content:
        return set()
    if _JSON not in content:
        row["whole"] = True
        row["sends"] = min(content)
        row["in_body"] = {"body": {"type": "string"}}
        return {"body"}
    node = schemas.resolved(content[_JSON].get("schema", {}))
    whole = schemas.members(node)
    if whole is None:
        # It is a list, or nothing is known of its members: all of it is one param.
        row["whole"] = True
        row["in_body"] = {"body": schemas.compiled(node)}
        return {"body"} if body.get("required") else set()
    clash = set(whole["properties"]) & (set(row["in_path"]) | set(row["in_query"]))
    names = {name: _RENAMED.format(name) if name in clash else name for name in whole["properties"]}
    if clash:
        row["renamed"] = {names[name]: name for name in sorted(clash)}
    row["in_body"] = {names[name]: member for name, member in whole["properties"].items()}
    if not body.get("required", True):
        return set()
    return {names.get(name, name) for name in whole.get("required", ())}


def _media(operation: dict[str, Any], schemas: Schemas) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            yield from schemas.resolved(answer).get("content", {})


def _summary(text: str) -> str:
    line = " ".join(text.split())
    return line[:1].lower() + line[1:] if line[1:2].islower() or line[1:2] == " " else line
