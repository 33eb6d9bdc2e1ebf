"""Keeping prompts and answers, reading them, and letting them go.

    1 hear      while a metered call of a project that wants it is executed (`broker.contents.capture`)
    2 keep      after its outcome is durable, beside everything else: scanned for the vault's values, masked as the
                project wants, enclosed by the vault piece by piece, stored; what was kept is told last, sealed as well
    3 read      an auditor; it is on the ledger before anything is shown
    4 expire    each has its own end from the day it was kept

Keeping delays and fails no answer: what cannot be kept is a line in the log. A process that dies in 2 leaves pieces
that nobody can read, since what tells of them is missing, and that expire with the rest.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import orjson
import structlog

from broker.clock import NS_PER_SECOND, Clock
from broker.config.content import ContentTerms, Store
from broker.config.model import Configuration
from broker.contents.capture import MAX_PART_BYTES, Capture, ContentPart, Heard
from broker.contents.masking import changed, is_text, leaks_of, mask, texts_of
from broker.errors import BrokerError
from broker.ids import IntentId
from broker.model import IntentRecord, JsonObject, Operator
from broker.outcome import Problem, ProblemKind
from broker.ports import Encloser
from broker.redaction import Scrubber
from broker.store.base import Change, Committer, Event, EventType, Outputs, Reader, new_event
from broker.store.contents import EXPIRED_AT_ONCE, Piece, SqlContents
from connectors.base import Plan
from vault.errors import IntegrityError, VaultError

if TYPE_CHECKING:
    from connectors.git.leaks.scan import LeakRules

log = structlog.get_logger(__name__)

PIECE_BYTES: Final = 256 << 10
"""What the vault encloses at a time."""
MAX_HELD_BYTES: Final = 256 << 20
"""Of all calls of a process together; beyond it a part is cut where it stands."""
MAX_WAITING: Final = 1_000
"""Calls that wait to be kept; beyond it they are not."""
KEPT_AT_ONCE: Final = 4
"""The vault has calls to serve, too."""
CLOSE_SECONDS: Final = 10.0
"""How long a process that ends waits for what it keeps."""
ABOUT: Final = "about"
"""The part that tells of the others."""

_DAY_NS: Final = 86_400 * NS_PER_SECOND
_NOTHING: Final = Problem(ProblemKind.NOT_FOUND, "nothing is kept of the prompt and the answer of this intent")
_DAMAGED: Final = Problem(ProblemKind.OUTPUT_GONE, "what was kept of this intent is damaged")


@dataclass(frozen=True, slots=True)
class KeptPart:
    """A prompt or an answer, as it was kept.

    Args:
        data: Its bytes, masked.
        size_bytes: How long it was.
        cut: Not all of it is there: it was too long, or the answer broke off.
        masked: Places that were masked when it was kept.
        withheld: Why none of it was kept; empty when it was.
    """

    data: bytes
    size_bytes: int
    cut: bool
    masked: int
    withheld: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one intent.

    Args:
        intent_id: The intent.
        store: What its project kept.
        kept_at_ns: When.
        expires_at_ns: Until when.
        parts: What was asked for.
    """

    intent_id: IntentId
    store: Store
    kept_at_ns: int
    expires_at_ns: int
    parts: dict[ContentPart, KeptPart]


@dataclass(frozen=True, slots=True)
class Parts:
    """What contents are kept with.

    Args:
        store: Where the pieces are.
        outputs: Where large answers are that no door waited for.
        encloser, scrubber: The vault.
        reader: Knows the intents.
        committer: The ledger.
        clock: Time.
        configuration: Says what projects keep.
    """

    store: SqlContents
    outputs: Outputs
    encloser: Encloser
    scrubber: Scrubber
    reader: Reader
    committer: Committer
    clock: Clock
    configuration: Callable[[], Configuration]


