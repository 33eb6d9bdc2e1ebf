"""Circuit breakers of the in-memory broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.errors import LedgerUnavailableError
from broker.limits.runs import Standing
from broker.model import Operator
from broker.outcome import Problem, ProblemKind

if TYPE_CHECKING:
    from tests.unit.broker.doors.world import World


class FakeBreakers:
    """Resets what is in the world's table, but not what is called ``stuck``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.resets: list[tuple[str, str, str]] = []

    def standings(self) -> list[Standing]:
        return list(self._world.standings.values())

    async def reset(self, key: str, operator: Operator, reason: str) -> Standing | Problem:
        if key == "session/stuck":
            raise LedgerUnavailableError("away")
        if key not in self._world.standings:
            return Problem(ProblemKind.NOT_FOUND, "no such breaker has failures")
        self.resets.append((key, operator.name, reason))
        return Standing(key)
