"""The GraphQL operations of the catalogue: by hand, as GitHub describes none of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.base import Access, JsonObject, Operation
from connectors.errors import InvalidParamsError
from connectors.github.graphql.mutations import PERMISSIONS
from connectors.github.graphql.nodes import MAX_IDS
from connectors.github.names import shown
from connectors.github.verbs import READ

QUERY: Final = "github:graphql.query"
MUTATE: Final = "github:graphql.mutate"
RESOLVE: Final = "github:graphql.resolve"
INSPECTED: Final = frozenset({QUERY, MUTATE})
"""They may name ids, which are looked up before they are planned."""
NODES: Final = "nodes"
"""Resource of what an id names: its kind, its repository and what rules look at."""

_Id = Annotated[str, Field(min_length=1, max_length=200)]


class DocumentParams(BaseModel):
    """Params of a query or mutation, as GraphQL over HTTP names them.

    Args:
        query: The document.
        variables: Values of its variables.
        operation_name: Which of its operations is meant; empty when it has one.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    query: str = Field(max_length=64 << 10)
    variables: dict[str, Any] = Field(default_factory=dict)
    operation_name: str = Field(default="", max_length=200)


class ResolveParams(BaseModel):
    """Params of a look at ids.

    Args:
        ids: Ids of nodes, each once.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    ids: list[_Id] = Field(min_length=1, max_length=MAX_IDS)


def document_params(params: JsonObject) -> DocumentParams:
    """Return typed params of a query or mutation.

    Raises:
        InvalidParamsError: they do not fit.
    """
    try:
        return DocumentParams.model_validate(params)
    except ValidationError as error:
        raise _misfit(error) from None


def resolve_params(params: JsonObject) -> ResolveParams:
    """Return typed params of a look at ids.

    Raises:
        InvalidParamsError: they do not fit.
    """
    try:
        return ResolveParams.model_validate(params)
    except ValidationError as error:
        raise _misfit(error) from None


def _misfit(error: ValidationError) -> InvalidParamsError:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = shown(".".join(str(part) for part in first["loc"]))
    return InvalidParamsError(f"`{place}` does not fit: {first['msg'].lower()}", "see the schema of the action")


def _schema(model: type[BaseModel]) -> JsonObject:
    made = model.model_json_schema()
    if "variables" in made["properties"]:
        made["properties"]["variables"]["additionalProperties"] = {}  # any JSON, by the types the document declares
    return made


GRAPHQL_OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        QUERY: Operation(
            action=QUERY,
            access=Access.READ,
            idempotent=True,
            summary="read repositories in GraphQL",
            resources=("repos/{repo}", "orgs/{org}", "search", "user", "github"),
            params_schema=_schema(DocumentParams),
            example={"query": '{ repository(owner: "acme", name: "app") { description } }'},
            permissions=(READ,),
        ),
        MUTATE: Operation(
            action=MUTATE,
            access=Access.WRITE,
            idempotent=False,
            summary="change something in GraphQL, by one of the mutations that stand for operations of REST",
            resources=(
                "repos/{repo}",
                "repos/{repo}/pull-requests/{number}",
                "repos/{repo}/issues/{number}",
                "repos/{repo}/branches/{branch}",
                "repos/{repo}/tags/{tag}",
            ),
            params_schema=_schema(DocumentParams),
            example={
                "query": 'mutation { closePullRequest(input: {pullRequestId: "PR_kwDOAAAAAM4A"}) { clientMutationId } }'
            },
            permissions=PERMISSIONS,
        ),
        RESOLVE: Operation(
            action=RESOLVE,
            access=Access.READ,
            idempotent=True,
            summary="look up what ids of GraphQL name: kind, repository, number, head",
            resources=(NODES,),
            params_schema=_schema(ResolveParams),
            example={"ids": ["PR_kwDOAAAAAM4AAAAB"]},
            permissions=(READ,),
        ),
    }
)
"""Canonical action -> row."""
