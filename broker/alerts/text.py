"""Texts that people are shown in chats and pagers: what an agent named cannot drive, hide or imitate anything there.

Control characters are left out, and every character that is not plainly what it looks like (other scripts, marks that
turn the direction, characters without width) is shown as an escape sequence. In messages for chats what would be a
mention, a link or markup is escaped as well.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

MAX_CHARS: Final = 300
"""Of one text."""
MAX_ITEMS: Final = 50
"""Of one object or list of the facts."""
MAX_DEPTH: Final = 4

_LATIN_LETTERS: Final = range(0xC0, 0x100)
"""Letters with accents (Latin-1), which are no other letter's twin."""
_MARKUP: Final = str.maketrans({char: f"\\x{ord(char):02x}" for char in "<>@[]"})


def visible(text: str, most: int = MAX_CHARS) -> str:
    """Return a text as one line of characters that are what they look like, at most ``most`` of them and a mark."""
    # Whatever is clipped away need not be looked at; an escape is longer than its character, never shorter.
    shown = "".join(map(_shown, text[: most + 1]))
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def harmless(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a JSON value with every text `visible`, and no more of it than people would read."""
    return _harmless(value, 0)


def unmarked(text: str) -> str:
    """Return a visible text in which no chat finds a mention, a link or markup."""
    return visible(text).translate(_MARKUP).replace("://", ":\\x2f\\x2f")


def _harmless(value: Any, depth: int) -> Any:  # noqa: ANN401 - JSON
    match value:
        case str():
            return visible(value)
        case dict() | list() if depth >= MAX_DEPTH:
            return "..."
        case dict():
            return {visible(str(name)): _harmless(each, depth + 1) for name, each in list(value.items())[:MAX_ITEMS]}
        case list() | tuple():
            return [_harmless(each, depth + 1) for each in value[:MAX_ITEMS]]
        case _:
            return value


def _shown(char: str) -> str:
    if " " <= char <= "~":
        return char
    if char.isspace():
        return " "
    if unicodedata.category(char) == "Cc":
        return ""
    if ord(char) in _LATIN_LETTERS and char.isalpha():
        return char
    return char.encode("unicode_escape").decode()
