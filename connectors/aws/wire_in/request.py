"""The head and body of an inbound request, bounded, and the strict decoding of its path and query."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from connectors.aws.wire_in.refusal import Reason, Refusal, RefusedError, malformed

MAX_PATH_BYTES: Final = 16 << 10
"""An S3 key has 1024 bytes, three times that when encoded; an ARN has 2048."""
MAX_QUERY_BYTES: Final = 64 << 10
MAX_HEADERS: Final = 100
MAX_HEADER_BYTES: Final = 64 << 10
MAX_BODY_BYTES: Final = 32 << 20
"""Of a body that is read to be understood; Bedrock takes 25 MB, DynamoDB 16 MB. Streams have no bound here."""
MAX_PAIRS: Final = 20_000
"""Names in a query or form; a batch of ten metrics with 150 values each has 3 000."""

_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"})
"""Every method of botocore's models."""
_PATH: Final = re.compile(rb"/[!$&-;=@A-Z_a-z~%]*")
"""RFC 3986 3.3: no ``?``, ``#``, space, control or non-ASCII byte."""
_QUERY: Final = re.compile(rb"[!$&-*,-;=?@A-Z_a-z~%]*")
"""Likewise, and no ``+``: it means a plus to one reader and a space to another."""
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HEADER_NAME: Final = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One request as it came.

    Args:
        method: Upper case, one of those AWS uses.
        path: Raw path, ASCII, still encoded.
        query: Raw query, ASCII, still encoded, without ``?``.
        headers: Lower-case name to value, Latin-1, as sent; of a repeated header the first.
        repeated: Names that were sent more than once.
        body: Whole body, or None when it has not been read.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    repeated: frozenset[str]
    body: bytes | None

    @property
    def host(self) -> str:
        """Host without port, lower case; empty when there is none."""
        host = self.headers.get("host", "")
        return (host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.split(":")[0]).lower()

    def header(self, name: str) -> str | None:
        """Return one header.

        Args:
            name: Lower case.

        Raises:
            RefusedError: it was sent twice: two readers could take two values.
        """
        if name in self.repeated:
            raise RefusedError(Reason.DECOY, f"header `{name}` is there twice")
        return self.headers.get(name)


def receive(
    method: str, path: bytes, query: bytes, *, headers: Iterable[tuple[bytes, bytes]], body: bytes | None
) -> WireRequest | Refusal:
    """Return the request when its head is within bounds and well-formed.

    Args:
        method: As sent.
        path: Raw path (``raw_path`` of an ASGI scope).
        query: Raw query without ``?``.
        headers: Names in lower case, as ASGI gives them.
        body: Whole body, None when it is still to be read.
    """
    if method not in _METHODS:
        return Refusal(Reason.MALFORMED, "no operation uses this HTTP method")
    if len(path) > MAX_PATH_BYTES or len(query) > MAX_QUERY_BYTES:
        return Refusal(
            Reason.TOO_LARGE, f"the path has more than {MAX_PATH_BYTES} bytes or the query {MAX_QUERY_BYTES}"
        )
    if body is not None and len(body) > MAX_BODY_BYTES:
        return Refusal(Reason.TOO_LARGE, f"the body has more than {MAX_BODY_BYTES} bytes")
    if not _PATH.fullmatch(path) or not _QUERY.fullmatch(query):
        return Refusal(Reason.MALFORMED, "the path or the query holds a byte that must be percent-encoded")
    found: dict[str, str] = {}
    repeated: set[str] = set()
    size = 0
    for count, (name, value) in enumerate(headers, 1):
        size += len(name) + len(value)
        if size > MAX_HEADER_BYTES or count > MAX_HEADERS:
            return Refusal(Reason.TOO_LARGE, f"more than {MAX_HEADERS} headers or {MAX_HEADER_BYTES} bytes in them")
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            return Refusal(Reason.MALFORMED, "a header name is not a lower-case token or a value holds a control byte")
        key = name.decode("ascii")
        if key in found:
            repeated.add(key)
        else:
            found[key] = value.decode("latin-1").strip(" \t")
    return WireRequest(method, path.decode("ascii"), query.decode("ascii"), found, frozenset(repeated), body)


def decode(text: str, *, plus: bool = False) -> str:
    """Return percent-decoded text.

    Args:
        text: ASCII, encoded.
        plus: A plus is a space, as in forms.

    Raises:
        RefusedError: an escape is broken or the bytes are not UTF-8.
    """
    if plus:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        raise malformed("a percent sign is not followed by two hex digits")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise malformed("the percent-encoded bytes are not UTF-8") from None


def split_query(query: str) -> list[tuple[str, str]]:
    """Return the decoded pairs of a URL's query, in order; a name alone has the value "".

    Raises:
        RefusedError: it can't be decoded or there are too many.
    """
    return [(decode(name), decode(value)) for name, _, value in _raw_pairs(query)]


def split_form(body: bytes) -> list[tuple[str, str]]:
    """Return the decoded pairs of a form body, in order.

    Raises:
        RefusedError: it can't be decoded, a pair has no ``=`` or there are too many.
    """
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError:
        raise malformed("the form body is not ASCII") from None
    pairs = _raw_pairs(text)
    if not all(equals for _, equals, _ in pairs):
        raise malformed("a pair of the form body has no `=`")
    return [(decode(name, plus=True), decode(value, plus=True)) for name, _, value in pairs]


def _raw_pairs(text: str) -> list[tuple[str, str, str]]:
    if not text:
        return []
    if text.count("&") >= MAX_PAIRS:
        raise RefusedError(Reason.TOO_LARGE, f"more than {MAX_PAIRS} parameters")
    pairs = [part.partition("=") for part in text.split("&")]
    if not all(name for name, _, _ in pairs):
        raise malformed("a parameter has no name")
    return pairs
