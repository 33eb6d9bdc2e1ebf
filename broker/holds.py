"""What an intent holds of budgets while it is executed, and how that is settled. Pure.

A hold is JSON, stored with its intent: ``{"lines": [[key, unit, amount], …], "session": …}``. It is made in the
transaction of the `executing` event and settled in that of the outcome, whoever writes that: the process that executed
the intent or, when it died, another one, which knows no usage and settles the whole of it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from broker.clock import NS_PER_SECOND
from broker.model import IntentRecord, JsonObject
from broker.store.base import Accrue, Step
from connectors.usage import Usage

HOUR_NS: Final = 3_600 * NS_PER_SECOND
NOTHING: Final = Usage(calls=0)
"""What a call came to that was never sent."""


class Unit(StrEnum):
    """What a budget counts; closed, as holds name it."""

    TOKENS = "tokens"
    NANO_DOLLARS = "nano_dollars"
    CALLS = "calls"
    SESSIONS = "sessions"


def used(unit: Unit, usage: Usage) -> int:
    """Return how much of a unit a call came to."""
    match unit:
        case Unit.TOKENS:
            return usage.tokens
        case Unit.NANO_DOLLARS:
            return usage.nano_dollars
        case Unit.CALLS:
            return usage.calls
        case Unit.SESSIONS:
            return 0


def settlement(record: IntentRecord, usage: Usage | None, at_ns: int) -> tuple[Step, ...]:
    """Return the steps that settle what an intent holds, for the transaction of its outcome.

    Args:
        record: With its hold.
        usage: What it came to; None when nobody knows, and the whole reservation counts as used.
        at_ns: Time of the outcome.
    """
    steps: list[Step] = []
    for key, unit, amount in record.hold.get("lines", ()):
        spent = amount if usage is None else used(Unit(unit), usage)
        steps.append(Accrue("budgets", {"key": key}, {"used": spent, "reserved": -amount}))
    if usage is not None and usage.model:
        steps.append(_account(record, usage, at_ns))
    return tuple(steps)


def facts_of(usage: Usage) -> JsonObject:
    """Return what the ledger is told of a metered call; empty for any other."""
    if not usage.model:
        return {}
    told: JsonObject = {
        "model": usage.model,
        "upstream": usage.upstream,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "nano_dollars": usage.nano_dollars,
        "prices": usage.prices,
    }
    if usage.estimated:
        told["usage_estimated"] = True
    return {"usage": told}


def _account(record: IntentRecord, usage: Usage, at_ns: int) -> Accrue:
    return Accrue(
        "usage_hours",
        {
            "hour_ns": at_ns - at_ns % HOUR_NS,
            "session_id": record.session_id,
            "model": usage.model,
            "upstream": usage.upstream,
            "agent": record.agent,
            "project": record.project,
        },
        {
            "calls": usage.calls,
            "estimated_calls": int(usage.estimated),
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cache_read_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "nano_dollars": usage.nano_dollars,
        },
    )
