"""Ids and digests as types of their own, and the one way to make them.

Ids are ``<prefix>_<26 chars>``: 48 bits of milliseconds and 80 random bits in Crockford base 32, so they sort by time.
Tokens are ``ost_<kind>_<40 chars>_<6 chars>``: 238 random bits in base 62 and a CRC-32 of all before it, so that secret
scanners know them and a mistyped one is refused without a look-up. Entropy is passed in; nothing here draws it.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Final, Literal, NewType

SessionId = NewType("SessionId", str)
IntentId = NewType("IntentId", str)
ApprovalId = NewType("ApprovalId", str)
EventId = NewType("EventId", str)
HaltId = NewType("HaltId", str)
Digest = NewType("Digest", str)
"""Lower-case hex SHA-256."""
TokenHash = NewType("TokenHash", str)
"""Hex SHA-256 of a token; what the database holds instead of it."""

IdPrefix = Literal["ses", "int", "apr", "evt", "ins", "cfg", "hlt", "alt", "dlv"]
TokenKind = Literal["s", "o"]
"""``s`` for a session of an agent, ``o`` for an operator."""

ID_ENTROPY_BYTES: Final = 10
TOKEN_ENTROPY_BYTES: Final = 40
"""One byte per character, reduced modulo 62: at least 5.9 bits each."""

_CROCKFORD: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(high + low for high in _CROCKFORD for low in _CROCKFORD)
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TOKEN_CHARS: Final = 40
_CHECK_CHARS: Final = 6


def make_id(prefix: IdPrefix, *, at_ms: int, entropy: bytes) -> str:
    """Return a new id.

    Args:
        prefix: What it names.
        at_ms: Milliseconds since the epoch, below 2**48.
        entropy: Exactly `ID_ENTROPY_BYTES` random bytes.
    """
    if len(entropy) != ID_ENTROPY_BYTES or not 0 <= at_ms < 1 << 48:
        msg = f"an id needs {ID_ENTROPY_BYTES} bytes of entropy and a time below 2**48 ms"
        raise ValueError(msg)
    number = (at_ms << 80) | int.from_bytes(entropy, "big")
    # 130 bits as thirteen pairs of characters; the table of pairs makes it thirteen steps.
    return f"{prefix}_" + "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])


def make_token(kind: TokenKind, entropy: bytes) -> str:
    """Return a new bearer token made of exactly `TOKEN_ENTROPY_BYTES` random bytes."""
    if len(entropy) != TOKEN_ENTROPY_BYTES:
        msg = f"a token needs {TOKEN_ENTROPY_BYTES} bytes of entropy"
        raise ValueError(msg)
    stem = f"ost_{kind}_" + "".join(_BASE62[byte % 62] for byte in entropy)
    return f"{stem}_{_checksum(stem)}"


def token_kind(unverified_token: str) -> TokenKind | None:
    """Return the kind of a well-formed token whose checksum fits, None for anything else; this verifies no right."""
    if not unverified_token.isascii() or len(unverified_token) != len("ost_s__") + _TOKEN_CHARS + _CHECK_CHARS:
        return None
    stem, _, check = unverified_token.rpartition("_")
    if check != _checksum(stem):
        return None
    if stem.startswith("ost_s_"):
        return "s"
    return "o" if stem.startswith("ost_o_") else None


def hash_token(token: str) -> TokenHash:
    """Return what is stored and looked up instead of the token; plain SHA-256, as the token is uniformly random."""
    return TokenHash(hashlib.sha256(token.encode()).hexdigest())


def _checksum(stem: str) -> str:
    number = zlib.crc32(stem.encode())
    chars = []
    for _ in range(_CHECK_CHARS):
        number, digit = divmod(number, 62)
        chars.append(_BASE62[digit])
    return "".join(reversed(chars))
