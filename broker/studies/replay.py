"""Recorded intents against a draft of the policies: whose answer would change, session by session.

Every intent is decided again as it was asked, at its own moment, with the facts the ledger holds. Where the draft looks
at a fact that was not recorded and the answer hangs on it, the report says so instead of guessing. A rule of the draft
that may only be used so often is counted over what it would have let through without asking, in the order of the
ledger; earlier uses are not known here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from broker.clock import rfc3339
from broker.ids import IntentId, SessionId
from broker.model import JsonObject
from broker.studies.matches import Matcher
from broker.studies.records import RecordedIntent
from policies.errors import quote
from policies.layers import LayeredPolicy
from policies.model import Effect, Reason, Requirement, Span

MAX_LISTED: Final = 10_000
"""Different changes and doubts in a report; what comes after is counted and not listed."""


@dataclass(frozen=True, slots=True)
class Change:
    """An answer the draft changes, told once per session however often it was asked.

    Args:
        session_id, agent, project: Who asked.
        requirement: What decides under the draft.
        before, after: The recorded answer and the draft's.
        rule: Id of the draft's deciding rule; empty for a default deny.
        place: Where that rule stands; None for a default deny.
        text: What the draft says, for people.
        first_intent, first_at_ns: The first intent it would have happened to.
    """

    session_id: SessionId
    agent: str
    project: str
    requirement: Requirement
    before: Effect
    after: Effect
    rule: str
    place: Span | None
    text: str
    first_intent: IntentId
    first_at_ns: int

    def to_json(self) -> JsonObject:
        """Return it as JSON, without its session."""
        return {
            "action": self.requirement.action,
            "resource": self.requirement.resource,
            "before": self.before.value,
            "after": self.after.value,
            "rule": self.rule,
            "file": self.place.file if self.place else "",
            "line": self.place.line if self.place else 0,
            "text": self.text,
            "first_intent": self.first_intent,
            "first_at": rfc3339(self.first_at_ns),
        }


@dataclass(frozen=True, slots=True)
class Doubt:
    """An answer that cannot be told.

    Args:
        session_id, agent: Who asked.
        action: What was asked.
        before: The recorded answer.
        why: What is missing, for people.
        first_intent: The first intent it is about.
    """

    session_id: SessionId
    agent: str
    action: str
    before: Effect
    why: str
    first_intent: IntentId

    def to_json(self) -> JsonObject:
        """Return it as JSON, without its session."""
        return {
            "action": self.action,
            "before": self.before.value,
            "why": self.why,
            "first_intent": self.first_intent,
        }


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a draft would have answered.

    Args:
        intents: How many were decided again.
        changes: What would change, each with how often.
        doubts: What cannot be told, each with how often.
        totals: Intents by ``allow -> deny``, in words.
        unsure: Intents whose answer cannot be told.
        unlisted: Changes and doubts left out of the lists because these were full.
    """

    intents: int
    changes: tuple[tuple[Change, int], ...]
    doubts: tuple[tuple[Doubt, int], ...]
    totals: Mapping[str, int]
    unsure: int
    unlisted: int

    @property
    def changed(self) -> int:
        """How many intents would have got another answer for sure."""
        return sum(self.totals.values())

    def to_json(self) -> JsonObject:
        """Return the report as JSON, by session."""
        names = sorted({each.session_id for each, _ in self.changes} | {each.session_id for each, _ in self.doubts})
        return {
            "intents": self.intents,
            "changed": self.changed,
            "unsure": self.unsure,
            "totals": dict(sorted(self.totals.items())),
            "unlisted": self.unlisted,
            "sessions": [self._session(name) for name in names],
        }

    def _session(self, session_id: SessionId) -> JsonObject:
        changes = [(each, times) for each, times in self.changes if each.session_id == session_id]
        doubts = [(each, times) for each, times in self.doubts if each.session_id == session_id]
        return {
            "session": session_id,
            "agent": [*(each.agent for each, _ in changes), *(each.agent for each, _ in doubts)][0],
            "changes": [{**each.to_json(), "times": times} for each, times in changes],
            "cannot_tell": [{**each.to_json(), "times": times} for each, times in doubts],
        }


