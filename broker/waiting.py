"""Intents on their way to people: bodies that wait with them, and clients that can only ask the same again.

A client that knows no ids (an SDK of AWS, say) asks, is told that people look at it, and asks again later. The same
request then joins the intent it made before: as long as that is open, and once more when it has ended, to fetch what
became of it. After that the same request is a new intent, and people are asked anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from broker import uploads
from broker.canonical import canonical_bytes, digest
from broker.catalog import Catalog, Resolved
from broker.clock import Clock
from broker.errors import ConflictError
from broker.exchange import Exchange
from broker.model import IntentDraft, IntentRecord, JsonObject, Session
from broker.outcome import Outcome, Problem, ProblemKind
from broker.store.base import Change, Committer, EventType, Outputs, Reader, Update, new_event
from broker.verdicts import outcome_of
from connectors.base import Plan
from connectors.errors import UploadBrokenError

JOIN_DOMAIN: Final = "ostiary/join/v1"
_JOINS: Final = "joins "
"""Before the digest, in place of an idempotency key; with a blank, which no client's key has."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """What was asked, what it came to, and what an inspection has to show people of it."""

    draft: IntentDraft
    resolved: Resolved
    shown: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bound:
    """What people are asked about.

    Args:
        draft: Bound to its body, when it has one.
        record: With the plan's digest, and the key under which the same request finds it.
        plan: What will be sent.
        shown: What an inspection has to show people of it.
    """

    draft: IntentDraft
    record: IntentRecord
    plan: Plan
    shown: JsonObject


class Waiting:
    """Readies intents for people and lets clients find them again.

    Args:
        reader: Where earlier intents are looked up.
        committer: Where it is noted that one was fetched.
        clock: Time and entropy.
        catalog: Plans a draft again once its body is known.
        outputs: Keeps bodies.
        max_bytes: Most bytes of one body.
    """

    def __init__(
        self,
        *,
        reader: Reader,
        committer: Committer,
        clock: Clock,
        catalog: Catalog,
        outputs: Outputs,
        max_bytes: int,
    ) -> None:
        self._reader = reader
        self._committer = committer
        self._clock = clock
        self._catalog = catalog
        self._outputs = outputs
        self._max_bytes = max_bytes

    async def bind(
        self, session: Session, record: IntentRecord, asked: Drafted, exchange: Exchange | None
    ) -> Bound | Outcome | Problem:
        """Return what people are to be asked about, the intent that is joined, or why neither.

        Raises:
            StoreUnavailableError: the body cannot be kept.
        """
        draft, resolved = asked.draft, asked.resolved
        if resolved.plan.upload is not None:
            kept = await self._keep(session, record, draft, exchange)
            if isinstance(kept, Problem):
                return kept
            draft, resolved = kept.draft, kept.resolved
        record = replace(record, plan_digest=resolved.digest)
        if draft.joins:
            record = replace(record, idempotency_key=_JOINS + _join_digest(resolved.plan))
            earlier = await self.joined(record)
            if earlier is not None:
                await uploads.drop(self._outputs, record.id)
                return earlier
        return Bound(draft, record, resolved.plan, asked.shown)

    async def joined(self, record: IntentRecord) -> Outcome | None:
        """Return where the intent stands that the same request made before; None when there is none to join."""
        earlier = await self._reader.intent_by_key(record.session_id, record.idempotency_key)
        return None if earlier is None else replace(outcome_of(earlier), replayed=True)

    async def fetched(self, record: IntentRecord) -> None:
        """Note that the client has what became of an intent, so that the same request is a new one.

        Raises:
            LedgerUnavailableError: it is not noted, and may be fetched again.
        """
        if not record.idempotency_key.startswith(_JOINS):
            return
        event = new_event(
            self._clock,
            EventType.INTENT_FETCHED,
            {"state": record.state.value},
            agent=record.agent,
            project=record.project,
            session_id=record.session_id,
            intent_id=record.id,
            action=record.action,
        )
        step = Update(
            "intents", {"id": record.id, "idempotency_key": record.idempotency_key}, {"idempotency_key": None}
        )
        try:
            await self._committer.commit(Change(event, (step,)))
        except ConflictError:
            return  # another request of the same client had it too, at the same moment

    async def _keep(
        self, session: Session, record: IntentRecord, draft: IntentDraft, exchange: Exchange | None
    ) -> Drafted | Problem:
        stream = exchange.upload if exchange else None
        if stream is None:
            return Problem(ProblemKind.UPLOAD_BROKEN, "the params declare a body, and none came with the intent")
        try:
            bound = await uploads.keep(self._outputs, record.id, draft, stream, max_bytes=self._max_bytes)
        except uploads.UploadTooLargeError:
            return Problem(
                ProblemKind.REQUEST_TOO_LARGE,
                f"a body that waits for people has at most {self._max_bytes} bytes",
                reason="max_output_bytes",
            )
        except UploadBrokenError as error:
            return Problem(ProblemKind.UPLOAD_BROKEN, str(error))
        resolved = self._catalog.resolve(session.project, bound)
        return resolved if isinstance(resolved, Problem) else Drafted(bound, resolved)


def _join_digest(plan: Plan) -> str:
    """Return the digest of what is asked, without what clients fill anew each time."""
    params = plan.call.get("params", {})
    call = {**plan.call, "params": {name: value for name, value in params.items() if name not in plan.fresh}}
    return digest(JOIN_DOMAIN, canonical_bytes({"connection": plan.connection, "action": plan.action, "call": call}))
