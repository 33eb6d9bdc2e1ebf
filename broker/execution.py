"""Stages 8 to 10 of an intent: lease, execute, redact. What comes back is a conclusion, whatever happened.

A body goes one of three ways: a small one into the result; a large one to where results are kept; or, when the door is
still open, out through its `Exchange` while it comes in. Then its last piece stays here until the outcome is durable,
and a body whose scan or stream broke is never whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from broker import uploads
from broker.calls import Call, RunningCalls
from broker.catalog import Resolved
from broker.errors import StoreUnavailableError
from broker.exchange import ClientGoneError, Exchange, Outlet
from broker.intents import Attempt, Conclusion
from broker.model import JsonObject
from broker.ports import Keeper, Leases
from broker.redaction import BodyTooLargeError, Redactor
from broker.sealing import sealed
from broker.store.base import Outputs
from broker.verdicts import failure, success
from connectors.base import CallResult, Plan, Transport
from connectors.errors import ConnectorError
from vault.errors import VaultError

STREAM_SECONDS: Final = 3_600.0
"""Longest time a body may take, in or out; each of its pieces is bounded by the transport and the door."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What an execution came to.

    Args:
        conclusion: The one outcome.
        body: A small body for a door that takes bodies apart; None when there is none.
        tail: The last piece of a body that went out through the exchange, to be released after the outcome.
    """

    conclusion: Conclusion
    body: bytes | None = None
    tail: bytes | None = None


@dataclass(frozen=True, slots=True)
class Executor:
    """Executes resolved intents; see the classes of its parts.

    Args:
        timeout_seconds: Longest time from the lease to the head of the answer.
    """

    calls: RunningCalls
    leases: Leases
    transport: Transport
    redactor: Redactor
    keeper: Keeper
    outputs: Outputs
    timeout_seconds: float

    async def run(self, attempt: Attempt, resolved: Resolved, exchange: Exchange | None) -> Ran:
        """Execute the plan of an attempt, once.

        Raises:
            ConflictError, LedgerUnavailableError: as `Attempt.begun`, before anything of a body was released.
        """
        plan, intent_id = self._with_stream(attempt, resolved.plan, exchange), attempt.record.id
        result: CallResult | None = None
        call: Call | None = None
        holder = f"{attempt.record.agent}/{attempt.record.session_id}"
        try:
            async with (
                self.calls.bounded(attempt.record.session_id, self._seconds(plan)) as call,
                self.leases.lease(
                    plan.credential, host=plan.host, purpose=intent_id, mint=plan.mint, holder=holder
                ) as lease,  # 8 lease
            ):
                attempt.sending()
                result = await resolved.connector.execute(plan, resolved.connection, lease, self.transport)  # 9 execute
                call.extend(STREAM_SECONDS)
                data = await sealed(self.keeper, intent_id, result)
                outlet = exchange.outlet if exchange else None
                out = _Out(outlet, attempt, result.media_type) if outlet else None
                clean = await self.redactor.clean(intent_id, data, result.body, out)  # 10 redact
        except (ConnectorError, VaultError, StoreUnavailableError, BodyTooLargeError, TimeoutError) as error:
            return Ran(failure(error, plan, answered=result is not None, killed=call is not None and call.killed))
        except ClientGoneError as error:
            return Ran(failure(error, plan, answered=result is not None, killed=False))
        if plan.upload and exchange is None:
            await uploads.drop(self.outputs, intent_id)
        return Ran(success(result, clean, kept=out is None), clean.body, clean.tail)

    def _with_stream(self, attempt: Attempt, plan: Plan, exchange: Exchange | None) -> Plan:
        plan = replace(plan, attempt=attempt.record.id)
        if plan.upload is None:
            return plan
        if exchange is not None:
            return replace(plan, stream=exchange.upload)
        return replace(plan, stream=uploads.KeptUpload(self.outputs, attempt.record.id, plan.upload.sha256))

    def _seconds(self, plan: Plan) -> float:
        if plan.upload is not None:
            return STREAM_SECONDS
        return max(self.timeout_seconds, plan.patience_seconds)


class _Out:
    """The way out of a body, opened only once the `executing` event is durable; implements `redaction.Sink`."""

    def __init__(self, outlet: Outlet, attempt: Attempt, media_type: str) -> None:
        self._outlet = outlet
        self._attempt = attempt
        self._media_type = media_type

    async def begin(self, data: JsonObject) -> None:
        await self._attempt.begun()
        await self._outlet.begin(self._attempt.record.id, data, self._media_type)

    async def write(self, piece: bytes) -> None:
        await self._outlet.write(piece)