async def replay(records: AsyncIterable[RecordedIntent], policies: Mapping[str, LayeredPolicy]) -> ReplayReport:
    """Decide recorded intents again.

    Args:
        records: As `recorded` yields them.
        policies: The draft: all layers of every agent it knows; an agent it does not know may do nothing.

    Raises:
        StoreUnavailableError, UnreadableEventError: as `recorded`.
    """
    run = _Run({agent: Matcher(policy) for agent, policy in policies.items()}, policies)
    async for record in records:
        run.look(record)
    return run.report()


@dataclass(slots=True)
class _Run:
    """One replay under way; what is listed is kept under the first intent it happened to."""

    matchers: Mapping[str, Matcher]
    policies: Mapping[str, LayeredPolicy]
    intents: int = 0
    unsure: int = 0
    unlisted: int = 0
    totals: Counter[str] = field(default_factory=Counter)
    changes: dict[object, tuple[Change, int]] = field(default_factory=dict)
    doubts: dict[object, tuple[Doubt, int]] = field(default_factory=dict)
    uses: dict[str, dict[str, int]] = field(default_factory=dict)

    def look(self, record: RecordedIntent) -> None:
        """Decide one intent again."""
        self.intents += 1
        if record.out_of_scope:
            return
        if not record.requirements:
            self._doubt(record, "cannot tell: what policy was asked was not recorded")
            return
        policy = self.policies.get(record.agent)
        if policy is None:
            unknown = f"the draft has no agent {quote(record.agent)}"
            self._changed(record, Reason(record.requirements[0], Effect.DENY, "", None, unknown))
            return
        outlook = self.matchers[record.agent].outlook(record)
        if len(outlook.effects) > 1:
            verb = "was" if len(outlook.missing) == 1 else "were"
            self._doubt(record, f"cannot tell: {', '.join(outlook.missing)} {verb} not recorded")
            return
        self._changed(record, self._decide(policy, record))

    def report(self) -> ReplayReport:
        """Return what was found."""
        return ReplayReport(
            self.intents,
            tuple(self.changes.values()),
            tuple(self.doubts.values()),
            dict(self.totals),
            self.unsure,
            self.unlisted,
        )

    def _decide(self, policy: LayeredPolicy, record: RecordedIntent) -> Reason:
        """Return the draft's reason, counting the uses of its limited rules."""
        uses = self.uses.setdefault(record.agent, {})
        decision = policy.decide(replace(record.request(), uses=uses))
        if decision.effect is Effect.ALLOW:
            uses.update({limit.key: limit.used + 1 for limit in decision.uses})
        deciding = next((each for each in decision.reasons if each.effect is decision.effect), None)
        fault = Reason(record.requirements[0], decision.effect, "", None, "; ".join(decision.errors))
        return deciding or fault

    def _changed(self, record: RecordedIntent, reason: Reason) -> None:
        if reason.effect is record.effect:
            return
        self.totals[f"{record.effect.value} -> {reason.effect.value}"] += 1
        change = Change(
            record.session_id, record.agent, record.project, reason.requirement, record.effect, reason.effect,
            reason.rule_id, reason.span, reason.text, record.intent_id, record.at_ns,
        )  # fmt: skip
        key = replace(change, first_intent=IntentId(""), first_at_ns=0)
        first, times = self.changes.get(key, (change, 0))
        if times or self._listed():
            self.changes[key] = (first, times + 1)

    def _doubt(self, record: RecordedIntent, why: str) -> None:
        self.unsure += 1
        doubt = Doubt(record.session_id, record.agent, record.action, record.effect, why, record.intent_id)
        key = replace(doubt, first_intent=IntentId(""))
        first, times = self.doubts.get(key, (doubt, 0))
        if times or self._listed():
            self.doubts[key] = (first, times + 1)

    def _listed(self) -> bool:
        """Tell whether one more different thing may be listed, and count it when not."""
        free = len(self.changes) + len(self.doubts) < MAX_LISTED
        self.unlisted += not free
        return free
