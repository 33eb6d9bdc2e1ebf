"""Which headers of a client go on to the upstream, and which of the upstream's come back.

To the upstream everything goes as it came but for what is listed here: that is what the providers ask of a gateway, and
what they will think of next has to pass as well. Back comes only what is listed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.base import JsonObject
from connectors.errors import InvalidParamsError
from connectors.llm.words import Dialect

MAX_HEADERS: Final = 96
MAX_VALUE_CHARS: Final = 8192
_MAX_TOTAL_CHARS: Final = 32 << 10
_MAX_ID_CHARS: Final = 128

_CREDENTIALS: Final = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "ocp-apim-subscription-key",
     "x-auth-token", "x-access-token", "cookie", "cookie2", "set-cookie"}
)  # fmt: skip
_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
     "expect", "max-forwards"}
)  # fmt: skip
"""RFC 9110 section 7.6.1, and what is between a client and us as well; those that `Connection` names go too."""
_OF_THE_BODY: Final = frozenset(
    {"host", "content-length", "content-type", "content-encoding", "content-language", "content-location",
     "content-range", "content-md5", "content-digest", "repr-digest", "digest", "accept-encoding", "range", "if-match",
     "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"}
)  # fmt: skip
"""What says how the body is to be read is set here: another charset or coding would be another body than was judged."""
_WHO_PAYS: Final = frozenset(
    {"openai-organization", "openai-project", "anthropic-organization-id", "anthropic-workspace-id"}
)
_WHERE_FROM: Final = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "origin", "referer"})
_OTHER_REQUEST: Final = frozenset(
    {"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"}
)
_EACH_TRY: Final = frozenset(
    {"x-stainless-retry-count", "x-stainless-read-timeout", "x-client-request-id", "x-request-id", "traceparent",
     "tracestate", "baggage", "sentry-trace", "b3"}
)  # fmt: skip
"""Filled anew with every try: the same request has to be known again, by the breaker and by who waits for people."""
_IDS: Final[Mapping[str, str]] = {
    "x-claude-code-session-id": "session",
    "session-id": "session",
    "x-claude-code-agent-id": "agent",
    "thread-id": "thread",
    "x-claude-code-parent-agent-id": "parent_agent",
}
"""Who asks, as Claude Code and Codex say it: kept for the ledger, for us and not for the provider."""
_DROPPED: Final = _CREDENTIALS | _HOP_BY_HOP | _OF_THE_BODY | _WHO_PAYS | _WHERE_FROM | _OTHER_REQUEST | _EACH_TRY
_DROPPED_STARTS: Final = (
    "x-claude-code-", "x-forwarded-", "proxy-", "sec-", "x-amz-", "x-ostiary-", "x-b3-", "cf-", "x-envoy-",
)  # fmt: skip
_BEDROCK: Final = "x-amzn-bedrock-"
_BEDROCK_ACCEPT: Final = "x-amzn-bedrock-accept"

_BACK: Final = frozenset(
    {"request-id", "x-request-id", "x-amzn-requestid", "x-amzn-errortype", "retry-after", "retry-after-ms",
     "x-should-retry", "openai-processing-ms", "openai-version", "apim-request-id"}
)  # fmt: skip
_BACK_STARTS: Final = ("anthropic-ratelimit-", "x-ratelimit-", "x-amzn-bedrock-")
_REQUEST_IDS: Final = ("request-id", "x-request-id", "x-amzn-requestid", "apim-request-id")
_MAX_BACK: Final = 64

_NAME: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,128}", re.ASCII)
_VALUE: Final = re.compile(r"[\t -~]*", re.ASCII)
_ID: Final = re.compile(r"[!-~]+", re.ASCII)


def forwarded(said: Any, dialect: Dialect) -> dict[str, str]:  # noqa: ANN401 - JSON as received
    """Return the headers of a client that go on, names and values unchanged.

    Args:
        said: Header names in lower case, each with its one value.
        dialect: What the client speaks.

    Raises:
        InvalidParamsError: it is no such object, or one that would go on is malformed or too large.
    """
    checked = _checked(said)
    named = {each.strip().lower() for each in checked["connection"].split(",")} if "connection" in checked else ()
    kept = {name: value for name, value in checked.items() if not _stays(name) and name not in named}
    for name, value in kept.items():
        if _NAME.fullmatch(name) is None:
            raise InvalidParamsError("a name in `headers` is not that of a header, in lower case")
        if len(value) > MAX_VALUE_CHARS or _VALUE.fullmatch(value) is None:
            raise InvalidParamsError(f"the header `{name}` is too long, or not printable ASCII")
        if name.startswith(_BEDROCK) and name != _BEDROCK_ACCEPT:
            raise InvalidParamsError(
                f"the header `{name}` is not served", fix="guardrails and tiers are the operator's"
            )
    if sum(len(name) + len(value) for name, value in kept.items()) > _MAX_TOTAL_CHARS:
        raise InvalidParamsError(f"the headers have more than {_MAX_TOTAL_CHARS} characters")
    if dialect is Dialect.MESSAGES:
        kept.setdefault("anthropic-version", "2023-06-01")
    return kept


def client_ids(said: Mapping[str, str]) -> JsonObject:
    """Return who asks, as the client says it, for the ledger: session, agent, thread; nobody has checked it.

    Args:
        said: Headers as for `forwarded`, checked by it.
    """
    found: JsonObject = {}
    for name, word in _IDS.items():
        value = said.get(name, "")
        if word not in found and len(value) <= _MAX_ID_CHARS and _ID.fullmatch(value):
            found[word] = value
    return found


def passed(answered: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an upstream's answer that its client gets to see.

    Args:
        answered: Header names in lower case.
    """
    kept = {name: value for name, value in answered.items() if name in _BACK or name.startswith(_BACK_STARTS)}
    clean = {name: value[:MAX_VALUE_CHARS] for name, value in kept.items() if _VALUE.fullmatch(value)}
    kind = media_type_of(answered)
    return {**dict(sorted(clean.items())[:_MAX_BACK]), **({"content-type": kind} if kind else {})}


def media_type_of(answered: Mapping[str, str]) -> str:
    """Return the content type of an answer as it was given, empty for none that is fit to be one."""
    kind = answered.get("content-type", "")
    return kind if len(kind) <= _MAX_ID_CHARS and kind and _VALUE.fullmatch(kind) else ""


def request_id_of(answered: Mapping[str, str]) -> str:
    """Return the upstream's id of a call; empty when it gave none."""
    found = next((answered[name] for name in _REQUEST_IDS if answered.get(name)), "")
    return found if len(found) <= _MAX_ID_CHARS and _ID.fullmatch(found) else ""


def _checked(said: Any) -> dict[str, str]:  # noqa: ANN401 - JSON as received
    if type(said) is not dict:
        raise InvalidParamsError("`headers` must be an object of strings")
    if len(said) > MAX_HEADERS:
        raise InvalidParamsError(f"there are more than {MAX_HEADERS} headers")
    if not all(type(name) is str and type(value) is str for name, value in said.items()):
        raise InvalidParamsError("`headers` must be an object of strings")
    if any(name != name.lower() for name in said):
        raise InvalidParamsError("names in `headers` are written in lower case")
    return said


def _stays(name: str) -> bool:
    return name in _DROPPED or name in _IDS or name.startswith(_DROPPED_STARTS)
