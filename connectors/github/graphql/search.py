"""Which repositories a search for issues and pull requests can reach.

A search reads across everything the credential sees, unless its terms pin it to repositories: ``repo:owner/name``. The
grammar is GitHub's for issues: terms side by side, ``AND``, ``OR``, ``NOT``, parentheses, quotes. Whatever is not
surely read as GitHub reads it pins nothing, so that the search needs the right to search everywhere.

Several terms ``repo:`` side by side are any of them to GitHub's older search and all of them to its newer one: each
of them is taken as reached.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.errors import InvalidParamsError
from connectors.github.graphql.words import full_name

MAX_QUERY_CHARS: Final = 2_000
MAX_NESTING: Final = 8
PLAIN: Final = "ISSUE"
ADVANCED: Final = "ISSUE_ADVANCED"

_TERM: Final = re.compile(r'[()]|(?:[^\s()"\\]|"[^"\\]*")+')
_REPO: Final = re.compile(r"repo:([A-Za-z0-9_-]+/[A-Za-z0-9._-]+)", re.IGNORECASE)
_OPERATORS: Final = frozenset({"AND", "OR", "NOT", "(", ")"})
_QUALIFIER: Final = re.compile(r"-?([A-Za-z-]+):")
_NARROWING: Final = re.compile(
    "archived|assignee|author|base|closed|comments|commenter|created|draft|head|in|interactions|involves|is|label|"
    "language|linked|locked|mentions|merged|milestone|no|reactions|reason|repo|review|review-requested|reviewed-by|"
    "sort|state|status|team|team-review-requested|type|updated|user-review-requested"
)
"""Qualifiers that leave out results and add none; ``user:`` and ``org:`` widen what ``repo:`` pins."""

_Pins = frozenset[str]


class _OpenError(Exception):
    """The search is not pinned, or cannot be read."""


def pinned_repositories(query: str, kind: str) -> frozenset[str]:
    """Return the repositories a search is pinned to, empty when it may reach others.

    Args:
        query: As a client wrote it.
        kind: Value of ``type``; what is no search for issues is pinned by nothing.
    """
    if kind not in {PLAIN, ADVANCED} or len(query) > MAX_QUERY_CHARS or not query.isascii() or not query.isprintable():
        return frozenset()
    terms = _TERM.findall(query)
    if "".join("".join(terms).split()) != "".join(query.split()):
        return frozenset()  # an open quote, a backslash: something is not read
    if kind == PLAIN and not _OPERATORS.isdisjoint(terms):
        return frozenset()  # words to the older search, operators to the newer one
    try:
        return _Reading(terms).all_of()
    except (_OpenError, InvalidParamsError):
        return frozenset()


class _Reading:
    """Reads a boolean expression by descent; OR binds weakest, side by side is AND."""

    def __init__(self, terms: list[str]) -> None:
        self._left = terms[::-1]

    def all_of(self) -> _Pins:
        """Return what the whole expression is pinned to."""
        found = self._any(MAX_NESTING)
        if self._left:
            raise _OpenError
        return found

    def _any(self, nesting: int) -> _Pins:
        """One alternative that is not pinned leaves all of them open."""
        found = self._every(nesting)
        is_pinned = bool(found)
        while self._next() == "OR":
            self._left.pop()
            other = self._every(nesting)
            is_pinned = is_pinned and bool(other)
            found |= other
        return found if is_pinned else frozenset()

    def _every(self, nesting: int) -> _Pins:
        """One pinned part pins all of them."""
        found = self._one(nesting)
        while self._next() not in {"", "OR", ")"}:
            if self._next() == "AND":
                self._left.pop()
            found |= self._one(nesting)
        return found

    def _one(self, nesting: int) -> _Pins:
        term = self._left.pop() if self._left else ""
        if term == "(":
            if not nesting:
                raise _OpenError
            found = self._any(nesting - 1)
            if self._next() != ")":
                raise _OpenError
            self._left.pop()
            return found
        if term == "NOT":
            self._one(nesting)
            return frozenset()
        if not term or term in _OPERATORS:
            raise _OpenError
        return _pin(term)

    def _next(self) -> str:
        return self._left[-1] if self._left else ""


def _pin(term: str) -> _Pins:
    if found := _REPO.fullmatch(term):
        return frozenset({full_name(found[1])})
    qualifier = _QUALIFIER.match(term)
    if qualifier and not _NARROWING.fullmatch(qualifier[1].lower()):
        raise _OpenError
    return frozenset()
