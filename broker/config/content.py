"""What ``ostiary.yaml`` says about prompts and answers of models: whether any of them are kept, and for how long.

projects:
  data: {connections: [models], content: {store: redacted, retention_days: 30}}
  lab: {connections: [models], content: full}
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policies.document.nodes import Fields, Node, Reader
from policies.errors import did_you_mean, quote

RETENTION_DAYS: Final = 30
"""How long they are kept when nothing else is said."""
MAX_RETENTION_DAYS: Final = 3_650


class Store(StrEnum):
    """What is kept of a prompt and its answer."""

    NONE = "none"
    """Digests, sizes and usage only."""
    REDACTED = "redacted"
    """Both, with everything masked that looks like a secret."""
    FULL = "full"
    """Both as they were, but for the vault's own values, which are masked always."""


@dataclass(frozen=True, slots=True)
class ContentTerms:
    """What a project keeps.

    Args:
        store: What of it.
        retention_days: How long; 0 with `Store.NONE`.
    """

    store: Store = Store.NONE
    retention_days: int = 0


def read_content(reader: Reader, node: Node) -> ContentTerms:
    """Read ``content`` of a project, one word or a mapping; faults go to the reader."""
    if not isinstance(node.value, Fields):
        return _terms(_store(reader, node), RETENTION_DAYS)
    found = reader.fields(node, "`content`", ("store", "retention_days"), required=("store",))
    store = _store(reader, found["store"]) if "store" in found else Store.NONE
    if "retention_days" not in found:
        return _terms(store, RETENTION_DAYS)
    days = found["retention_days"]
    if store is Store.NONE and "store" in found:
        reader.report(days, "`retention_days` without anything that is kept", "delete it, or keep `redacted` or `full`")
    return _terms(store, _days(reader, days))


def _terms(store: Store, days: int) -> ContentTerms:
    return ContentTerms() if store is Store.NONE else ContentTerms(store, days)


def _store(reader: Reader, node: Node) -> Store:
    known = [each.value for each in Store]
    said = reader.text(node, "what is kept of contents")
    if said in known:
        return Store(said)
    if isinstance(node.value, str):
        fix = did_you_mean(said, known) or f"known here: {', '.join(known)}"
        reader.report(node, f"unknown word {quote(said)} for what is kept", fix)
    return Store.NONE


def _days(reader: Reader, node: Node) -> int:
    days = reader.integer(node, "`retention_days`")
    if type(node.value) is int and not 1 <= days <= MAX_RETENTION_DAYS:
        reader.report(node, f"`retention_days` must be from 1 to {MAX_RETENTION_DAYS}, found `{days}`")
        return RETENTION_DAYS
    return days
