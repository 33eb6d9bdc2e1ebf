"""What the ledger remembers of decisions, one record per intent, read page by page.

An intent has several events. The first that carries a decision counts: `intent.parked` for one that waited for people,
`intent.executing` or `intent.denied` for one that did not. What a person answered, and what came of the call, changes
nothing about what policy was asked. An intent that was turned away before policy was asked is not here.

Not every fact a decision saw is on the ledger: params never are, and events of older versions hold no context at all.
`RecordedIntent.knows` says whether a fact that is missing here was missing then, too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from broker.ids import IntentId, SessionId
from broker.ledger.events import UnreadableEventError, fields_of
from broker.model import JsonObject
from broker.store.base import EventFilter, EventType, Reader
from policies.model import NO_CONTEXT, AccessRequest, Effect, Fact, Layer, Requirement

PAGE: Final = 1_000
"""Events in memory at a time."""

NOT_RECORDED: Final = ("params.", "agent.owner")
"""Facts that are never written to the ledger: params are the agent's data, the owner stands in the configuration."""

NO_OWNERS: Final[Mapping[str, str]] = MappingProxyType({})

_NEW: Final = frozenset({EventType.INTENT_PARKED, EventType.INTENT_EXECUTING, EventType.INTENT_DENIED})


@dataclass(frozen=True, slots=True)
class RecordedIntent:
    """One intent as policy was asked about it.

    Args:
        intent_id, session_id, agent, project: Who asked.
        at_ns: When, nanoseconds since the epoch, UTC.
        action: The operation that was asked for; the requirements may name others.
        requirements: What policy was asked; empty when the event does not say it.
        effect: What policy said.
        rules: Ids of the rules that decided the requirements, in their order; empty text for a default deny.
        context: Facts that were recorded.
        complete: True when the event holds the facts of its decision, all but `NOT_RECORDED`.
        out_of_scope: True when the session's own scope forbade it, which no policy file can change.
        returns_secrets: True when the answer of the call would hold secrets.
    """

    intent_id: IntentId
    session_id: SessionId
    agent: str
    project: str
    at_ns: int
    action: str
    requirements: tuple[Requirement, ...]
    effect: Effect
    rules: tuple[str, ...] = ()
    context: Mapping[str, Fact] = field(default_factory=lambda: NO_CONTEXT)
    complete: bool = False
    out_of_scope: bool = False
    returns_secrets: bool = False

    def knows(self, fact: str) -> bool:
        """Tell whether a fact is recorded, or was certainly not there when policy was asked."""
        return fact in self.context or (self.complete and not fact.startswith(NOT_RECORDED))

    def request(self, requirements: tuple[Requirement, ...] | None = None) -> AccessRequest:
        """Return what was asked, to be asked again; of some of its requirements when given."""
        asked = self.requirements if requirements is None else requirements
        return AccessRequest(
            self.agent, self.project, asked, self.context, self.at_ns, returns_secrets=self.returns_secrets
        )


async def recorded(
    reader: Reader, since_ns: int = 0, until_ns: int = 0, *, owners: Mapping[str, str] = NO_OWNERS
) -> AsyncGenerator[RecordedIntent, None]:
    """Yield the decided intents of a time window, oldest first.

    Args:
        reader: The ledger.
        since_ns: Begin, nanoseconds since the epoch, inclusive; 0 for the ledger's.
        until_ns: End, exclusive; 0 for the ledger's.
        owners: Owner of each agent, as the configuration says; they become the fact ``agent.owner``.

    Raises:
        StoreUnavailableError: the ledger cannot be read.
        UnreadableEventError: the ledger holds an event this program does not know.
    """
    # An intent that waits is told of twice; only those that wait at the same time are remembered.
    waiting: dict[str, None] = {}
    after_seq = 0
    while True:
        wanted = EventFilter(since_ns=since_ns, until_ns=until_ns, after_seq=after_seq, limit=PAGE)
        page = await reader.events(wanted)
        for stored in page:
            event = fields_of(stored.body)
            intent_id, kind = event["intent_id"], event["type"]
            if kind == EventType.INTENT_PARKED:
                waiting[intent_id] = None
            elif intent_id in waiting:
                _leave(waiting, intent_id, kind)
                continue
            found = _record(event, owners.get(event["agent"], "")) if kind in _NEW else None
            if found is not None:
                yield found
        if len(page) < PAGE:
            return
        after_seq = page[-1].seq


def _leave(waiting: dict[str, None], intent_id: str, kind: str) -> None:
    """Forget an intent that waited once nothing about it can follow that looks like a decision."""
    # A yes is followed by `executing`, or by the denial of the second look; everything else is the end.
    if kind != EventType.APPROVAL_APPROVED:
        del waiting[intent_id]


def _record(event: JsonObject, owner: str) -> RecordedIntent | None:
    """Return the record of an event, None when policy was not asked."""
    data = event["data"]
    parked = event["type"] == EventType.INTENT_PARKED
    if not parked and "reasons" not in data:
        return None
    try:
        effect = Effect.REQUIRE_APPROVAL if parked else Effect(data["effect"])
        reasons = data.get("reasons", [])
        return RecordedIntent(
            IntentId(event["intent_id"]),
            SessionId(event["session_id"]),
            event["agent"],
            event["project"],
            event["at_ns"],
            event["action"],
            tuple(Requirement(each["action"], each["resource"]) for each in reasons),
            effect,
            tuple(each["rule"] for each in reasons),
            _facts({**data.get("context", {}), **({"agent.owner": owner} if owner else {})}),
            complete="context" in data,
            out_of_scope=any(_denied_by_scope(each) for each in reasons),
            returns_secrets=data.get("returns_secrets") is True,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnreadableEventError(f"event {event['seq']} holds no decision this program knows") from None


def _denied_by_scope(reason: JsonObject) -> bool:
    return reason.get("layer") == Layer.SESSION and reason["effect"] == Effect.DENY


def _facts(context: Mapping[str, Any]) -> Mapping[str, Fact]:
    """Return the facts of a recorded context; what is no fact was none for the decision either."""
    return MappingProxyType({key: fact for key, value in context.items() if (fact := _fact(value)) is not None})


def _fact(value: object) -> Fact | None:
    if isinstance(value, str | int):  # bool is an int
        return value
    if isinstance(value, list):
        return tuple(each for each in value if isinstance(each, str | int))
    return None
