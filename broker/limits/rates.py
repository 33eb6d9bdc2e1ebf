"""How often each session asks, as a class that rules may look at; counts of this process, over the last minute.

This refuses nothing. It is one fact among those a policy may look at (``rate_class``), beside limits and budgets.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from enum import StrEnum
from typing import Final

from broker.clock import NS_PER_SECOND, Clock

WINDOW_SECONDS: Final = 60
MAX_LOW: Final = 10
"""Most requests in the window of a session that is ``low``."""
MAX_NORMAL: Final = 60
"""Most requests in the window of a session that is ``normal``: one a second."""
MAX_SESSIONS: Final = 10_000
"""Sessions that are remembered, those that asked last; one remembered takes at most 3 kB."""


class RateClass(StrEnum):
    """How often a session asked in the last minute."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class RequestRates:
    """Counts requests by session.

    Args:
        clock: Its monotonic time is read.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # No more moments than it takes to be high are kept, however fast a session asks.
        self._moments: OrderedDict[str, deque[int]] = OrderedDict()

    def note(self, session_id: str) -> str:
        """Count a request of ``session_id`` and return the value of its `RateClass`, this request included."""
        now_ns = self._clock.monotonic_ns()
        moments = self._moments.get(session_id)
        if moments is None:
            moments = self._moments[session_id] = deque(maxlen=MAX_NORMAL + 1)
            if len(self._moments) > MAX_SESSIONS:
                self._moments.popitem(last=False)
        else:
            self._moments.move_to_end(session_id)
        moments.append(now_ns)
        while moments[0] <= now_ns - WINDOW_SECONDS * NS_PER_SECOND:
            moments.popleft()
        return _class_of(len(moments)).value


def _class_of(requests: int) -> RateClass:
    if requests <= MAX_LOW:
        return RateClass.LOW
    return RateClass.NORMAL if requests <= MAX_NORMAL else RateClass.HIGH
