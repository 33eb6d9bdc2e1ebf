"""A GraphQL request to the draft of an intent, and an outcome or a no back in GraphQL's form.

GitHub answers a query that it refuses with status 200 and ``errors``, and so does this door: gh and octokit then show
each message. What a client may repeat, and who it is, stays a status of HTTP, as at GitHub.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.types import Scope

from broker.doors.github.answer import JSON, REQUEST_ID, Answer, json_answer, passed_on, raw
from broker.doors.github.refusals import No, headers_of, no, of_misfit, of_outcome, pending, rendered, unreleased
from broker.doors.outlet import RawHeaders
from broker.doors.strict_json import MalformedJsonError, parse_object
from broker.ids import IntentId
from broker.model import IntentState, JsonObject
from broker.outcome import Outcome, ProblemKind
from connectors.errors import InvalidParamsError

MAX_BODY_BYTES: Final = 1 << 20
"""Largest body; documents and variables are bounded further where they are read."""

_MEMBERS: Final = frozenset(("query", "variables", "operationName"))
_TYPES: Final = {
    ProblemKind.DENIED.value: "FORBIDDEN",
    ProblemKind.APPROVAL_REJECTED.value: "FORBIDDEN",
    ProblemKind.APPROVAL_EXPIRED.value: "FORBIDDEN",
    ProblemKind.FORBIDDEN.value: "FORBIDDEN",
    ProblemKind.NOT_FOUND.value: "NOT_FOUND",
    IntentState.PENDING_APPROVAL.value: "FORBIDDEN",
    IntentState.APPROVED.value: "FORBIDDEN",
}
"""Code of a no to the type of GitHub's error; any other is our code, upper case."""
_OF_GITHUB: Final = "UPSTREAM_REFUSED"
"""Type of what GitHub itself said no to, without a type."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for.

    Args:
        action: Canonical action.
        params: Its params.
        read: It changes nothing.
    """

    action: str
    params: JsonObject
    read: bool


def wanted_from(scope: Scope, body: bytes) -> Wanted | No:
    """Return what a request asks for, or why it asks for nothing.

    Args:
        scope: Of the request.
        body: Whole.
    """
    if scope["method"] != "POST" or scope["query_string"]:
        return no(ProblemKind.NOT_FOUND, "Not Found: GraphQL is asked by `POST`, without a query in the address")
    try:
        sent = parse_object(body)
    except MalformedJsonError as error:
        return no(ProblemKind.MALFORMED_REQUEST, f"Problems parsing JSON: {error}")
    query, variables, name = (sent.get(each) for each in ("query", "variables", "operationName"))
    variables, name = {} if variables is None else variables, "" if name is None else name
    fits = isinstance(query, str) and isinstance(variables, dict) and isinstance(name, str)
    if not fits or sent.keys() - _MEMBERS:
        return no(ProblemKind.MALFORMED_REQUEST, "expected `query`, `variables` and `operationName`, and nothing else")
    # Its library takes memory and a while to load, which those who never speak GraphQL do not spend.
    from connectors.github.graphql.document import read_document

    try:
        document = read_document(str(query), variables, name)
    except InvalidParamsError as error:
        return of_misfit(error)
    params = {"query": query, "variables": variables, "operation_name": name}
    action = "github:graphql.mutate" if document.is_mutation else "github:graphql.query"
    return Wanted(action, params, read=not document.is_mutation)


def answer_of(outcome: Outcome, approvals_url: str) -> Answer | No:
    """Return the answer to send.

    Args:
        outcome: What became of the intent.
        approvals_url: Where approvals are shown, up to the id.
    """
    if outcome.problem is not None:
        return of_outcome(outcome, outcome.problem)
    if outcome.state is not IntentState.SUCCEEDED:
        return pending(outcome, f"{approvals_url}/{outcome.approval_id}")
    body = outcome.result.get("body")
    if not isinstance(body, dict):
        return unreleased(outcome, str(outcome.result.get("withheld", "the result is no answer of GraphQL")))
    headers = {**passed_on(outcome.result.get("headers")), REQUEST_ID: outcome.intent_id}
    return json_answer(HTTPStatus.OK, body, headers)


def head(intent_id: IntentId, data: JsonObject, _media_type: str) -> tuple[int, RawHeaders]:
    """Return status and headers of an answer too large for one piece; see `broker.doors.outlet.Head`."""
    return HTTPStatus.OK, raw({"content-type": JSON, **passed_on(data.get("headers")), REQUEST_ID: intent_id})


def rendered_no(said: No, *, documentation: str) -> Answer:
    """Return a no as GitHub's GraphQL API would say it.

    Args:
        said: The no.
        documentation: Where ours is documented.
    """
    if said.repeatable or said.status == HTTPStatus.UNAUTHORIZED:
        return rendered(said, documentation=documentation)
    kind = _TYPES.get(said.code) or said.code.upper().replace("-", "_") or _OF_GITHUB
    own = [each for each in said.errors if isinstance(each, dict) and each.get("message") and each.get("type")]
    errors = own or [{"type": kind, "message": said.message}]
    return json_answer(HTTPStatus.OK, {"data": None, "errors": errors}, headers_of(said))