class Contents:
    """Keeps, reads and lets go; see the module.

    Args:
        parts: What it stands on.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._heard: weakref.WeakSet[Capture] = weakref.WeakSet()
        self._keeping: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(KEPT_AT_ONCE)

    @cached_property
    def _rules(self) -> LeakRules:
        # Only where a project wants it: reading and building them takes a moment, and memory.
        from connectors.git.leaks.scan import LeakRules

        return LeakRules()

    def hear(self, record: IntentRecord, plan: Plan) -> Capture:
        """1: return what hears a call; it is deaf when nothing of the call is to be kept.

        Args:
            record: The intent.
            plan: What is sent for it.
        """
        project = self._parts.configuration().projects.get(record.project)
        terms = project.content if project is not None and plan.estimate.metered else ContentTerms()
        capture = Capture(record, terms, self._has_room)
        if capture.wanted:
            self._heard.add(capture)
        return capture

    def keep(self, capture: Capture) -> None:
        """2: keep what was heard, beside everything else; its outcome is durable."""
        if not capture.wanted or not (capture.prompt.size or capture.answer.size or capture.spooled):
            return
        if len(self._keeping) >= MAX_WAITING:
            log.warning("content_not_kept", intent=capture.record.id, error="too many wait")
            return
        task = asyncio.get_running_loop().create_task(self._keep(capture))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def settled(self) -> None:
        """Return when nothing that was heard waits to be kept any more."""
        while self._keeping:
            await asyncio.wait(set(self._keeping))

    async def aclose(self, *, seconds: float = CLOSE_SECONDS) -> None:
        """Wait a moment for what is being kept, and give up the rest.

        Args:
            seconds: How long to wait.
        """
        if self._keeping:
            await asyncio.wait(set(self._keeping), timeout=seconds)
        if self._keeping:
            log.warning("content_not_kept", calls=len(self._keeping), error="the process ends")
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)

    async def read(
        self, intent_id: IntentId, operator: Operator, wanted: Collection[ContentPart] = tuple(ContentPart)
    ) -> Kept | Problem:
        """3: return what is kept of an intent; that somebody read it is durable before.

        Args:
            intent_id: The intent.
            operator: Who reads; the door has looked at the roles.
            wanted: Which parts.

        Raises:
            StoreUnavailableError: it cannot be read now.
            LedgerUnavailableError: it could not be recorded, so nothing is shown.
        """
        record = await self._parts.reader.intent(intent_id)
        try:
            about = await self._about(intent_id) if record is not None else None
            if record is None or about is None or about["expires_at_ns"] <= self._parts.clock.now_ns():
                return _NOTHING
            names = [each for each in ContentPart if each in wanted]
            await self._parts.committer.commit(Change(self._event(record, operator, names, about)))
            parts = {name: await self._part(intent_id, name, about["parts"][name]) for name in names}
        except IntegrityError:
            log.warning("content_damaged", intent=intent_id)
            return _DAMAGED
        except VaultError as error:
            return Problem(ProblemKind.VAULT_UNAVAILABLE, "the vault cannot open what was kept", reason=error.code)
        if None in parts.values():
            return _DAMAGED
        found = {name: part for name, part in parts.items() if part is not None}
        return Kept(intent_id, Store(about["store"]), about["kept_at_ns"], about["expires_at_ns"], found)

    async def expire(self) -> None:
        """4: drop all that has had its time.

        Raises:
            StoreUnavailableError: the database failed; the rest goes the next time.
        """
        while await self._parts.store.expire(self._parts.clock.now_ns()) == EXPIRED_AT_ONCE:
            pass

    def _has_room(self) -> bool:
        return sum(each.held_bytes for each in self._heard) < MAX_HELD_BYTES

    async def _keep(self, capture: Capture) -> None:
        intent_id = capture.record.id
        try:
            async with self._places:
                await self._enclose(capture)
        except Exception as error:  # noqa: BLE001 - leads to a log line: the answer is out, and nothing else waits for this
            log.warning("content_not_kept", intent=intent_id, error=type(error).__name__)
            with suppress(BrokerError):
                await self._parts.store.discard(intent_id)

    async def _enclose(self, capture: Capture) -> None:
        store, intent_id, now_ns = capture.terms.store, capture.record.id, self._parts.clock.now_ns()
        expires_at_ns = now_ns + capture.terms.retention_days * _DAY_NS
        if capture.spooled:
            await self._fetch(capture)
        answer_cut = capture.answer.cut or not capture.ended
        parts = {
            ContentPart.PROMPT: await self._fit(capture.prompt, store, cut=capture.prompt.cut, new=True),
            ContentPart.ANSWER: await self._fit(capture.answer, store, cut=answer_cut, new=False),
        }
        told: JsonObject = {}
        for name, part in parts.items():
            pieces = [part.data[at : at + PIECE_BYTES] for at in range(0, len(part.data), PIECE_BYTES)]
            for index, piece in enumerate(pieces):
                await self._store(intent_id, name, index, piece, expires_at_ns)
            told[name.value] = {
                "pieces": len(pieces), "size": part.size_bytes, "cut": part.cut, "masked": part.masked,
                "withheld": part.withheld,
            }  # fmt: skip
        about = {"store": store, "kept_at_ns": now_ns, "expires_at_ns": expires_at_ns, "parts": told}
        await self._store(intent_id, ABOUT, 0, orjson.dumps(about), expires_at_ns)

    async def _fetch(self, capture: Capture) -> None:
        """Take a large answer from where it is kept for whoever asked."""
        chunks: AsyncGenerator[bytes, None] = self._parts.outputs.read(capture.record.id)
        async with aclosing(chunks):
            async for chunk in chunks:
                capture.answer.take(chunk)
                if capture.answer.size > MAX_PART_BYTES:
                    return

    async def _fit(self, heard: Heard, store: Store, *, cut: bool, new: bool) -> KeptPart:
        """Return a part as it may be kept; a ``new`` one was not scanned before."""
        raw = bytes(heard.held)
        data = await self._scanned(raw, cut=cut) if new else raw
        # The scan holds back what may be the beginning of a secret at a cut: so much of it is not kept.
        spans = changed(raw[: len(data)], data)
        for texts in texts_of(data):
            joined = bytes(texts.joined)
            spans += texts.back(changed(joined, (await self._parts.scrubber.scrub(joined))[0]))
        if store is Store.REDACTED:
            if not is_text(raw, cut=cut):
                return KeptPart(b"", heard.size, cut, 0, "it is no text, so nothing in it could be masked")
            spans += await asyncio.to_thread(lambda: leaks_of(self._rules, data, cut=cut))
        return KeptPart(mask(data, spans), heard.size, cut, len(spans))

    async def _scanned(self, raw: bytes, *, cut: bool) -> bytes:
        scanner = self._parts.scrubber.scanner()
        data = await scanner.feed(raw)
        return data if cut else data + await scanner.finish()

    async def _store(self, intent_id: IntentId, part: str, index: int, plain: bytes, expires_at_ns: int) -> None:
        sealed = await self._parts.encloser.enclose(intent_id, part, index, plain)
        await self._parts.store.append(Piece(intent_id, part, index, expires_at_ns, sealed))

    async def _open(self, intent_id: IntentId, part: str, index: int) -> bytes | None:
        sealed = await self._parts.store.read(intent_id, part, index, self._parts.clock.now_ns())
        return None if sealed is None else await self._parts.encloser.disclose(intent_id, part, index, sealed)

    async def _about(self, intent_id: IntentId) -> JsonObject | None:
        plain = await self._open(intent_id, ABOUT, 0)
        found: JsonObject | None = None if plain is None else orjson.loads(plain)
        return found

    async def _part(self, intent_id: IntentId, name: ContentPart, told: JsonObject) -> KeptPart | None:
        """Return a part; None when a piece of it is missing."""
        pieces = [await self._open(intent_id, name, index) for index in range(told["pieces"])]
        data = b"".join(each for each in pieces if each is not None)
        part = KeptPart(data, told["size"], told["cut"], told["masked"], told["withheld"])
        return None if None in pieces else part

    def _event(self, record: IntentRecord, operator: Operator, names: list[ContentPart], about: JsonObject) -> Event:
        facts = {"parts": [name.value for name in names], "kept": about["store"]}
        return new_event(
            self._parts.clock,
            EventType.CONTENT_READ,
            facts,
            agent=record.agent,
            project=record.project,
            session_id=record.session_id,
            intent_id=record.id,
            action=record.action,
            operator=operator.name,
        )
