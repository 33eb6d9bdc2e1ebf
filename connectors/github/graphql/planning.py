"""Plans of GraphQL: what is asked before, and what is sent with what requirements. All of it pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import orjson

from connectors.base import Connection, JsonObject, Plan
from connectors.errors import NotSentError
from connectors.github.connection import GitHubConnection, options_of
from connectors.github.graphql import minting, twins
from connectors.github.graphql.changes import asked_in, read_change
from connectors.github.graphql.document import Document, read_document
from connectors.github.graphql.nodes import RESOLVE as RESOLVE_QUERY
from connectors.github.graphql.operations import (
    GRAPHQL_OPERATIONS,
    MUTATE,
    NODES,
    QUERY,
    RESOLVE,
    DocumentParams,
    document_params,
    resolve_params,
)
from connectors.github.graphql.printing import Printed
from connectors.github.graphql.queries import ids_in, read_query
from connectors.github.graphql.words import refused
from connectors.github.verbs import READ
from connectors.inspection import Ask, Evidence
from connectors.usage import Estimate
from policies.model import Requirement

_ENTERPRISE: Final = "/api/v3"


def asks(action: str, params: JsonObject) -> tuple[Ask, ...]:
    """Return the look at the ids a document names; none when it names none.

    Raises:
        InvalidParamsError: the document is refused.
    """
    document = _document(action, document_params(params))
    ids = asked_in(document).ids if document.is_mutation else ids_in(document)
    return (Ask(RESOLVE, {"ids": list(ids)}),) if ids else ()


def evidence(action: str, params: JsonObject, answers: tuple[JsonObject | None, ...]) -> Evidence:
    """Return what the answers to `asks` say.

    Raises:
        InvalidParamsError: the document is refused.
        NotSentError: an answer is missing.
    """
    if not answers:
        return Evidence()
    found = (answers[0] or {}).get("found")
    if not isinstance(found, dict):
        raise NotSentError("what the ids name could not be found out")
    document = _document(action, document_params(params))
    if not document.is_mutation:
        return Evidence(found=found)
    asked, change = asked_in(document), read_change(document, found)
    facts = {"mutation": asked.name, **change.subject.facts}
    return Evidence(found=found, facts=facts, preview=twins.seen_of(change))


def plan(action: str, params: JsonObject, connection: Connection, found: JsonObject) -> Plan:
    """Derive what is sent from params and from what their ids name.

    Args:
        action: One of `GRAPHQL_OPERATIONS`.
        params: Its params.
        connection: Where to.
        found: What the answer to `asks` says.

    Raises:
        InvalidParamsError: they do not fit, or cannot be mapped to what policy knows.
    """
    if action == RESOLVE:
        ids = sorted(set(resolve_params(params).ids))
        needs = (Requirement(READ, NODES),)
        return _plan(action, connection, Printed(RESOLVE_QUERY, {"ids": ids}), needs, "look up ids")
    document = _document(action, document_params(params))
    if not document.is_mutation:
        query = read_query(document, found)
        places = ", ".join(each.resource for each in query.requirements[:3])
        return _plan(
            action, connection, query.printed, query.requirements, f"read {places}", {"hits": dict(query.hits)}
        )
    asked, change = asked_in(document), read_change(document, found)
    more: JsonObject = {"mutation": asked.name, "id": asked.subject_id}
    if asked.how.head:
        more["still"] = {"head": change.subject.head, "base": change.subject.base}
    made = _plan(action, connection, change.printed, change.requirements, change.summary, more)
    return replace(made, trace=twins.trace_of(asked, change))


def _plan(
    action: str,
    connection: Connection,
    sent: Printed,
    needs: tuple[Requirement, ...],
    summary: str,
    more: JsonObject | None = None,
) -> Plan:
    options, row = options_of(connection), GRAPHQL_OPERATIONS[action]
    call = {"url": endpoint(options), "query": sent.query, "variables": sent.variables, **(more or {})}
    return Plan(
        connector=connection.connector,
        action=action,
        connection=connection.name,
        credential=connection.credential,
        call=call,
        requirements=needs,
        access=row.access,
        idempotent=row.idempotent,
        summary=summary,
        host=options.host,
        estimate=Estimate(request_bytes=len(sent.query.encode()) + len(orjson.dumps(sent.variables))),
        mint=minting.token_request(action, needs, sent.query, options),
    )


def endpoint(options: GitHubConnection) -> str:
    """Return where GraphQL is served."""
    if options.url.endswith(_ENTERPRISE):
        return options.url.removesuffix(_ENTERPRISE) + "/api/graphql"
    return f"{options.url}/graphql"


def _document(action: str, params: DocumentParams) -> Document:
    document = read_document(params.query, params.variables, params.operation_name)
    if document.is_mutation != (action == MUTATE):
        raise refused(
            f"this is a {'mutation' if document.is_mutation else 'query'}", fix=f"ask for `{QUERY}` or `{MUTATE}`"
        )
    return document
