"""Stages 8 to 10 of an intent: lease, execute, redact. What comes back is a conclusion, whatever happened.

A body goes one of three ways: a small one into the result; a large one to where results are kept; or, when the door is
still open, out through its `Exchange` while it comes in. Then its last piece stays here until the outcome is durable,
and a body whose scan or stream broke is never whole.

A plan may have fallbacks: other upstreams, asked in order, each at most once, as long as nothing of an answer was taken
that is worth having (`connectors.base.Plan.fallbacks`). What each of those before it said is on the ledger.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Final

from broker import uploads
from broker.calls import Call, RunningCalls
from broker.catalog import Resolved
from broker.contents.capture import Capture, Heard
from broker.contents.service import Contents
from broker.errors import StoreUnavailableError
from broker.exchange import ClientGoneError, Exchange, Outlet
from broker.holds import NOTHING
from broker.intents import Attempt, Conclusion
from broker.model import JsonObject
from broker.ports import Keeper, Leases
from broker.redaction import BodyTooLargeError, Redactor
from broker.sealing import sealed
from broker.store.base import Outputs
from broker.verdicts import failure, success
from connectors.base import CallResult, Plan, Transport
from connectors.errors import ConnectorError, OutcomeUnknownError, UpstreamRefusedError
from connectors.usage import Usage
from vault.errors import CredentialMissingError, LeaseRefusedError, VaultError

STREAM_SECONDS: Final = 3_600.0
"""Longest time a body may take, in or out; each of its pieces is bounded by the transport and the door."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What an execution came to.

    Args:
        conclusion: The one outcome.
        body: A small body for a door that takes bodies apart; None when there is none.
        tail: The last piece of a body that went out through the exchange, to be released after the outcome.
        capture: What was heard of it, to be kept after the outcome.
    """

    conclusion: Conclusion
    capture: Capture
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
    contents: Contents
    timeout_seconds: float

    async def run(self, attempt: Attempt, resolved: Resolved, exchange: Exchange | None) -> Ran:
        """Execute the plan of an attempt, once.

        Raises:
            ConflictError, LedgerUnavailableError: as `Attempt.begun`, before anything of a body was released.
        """
        capture, intent_id = self.contents.hear(attempt.record, resolved.plan), attempt.record.id
        plan = capture.listen(self._with_stream(attempt, resolved.plan, exchange))
        run = _Run(attempt, plan, resolved, capture)
        call: Call | None = None
        scopes = frozenset((f"agent:{attempt.record.agent}", f"project:{attempt.record.project}",
                            f"connection:{plan.connection}"))  # fmt: skip
        try:
            async with (
                self.calls.bounded(attempt.record.session_id, self._seconds(plan), scopes) as call,
                AsyncExitStack() as lent,
            ):
                run.result = result = await self._executed(run, lent)  # 8 lease, 9 execute
                call.extend(STREAM_SECONDS)
                data = await sealed(self.keeper, intent_id, result)
                outlet = exchange.outlet if exchange else None
                out = _Out(outlet, attempt, result.media_type, capture.answer) if outlet else None
                clean = await self.redactor.clean(intent_id, data, result.body, out, live=result.live)  # 10 redact
        except (ConnectorError, VaultError, StoreUnavailableError, BodyTooLargeError, TimeoutError) as error:
            return await self._failed(run, error, killed=call is not None and call.killed)
        except ClientGoneError as error:
            return await self._failed(run, error, killed=False)
        if plan.upload and exchange is None:
            await uploads.drop(self.outputs, intent_id)
        capture.finish(clean)
        done = success(result, clean, kept=out is None)
        done = replace(done, usage=run.total(result.usage), data={**done.data, **run.told()})
        return Ran(done, capture, clean.body, clean.tail)

    async def _executed(self, run: _Run, lent: AsyncExitStack) -> CallResult:
        """Return the first answer worth having; the lease it was got with stays open in ``lent``."""
        holder = f"{run.attempt.record.agent}/{run.attempt.record.session_id}"
        *before, last = (run.plan, *run.plan.fallbacks)
        for plan in (*before, last):
            try:
                lease = await lent.enter_async_context(
                    self.leases.lease(
                        plan.credential, host=plan.host, purpose=run.attempt.record.id, mint=plan.mint, holder=holder
                    )
                )  # 8 lease
                run.attempt.sending()
                target = replace(plan, stream=run.plan.stream, attempt=run.plan.attempt)
                return await run.resolved.connector.execute(
                    target, run.resolved.connection, lease, self.transport
                )  # 9 execute
            except (ConnectorError, LeaseRefusedError, CredentialMissingError) as error:
                if plan is last or not getattr(error, "elsewhere", True):
                    raise
                run.tried.append({"host": plan.host, **_why(error)})
                spent = getattr(error, "usage", None)
                run.before = run.before + spent if isinstance(spent, Usage) else run.before
                await lent.aclose()
        raise AssertionError("a plan has a last upstream")  # the loop above ends with it

    async def _failed(self, run: _Run, error: Exception, *, killed: bool) -> Ran:
        """Return what a run that ended in ``error`` came to, with the upstream's own words where a door wants those."""
        answered = run.result is not None
        conclusion = failure(error, run.plan, answered=answered, killed=killed)
        usage = run.result.usage if run.result else _usage_of(error, run.plan)
        conclusion = replace(conclusion, usage=run.total(usage), data={**conclusion.data, **run.told()})
        answer = error.answer if isinstance(error, UpstreamRefusedError) else None
        if answer is not None:
            try:
                clean = await self.redactor.clean(run.attempt.record.id, answer.data, None)
            except VaultError as sealed_vault:
                failed = failure(sealed_vault, run.plan, answered=False, killed=False)
                return Ran(replace(failed, usage=run.total(usage)), run.capture)
            conclusion = replace(conclusion, result=clean.data, kept=False)
            run.capture.refuse(clean.data)
        return Ran(conclusion, run.capture)

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


