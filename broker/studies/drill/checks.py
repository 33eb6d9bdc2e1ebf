"""The four checks, one agent at a time.

Every request is an intent of a session of the agent, put to the broker as a door would. What to ask is found by asking
first without acting (a dry run); then the same is asked in earnest, in a session of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from broker.config.model import Configuration
from broker.ids import ApprovalId
from broker.ledger.events import fields_of
from broker.model import ApprovalState, IntentDraft, IntentState, JsonObject, Session
from broker.outcome import Outcome
from broker.store.base import EventFilter, EventType
from broker.studies.drill.drafts import Drafts
from broker.studies.drill.report import Check, CheckName, Verdict
from broker.studies.drill.scratch import DRILLER, Scratch
from broker.studies.drill.spending import Spending, metered
from connectors.base import Connector
from policies.layers import LayeredPolicy
from policies.model import Effect, Rule

MAX_TRIES: Final = 200
"""Dry runs of one search; each denied one is an event of the scratch ledger."""

_Wanted = Callable[[Outcome], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """A check's result before it is filed: see `Check`."""

    verdict: Verdict
    asked: str
    found: str
    rule: str = ""
    event: int = 0


class AgentDrill:
    """The checks of one agent.

    Args:
        scratch: The broker.
        configuration: What is drilled.
        connectors: By name.
        agent: Name of a declared agent.
    """

    def __init__(
        self, scratch: Scratch, configuration: Configuration, connectors: Mapping[str, Connector], agent: str
    ) -> None:
        self._scratch = scratch
        self._configuration = configuration
        self._agent = agent
        self._project = configuration.agents[agent].project
        self._drafts = Drafts(configuration, connectors, self._project)

    async def run(self) -> tuple[Check, ...]:
        """Return the four checks, in the order of the brief.

        Raises:
            DrillError: the agent cannot have a session.
            StoreUnavailableError, LedgerUnavailableError: the scratch store failed.
        """
        found = {
            CheckName.OUTSIDE_POLICY: await self._outside_policy(),
            CheckName.NEEDS_APPROVAL: await self._needs_approval(),
            CheckName.TOKEN_LIMIT: await self._token_limit(),
            CheckName.OTHER_PROJECT: await self._other_project(),
        }
        return tuple(
            Check(self._agent, name, each.verdict, each.asked, each.found, each.rule, each.event)
            for name, each in found.items()
        )

    async def _outside_policy(self) -> Found:
        """Ask for what no rule allows, or else for what a rule forbids: denied, and on the ledger with its reason."""
        drafts = [*self._drafts.examples(), *self._drafts.elsewhere()]
        if not drafts:
            return Found(Verdict.NOT_APPLICABLE, "", f"project `{self._project}` has no connection to ask through")
        draft = await self._search(drafts, _denied_by_default) or await self._search(drafts, _denied)
        if draft is None:
            return Found(Verdict.NOT_APPLICABLE, "", "the policy grants everything that was tried")
        return await self._expect_denial(draft)

    async def _needs_approval(self) -> Found:
        """Ask for what a rule gates: it waits for a person and nothing is sent; the end of its session ends it."""
        asking = [rule for rule in _rules(self._layers(self._agent)) if rule.effect is Effect.REQUIRE_APPROVAL]
        if not asking:
            return Found(Verdict.NOT_APPLICABLE, "", "no rule asks a person")
        draft = await self._search(
            itertools.chain(self._drafts.under(asking, self._agent), self._drafts.examples()), _waits
        )
        if draft is None:
            why = f"no request was found that one of the {len(asking)} rules that ask a person is about"
            return Found(Verdict.NOT_APPLICABLE, "", why)
        session = await self._scratch.session(self._agent)
        outcome = await self._ask(session, draft)
        asked = self._words(draft)
        pending = await self._scratch.reader.approvals((ApprovalState.PENDING,), session_id=session.id)
        mine = next((each for each in pending if each.id == outcome.approval_id), None)
        if mine is None:
            return Found(Verdict.FAILED, asked, f"the intent is {outcome.state.value} and no approval waits for it")
        await self._scratch.built.sessions.kill(session.id, DRILLER)
        ended = await self._scratch.reader.approval(ApprovalId(mine.id))
        if ended is None or ended.state is not ApprovalState.CANCELLED:
            return Found(Verdict.FAILED, asked, "the approval outlived its session", mine.rule)
        event = await self._event(outcome, EventType.INTENT_PARKED)
        if event is None:
            return Found(Verdict.FAILED, asked, "the request is not on the ledger", mine.rule)
        found = f"it waited for a person ({mine.channel}) and was void when its session was killed"
        return Found(Verdict.PASSED, asked, found, mine.rule, event["seq"])

    async def _token_limit(self) -> Found:
        """Fill a budget to its threshold, where an alert is raised, and to its cap, where a call is held."""
        scratch = self._scratch
        session = await scratch.session(self._agent)
        account = metered(await scratch.built.broker.treasury.of_session(session))
        if account is None:
            return Found(Verdict.NOT_CONFIGURED, "", "no budget of tokens or money counts what it does")
        budget = Spending(scratch.reader, scratch.ledger, scratch.clock, self._configuration, account)
        asked = f"{budget.threshold} percent of {account.counter.line.name} of {account.counter.whose}"
        await budget.fill(budget.threshold, session)
        event = await budget.alert()
        if event is None:
            return Found(Verdict.FAILED, asked, "no alert was raised")
        found = "an alert was raised"
        draft = await self._search(self._drafts.calls(self._layers(self._agent), self._agent), _granted)
        if draft is not None:
            await budget.fill(100, session)
            outcome = await self._ask(session, draft)
            if not budget.is_held(outcome):
                return Found(Verdict.FAILED, asked, f"a call beyond the cap is {outcome.state.value}")
            found += f", and a call beyond the cap was held: {self._words(draft)}"
        return Found(Verdict.PASSED, asked, found, event=event["seq"])

    async def _other_project(self) -> Found:
        """Ask through a connection of another project, or else for what only another project may: denied."""
        projects = self._configuration.projects
        others = sorted(projects.keys() - {self._project})
        if not others:
            return Found(Verdict.NOT_APPLICABLE, "", "there is only one project")
        own = projects[self._project].connections
        foreign = sorted({name for other in others for name in projects[other].connections} - set(own))
        through = itertools.chain.from_iterable(self._drafts.through(name) for name in foreign)
        draft = next(through, None) or await self._search(self._granted_elsewhere(), _denied)
        if draft is None:
            why = "all connections are shared, and nothing was found that only another project may do"
            return Found(Verdict.NOT_APPLICABLE, "", why)
        return await self._expect_denial(draft)

    def _granted_elsewhere(self) -> Iterator[IntentDraft]:
        """Yield drafts about what the policies of agents of other projects grant."""
        for name, agent in sorted(self._configuration.agents.items()):
            policy = self._layers(name)
            if agent.project == self._project or policy is None:
                continue
            granting = [rule for rule in _rules(policy) if rule.effect is not Effect.DENY]
            for draft in self._drafts.under(granting, name):
                request = self._drafts.request(draft, name, agent.project)
                if policy.decide(request).effect is not Effect.DENY:
                    yield draft

    async def _expect_denial(self, draft: IntentDraft) -> Found:
        outcome = await self._ask(await self._scratch.session(self._agent), draft)
        asked = self._words(draft)
        if outcome.state is not IntentState.DENIED:
            return Found(Verdict.FAILED, asked, f"the intent is {outcome.state.value}, expected denied")
        event = await self._event(outcome, EventType.INTENT_DENIED)
        problem = outcome.problem
        if event is None or problem is None or not problem.reason:
            return Found(Verdict.FAILED, asked, "denied, and the ledger does not say why")
        return Found(Verdict.PASSED, asked, f"denied: {problem.detail}", problem.rule, event["seq"])

    async def _search(self, drafts: Iterable[IntentDraft], wanted: _Wanted) -> IntentDraft | None:
        """Return the first draft whose dry run comes out as wanted."""
        session = await self._scratch.session(self._agent)
        for draft in itertools.islice(drafts, MAX_TRIES):
            if wanted(await self._ask(session, draft, dry_run=True)):
                return draft
        return None

    async def _ask(self, session: Session, draft: IntentDraft, *, dry_run: bool = False) -> Outcome:
        asked = IntentDraft(draft.action, draft.params, connection=draft.connection, dry_run=dry_run)
        return await self._scratch.built.broker.submit(session, asked, wait_seconds=0)

    async def _event(self, outcome: Outcome, kind: EventType) -> JsonObject | None:
        wanted = EventFilter(intent_id=outcome.intent_id, type=kind.value, limit=1)
        found = [fields_of(each.body) for each in await self._scratch.reader.events(wanted)]
        return found[0] if found else None

    def _words(self, draft: IntentDraft) -> str:
        needed = ", ".join(f"{each.action} on {each.resource}" for each in self._drafts.requirements(draft))
        return needed or f"{draft.action} through connection {draft.connection}"

    def _layers(self, agent: str) -> LayeredPolicy | None:
        return self._configuration.layers.get(agent)


def _rules(policy: LayeredPolicy | None) -> list[Rule]:
    return [rule for layer in (policy.layers if policy else ()) for rule in layer.policy.rules]


def _denied(outcome: Outcome) -> bool:
    return outcome.state is IntentState.DENIED and bool(outcome.decision)


def _denied_by_default(outcome: Outcome) -> bool:
    reasons = outcome.decision.get("reasons", []) if _denied(outcome) else []
    return any(each["effect"] == Effect.DENY and not each["rule"] for each in reasons)


def _granted(outcome: Outcome) -> bool:
    return outcome.state is IntentState.APPROVED


def _waits(outcome: Outcome) -> bool:
    return outcome.state is IntentState.PENDING_APPROVAL
