"""How the benchmarks time: rounds of each contestant in turn, medians, and ratios of what ran in the same run.

Absolute figures of a shared machine mean little; two medians taken in turns on it can be compared.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table.

    Args:
        name: What was measured.
        value: The figure.
        unit: Its unit; ``x`` for a ratio.
        goal: What it should be, for people; empty when there is no bar.
        met: Whether the goal is met; None when there is no bar.
    """

    name: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None


def ratio(name: str, value: float, *, at_most: float | None = None, at_least: float | None = None) -> Result:
    """Return a ratio with its bar."""
    if at_most is not None:
        return Result(name, value, "x", f"<= {at_most:g}", value <= at_most)
    if at_least is not None:
        return Result(name, value, "x", f">= {at_least:g}", value >= at_least)
    return Result(name, value, "x")


def in_turns(contestants: Mapping[str, Callable[[], object]], *, rounds: int, calls: int) -> dict[str, list[float]]:
    """Call every contestant ``calls`` times per round, in turns, and return each one's seconds per call.

    The first round warms caches and is thrown away.
    """
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, call in contestants.items():
            for _ in range(calls):
                started = time.perf_counter()
                call()
                if number:
                    taken[name].append(time.perf_counter() - started)
    return taken


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
