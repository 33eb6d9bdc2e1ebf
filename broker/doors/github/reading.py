"""From a REST request to the draft of an intent: which operation, and its params, flat, as octokit takes them.

The path names the operation and its first params, the query and the JSON body the others, and a few headers what the
answer should look like. A param comes from one place only, and has one value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.types import Scope

from broker.doors.github.places import Place
from broker.doors.github.queries import MalformedQueryError, query_params
from broker.doors.github.refusals import No, no, of_misfit
from broker.doors.requests import header
from broker.doors.strict_json import MalformedJsonError, parse_value
from broker.model import JsonObject
from broker.outcome import ProblemKind
from connectors.errors import InvalidParamsError
from connectors.github.catalogue import Entry, actions
from connectors.github.params import HEADERS, extras_of, params_of
from connectors.github.routes import match
from connectors.github.verbs import SECRETS

MAX_BODY_BYTES: Final = 8 << 20
"""Largest body; a file that is written through the contents API is in it as base64."""

READS: Final = frozenset(("GET", "HEAD"))
_ANYTHING: Final = frozenset(("", "*/*"))
_JSON: Final = "application/json"
_NOTHING: Final = frozenset((b"{}", b"null"))
"""Bodies that say nothing; some clients send one with every write."""
_SHOWN: Final = 200
_METHOD_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, before its body is read.

    Args:
        action: Canonical action.
        entry: Its row of the catalogue.
        in_path, in_query, in_headers: Params by where they stand.
    """

    action: str
    entry: Entry
    in_path: Mapping[str, str]
    in_query: JsonObject
    in_headers: JsonObject


def asked_of(scope: Scope, place: Place) -> Asked | No:
    """Return what the head of a request asks for, or why it asks for nothing.

    Args:
        scope: Of the request.
        place: Where it goes.
    """
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    found = match(method, place.path)
    if found is None:
        said = f"{method[:_METHOD_CHARS]} {place.path[:_SHOWN]}"
        return no(ProblemKind.NOT_FOUND, f"Not Found: no operation of GitHub's REST API is `{said}`")
    action, in_path = found
    entry = actions()[action]
    try:
        queried = query_params(scope["query_string"], entry.in_query)
    except MalformedQueryError as error:
        return no(ProblemKind.MALFORMED_REQUEST, str(error))
    stranger = next((name for name in queried if name not in entry.in_query), "")
    if stranger:
        # A param of the body has no place in the query, nor one of ours that a header gives.
        return no(ProblemKind.INVALID_PARAMS, f"`{action}` has no `{stranger[:_SHOWN]}` in its query")
    return Asked(action, entry, in_path, queried, _from_headers(scope, action, entry))


def params_from(asked: Asked, scope: Scope, body: bytes) -> JsonObject | No:
    """Return all params of a request.

    Args:
        asked: What its head asks for.
        scope: Of the request.
        body: Whole.
    """
    value = _value(asked, scope, body) if body else None
    if isinstance(value, No):
        return value
    stranger = _stranger(asked.entry, value)
    if stranger:
        return no(ProblemKind.INVALID_PARAMS, f"`{asked.action}` has no `{stranger[:_SHOWN]}` in its body")
    try:
        return {**params_of(asked.entry, asked.in_path, asked.in_query, value), **asked.in_headers}
    except InvalidParamsError as error:
        return of_misfit(error)


def _value(asked: Asked, scope: Scope, body: bytes) -> Any:  # noqa: ANN401 - JSON, or a no
    """Return what a body says."""
    if not asked.entry.in_body and body.strip() in _NOTHING:
        return None
    if not asked.entry.in_body:
        return no(ProblemKind.INVALID_PARAMS, f"`{asked.action}` takes no body")
    if asked.entry.sends:
        return _text(asked.entry, scope, body)
    if not _is_json(_media_type(scope)):
        return no(ProblemKind.UNSUPPORTED_MEDIA_TYPE, "expected a body of type `application/json`")
    try:
        return parse_value(body)
    except MalformedJsonError as error:
        return no(ProblemKind.MALFORMED_REQUEST, f"Problems parsing JSON: {error}")


def _stranger(entry: Entry, value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a member of the body that is no param of the body, empty when all are."""
    if entry.whole or not isinstance(value, dict):
        return ""
    sent = {entry.renamed.get(name, name) for name in entry.in_body}
    return next((name for name in value if name not in sent), "")


def _text(entry: Entry, scope: Scope, body: bytes) -> str | No:
    """Return a body that is no JSON."""
    if entry.sends.partition("/")[0] != "text":
        return no(ProblemKind.UNSUPPORTED_MEDIA_TYPE, f"bodies of type `{entry.sends}` are not taken here")
    if _media_type(scope).partition("/")[0] != "text":
        return no(ProblemKind.UNSUPPORTED_MEDIA_TYPE, f"expected a body of type `{entry.sends}`")
    try:
        return body.decode()
    except UnicodeDecodeError:
        return no(ProblemKind.MALFORMED_REQUEST, "the body is no UTF-8")


def _from_headers(scope: Scope, action: str, entry: Entry) -> JsonObject:
    """Return the params that headers give; those that the operation does not take say nothing, as at GitHub."""
    names = extras_of(entry, secret=action in SECRETS)
    found = {name: header(scope, HEADERS[name].encode("ascii")) for name in names}
    return {name: value for name, value in found.items() if value not in _ANYTHING}


def _media_type(scope: Scope) -> str:
    return header(scope, b"content-type").partition(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    # GitHub looks at the body, and curl without a header sends a form.
    return media_type in {_JSON, "", "application/x-www-form-urlencoded"} or media_type.endswith("+json")
