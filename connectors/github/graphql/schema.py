"""What may be asked in GraphQL: the part of GitHub's public schema under ``schema/``, with its two marks.

It is a closed list: a field that is not in it is refused. The marks say where a repository is left (``@elsewhere``)
and what may still be asked there (``@label``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from graphql import (
    DirectiveNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
)

_FOLDER: Final = "schema"


@dataclass(frozen=True, slots=True)
class Offer:
    """The schema that is served.

    Args:
        schema: Types, fields and arguments; a part of GitHub's own.
        elsewhere: (type, field) of what may lead to a thing of another repository, or to people and organizations.
        labels: (type, field) of what may be asked of such a thing.
    """

    schema: GraphQLSchema
    elsewhere: frozenset[tuple[str, str]]
    labels: frozenset[tuple[str, str]]


@cache
def offer() -> Offer:
    """Return the schema; it is read once."""
    folder = files(__package__ or "").joinpath(_FOLDER)
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".graphql"))
    schema = build_schema("\n".join(folder.joinpath(name).read_text("utf-8") for name in names))
    elsewhere, labels = set(), set()
    for kind in schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            continue
        whole = _marked("label", kind.ast_node.directives if kind.ast_node else None)
        for name, field in kind.fields.items():
            marks = field.ast_node.directives if field.ast_node else None
            if _marked("elsewhere", marks):
                elsewhere.add((kind.name, name))
            if whole or _marked("label", marks):
                labels.add((kind.name, name))
    return Offer(schema, frozenset(elsewhere), frozenset(labels))


def _marked(mark: str, directives: tuple[DirectiveNode, ...] | None) -> bool:
    return any(each.name.value == mark for each in directives or ())
