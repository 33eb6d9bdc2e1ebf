"""What a path asks for: which connection, in whose format, and what.

    POST /v1/messages                  a model is asked, in Anthropic's format
    POST /v1/messages/count_tokens     how many tokens that would be
    POST /v1/chat/completions          a model is asked, in OpenAI's format
    POST /v1/responses                 likewise, in OpenAI's newer one
    POST /model/ID/invoke              likewise, in Bedrock's, as well as /invoke-with-response-stream
    GET  /v1/models, /v1/models/ID     what may be asked
    HEAD /                             whether somebody is there, which clients ask first
    /llm/NAME/…                        each of these, of the connection NAME

Whatever else those APIs have (batches, files, embeddings, …) belongs to this door too, and is refused: it would not be
metered. A path is looked at as it was sent; what has two readings is no place here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_to_bytes

from connectors.llm.words import Dialect

MAX_PATH_BYTES: Final = 2048
"""Longest path; the longest name of a model, an ARN, has 2048 characters at most (Bedrock, InvokeModel)."""
MAX_QUERY_BYTES: Final = 2048


class Want(StrEnum):
    """What is asked for at a place."""

    INVOKE = "invoke"
    COUNT = "count"
    MODELS = "models"
    MODEL = "model"
    PROBE = "probe"
    NOTHING = "nothing"


METHODS: Final[Mapping[Want, tuple[str, ...]]] = MappingProxyType(
    {
        Want.INVOKE: ("POST",),
        Want.COUNT: ("POST",),
        Want.MODELS: ("GET", "HEAD"),
        Want.MODEL: ("GET", "HEAD"),
        Want.PROBE: ("HEAD",),
        Want.NOTHING: (),
    }
)
"""With which methods a place is asked."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes.

    Args:
        want: What is asked for there.
        dialect: In which format; None where the path does not say, and the headers must.
        connection: NAME, empty when the path says none.
        model: The one the path names, decoded once; empty for none.
        stream: Whether the path asks for a stream; the bodies of other formats say it themselves.
    """

    want: Want
    dialect: Dialect | None = None
    connection: str = ""
    model: str = ""
    stream: bool = False


NOWHERE: Final = Place(Want.NOTHING)

_BASE: Final = re.compile(rb"/llm/(?P<connection>[a-z0-9-]{1,63})(?P<rest>/.*)?", re.DOTALL)
_FIXED: Final[Mapping[bytes, tuple[Want, Dialect | None]]] = MappingProxyType(
    {
        b"/v1/messages": (Want.INVOKE, Dialect.MESSAGES),
        b"/v1/messages/count_tokens": (Want.COUNT, Dialect.MESSAGES),
        b"/v1/chat/completions": (Want.INVOKE, Dialect.CHAT),
        b"/v1/responses": (Want.INVOKE, Dialect.RESPONSES),
        b"/v1/models": (Want.MODELS, None),
        b"/": (Want.PROBE, None),
    }
)
_SENT: Final = rb"[A-Za-z0-9._~:@$+,=!-]|%[0-9A-Fa-f]{2}"
_INVOKE: Final = re.compile(rb"/model/(?P<model>(?:" + _SENT + rb")+)/invoke(?P<stream>-with-response-stream)?")
_MODEL: Final = re.compile(rb"/v1/models/(?P<model>(?:" + _SENT + rb"|/)+)")
"""A name in the list may be written ``provider/model``; one that is asked has its slashes encoded."""
_QUERY: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
"""RFC 3986 section 3.4."""
_VISIBLE: Final = re.compile(r"[!-$&-~]{1,2048}")
"""What a decoded name may hold; a percent sign would be a second coat of encoding."""

_ANTHROPIC: Final = frozenset(("messages", "complete", "skills", "organizations"))
"""First words after ``/v1/`` of Anthropic's API."""
_FAMILIES: Final = _ANTHROPIC | frozenset(
    (
        "assistants",
        "audio",
        "batches",
        "chat",
        "chatkit",
        "completions",
        "containers",
        "conversations",
        "edits",
        "embeddings",
        "engines",
        "evals",
        "files",
        "fine-tunes",
        "fine_tuning",
        "images",
        "models",
        "moderations",
        "organization",
        "realtime",
        "responses",
        "threads",
        "uploads",
        "vector_stores",
        "videos",
    )
)
"""First words after ``/v1/`` of all of these APIs. None of them is a noun of ours, nor may one become it."""
_BEDROCK: Final = ("/model/", "/inference-profiles")


def is_llm(method: str, path: str) -> bool:
    """Tell whether a request is this door's; what is not served there is refused in the provider's form.

    Args:
        method: Of the request.
        path: Decoded or not.
    """
    if path == "/":
        return method == "HEAD"
    if path.startswith("/v1/"):
        return path.split("/", 3)[2] in _FAMILIES
    return path.startswith(("/llm/", "/openai/", *_BEDROCK))


def place_of(sent: bytes) -> Place:
    """Return what a path asks for.

    Args:
        sent: The path as it was sent, still encoded.
    """
    if len(sent) > MAX_PATH_BYTES:
        return NOWHERE
    based = _BASE.fullmatch(sent)
    if based is None:
        return _place(sent, "")
    return _place(based["rest"] or b"/", based["connection"].decode("ascii"))


def _place(rest: bytes, connection: str) -> Place:
    fixed = _FIXED.get(rest)
    if fixed is not None:
        return Place(*fixed, connection)
    found = _INVOKE.fullmatch(rest)
    if found is not None:
        return _named(Want.INVOKE, found, connection, stream=found["stream"] is not None)
    found = _MODEL.fullmatch(rest)
    if found is not None:
        return _named(Want.MODEL, found, connection)
    return Place(Want.NOTHING, _likely(rest.decode("latin-1")), connection)


def _named(want: Want, found: re.Match[bytes], connection: str, *, stream: bool = False) -> Place:
    dialect = Dialect.INVOKE if want is Want.INVOKE else None
    name = unquote_to_bytes(found["model"]).decode("latin-1")
    if not _VISIBLE.fullmatch(name):
        return Place(Want.NOTHING, dialect, connection)
    return Place(want, dialect, connection, name, stream)


def _likely(path: str) -> Dialect | None:
    """Return whose path it is that is not served."""
    if path.startswith(_BEDROCK):
        return Dialect.INVOKE
    words = path.split("/", 3)
    return Dialect.MESSAGES if words[1:2] == ["v1"] and words[2:3] and words[2] in _ANTHROPIC else None


def is_query(sent: bytes) -> bool:
    """Tell whether a query is one at all; what it says is not looked at."""
    return len(sent) <= MAX_QUERY_BYTES and _QUERY.fullmatch(sent) is not None
