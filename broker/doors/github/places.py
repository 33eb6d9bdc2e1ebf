"""What a path asks for: which connection, and which of GitHub's interfaces.

    /api/v3/…                        REST of the project's only connection, as of a GitHub Enterprise server
    /api/graphql, /graphql           GraphQL of it
    /api/uploads/…                   where GitHub Enterprise takes files of releases; nothing is served there
    /github/NAME/api/v3/…            REST of the connection NAME, and the others likewise

A path is looked at as it was sent and decoded once, segment by segment: what has two readings is no path here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote_to_bytes

MAX_PATH_BYTES: Final = 4096
"""Longest path; git itself takes no longer path of a file."""
MAX_SEGMENTS: Final = 256

_BASE: Final = rb"(?P<base>/github/(?P<connection>[a-z0-9-]{1,63}))?"
_PLACE: Final = re.compile(_BASE + rb"(?P<root>/api/v3|/api/uploads)(?P<rest>/.*)?")
_GRAPHQL: Final = re.compile(_BASE + rb"(?:/api)?/graphql")
_SENT: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+")
"""A segment, RFC 3986 section 3.3."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\\]")
"""No name holds these; a backslash is a slash to some."""


class Interface(StrEnum):
    """What is spoken at a place."""

    REST = "rest"
    GRAPHQL = "graphql"
    UPLOADS = "uploads"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes.

    Args:
        interface: What is spoken there.
        base: What stands before ``/api``: empty, or ``/github/NAME``.
        connection: NAME, empty when the path says none.
        path: What follows, as it was sent; a slash for the root.
    """

    interface: Interface
    base: str
    connection: str
    path: str = ""


def is_github(path: str) -> bool:
    """Tell whether a path is this door's, decoded or not; what is not served there is refused in GitHub's form."""
    return path.startswith(("/api/", "/github/")) or path == "/graphql"


NOWHERE: Final = Place(Interface.NOTHING, "", "")
"""Where a path leads that asks for nothing, or could be read in two ways."""


def place_of(sent: bytes) -> Place:
    """Return what a path asks for.

    Args:
        sent: The path as it was sent, still encoded.
    """
    if len(sent) > MAX_PATH_BYTES:
        return NOWHERE
    found = _GRAPHQL.fullmatch(sent)
    if found is not None:
        return Place(Interface.GRAPHQL, *_owner(found))
    found = _PLACE.fullmatch(sent)
    if found is None:
        return NOWHERE
    interface = Interface.REST if found["root"] == b"/api/v3" else Interface.UPLOADS
    rest: bytes = found["rest"] or b"/"
    return Place(interface, *_owner(found), rest.decode("ascii")) if _is_plain(rest) else NOWHERE


def _owner(found: re.Match[bytes]) -> tuple[str, str]:
    return (found["base"] or b"").decode("ascii"), (found["connection"] or b"").decode("ascii")


def _is_plain(rest: bytes) -> bool:
    """Tell whether a path can be read in one way only; one slash may end it, as that of a repository's root folder."""
    sent = rest[1:].removesuffix(b"/").split(b"/")
    return rest == b"/" or (len(sent) <= MAX_SEGMENTS and all(map(_is_name, sent)))


def _is_name(segment: bytes) -> bool:
    if not _SENT.fullmatch(segment):
        return False
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return False
    # A slash may be part of a name (`branches/feature%2Fx`); what a path does with dots may not.
    dotted = any(part in {"", ".", ".."} for part in text.split("/"))
    return not (dotted or _CONTROL.search(text))
