"""What ``/metrics`` shows: counts and times by outcome, never a name an agent chose."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from broker.outcome import Outcome

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The meters of one process.

    Args:
        in_flight: Returns how many intents hold a place now.
        ledger_ready: Returns whether the ledger can write.
    """

    def __init__(self, *, in_flight: Callable[[], float], ledger_ready: Callable[[], bool]) -> None:
        self.registry = CollectorRegistry()
        self._intents = Counter("ostiary_intents", "Intents answered, by state.", ["state"], registry=self.registry)
        self._seconds = Histogram(
            "ostiary_intent_seconds", "Time from receipt to answer.", buckets=_BUCKETS, registry=self.registry
        )
        Gauge("ostiary_intents_in_flight", "Intents executing now.", registry=self.registry).set_function(in_flight)
        Gauge("ostiary_ledger_ready", "1 when the ledger can write.", registry=self.registry).set_function(
            lambda: float(ledger_ready())
        )

    def answered(self, outcome: Outcome, seconds: float) -> None:
        """Count one answer."""
        self._intents.labels(outcome.state.value).inc()
        self._seconds.observe(seconds)
