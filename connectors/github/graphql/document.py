"""Reads a GraphQL document (June 2018 and later) strictly: bounded, one operation, only what the schema offers.

What comes out is a syntax tree and coerced variables. The text that came in is not used again: what is sent upstream
is printed from the tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson
from graphql import (
    ASTValidationRule,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    Lexer,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    Source,
    TokenKind,
    parse,
    separate_operations,
    specified_rules,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values

from connectors.base import JsonObject
from connectors.github.graphql.schema import offer
from connectors.github.graphql.words import of_library, refused

MAX_DOCUMENT_BYTES: Final = 64 << 10
"""The longest documents of `gh` are below 8 KiB."""
MAX_VARIABLES_BYTES: Final = 256 << 10
"""As JSON; the text of an issue has 64 Ki characters at most."""
MAX_TOKENS: Final = 3_000
"""A document of that many takes a quarter of a second to read; those of `gh` have 600 at most."""
MAX_VALUES: Final = 2_000
"""In the variables, those in lists and objects counted each."""
MAX_DEPTH: Final = 40
"""Levels of brackets in the text; and of fields, fragments included."""
MAX_DEFINITIONS: Final = 64
"""Operations and fragments; both are walked once each."""
_KEPT: Final = 32
"""Documents kept parsed: one request is read by its door, for its asks, for its evidence and for its plan."""
RESERVED: Final = "ostiary"
"""Begins the names we put in; clients may not use it."""

_OPENING: Final = frozenset({TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L})
_CLOSING: Final = frozenset({TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R})

_RULES: Final[tuple[type[ASTValidationRule], ...]] = tuple(
    # Whether two fields of one name can be merged is quadratic to find out, and changes nothing about what is asked:
    # both are counted here, and GitHub refuses what cannot be merged.
    rule
    for rule in specified_rules
    if rule is not OverlappingFieldsCanBeMergedRule
)


@dataclass(frozen=True, slots=True)
class Document:
    """One operation that the schema offers.

    Args:
        operation: It.
        fragments: Those it uses, by name.
        variables: Values of the variables it declares, defaults included.
    """

    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    variables: VariableValues

    @property
    def is_mutation(self) -> bool:
        """Whether it changes something."""
        return self.operation.operation is OperationType.MUTATION

    @property
    def values(self) -> dict[str, Any]:
        """Values of the variables."""
        return self.variables.coerced


def read_document(query: str, variables: JsonObject, operation_name: str = "") -> Document:
    """Return the operation that is asked for.

    1. The text is bounded; 2. it is parsed; 3. the operation is chosen, and all it does not use is dropped; 4. it is
    held against the schema; 5. the variables are coerced to their declared types, others are dropped (`gh` sends such).

    Args:
        query: The document.
        variables: Values of variables.
        operation_name: Which of several operations is meant; may be empty when there is one.

    Raises:
        InvalidParamsError: any of that fails.
    """
    try:
        size, given = len(query.encode()), orjson.dumps(variables)
    except (UnicodeEncodeError, orjson.JSONEncodeError):
        raise refused("the query or its variables cannot be written as JSON in UTF-8") from None
    if size > MAX_DOCUMENT_BYTES:
        raise refused(f"the query has {size} bytes, {MAX_DOCUMENT_BYTES} are taken")
    if len(given) > MAX_VARIABLES_BYTES:
        raise refused(f"the variables have {len(given)} bytes, {MAX_VARIABLES_BYTES} are taken")
    _check_values(variables)
    return _read(query, given, operation_name)


@lru_cache(maxsize=_KEPT)
def _read(query: str, variables: bytes, operation_name: str) -> Document:
    _check_tokens(query)
    try:
        parsed = parse(query, no_location=True, max_tokens=MAX_TOKENS, allow_empty_selection_sets=False)
    except GraphQLError as error:
        raise of_library(error) from None
    operation, fragments = _chosen(parsed, operation_name)
    used = DocumentNode(definitions=(operation, *fragments.values()))
    schema = offer().schema
    for problem in validate(schema, used, _RULES, max_errors=1):
        raise of_library(problem)
    definitions = operation.variable_definitions or ()
    coerced = get_variable_values(schema, definitions, orjson.loads(variables), max_errors=1)
    if not isinstance(coerced, VariableValues):
        raise of_library(coerced[0])
    return Document(operation, fragments, coerced)


def _check_values(variables: JsonObject) -> None:
    waiting: list[Any] = [variables]
    count = 0
    while waiting:
        value = waiting.pop()
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        count += len(parts)
        if count > MAX_VALUES:
            raise refused(f"the variables have more than {MAX_VALUES} values")
        waiting += parts


def _check_tokens(query: str) -> None:
    """Refuse what would take the parser deep or long; it descends once for each open bracket."""
    lexer, depth, count = Lexer(Source(query)), 0, 0
    try:
        while (token := lexer.advance()).kind is not TokenKind.EOF:
            count += 1
            depth += (token.kind in _OPENING) - (token.kind in _CLOSING)
            if count > MAX_TOKENS:
                raise refused(f"the query has more than {MAX_TOKENS} tokens")
            if depth > MAX_DEPTH:
                raise refused(f"the query is nested deeper than {MAX_DEPTH} levels")
            if token.kind is TokenKind.NAME and (token.value or "").lower().startswith(RESERVED):
                raise refused(f"names that begin with `{RESERVED}` are reserved")
    except GraphQLError as error:
        raise of_library(error) from None


def _chosen(parsed: DocumentNode, name: str) -> tuple[OperationDefinitionNode, dict[str, FragmentDefinitionNode]]:
    """Return the operation that is meant, and the fragments it uses, in the order of the document."""
    if len(parsed.definitions) > MAX_DEFINITIONS:
        raise refused(f"the query has more than {MAX_DEFINITIONS} operations and fragments")
    operations = [each for each in parsed.definitions if isinstance(each, OperationDefinitionNode)]
    names = [each.name.value for each in parsed.definitions if isinstance(each, FragmentDefinitionNode)]
    if len(operations) + len(set(names)) != len(parsed.definitions):
        raise refused("the query defines more than operations and fragments, or a fragment twice")
    operation = _named(operations, name)
    if operation.operation is OperationType.SUBSCRIPTION:
        raise refused("subscriptions are not served")
    used = separate_operations(parsed)[operation.name.value if operation.name else ""]
    return operation, {each.name.value: each for each in used.definitions if isinstance(each, FragmentDefinitionNode)}


def _named(operations: list[OperationDefinitionNode], name: str) -> OperationDefinitionNode:
    found = [each for each in operations if not name or (each.name is not None and each.name.value == name)]
    if len(found) == 1:
        return found[0]
    if name:
        raise refused(f"the query has {len(found)} operations `{name}`, one is needed")
    raise refused(f"the query has {len(found)} operations, and `operationName` says none of them")
