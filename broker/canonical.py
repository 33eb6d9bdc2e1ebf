"""Canonical JSON and the digests over it; the only hashing of data in the broker.

Canonical form: UTF-8, keys sorted by code point, no white space, integers in the signed 64-bit range, no floats but
finite ones, no duplicate keys (a dict cannot hold them), strings unchanged (no Unicode normalisation). It is a form of
ours, not RFC 8785: digests are compared only with digests made here, and stored bytes are never made again.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any, Final

import orjson

from broker.ids import Digest

MAX_DEPTH: Final = 64
"""Deeper nesting is refused: parsers elsewhere recurse."""

_PLAIN: Final = frozenset({str, int, bool, type(None)})
_CONTAINERS: Final = frozenset({dict, list, tuple})


class NotCanonicalError(ValueError):
    """The value has no canonical form (NaN, infinity, a huge integer, a lone surrogate, a foreign type)."""


def canonical_bytes(value: Any) -> bytes:  # noqa: ANN401 - JSON has no useful static type
    """Return the canonical bytes of a JSON value.

    Raises:
        NotCanonicalError: the value has no canonical form.
    """
    _check(value, 0)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError) as error:
        msg = "the value has no canonical JSON form"
        raise NotCanonicalError(msg) from error


def digest(domain: str, data: bytes) -> Digest:
    """Return SHA-256(domain || 0x00 || data) in hex; the domain keeps digests of different things apart."""
    return Digest(hashlib.sha256(domain.encode() + b"\0" + data).hexdigest())


def _check(value: Any, depth: int) -> None:  # noqa: ANN401 - JSON has no useful static type
    """Refuse what orjson would take and change: NaN and infinity become null there. The rest it refuses itself."""
    if depth > MAX_DEPTH:
        raise NotCanonicalError(f"nested deeper than {MAX_DEPTH} levels")
    kind = type(value)
    if kind is float:
        if not math.isfinite(value):
            raise NotCanonicalError("NaN and infinity have no canonical form")
    elif kind in _CONTAINERS:
        for item in value.values() if kind is dict else value:
            # Most items are plain; asking here saves a call for each.
            if type(item) not in _PLAIN:
                _check(item, depth + 1)
    elif kind not in _PLAIN:
        raise NotCanonicalError("the value has no canonical JSON form")
