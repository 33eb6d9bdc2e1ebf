"""The policy decision point: what is known of the moment is gathered, and the layers of the session are asked.

The same for an intent that was asked for now and for one a person approved: the facts of the first decision, which are
kept with the approval, are taken up again; time and uses are those of the second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from broker.catalog import Resolved
from broker.config.model import Configuration
from broker.facts import context_of, facts_of
from broker.ids import SessionId
from broker.model import IntentDraft, JsonObject, Session
from broker.store.base import Reader
from connectors.base import Access, Plan
from policies.answers.explain import Explanation, explain
from policies.answers.triggers import Trigger, triggered
from policies.layers import LayeredPolicy
from policies.model import NO_USES, AccessRequest, Decision, Effect, Requirement
from policies.resources.catalogue import Catalogue

MAX_EXPLAINED: Final = 20
"""Requirements of one request that are explained; a request can have thousands."""

_STRICTNESS: Final = (Effect.DENY, Effect.REQUIRE_APPROVAL, Effect.ALLOW)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision and what it rests on.

    Args:
        decision: The decision.
        facts: The facts of the moment, for the ledger and for a second decision; params are not among them.
        catalogue: What the policies were read against, for telling what rule would help.
        returns_secrets: Whether the answer of the call would hold secrets.
        triggers: Rules that ask a person because of the paths the act touches, with those paths; for what people are
            shown, so empty when they are not asked.
    """

    decision: Decision
    facts: JsonObject
    catalogue: Catalogue
    returns_secrets: bool = False
    triggers: tuple[Trigger, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants explained.

    Args:
        session: Who would ask; one that was made up for an operator's question has no id.
        draft: What would be asked; its params are facts.
        requirements: What it would need.
        facts: Facts to suppose, in place of what is known.
        now_ns: The moment to suppose, nanoseconds since the epoch; 0 for now.
        returns_secrets: Whether the answer of the call would hold secrets.
    """

    session: Session
    draft: IntentDraft
    requirements: tuple[Requirement, ...]
    facts: JsonObject
    now_ns: int = 0
    returns_secrets: bool = False


@dataclass(frozen=True, slots=True)
class Explained:
    """What would be decided, and why.

    Args:
        decision: On all requirements together.
        explanations: Of the `MAX_EXPLAINED` strictest ones, strictest first.
    """

    decision: Decision
    explanations: tuple[Explanation, ...]


class DecisionPoint:
    """Asks the policies.

    Args:
        policy_of: Returns what decides for a session.
        configuration: Returns the configuration in force.
        reader: Counts uses of rules that may only be used so often.
        rate_class: Notes a request of a session and returns how often it asked lately.
        now_ns: The moment, nanoseconds since the epoch.
    """

    def __init__(
        self,
        *,
        policy_of: Callable[[Session], LayeredPolicy],
        configuration: Callable[[], Configuration],
        reader: Reader,
        rate_class: Callable[[SessionId], str],
        now_ns: Callable[[], int],
    ) -> None:
        self._policy_of = policy_of
        self._configuration = configuration
        self._reader = reader
        self._rate_class = rate_class
        self._now_ns = now_ns

    async def decide(
        self, session: Session, draft: IntentDraft, plan: Plan, earlier: JsonObject | None = None
    ) -> Verdict:
        """Decide on a plan.

        Args:
            session: Who asks.
            draft: What was asked.
            plan: What it needs.
            earlier: The facts of the first decision, when a person approved it since.

        Raises:
            StoreUnavailableError: uses cannot be counted, so nothing is decided.
        """
        policy, configuration = self._policy_of(session), self._configuration()
        facts = facts_of(session, draft, self._rate_class(session.family_id)) if earlier is None else earlier
        uses = await self._reader.rule_uses(policy.limited) if policy.limited else NO_USES
        context = context_of(facts, session, draft, configuration)
        secrets = plan.access is Access.SECRET
        request = AccessRequest(
            session.agent, session.project, plan.requirements, context, self._now_ns(), uses, secrets
        )
        decision = policy.decide(request)
        gated = decision.effect is Effect.REQUIRE_APPROVAL and earlier is None
        triggers = triggered(policy, request) if gated else ()
        return Verdict(decision, facts, configuration.catalogue, secrets, triggers)

    async def within_reach(self, session: Session, draft: IntentDraft, resolved: Resolved) -> Resolved:
        """Return what will be sent without the fallbacks that policy does not allow by itself.

        Raises:
            StoreUnavailableError: uses cannot be counted.
        """
        plan = resolved.plan
        asked = set(plan.requirements)
        kept = [
            each
            for each in plan.fallbacks
            if asked.issuperset(each.requirements) or await self._allows(session, draft, each)
        ]
        if len(kept) == len(plan.fallbacks):
            return resolved
        return replace(resolved, plan=replace(plan, fallbacks=tuple(kept)))

    async def _allows(self, session: Session, draft: IntentDraft, plan: Plan) -> bool:
        policy, configuration = self._policy_of(session), self._configuration()
        facts = facts_of(session, draft, "")
        uses = await self._reader.rule_uses(policy.limited) if policy.limited else NO_USES
        context = context_of(facts, session, draft, configuration)
        request = AccessRequest(session.agent, session.project, plan.requirements, context, self._now_ns(), uses)
        return policy.decide(request).effect is Effect.ALLOW

    async def explain(self, question: Question) -> Explained:
        """Explain what would be decided; nothing is noted or recorded.

        Raises:
            StoreUnavailableError: uses cannot be counted.
        """
        policy, configuration = self._policy_of(question.session), self._configuration()
        session, draft = question.session, question.draft
        facts = {**facts_of(session, draft, ""), **question.facts}
        uses = await self._reader.rule_uses(policy.limited) if policy.limited else NO_USES
        context = context_of(facts, session, draft, configuration)
        now_ns = question.now_ns or self._now_ns()
        request = AccessRequest(
            session.agent, session.project, question.requirements, context, now_ns, uses, question.returns_secrets
        )
        # Every rule is looked at, which takes a while where there are thousands; nobody else waits for that.
        return await asyncio.to_thread(_explained, policy, request, configuration.catalogue)


def _explained(policy: LayeredPolicy, request: AccessRequest, catalogue: Catalogue) -> Explained:
    decision = policy.decide(request)
    strictest_first = sorted(decision.reasons, key=lambda reason: _STRICTNESS.index(reason.effect))
    shown = [reason.requirement for reason in strictest_first[:MAX_EXPLAINED]] or request.requirements[:1]
    alone = (replace(request, requirements=(each,)) for each in shown)
    return Explained(decision, tuple(explain(policy, each, catalogue) for each in alone))
