"""The verbatim bytes of an event: what is hashed, stored and exported, and never made again.

An event is one canonical JSON object with its place (``seq``) and the version of this layout (``v``) inside:

    {"action","agent","at_ns","data","id","intent_id","operator","project","seq","session_id","type","v"}

Old bytes stay readable as long as version 1 keeps these keys and their meaning; new facts go into ``data``, and a
change of the layout is a new version next to this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from broker.canonical import NotCanonicalError, canonical_bytes
from broker.model import JsonObject
from broker.store.base import Event, EventType
from broker.store.statements import UnwritableError, checked

VERSION: Final = 1

COLUMNS: Final = ("at_ns", "type", "agent", "project", "session_id", "intent_id", "action", "operator")
"""Columns of ``events`` that copy a key of the body, in the table's order."""

_KEYS: Final = frozenset({*COLUMNS, "data", "id", "seq", "v"})


class UnreadableEventError(ValueError):
    """Stored bytes that are no event of a version this program knows."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event all but its place: everything that can be made before the writer gives it a number.

    Args:
        before: Canonical bytes up to ``seq``.
        after: Canonical bytes behind it.
        columns: Values of `COLUMNS`.
    """

    before: bytes
    after: bytes
    columns: tuple[Any, ...]

    def body(self, seq: int) -> bytes:
        """Return the verbatim bytes of the event as number ``seq``."""
        return b'%b,"seq":%d,%b' % (self.before, seq, self.after)


def draft(event: Event) -> Draft:
    """Return the draft of ``event``.

    Raises:
        UnwritableError: a field has no canonical form or fits no column.
    """
    columns = checked("events", {name: getattr(event, name) for name in COLUMNS})
    # Keys are sorted and "seq" stands between "project" and "session_id", so two halves and a number make the whole.
    before = {name: columns[name] for name in ("action", "agent", "at_ns", "intent_id", "operator", "project")}
    after = {"session_id": columns["session_id"], "type": columns["type"], "v": VERSION}
    try:
        head = canonical_bytes({**before, "data": event.data, "id": event.id})
        tail = canonical_bytes(after)
    except NotCanonicalError as error:
        raise UnwritableError(f"event `{columns['type']}` cannot be written: {error}") from None
    return Draft(head[:-1], tail[1:], tuple(columns.values()))


def fields_of(body: bytes) -> JsonObject:
    """Return the keys of stored bytes.

    Raises:
        UnreadableEventError: they are no event of a version this program knows.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        # The decoder's error carries the whole document.
        raise UnreadableEventError("the bytes are no JSON") from None
    if not isinstance(found, dict) or found.get("v") != VERSION or found.keys() != _KEYS:
        raise UnreadableEventError(f"the bytes are no event of version {VERSION}")
    return found


def parse_event(body: bytes) -> Event:
    """Return the event in stored bytes; its place is in `fields_of` and beside it in the table.

    Raises:
        UnreadableEventError: they are no event of a version this program knows.
    """
    found = fields_of(body)
    del found["seq"], found["v"]
    try:
        found["type"] = EventType(found["type"])
    except ValueError:
        raise UnreadableEventError("the event has a type this program does not know") from None
    return Event(**found)
