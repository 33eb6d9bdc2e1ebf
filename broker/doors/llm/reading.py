"""From a request to the draft of an intent: what its body says, and which of its headers go with it.

The draft holds what was read from the body, not the body: that comes with the intent, and whoever sends it compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from starlette.types import Scope

from broker.doors.llm.credentials import AUTHORIZATION, KEYS
from broker.doors.llm.places import Place, Want
from broker.doors.problems import RefusedError
from broker.model import JsonObject
from broker.outcome import Problem, ProblemKind
from connectors.errors import InvalidParamsError
from connectors.llm.bodies import Whole
from connectors.llm.words import Dialect

ACTIONS: Final[Mapping[Want, str]] = MappingProxyType({Want.INVOKE: "llm:InvokeModel", Want.COUNT: "llm:CountTokens"})

_KEPT_BACK: Final = (
    KEYS
    | {AUTHORIZATION, b"cookie", b"proxy-authorization"}
    | {b"connection", b"content-length", b"host", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
"""Credentials, which must be in no params, and what concerns this connection only (RFC 9110, section 7.6.1). Which of
the others go on to a provider is for the connector to say."""
_CONNECTION: Final = b"connection"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for.

    Args:
        action: Canonical action.
        params: Its params; the body is declared in them.
        upload: The body, with what was read from it.
    """

    action: str
    params: JsonObject
    upload: Whole


def asked_of(place: Place, scope: Scope, body: bytes) -> Asked:
    """Return what a request asks for.

    Args:
        place: Where it goes; one where a model is asked, or tokens are counted.
        scope: Of the request.
        body: Whole.

    Raises:
        RefusedError: the body cannot be read.
    """
    try:
        upload = Whole(place.dialect or Dialect.MESSAGES, body)
    except InvalidParamsError as error:
        raise RefusedError(Problem(ProblemKind.INVALID_PARAMS, str(error), fix=error.fix)) from None
    params = upload.params(headers_of(scope), model=place.model, stream=place.stream)
    return Asked(ACTIONS[place.want], params, upload)


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers that go with the intent; one that came several times is a list (RFC 9110, section 5.2)."""
    named = _named_in_connection(scope)
    kept_back = _KEPT_BACK | named if named else _KEPT_BACK
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name not in kept_back:
            key, text = str(name, "latin-1"), str(value, "latin-1").strip(" \t")
            found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _named_in_connection(scope: Scope) -> set[bytes]:
    named = (value for name, value in scope["headers"] if name == _CONNECTION)
    return {each.strip(b" \t").lower() for value in named for each in value.split(b",")}
