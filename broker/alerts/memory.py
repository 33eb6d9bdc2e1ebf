"""What the detectors know between two events.

What must outlive the process is in the database and moves with the place in the ledger, in one transaction: open bursts
(`alert_cursor.state`), calls by the hour (`activity_hours`), what was ever touched (`touched_resources`). The rest is
caches of those, bounded, and empty after a restart.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from broker.alerts.folds import Folds
from broker.clock import NS_PER_SECOND
from broker.config.alerting import WorkingHours
from broker.store.base import Event

HOUR_NS: Final = 3600 * NS_PER_SECOND
MAX_RECENT: Final = 20_000
"""Entries of one cache; a hundred bytes each."""

Touch = tuple[str, str]
"""An agent and what it touched."""
AgentHour = tuple[str, int]
"""An agent and the beginning of an hour."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One event as the detectors see it: its place in the ledger and what it says."""

    seq: int
    event: Event


@dataclass(frozen=True, slots=True)
class Terms:
    """What the configuration says to the detectors.

    Args:
        hours: When work is expected, by project; one without an entry works always.
    """

    hours: Mapping[str, WorkingHours] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usual:
    """What is known of an agent at the beginning of an hour.

    Args:
        median: Of its calls in the hours in which it called.
        active_hours: How many those were.
        since_ns: When the first of them began; 0 for never.
    """

    median: float = 0.0
    active_hours: int = 0
    since_ns: int = 0


class Recent:
    """Remembers keys, those that were used last."""

    def __init__(self, most: int = MAX_RECENT) -> None:
        self._most = most
        self._keys: OrderedDict[object, None] = OrderedDict()

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def add(self, key: object) -> bool:
        """Remember a key; False when it was remembered before."""
        known = key in self._keys
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > self._most:
            self._keys.popitem(last=False)
        return not known


@dataclass(slots=True)
class Memory:
    """See the module.

    Args:
        folds: Bursts that are open.
        usual: By agent and hour, for the hours that events are read of.
        calls: Likewise, how often the agent called in it so far.
        added_calls: What of it is not in the database yet.
        touched: What is known to have been touched before.
        first_touch_ns: When each agent first touched anything; absent when nobody has looked yet.
        touches: How many different ones of each agent are remembered.
        added_touches: What is not in the database yet, and when it was touched.
        told: Alerts that were told and would only lose.
    """

    folds: Folds = field(default_factory=Folds)
    usual: dict[AgentHour, Usual] = field(default_factory=dict)
    calls: Counter[AgentHour] = field(default_factory=Counter)
    added_calls: Counter[AgentHour] = field(default_factory=Counter)
    touched: Recent = field(default_factory=Recent)
    first_touch_ns: dict[str, int] = field(default_factory=dict)
    touches: Counter[str] = field(default_factory=Counter)
    added_touches: dict[Touch, int] = field(default_factory=dict)
    told: Recent = field(default_factory=Recent)

    def written(self, now_ns: int) -> None:
        """Say that everything that was added is in the database; forget hours that are over."""
        self.added_calls.clear()
        self.added_touches.clear()
        before_ns = hour_of(now_ns) - HOUR_NS
        for key in [key for key in self.usual if key[1] < before_ns]:
            del self.usual[key]
            del self.calls[key]


def hour_of(at_ns: int) -> int:
    """Return when the hour of a moment began."""
    return at_ns - at_ns % HOUR_NS
