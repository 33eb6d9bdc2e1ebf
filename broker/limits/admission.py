"""How many intents one process carries at a time: in all, and for one session.

The first gate of the house: it bounds memory and connections and keeps one agent's loop from starving the others.
Counts live in this process only; budgets and rates over all processes are another matter and come on top of it.
"""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Self

from broker.outcome import Problem, ProblemKind


class Reservation:
    """A held place; leaving the context gives it back, whatever happened."""

    __slots__ = ("_gate", "_session_id")

    def __init__(self, gate: Admission, session_id: str) -> None:
        self._gate = gate
        self._session_id = session_id

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gate.release(self._session_id)


class Admission:
    """Reserves places.

    Args:
        total: Most places in this process.
        per_session: Most places of one session.
    """

    def __init__(self, total: int, per_session: int) -> None:
        self._total = total
        self._per_session = per_session
        self._held: Counter[str] = Counter()
        self._in_use = 0

    @property
    def in_use(self) -> int:
        """Places held now."""
        return self._in_use

    def reserve(self, session_id: str) -> Reservation | Problem:
        """Hold one place for ``session_id``, or say why not; never waits."""
        if self._held[session_id] >= self._per_session:
            whose, most = "this session", self._per_session
        elif self._in_use >= self._total:
            whose, most = "this server", self._total
        else:
            self._held[session_id] += 1
            self._in_use += 1
            return Reservation(self, session_id)
        return Problem(
            ProblemKind.TOO_BUSY,
            f"{whose} already executes {most} intents",
            reason="concurrency limit",
            fix="wait for one of them to end, then send the intent again",
            retry_after_seconds=1,
        )

    def release(self, session_id: str) -> None:
        """Give one place of ``session_id`` back."""
        self._in_use -= 1
        self._held[session_id] -= 1
        if not self._held[session_id]:
            del self._held[session_id]
