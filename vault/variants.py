"""Every way a secret may be written down in a result.

Covered: as it is, reversed, percent-encoded (needed or all bytes, both cases, ``+`` for space), hex (both cases),
JSON-escaped (ASCII or not, with or without the slash, or every character), HTML and XML entities, base32 at its five
alignments, base64 and base64url at their three alignments, and base64 of the hex form. An alignment's core holds the
characters that the secret alone decides, so it is found whatever stands around the secret before encoding.

Not covered, and not promised: compression, encryption, a secret encoded twice (but base64 of hex), or one with line
breaks or other bytes put between its characters.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

MIN_VARIANT_BYTES: Final = 8
"""A shorter pattern would mask innocent text [actions/runner issue 326]."""

PIECE_BYTES: Final = 256
"""A longer secret is looked for in pieces, so that patterns, and what must be held back of a stream, stay small."""
_OVERLAP_BYTES: Final = 16
"""Pieces overlap by more than an alignment's core gives up at both ends, so that nothing between them shows."""


def pieces(secret: bytes) -> Iterator[bytes]:
    """Yield a secret in overlapping pieces of at most `PIECE_BYTES`; the last one is as long as the others."""
    if len(secret) <= PIECE_BYTES:
        yield secret
        return
    last = len(secret) - PIECE_BYTES
    for start in (*range(0, last, PIECE_BYTES - _OVERLAP_BYTES), last):
        yield secret[_whole(secret, start) : _whole(secret, start + PIECE_BYTES)]


def _whole(secret: bytes, at: int) -> int:
    # A character must not be cut: the escaped forms of half a character are those of no character.
    while at < len(secret) and secret[at] & 0xC0 == 0x80:  # noqa: PLR2004 - UTF-8 continuation bytes are 10xxxxxx
        at -= 1
    return at


def variants(secret: bytes) -> set[bytes]:
    """Return every covered form of a secret of at least `MIN_VARIANT_BYTES`; shorter forms are left out."""
    text = secret.decode("utf-8", "replace")
    hexed = secret.hex().encode()
    found = {secret, secret[::-1], hexed, hexed.upper()}
    found |= _percent(secret) | _escaped(text)
    found |= _cores(secret, base64.b32encode, group=5, bits=5)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found |= _cores(secret, encode, group=3, bits=6)
        found |= _cores(hexed, encode, group=3, bits=6) | _cores(hexed.upper(), encode, group=3, bits=6)
    return {form for form in found if len(form) >= MIN_VARIANT_BYTES}


def _percent(secret: bytes) -> set[bytes]:
    needed = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    whole = "".join(f"%{byte:02X}" for byte in secret)
    lowered = {_lower_escapes(form) for form in needed}
    return {form.encode() for form in (*needed, *lowered, whole, whole.lower())}


def _lower_escapes(form: str) -> str:
    head, *rest = form.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in rest)])


def _escaped(text: str) -> set[bytes]:
    plain, ascii_only = json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1]
    # JSON allows any character as an escape; some writers escape those that HTML gives a meaning.
    for_html = ascii_only
    for char in "<>&'":
        for_html = for_html.replace(char, f"\\u{ord(char):04x}")
    forms = [plain, ascii_only, for_html, *(form.replace("/", "\\/") for form in (plain, ascii_only, for_html))]
    units = text.encode("utf-16-be").hex()
    whole = "".join("\\u" + units[at : at + 4] for at in range(0, len(units), 4))
    forms += [whole, "\\u" + whole[2:].upper().replace("\\U", "\\u")] if whole else []
    forms += [html.escape(text, quote=False), html.escape(text), escape(text, {'"': "&quot;", "'": "&apos;"})]
    forms += [escape(text, {'"': "&#34;", "'": "&#39;"}), text.replace("/", "\\/")]
    return {form.encode("utf-8", "replace") for form in forms}


def _cores(data: bytes, encode: Callable[[bytes], bytes], *, group: int, bits: int) -> set[bytes]:
    cores = set()
    for shift in range(group):
        first = -(-shift * 8 // bits)  # characters before it hold bits of what stands in front
        last = (shift + len(data)) * 8 // bits  # characters after it hold bits of what follows
        cores.add(encode(b"\0" * shift + data)[first:last])
    return cores
