"""What a mutation changes, as policy knows it, and the mutation as it is sent.

One mutation per request. Its input is read whole, literals and variables alike, and sent as one variable, so what was
judged, what people are shown and what is sent are one value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLError,
    GraphQLField,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableDefinitionNode,
    VariableNode,
    parse_type,
)
from graphql.execution.values import get_argument_values

from connectors.base import JsonObject
from connectors.github.graphql.document import RESERVED, Document
from connectors.github.graphql.mutations import MUTATIONS, Mutation
from connectors.github.graphql.nodes import Node, node_of
from connectors.github.graphql.printing import Printed, print_operation
from connectors.github.graphql.reach import roots_of
from connectors.github.graphql.schema import offer
from connectors.github.graphql.words import of_library, refused
from connectors.github.names import check_sha
from connectors.github.verbs import READ
from policies.model import Requirement

INPUT: Final = f"{RESERVED}_input"
"""Variable the input is sent as."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A mutation as it was asked.

    Args:
        name: Field of ``Mutation``.
        field: It, in the document.
        given: Its input.
        how: Row of the table.
    """

    name: str
    field: FieldNode
    given: JsonObject
    how: Mutation

    @property
    def subject_id(self) -> str:
        """Id of what is changed."""
        found = [str(self.given[each]) for each in self.how.subject if self.given.get(each) is not None]
        if len(found) != 1:
            raise refused(f"`{self.name}` needs one of {', '.join(f'`{each}`' for each in self.how.subject)}")
        return found[0]

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id that is looked up, sorted, each once."""
        others = [str(self.given[each]) for each in self.how.others if self.given.get(each) is not None]
        return tuple(sorted({self.subject_id, *others}))


@dataclass(frozen=True, slots=True)
class Change:
    """A mutation that can be sent.

    Args:
        requirements: What must be allowed for it, at least one, sorted.
        printed: What is sent.
        summary: One line for people.
        given: Its input as it is sent.
        subject: What is changed.
    """

    requirements: tuple[Requirement, ...]
    printed: Printed
    summary: str
    given: JsonObject
    subject: Node


def asked_in(document: Document) -> Asked:
    """Return the mutation of a document.

    Raises:
        InvalidParamsError: there is not exactly one, in plain sight, that is served.
    """
    roots = [each for each in roots_of(document) if each.name.value != "__typename"]
    direct = [each for each in document.operation.selection_set.selections if isinstance(each, FieldNode)]
    if len(roots) != 1 or roots[0] not in direct or len(document.operation.selection_set.selections) != len(direct):
        raise refused(f"one mutation is taken in a request, not in a fragment; found {len(roots)}")
    root = roots[0]
    if root.directives:
        raise refused(f"`{root.name.value}` stands behind a directive")
    how = MUTATIONS.get(root.name.value)
    kind = offer().schema.mutation_type
    if how is None or kind is None:
        raise refused(f"the mutation `{root.name.value}` is not served")
    return Asked(root.name.value, root, _input_of(root, kind.fields[root.name.value], document), how)


def read_change(document: Document, evidence: Mapping[str, Any]) -> Change:
    """Return what a mutation needs and how it is sent.

    Args:
        document: A mutation.
        evidence: What its ids name, from `connectors.github.graphql.nodes.resolved`.

    Raises:
        InvalidParamsError: it cannot be mapped.
    """
    asked = asked_in(document)
    nodes = {each: node_of(each, evidence) for each in asked.ids}
    subject = nodes[asked.subject_id]
    if subject.kind not in asked.how.kinds:
        raise refused(f"`{asked.name}` is not for a `{subject.kind}`")
    given = _at_head(asked, subject)
    reads = {Requirement(READ, f"repos/{each.repository}") for each in nodes.values()}
    requirements = tuple(sorted({*asked.how.needs(given, subject, nodes), *reads}))
    what = f"{subject.repository}#{subject.number}" if subject.number else subject.repository
    return Change(requirements, _printed(document, asked, given), f"{asked.how.says} {what}", given, subject)


def _input_of(root: FieldNode, kind: GraphQLField, document: Document) -> JsonObject:
    try:
        given: JsonObject = get_argument_values(kind, root, document.variables)["input"]
    except GraphQLError as error:
        raise of_library(error) from None
    return given


def _at_head(asked: Asked, subject: Node) -> JsonObject:
    """Return the input with the head the pull request has now, so that one with new commits is not meant."""
    name = asked.how.head
    if not name:
        return asked.given
    said = asked.given.get(name)
    if said is None:
        return {**asked.given, name: check_sha(subject.head, name)}
    if asked.how.must_be_head and said != subject.head:
        raise refused(f"`{name}` is not the head of the pull request", fix="fetch it, look at it, and ask again")
    return asked.given


def _printed(document: Document, asked: Asked, given: JsonObject) -> Printed:
    """Return the mutation with its whole input in one variable."""
    root, operation = asked.field, document.operation
    argument = ArgumentNode(name=NameNode(value="input"), value=_variable())
    only = FieldNode(
        alias=root.alias, name=root.name, arguments=(argument,), directives=(), selection_set=root.selection_set
    )
    kept = [only if each is root else each for each in operation.selection_set.selections]
    kind = f"{asked.name[:1].upper()}{asked.name[1:]}Input!"
    definition = VariableDefinitionNode(variable=_variable(), type=parse_type(kind, no_location=True), directives=())
    changed = OperationDefinitionNode(
        operation=operation.operation,
        name=operation.name,
        variable_definitions=(definition, *(operation.variable_definitions or ())),
        directives=(),
        selection_set=SelectionSetNode(selections=tuple(kept)),
    )
    return print_operation(changed, tuple(document.fragments.values()), {**document.values, INPUT: given})


def _variable() -> VariableNode:
    return VariableNode(name=NameNode(value=INPUT))
