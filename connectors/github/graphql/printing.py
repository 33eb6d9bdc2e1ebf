"""Prints what was checked, and nothing else: one operation, its fragments, the variables it still uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    Node,
    OperationDefinitionNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    print_ast,
    visit,
)

from connectors.base import JsonObject
from connectors.github.graphql.document import Document


@dataclass(frozen=True, slots=True)
class Printed:
    """What is sent.

    Args:
        query: The document.
        variables: Values of its variables.
    """

    query: str
    variables: JsonObject


def printed(document: Document, changes: Visitor) -> Printed:
    """Return a document as it is sent.

    Args:
        document: What was checked.
        changes: What is changed in it before; a variable nobody uses after that is left out.
    """
    operation = visit(document.operation, changes)
    fragments = tuple(visit(each, changes) for each in document.fragments.values())
    return print_operation(operation, fragments, document.values)


def print_operation(
    operation: OperationDefinitionNode, fragments: tuple[FragmentDefinitionNode, ...], values: dict[str, Any]
) -> Printed:
    """Return an operation as it is sent, with the variables it uses."""
    used = _Variables.used_in(operation, *fragments)
    kept = tuple(each for each in operation.variable_definitions or () if each.variable.name.value in used)
    whole = OperationDefinitionNode(
        operation=operation.operation,
        name=operation.name,
        variable_definitions=kept,
        directives=(),
        selection_set=operation.selection_set,
    )
    variables = {name: values[name] for name in sorted(used) if name in values}
    return Printed(print_ast(DocumentNode(definitions=(whole, *fragments))), variables)


class _Variables(Visitor):
    """Collects the variables that stand where a value does."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    @classmethod
    def used_in(cls, *parts: Node) -> set[str]:
        """Return the names of the variables that parts of a document use."""
        found = cls()
        for each in parts:
            visit(each, found)
        return found.names

    def enter_variable_definition(self, _node: VariableDefinitionNode, *_args: object) -> object:
        """A definition is no use."""
        return self.SKIP

    def enter_variable(self, node: VariableNode, *_args: object) -> None:
        """Note it."""
        self.names.add(node.name.value)
