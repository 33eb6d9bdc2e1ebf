"""The token of a session, in each of the forms in which clients of GitHub send one.

PyGithub and gh say ``token T``, octokit says ``token T`` or ``bearer T``, curl and git say Basic with the token as
password. Nothing is verified here.
"""

from __future__ import annotations

import base64
from typing import Final

from starlette.types import Scope

from broker.doors.requests import MAX_TOKEN_CHARS, header

_PLAIN: Final = frozenset(("token", "bearer"))
_BASIC: Final = "basic"
_MAX_USER_CHARS: Final = 256
"""Longest user name looked at; it says nothing."""


def unverified_token(scope: Scope) -> str:
    """Return the token a request brings, unverified; empty when it brings none, or nothing that could be one."""
    scheme, _, value = header(scope, b"authorization").partition(" ")
    value = value.strip(" ")
    match scheme.lower():
        case kind if kind in _PLAIN:
            token = value
        case kind if kind == _BASIC:
            token = _password(value)
        case _:
            return ""
    return token if token.isascii() and len(token) <= MAX_TOKEN_CHARS else ""


def _password(encoded: str) -> str:
    """Return the password of RFC 7617, empty when it is none."""
    if len(encoded) > 2 * (_MAX_USER_CHARS + MAX_TOKEN_CHARS):
        return ""
    try:
        plain = base64.b64decode(encoded, validate=True).decode()
    except ValueError:  # of base64, of UTF-8, or no ASCII
        return ""
    return plain.partition(":")[2]
