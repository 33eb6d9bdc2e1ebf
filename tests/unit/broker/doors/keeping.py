"""Prompts and answers of the in-memory broker."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from broker.contents.capture import ContentPart
from broker.contents.service import Kept
from broker.ids import IntentId
from broker.model import Operator
from broker.outcome import Problem, ProblemKind


class FakeContents:
    """Has what a test put into it, and notes who read."""

    def __init__(self) -> None:
        self.kept: dict[IntentId, Kept] = {}
        self.reads: list[tuple[str, str, tuple[ContentPart, ...]]] = []
        self.away: Exception | None = None

    async def read(self, intent_id: IntentId, operator: Operator, wanted: Collection[ContentPart]) -> Kept | Problem:
        if intent_id not in self.kept:
            return Problem(ProblemKind.NOT_FOUND, "nothing is kept of it")
        if self.away is not None:
            raise self.away
        self.reads.append((intent_id, operator.name, tuple(wanted)))
        kept = self.kept[intent_id]
        return replace(kept, parts={name: kept.parts[name] for name in wanted})
