"""Words for people and tests of text, shared by whoever checks a param."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from connectors.errors import InvalidParamsError

_CAMEL: Final = re.compile(r"[A-Z]+[0-9]*(?![a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")
_SHOWN: Final = 60
"""Characters of a value that a message or a summary repeats."""
_NAMES: Final = {bool: "a boolean", str: "a string", dict: "an object", list: "an array", type(None): "null"}
_UNPRINTED: Final = frozenset({"Cc", "Cs"})
"""Control characters and lone surrogates: neither XML nor a person can tell them apart."""


def shown(text: str) -> str:
    """Return text for people: clipped, with everything that prints nothing or turns writing around escaped."""
    clipped = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    if clipped.isascii() and clipped.isprintable() and "`" not in clipped:
        return clipped
    return "".join(char if char.isprintable() and char != "`" else f"\\u{ord(char):04x}" for char in clipped)


def json_type(value: object) -> str:
    """Return what a JSON value is, with its article."""
    return _NAMES.get(type(value), "a number")


def control_in(value: str) -> str:
    """Return the first control character or lone surrogate of a text as an escape; empty when there is none."""
    if value.isprintable():
        return ""
    return next((f"\\u{ord(char):04x}" for char in value if unicodedata.category(char) in _UNPRINTED), "")


def refuse_controls(name: str, value: str) -> None:
    """Refuse a text with a control character or a lone surrogate.

    Raises:
        InvalidParamsError: it holds one.
    """
    found = control_in(value)
    if found:
        raise InvalidParamsError(f"`{name}` holds the control character {found}")


def refuse_header_text(name: str, value: str) -> None:
    """Refuse what cannot stand in a header and be bound by a signature.

    The signature is over values with runs of spaces folded to one, so such a run would not be bound by it.

    Raises:
        InvalidParamsError: it is no such text.
    """
    if not value.isascii() or not value.isprintable() or value != value.strip() or "  " in value:
        raise InvalidParamsError(
            f"`{name}` travels in a header: printable ASCII without leading, trailing or double spaces"
        )


def camel_words(name: str) -> str:
    """Return a name in camel case as words: ``UpdateDBInstance`` is ``update DB instance``."""
    words = _CAMEL.findall(name)
    return " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words) or name
