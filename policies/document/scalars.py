"""One value as strict YAML text: plain where every reader takes it for the same text, quoted where one would not."""

from __future__ import annotations

from typing import Final

from policies.document.nodes import Fields, Node
from policies.document.strict_yaml import is_plain_text

_INDICATORS: Final = frozenset("-?:,[]{}#&*!|>'\"%@`")
_FOLLOWED: Final = frozenset("-?:")
"""Indicators that begin plain text when a character follows at once, as in ``-x``."""
_FLOW: Final = frozenset(",[]{}?")
_DOCUMENT_MARKS: Final = ("---", "...")


def write_scalar(value: bool | int | str | None, *, flow: bool = False) -> str:
    """Return one value on one line; nothing at all is ``null``.

    Args:
        value: A text may hold any characters; those nobody sees are written as escapes.
        flow: Whether it stands inside ``[…]`` or ``{…}``, where more texts need quotes.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return value if _is_plain(value, flow=flow) else _quoted(value)


def write_flow(node: Node) -> str:
    """Return a whole value on one line, lists and mappings in brackets."""
    if isinstance(node.value, tuple):
        return f"[{', '.join(write_flow(item) for item in node.value)}]"
    if isinstance(node.value, Fields):
        pairs = (f"{write_scalar(pair.name, flow=True)}: {write_flow(pair.value)}" for pair in node.value)
        return f"{{{', '.join(pairs)}}}"
    return write_scalar(node.value, flow=True)


def _is_plain(text: str, *, flow: bool) -> bool:
    if not is_plain_text(text) or not text.isprintable() or text != text.strip(" "):
        return False
    if text[0] in _INDICATORS and (text[0] not in _FOLLOWED or text[1:2] in {"", " "}):
        return False
    if flow and not _FLOW.isdisjoint(text):
        return False
    return not (": " in text or " #" in text or text.endswith(":") or text.startswith(_DOCUMENT_MARKS))


def _quoted(text: str) -> str:
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'" if '"' in text or "\\" in text else f'"{text}"'
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in {'"', "\\"}:
        return f"\\{char}"
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
