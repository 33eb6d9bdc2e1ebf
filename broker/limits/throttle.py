"""Rates of requests, and how many at once of one owner. STUB."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from broker.model import Session
from broker.outcome import Problem
from connectors.base import Plan


class Throttle:
    """Lets requests through at their rate."""

    async def turn(self, session: Session, plan: Plan) -> AbstractContextManager[object] | Problem:
        """Wait for the turn of a request and hold its places, or say that it came too fast."""
        del session, plan
        return nullcontext()
