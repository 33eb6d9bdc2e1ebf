"""Which repository a request is about, and what it wants of it: the path, read strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "/git/"

_PLACE: Final = re.compile(
    rb"/git/(?P<connection>[a-z0-9][a-z0-9._-]{0,62})/(?P<owner>[A-Za-z0-9_][A-Za-z0-9._-]{0,99})"
    rb"/(?P<name>[A-Za-z0-9_][A-Za-z0-9._-]{0,99}?)(?:\.git)?/(?P<what>info/refs|git-upload-pack|git-receive-pack|info/lfs/.{1,300})"
)
_SERVICE: Final = re.compile(rb"service=(git-upload-pack|git-receive-pack)")


class Want(StrEnum):
    """What a client wants."""

    READ_REFS = "read refs"
    PUSH_REFS = "push refs"
    FETCH = "fetch"
    PUSH = "push"
    LFS = "lfs"


@dataclass(frozen=True, slots=True)
class Place:
    """A repository behind a connection.

    Args:
        connection: Name of the connection, as sent.
        repo: ``owner/name``, as sent, without ``.git``.
        want: What the client wants of it.
        rest: The path below ``info/lfs/``; empty for all else.
    """

    connection: str
    repo: str
    want: Want
    rest: str = ""


def place_of(method: str, raw_path: bytes, query: bytes) -> Place | None:
    """Return what a request is about; None when it is nothing of this door.

    Nothing is decoded: names that could be here need no escapes, so a path with any is no path of ours.

    Args:
        method: HTTP method.
        raw_path: As sent, without the query.
        query: As sent.
    """
    found = _PLACE.fullmatch(raw_path)
    if found is None:
        return None
    connection, repo = found["connection"].decode(), f"{found['owner'].decode()}/{found['name'].decode()}"
    what = found["what"].decode("latin-1")
    if what.startswith("info/lfs/"):
        return Place(connection, repo, Want.LFS, what.removeprefix("info/lfs/"))
    if what == "info/refs":
        service = _SERVICE.fullmatch(query)
        if method != "GET" or service is None:
            return None
        return Place(connection, repo, Want.READ_REFS if service[1] == b"git-upload-pack" else Want.PUSH_REFS)
    if method != "POST" or query:
        return None
    return Place(connection, repo, Want.FETCH if what == "git-upload-pack" else Want.PUSH)
