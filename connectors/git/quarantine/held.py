"""What is known of a push once it was looked into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from connectors.base import JsonObject
from connectors.git.plans import Change


@dataclass(frozen=True, slots=True)
class JudgedUpdate:
    """What a push does to one ref.

    Args:
        ref: Full name.
        old: Object id it has upstream, `NULL_OID` for none.
        new: Object id it is to have, `NULL_OID` to delete it.
        change: What that is.
    """

    ref: str
    old: str
    new: str
    change: Change


@dataclass(frozen=True, slots=True)
class Held:
    """A push in quarantine; what it names is gone when the quarantine is left.

    Args:
        pack_path: File with the very bytes of the pack; None when there is none.
        pack_bytes: Its length, 0 without one.
        sha256: Its digest in hex, empty without one.
        updates: What happens to each ref, in the order sent.
        facts: What conditions may look at, see `connectors.git.quarantine.facts`.
        preview: What people are shown, see `connectors.git.quarantine.preview`.
    """

    pack_path: Path | None
    pack_bytes: int
    sha256: str
    updates: tuple[JudgedUpdate, ...]
    facts: JsonObject
    preview: JsonObject
