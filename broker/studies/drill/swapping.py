"""Params of an intent with some words in them swapped for others, also in what is wrapped in base64."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from broker.model import JsonObject

_MIN_BASE64: Final = 24
"""Characters from which on a text may be data in base64; shorter ones are words that happen to look like it."""

_ENCODING: Final = "latin-1"  # every byte is a character, so data survives the way there and back


def swapped(params: JsonObject, swaps: Mapping[str, str]) -> JsonObject:
    """Return params with other words in them.

    Args:
        params: As an operation's example shows them.
        swaps: For each word the one to put in its place. A word that is the whole of some value is swapped where it is
            a whole value, so that a short one is left alone elsewhere; any other is swapped inside of values.
    """
    if not swaps:
        return params
    values = set(_texts(params))
    inside = {old: new for old, new in swaps.items() if old and old not in values}
    pattern = re.compile("|".join(re.escape(old) for old in sorted(inside, key=len, reverse=True))) if inside else None

    def other(text: str) -> str:
        if text in swaps:
            return swaps[text]
        return text if pattern is None else _replaced(text, pattern, inside)

    found = _mapped(params, other)
    return found if isinstance(found, dict) else params


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON has no useful static type
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _mapped(value: Any, other: Any) -> Any:  # noqa: ANN401 - JSON has no useful static type
    if isinstance(value, str):
        return other(value)
    if isinstance(value, dict):
        return {key: _mapped(item, other) for key, item in value.items()}
    return [_mapped(item, other) for item in value] if isinstance(value, list) else value


def _replaced(text: str, pattern: re.Pattern[str], words: Mapping[str, str]) -> str:
    """Return a text with words in it swapped, in the data it stands for when it is base64."""
    data = _data_in(text)
    if data is None or pattern.search(data) is None:
        return pattern.sub(lambda found: words[found[0]], text)
    changed = pattern.sub(lambda found: words[found[0]], data)
    try:
        return base64.b64encode(changed.encode(_ENCODING)).decode()
    except UnicodeEncodeError:  # a word that is no Latin-1 cannot stand in bytes whose charset is not known
        return text


def _data_in(text: str) -> str | None:
    if len(text) < _MIN_BASE64:
        return None
    try:
        return base64.b64decode(text, validate=True).decode(_ENCODING)
    except (binascii.Error, ValueError):
        return None
