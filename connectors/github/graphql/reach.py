"""Walks through all that an operation asks for, and finds its root fields.

The walk knows for each place whether what is there belongs to the repository of the root ("home") or may belong to
another one ("elsewhere": the parent of a fork, the head of a pull request, issues a pull request closes). Elsewhere
only names are given: what the schema marks as `@label`. Directives are not looked at: what ``@include`` and ``@skip``
may leave out counts as asked for.
"""

from __future__ import annotations

from typing import Final

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
)

from connectors.github.graphql.document import MAX_DEPTH, Document
from connectors.github.graphql.schema import offer
from connectors.github.graphql.words import refused

MAX_ROOTS: Final = 100
"""Root fields of one operation, aliases of one field counted each."""
INTROSPECTION: Final = "__"


def roots_of(document: Document) -> tuple[FieldNode, ...]:
    """Return the root fields of an operation, those in fragments included, each once.

    Args:
        document: Held against the schema.

    Raises:
        InvalidParamsError: a field asks for more than a name of what may belong elsewhere, or there are too many roots
            or levels.
    """
    walk = _Walk(document)
    root = offer().schema.get_root_type(document.operation.operation)
    if root is None:  # the schema has both roots
        raise refused("there is no such kind of operation")
    walk.through(document.operation.selection_set, root, is_elsewhere=False, depth=0)
    if len(walk.roots) > MAX_ROOTS:
        raise refused(f"the query has {len(walk.roots)} root fields, {MAX_ROOTS} are taken")
    return tuple(walk.roots.values())


class _Walk:
    """Goes through each fragment once for each way it is entered, so what is expanded never grows."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._offer = offer()
        self._seen: set[tuple[str, str, bool]] = set()
        self._root_names = {each.name for each in (self._schema.query_type, self._schema.mutation_type) if each}
        self.roots: dict[int, FieldNode] = {}

    @property
    def _schema(self) -> GraphQLSchema:
        return self._offer.schema

    def through(self, chosen: SelectionSetNode, kind: GraphQLNamedType, *, is_elsewhere: bool, depth: int) -> None:
        """Go through a selection set on a type."""
        if depth > MAX_DEPTH:
            raise refused(f"the query is nested deeper than {MAX_DEPTH} levels, fragments included")
        for each in chosen.selections:
            self._one(each, kind, is_elsewhere=is_elsewhere, depth=depth)

    def _one(self, each: SelectionNode, kind: GraphQLNamedType, *, is_elsewhere: bool, depth: int) -> None:
        if isinstance(each, FieldNode):
            self._field(each, kind, is_elsewhere=is_elsewhere, depth=depth)
        elif isinstance(each, InlineFragmentNode):
            on = self._schema.type_map[each.type_condition.name.value] if each.type_condition else kind
            self.through(each.selection_set, on, is_elsewhere=is_elsewhere, depth=depth + 1)
        elif isinstance(each, FragmentSpreadNode):
            fragment = self._document.fragments[each.name.value]
            # A fragment's own type is what its fields are asked of, whatever it is spread on.
            entry = (fragment.name.value, fragment.type_condition.name.value, is_elsewhere)
            if entry not in self._seen:
                self._seen.add(entry)
                on = self._schema.type_map[fragment.type_condition.name.value]
                self.through(fragment.selection_set, on, is_elsewhere=is_elsewhere, depth=depth + 1)

    def _field(self, node: FieldNode, kind: GraphQLNamedType, *, is_elsewhere: bool, depth: int) -> None:
        name = node.name.value
        if kind.name in self._root_names:
            self.roots[id(node)] = node
        if name.startswith(INTROSPECTION):  # of the schema, which is public; the validator knows its fields
            return
        if is_elsewhere and (kind.name, name) not in self._offer.labels:
            raise refused(
                f"`{name}` of `{kind.name}` may be of another repository here, only names are given of such",
                fix="ask for it in a query of its own, by `repository(owner:, name:)`",
            )
        if node.selection_set:
            leaves = (kind.name, name) in self._offer.elsewhere
            found = get_named_type(_field_of(kind, name).type)
            self.through(node.selection_set, found, is_elsewhere=is_elsewhere or leaves, depth=depth + 1)


def _field_of(kind: GraphQLNamedType, name: str) -> GraphQLField:
    found = kind.fields.get(name) if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) else None
    if not isinstance(found, GraphQLField):
        raise refused(f"`{kind.name}` has no field `{name}`")  # the validator has said so before
    return found
