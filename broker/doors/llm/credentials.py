"""The token of a session, in each of the forms in which clients of these APIs send a key.

Anthropic's clients say ``x-api-key`` or ``Authorization: Bearer``, OpenAI's and Bedrock's the latter, those of Azure
``api-key``. A helper that makes keys for Claude Code has it send both. One that is there twice with two values is
refused, as two readers could pick different ones. Nothing is verified here.
"""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

from broker.doors.problems import refused
from broker.doors.requests import MAX_TOKEN_CHARS
from broker.outcome import ProblemKind

KEYS: Final = frozenset((b"x-api-key", b"api-key"))
"""Headers that are nothing but the token."""
AUTHORIZATION: Final = b"authorization"
_SCHEME: Final = "bearer"
_FIX: Final = "send the token of your session as `x-api-key` or `Authorization: Bearer`"


def unverified_token(scope: Scope) -> str:
    """Return the token a request brings, unverified.

    Raises:
        RefusedError: there is none, there are two, or what stands there cannot be one.
    """
    found = {_token(name, value) for name, value in scope["headers"] if name in KEYS or name == AUTHORIZATION}
    if len(found) > 1:
        raise refused(ProblemKind.UNAUTHENTICATED, "the headers bring two different tokens", fix="send one")
    token = next(iter(found), "")
    if not token:
        raise refused(ProblemKind.UNAUTHENTICATED, "no token", fix=_FIX)
    return token


def _token(name: bytes, value: bytes) -> str:
    """Return what a header brings; empty when it cannot be a token."""
    text = str(value, "latin-1").strip(" \t")
    if name == AUTHORIZATION:
        scheme, _, text = text.partition(" ")
        text = text.strip(" ") if scheme.lower() == _SCHEME else ""
    return text if text.isascii() and len(text) <= MAX_TOKEN_CHARS else ""
