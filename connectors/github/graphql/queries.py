"""What a query reads, as policy knows it, and the query as it is sent.

Each root field is one read: aliases of one field count each, and so does what a directive may leave out.

- ``repository`` is asked with ``followRenames: false``: GitHub would follow the old name of a repository to what it is
  called now, which a rule on the new name would not see.
- ``search`` that is pinned to repositories is asked, besides, of which repository each hit is; the answer is held
  against that (`connectors.github.graphql.answer`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    FieldNode,
    GraphQLError,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Visitor,
    parse,
)
from graphql.execution.values import get_argument_values

from connectors.github.graphql.document import RESERVED, Document
from connectors.github.graphql.nodes import MAX_IDS, node_of
from connectors.github.graphql.printing import Printed, printed
from connectors.github.graphql.reach import INTROSPECTION, roots_of
from connectors.github.graphql.schema import offer
from connectors.github.graphql.search import pinned_repositories
from connectors.github.graphql.words import full_name, of_library, refused
from connectors.github.names import check_account
from policies.model import Requirement

READ: Final = "git:read"
SITE: Final = "github"
"""Resource of what is about GitHub itself: its schema, the rate limit."""
SEARCH: Final = "search"
ACCOUNT: Final = "user"
HITS: Final = f"{RESERVED}_hits"
"""Alias of what a pinned search is asked besides."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query that can be sent.

    Args:
        requirements: What must be allowed for it, at least one, sorted.
        printed: What is sent.
        hits: Key of a pinned search in the answer -> the repositories its hits may be of.
    """

    requirements: tuple[Requirement, ...]
    printed: Printed
    hits: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Found:
    """What the roots come to, while they are gone through."""

    resources: set[str] = field(default_factory=set)
    repositories: set[int] = field(default_factory=set)
    searches: set[int] = field(default_factory=set)
    hits: dict[str, list[str]] = field(default_factory=dict)


def ids_in(document: Document) -> tuple[str, ...]:
    """Return the ids a query names at its root, sorted, each once.

    Raises:
        InvalidParamsError: there are too many, or what is asked is refused anyway.
    """
    found: set[str] = set()
    for root in roots_of(document):
        if root.name.value in {"node", "nodes"}:
            found |= set(_ids(_arguments(root, document)))
    if len(found) > MAX_IDS:
        raise refused(f"the query names {len(found)} ids, {MAX_IDS} are taken")
    return tuple(sorted(found))


def read_query(document: Document, evidence: Mapping[str, Any]) -> Query:
    """Return what a query needs and how it is sent.

    Args:
        document: A query.
        evidence: What its ids name, from `connectors.github.graphql.nodes.resolved`.

    Raises:
        InvalidParamsError: it cannot be mapped.
    """
    found = _Found()
    for root in roots_of(document):
        _add(root, document, evidence, found)
    if not found.resources:
        raise refused("the query asks for nothing policy could allow")
    requirements = tuple(Requirement(READ, each) for each in sorted(found.resources))
    return Query(requirements, printed(document, _Changes(found)), found.hits)


def _add(root: FieldNode, document: Document, evidence: Mapping[str, Any], found: _Found) -> None:
    name, given = root.name.value, _arguments(root, document)
    if name.startswith(INTROSPECTION) or name == "rateLimit":
        found.resources.add(SITE)
    elif name == "viewer":
        found.resources.add(ACCOUNT)
    elif name == "organization":
        found.resources.add(f"orgs/{check_account(given['login'], 'login')}")
    elif name == "repository":
        found.resources.add(f"repos/{full_name(given['owner'] + '/' + given['name'])}")
        found.repositories.add(id(root))
    elif name in {"node", "nodes"}:
        found.resources |= {f"repos/{node_of(each, evidence).repository}" for each in _ids(given)}
    elif name == "search":
        _add_search(root, given, found)
    else:
        raise refused(f"`{name}` cannot be asked for at the root")


def _add_search(root: FieldNode, given: Mapping[str, Any], found: _Found) -> None:
    pins = pinned_repositories(given["query"], given["type"])
    if not pins:
        found.resources.add(SEARCH)
        return
    key = root.alias.value if root.alias else root.name.value
    if found.hits.setdefault(key, sorted(pins)) != sorted(pins):
        raise refused(f"`{key}` stands for two searches")
    found.resources |= {f"repos/{each}" for each in pins}
    found.searches.add(id(root))


def _ids(given: Mapping[str, Any]) -> list[str]:
    return [given["id"]] if "id" in given else list(given["ids"])


def _arguments(root: FieldNode, document: Document) -> dict[str, Any]:
    """Return the values of a root's arguments, variables and defaults applied."""
    kind = offer().schema.query_type
    if kind is None or root.name.value not in kind.fields:  # of the introspection
        return {}
    try:
        return get_argument_values(kind.fields[root.name.value], root, document.variables)
    except GraphQLError as error:
        raise of_library(error) from None


class _Changes(Visitor):
    """Puts into the roots what the module says."""

    def __init__(self, found: _Found) -> None:
        super().__init__()
        self._found = found

    def enter_field(self, node: FieldNode, *_args: object) -> FieldNode | None:
        """Return the root field as it is sent; None to leave a field as it is."""
        if id(node) in self._found.repositories:
            kept = [each for each in node.arguments or () if each.name.value != _FOLLOW.name.value]
            return _with(node, (*kept, _FOLLOW), node.selection_set)
        if id(node) in self._found.searches and node.selection_set:
            chosen = SelectionSetNode(selections=(*node.selection_set.selections, _HITS_FIELD))
            return _with(node, node.arguments or (), chosen)
        return None


def _with(node: FieldNode, arguments: tuple[ArgumentNode, ...], selection_set: SelectionSetNode | None) -> FieldNode:
    return FieldNode(
        alias=node.alias,
        name=node.name,
        arguments=arguments,
        directives=node.directives,
        selection_set=selection_set,
    )


def _hits_field() -> FieldNode:
    of = "repository { nameWithOwner }"
    text = f"{{ {HITS}: nodes {{ ... on Issue {{ {of} }} ... on PullRequest {{ {of} }} }} }}"
    operation = cast("OperationDefinitionNode", parse(text, no_location=True).definitions[0])
    return cast("FieldNode", operation.selection_set.selections[0])


_FOLLOW: Final = ArgumentNode(name=NameNode(value="followRenames"), value=BooleanValueNode(value=False))
_HITS_FIELD: Final = _hits_field()
