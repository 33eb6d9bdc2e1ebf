"""What is found out about an intent before it is planned, and before people are asked about it.

The reads it takes are intents of the same session, with all twelve stages of their own: nobody causes a read that they
may not do themselves, and the ledger has each of them (``part_of``). What comes back is scanned for secrets before it
is stored or shown. No evidence ever comes from a client: drafts of doors have none.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import orjson

from broker.approvals.service import Question
from broker.approvals.triggers import with_triggers
from broker.canonical import canonical_bytes
from broker.catalog import Catalog, draft_bytes
from broker.decision_point import Verdict
from broker.exchange import Exchange, Outlet
from broker.model import IntentDraft, IntentState, JsonObject, Session
from broker.outcome import Outcome, Problem, ProblemKind
from broker.verdicts import problem_of, told
from broker.waiting import Bound
from connectors.base import Access, Connection, UploadStream
from connectors.errors import ConnectorError
from connectors.inspection import Ask, Evidence, Inquiry, Inspector, Masker
from vault.errors import VaultError

MAX_PREVIEW_BYTES: Final = 64 << 10
"""Of what is shown to people, as canonical JSON; it is stored with the approval."""

Submit = Callable[[Session, IntentDraft], Awaitable[Outcome]]
"""Runs a read as an intent of its own."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A draft that can be planned, or why it cannot.

    Args:
        draft: With its evidence.
        exchange: With the body where it can be read once more.
        preview: What people are shown of it.
        problem: Why there is no plan; None when there can be one.
    """

    draft: IntentDraft
    exchange: Exchange | None
    preview: JsonObject = field(default_factory=dict)
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class _Reread:
    """An exchange whose body was read once; implements `broker.exchange.Exchange`."""

    upload: UploadStream | None
    outlet: Outlet | None


class Inspections:
    """Finds out what plans rest on.

    Args:
        catalog: Knows who looks into what.
        masker: Finds the vault's values.
    """

    def __init__(self, catalog: Catalog, masker: Masker) -> None:
        self._catalog = catalog
        self._masker = masker

    @asynccontextmanager
    async def of(
        self, session: Session, draft: IntentDraft, exchange: Exchange | None, submit: Submit, intent_id: str
    ) -> AsyncGenerator[Seen, None]:
        """Look into a draft; what is kept of it on disk is gone when the context is left.

        Args:
            session: Who asks.
            draft: What is asked.
            exchange: Its body, when it has one.
            submit: Runs the reads.
            intent_id: The intent it is about.
        """
        found = self._catalog.inspector(session.project, draft)
        if found is None:
            yield Seen(draft, exchange)
            return
        entered = False
        try:
            inquiry = await self._inquiry(found, session, replace(draft, part_of=intent_id), submit)
            if isinstance(inquiry, Problem):
                yield Seen(draft, exchange, problem=inquiry)
                return
            inquiry = replace(inquiry, upload=exchange.upload if exchange else None)
            inspector, connection = found
            async with inspector.inspect(draft.action, draft.params, connection, inquiry) as evidence:
                seen = await self._clean(draft, evidence)
                again = _Reread(evidence.upload, exchange.outlet if exchange else None) if evidence.upload else exchange
                entered = True
                yield replace(seen, exchange=again)
        except (ConnectorError, VaultError) as error:
            if entered:
                raise
            yield Seen(draft, exchange, problem=problem_of(error))

    async def question(self, session: Session, bound: Bound, verdict: Verdict, submit: Submit) -> Question | Problem:
        """Return what people are asked about a plan that waits for them.

        Args:
            session: Who asks.
            bound: What is asked.
            verdict: Why people are asked.
            submit: Runs the reads.
        """
        try:
            preview = await self._preview(session, bound, verdict, submit)
        except VaultError as error:
            return problem_of(error)
        draft = bound.draft
        return Question(
            bound.plan.summary,
            draft_bytes(draft),
            draft.reason,
            verdict.facts,
            told(verdict),
            preview,
            bound.plan.connection,
        )

    async def _preview(self, session: Session, bound: Bound, verdict: Verdict, submit: Submit) -> JsonObject:
        """Return what people are shown of the effect; empty when the connector shows nothing."""
        found = self._catalog.inspector(session.project, bound.draft)
        if found is None:
            return {}
        inspector, _ = found
        draft = replace(bound.draft, part_of=bound.record.id)
        answers = await self._answers(inspector.preview_asks(bound.plan), found, session, draft, submit)
        shown = inspector.preview(bound.plan, bound.shown, answers if isinstance(answers, tuple) else ())
        raw = canonical_bytes(with_triggers(shown, verdict.triggers))
        if len(raw) > MAX_PREVIEW_BYTES:
            return {"kind": str(shown.get("kind", "")), "withheld": "the preview is too large to be shown"}
        return await self._masked(raw)

    async def _inquiry(
        self, found: tuple[Inspector, Connection], session: Session, draft: IntentDraft, submit: Submit
    ) -> Inquiry | Problem:
        inspector, connection = found
        asks = inspector.asks(draft.action, draft.params, connection)
        answers = await self._answers(asks, found, session, draft, submit)
        return answers if isinstance(answers, Problem) else Inquiry(answers, self._masker)

    async def _answers(
        self,
        asks: tuple[Ask, ...],
        found: tuple[Inspector, Connection],
        session: Session,
        draft: IntentDraft,
        submit: Submit,
    ) -> tuple[JsonObject | None, ...] | Problem:
        answers: list[JsonObject | None] = []
        for ask in asks:
            outcome = await self._read(ask, found, session, draft, submit)
            if outcome is None or outcome.state is not IntentState.SUCCEEDED:
                if not ask.optional:
                    return _unanswered(ask, outcome)
                answers.append(None)
            else:
                answers.append(outcome.result)
        return tuple(answers)

    async def _read(
        self, ask: Ask, found: tuple[Inspector, Connection], session: Session, draft: IntentDraft, submit: Submit
    ) -> Outcome | None:
        inspector, connection = found
        same = ask.action.partition(":")[0] in inspector.services
        read = IntentDraft(
            ask.action,
            ask.params,
            connection=connection.name if same else "",
            source_ip=draft.source_ip,
            part_of=draft.part_of,
        )
        if self._catalog.access_of(session.project, ask.action) is not Access.READ:
            return None
        return await submit(session, read)

    async def _clean(self, draft: IntentDraft, evidence: Evidence) -> Seen:
        """Return the draft with its evidence, scanned: it may quote what an agent or an upstream wrote."""
        clean = await self._masked(
            canonical_bytes(
                {
                    "found": evidence.found,
                    "facts": evidence.facts,
                    "preview": evidence.preview,
                    "notes": list(evidence.notes),
                }
            )
        )
        if "found" not in clean:
            return Seen(draft, None, problem=Problem(ProblemKind.INVALID_PARAMS, "a name in it holds a secret"))
        inspected = replace(
            draft,
            params=evidence.params or draft.params,
            evidence={"found": clean["found"], "facts": clean["facts"], "notes": clean["notes"]},
        )
        return Seen(inspected, None, preview=clean["preview"])

    async def _masked(self, raw: bytes) -> JsonObject:
        """Return JSON with every secret masked; one that is no JSON any more is withheld whole."""
        masked, _ = await self._masker.scrub(raw)
        try:
            parsed: JsonObject = orjson.loads(masked)
        except orjson.JSONDecodeError:
            return {"withheld": "it held a secret where it could not be masked"}
        return parsed


def _unanswered(ask: Ask, outcome: Outcome | None) -> Problem:
    """Tell why a read that a plan rests on has no answer."""
    why = f"`{ask.action}` must be read first"
    if outcome is None:
        return Problem(ProblemKind.DENIED, f"{why}, and the project cannot", reason="deny by default")
    if outcome.problem is None:
        fix = "send that read as an intent of its own and wait for its approval"
        return Problem(ProblemKind.DENIED, f"{why}, and people are to be asked about that", fix=fix)
    return replace(outcome.problem, detail=f"{why}: {outcome.problem.detail}")
