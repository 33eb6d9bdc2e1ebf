"""Names and texts from objects, made fit to be compared, shown and put in JSON.

Names of files are bytes. Every byte or character that a person could not see, or could take for its neighbour's, is
written as an escape, and so is the backslash: what is shown stands for one name only.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories: controls, formats (zero width, bidi), unassigned, private, surrogates, separators of lines."""
_ESCAPED_BYTES: Final = range(0xDC80, 0xDD00)
"""What Python's `surrogateescape` makes of bytes that are no UTF-8."""
_CLIPPED: Final = "…"


def shown_name(raw: bytes) -> str:
    r"""Return a name of a file: ``\xNN`` for a byte that is no UTF-8, ``\u{NNNN}`` for a hidden character."""
    return _visible(raw.decode("utf-8", "surrogateescape"), backslash=True)


def folded_name(raw: bytes) -> str:
    """Return a name as a forgiving file system may read it, as NFKC in lower case.

    Characters without width and, at the end of each part, dots and spaces are left out: ``.GitHub./Workflows`` and
    ``.git<U+200C>hub/workflows`` are ``.github/workflows``. NOT folded: letters of one script that look like another's.
    """
    text = raw.decode("utf-8", "surrogateescape")
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    parts = (part.rstrip(". ") or part for part in folded.split("/"))
    return _visible("/".join(parts), backslash=True)


def shown_text(raw: bytes, limit: int) -> str:
    r"""Return a line of text, its hidden characters escaped, clipped to ``limit`` characters.

    Tabs become spaces; bytes that are no UTF-8 become ``\xNN``.
    """
    text = _visible(raw[: 4 * limit + 4].decode("utf-8", "surrogateescape").replace("\t", "    "), backslash=False)
    return text if len(text) <= limit else text[: limit - 1] + _CLIPPED


def _visible(text: str, *, backslash: bool) -> str:
    if text.isascii() and text.isprintable() and not (backslash and "\\" in text):
        return text
    return "".join(_escaped(character, backslash=backslash) for character in text)


def _escaped(character: str, *, backslash: bool) -> str:
    code = ord(character)
    if code in _ESCAPED_BYTES:
        return f"\\x{code - 0xDC00:02x}"
    category = unicodedata.category(character)
    if category in _HIDDEN or (category == "Zs" and character != " "):
        return f"\\u{{{code:x}}}"
    return "\\\\" if backslash and character == "\\" else character
