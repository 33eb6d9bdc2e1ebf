"""The schema that is served is closed: what leads out of a repository is marked, and only names stand behind it."""

from __future__ import annotations

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    validate_schema,
)

from connectors.github.graphql.mutations import MUTATIONS
from connectors.github.graphql.nodes import Kind
from connectors.github.graphql.schema import offer

pytestmark = pytest.mark.req("A4")

OFFER = offer()
KINDS = [each for each in OFFER.schema.type_map.values() if isinstance(each, GraphQLObjectType | GraphQLInterfaceType)]
FIELDS = {
    (kind.name, name): field for kind in KINDS if not kind.name.startswith("__") for name, field in kind.fields.items()
}

# What belongs to its repository, so that the repository behind it is the one it was reached from.
HOME = {
    ("Issue", "repository"), ("PullRequest", "repository"), ("Ref", "repository"),
    ("ArchiveRepositoryPayload", "repository"), ("UnarchiveRepositoryPayload", "repository"),
    ("RepositoryConnection", "nodes"), ("RepositoryEdge", "node"),  # of forks, which are elsewhere
}  # fmt: skip
ROOTS = {("Query", name) for name in ("repository", "node", "nodes", "organization", "search", "viewer")}
# Things by id, held to what may be named by id; hits, held to what a search is pinned to.
HELD = {("AddCommentPayload", "subject"), ("SearchResultItemConnection", "nodes"), ("SearchResultItemEdge", "node")}


def possible(name: str) -> set[str]:
    kind = OFFER.schema.type_map[name]
    if isinstance(kind, GraphQLUnionType | GraphQLInterfaceType):
        return {each.name for each in OFFER.schema.get_possible_types(kind)}
    return {name}


def test_the_schema_is_one() -> None:
    assert validate_schema(OFFER.schema) == []


@pytest.mark.parametrize("target", ["Repository", "Organization"])
def test_every_edge_to_a_repository_or_organization_is_a_root_or_leads_home_or_is_marked(target: str) -> None:
    leading = {place for place, field in FIELDS.items() if target in possible(get_named_type(field.type).name)}
    assert leading - OFFER.elsewhere - ROOTS - HELD - HOME == set()


def test_an_interface_is_marked_as_what_implements_it() -> None:
    for kind in KINDS:
        for one in kind.interfaces:
            for name in one.fields:
                assert ((one.name, name) in OFFER.elsewhere) == ((kind.name, name) in OFFER.elsewhere), (
                    kind.name,
                    name,
                )
                if (one.name, name) != ("Node", "id"):  # an id names, whatever it is of
                    assert ((one.name, name) in OFFER.labels) <= ((kind.name, name) in OFFER.labels), (kind.name, name)


def test_behind_a_mark_are_names_and_nothing_else() -> None:
    scalars = {
        name for kind, name in OFFER.labels if not getattr(get_named_type(FIELDS[kind, name].type), "fields", None)
    }
    assert scalars == {
        "avatarUrl", "cursor", "databaseId", "description", "endCursor", "hasIssuesEnabled", "hasNextPage",
        "hasPreviousPage", "hasWikiEnabled", "id", "isArchived", "isFork", "isPrivate", "login", "name",
        "nameWithOwner",
        "number", "prefix", "sshUrl", "startCursor", "totalCount", "url", "viewerPermission", "visibility",
    }  # fmt: skip


def test_every_mutation_of_the_schema_is_judged_and_no_other() -> None:
    kind = OFFER.schema.mutation_type
    assert kind is not None
    assert kind.fields.keys() == MUTATIONS.keys()
    for name, how in MUTATIONS.items():
        fields = OFFER.schema.type_map[f"{name[:1].upper()}{name[1:]}Input"].fields  # type: ignore[attr-defined]  # input
        assert set(how.subject) | set(how.others) | ({how.head} if how.head else set()) <= fields.keys()


def test_ids_of_people_and_labels_are_the_only_ones_that_are_not_looked_up() -> None:
    looked_up = {each for how in MUTATIONS.values() for each in (*how.subject, *how.others)}
    inputs = [kind for name, kind in OFFER.schema.type_map.items() if name.endswith("Input")]
    ids = {name for kind in inputs for name, field in kind.fields.items() if get_named_type(field.type).name == "ID"}  # type: ignore[attr-defined]  # inputs
    assert ids - looked_up == {"actorIds", "assigneeIds", "labelIds", "milestoneId", "teamIds", "userIds"}


def test_what_may_be_named_by_id_belongs_to_a_repository() -> None:
    assert set(Kind) & {"User", "Organization", "Team", "ProjectV2", "Gist"} == set()