@dataclass(slots=True)
class _Run:
    """One run, as far as it has come."""

    attempt: Attempt
    plan: Plan
    resolved: Resolved
    capture: Capture
    result: CallResult | None = None
    tried: list[JsonObject] = field(default_factory=list)
    before: Usage = NOTHING

    def total(self, usage: Usage | None) -> Usage | None:
        """Return what all upstreams came to, the ones that gave nothing worth having among them."""
        return usage if usage is None or self.before is NOTHING else self.before + usage

    def told(self) -> JsonObject:
        """Return what the ledger is told of the upstreams, and of the answer beyond its outcome."""
        facts = self.result.facts if self.result else {}
        return {**facts, **({"tried": self.tried} if self.tried else {})}


def _why(error: Exception) -> JsonObject:
    if isinstance(error, UpstreamRefusedError):
        return {"status": error.status, "code": error.code}
    return {"code": type(error).__name__}


def _usage_of(error: Exception, plan: Plan) -> Usage | None:
    """Return what a call without an answer came to; None when nobody can say."""
    match error:
        case ConnectorError(usage=Usage() as usage):
            return usage
        case UpstreamRefusedError():
            return Usage()
        case OutcomeUnknownError() | TimeoutError() | ClientGoneError():
            return None if plan.estimate.metered else Usage()
        case _:
            return NOTHING


class _Out:
    """The way out of a body, opened only once the `executing` event is durable; implements `redaction.Sink`."""

    def __init__(self, outlet: Outlet, attempt: Attempt, media_type: str, heard: Heard) -> None:
        self._outlet = outlet
        self._attempt = attempt
        self._media_type = media_type
        self._heard = heard

    async def begin(self, data: JsonObject) -> None:
        await self._attempt.begun()
        await self._outlet.begin(self._attempt.record.id, data, self._media_type)

    async def write(self, piece: bytes) -> None:
        await self._outlet.write(piece)
        self._heard.take(piece)
