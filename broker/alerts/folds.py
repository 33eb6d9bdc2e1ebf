"""Bursts: the first of its sort is told at once, those of the next ten minutes together, once.

So an agent that is denied five hundred times in a minute makes two alerts, and one that goes on makes one more every
ten minutes. What is open is part of what the watch keeps in the database; it is bounded, whatever agents do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from broker.alerts.model import Alert, AlertKind, Notice, Severity
from broker.clock import NS_PER_SECOND
from broker.model import JsonObject

WINDOW_SECONDS: Final = 600
"""How long those that follow are counted before they are told."""
MAX_OPEN: Final = 500
"""Bursts that are known apart at a time; beyond it those of one kind are counted together."""
OTHERS: Final = "others"

_WINDOW_NS: Final = WINDOW_SECONDS * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class _Burst:
    """One that is open: the alert to tell of those that follow, since when, and how many followed."""

    alert: Alert
    opened_at_ns: int
    more: int = 0


class Folds:
    """Counts bursts.

    Args:
        kept: From `to_json`, to go on where another left off.
    """

    def __init__(self, kept: Mapping[str, JsonObject] | None = None) -> None:
        self._open: dict[str, _Burst] = {key: _burst_of(each) for key, each in (kept or {}).items()}

    def note(self, alert: Alert, at_ns: int, window: str) -> list[Notice]:
        """Count one and return what is to be told now.

        Args:
            alert: What is told when it is the first.
            at_ns: When it happened.
            window: Its place in the ledger.
        """
        key = _key(alert)
        if key not in self._open and len(self._open) >= MAX_OPEN:
            alert = replace(alert, subject=OTHERS, agent="", project="", session_id="", facts={})
            key = _key(alert)
        told = self._close(key, at_ns)
        burst = self._open.get(key)
        if burst is None:
            self._open[key] = _Burst(alert, at_ns)
            return [*told, Notice(alert, window)]
        self._open[key] = _Burst(alert, burst.opened_at_ns, burst.more + 1)
        return told

    def due(self, now_ns: int) -> list[Notice]:
        """Return what is to be told because its time has come."""
        return [notice for key in list(self._open) for notice in self._close(key, now_ns)]

    def __len__(self) -> int:
        return len(self._open)

    def to_json(self) -> JsonObject:
        """Return what is open, to be kept."""
        return {key: asdict(burst) for key, burst in self._open.items()}

    def _close(self, key: str, at_ns: int) -> list[Notice]:
        burst = self._open.get(key)
        if burst is None or at_ns < burst.opened_at_ns + _WINDOW_NS:
            return []
        if not burst.more:
            del self._open[key]
            return []
        self._open[key] = replace(burst, opened_at_ns=at_ns, more=0)
        title = f"{burst.more} more in {WINDOW_SECONDS // 60} minutes: {burst.alert.title}"
        # By when it was opened, so that another process that closes it a moment later says the same.
        return [Notice(replace(burst.alert, title=title), f"since:{burst.opened_at_ns}", burst.more)]


def _key(alert: Alert) -> str:
    return f"{alert.kind}|{alert.subject}"


def _burst_of(kept: JsonObject) -> _Burst:
    alert = kept["alert"]
    known = {"kind": AlertKind(alert["kind"]), "severity": Severity(alert["severity"])}
    return _Burst(Alert(**{**alert, **known}), kept["opened_at_ns"], kept["more"])
