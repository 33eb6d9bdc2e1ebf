"""Guardrails, boundaries, scopes, conditions and limited rules, as the whole pipeline obeys them."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.ledger.events import parse_event
from broker.model import IntentDraft, IntentState, Session
from broker.outcome import Outcome, Problem, ProblemKind
from broker.store.base import EventFilter
from policies.model import Effect
from tests.house import House, open_house, write_policy

HEAD = "version: 1\nagent: scribe\npolicies:\n"


def configure(root: Path, scribe: str, **layers: str) -> Path:
    """Write the scribe's rules, and layers as ``guardrails__name`` or ``projects__name``."""
    write_policy(root, HEAD + scribe)
    for name, rules in layers.items():
        path = root / "config" / "policies" / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(exist_ok=True)
        path.write_text("policies:\n" + rules)
    return root


async def scoped(house: House, *scope: str) -> Session:
    started = await house.sessions.start(
        house.operator("olivia"), agent="scribe", ttl_seconds=3600, labels={"sheet": "a*", "team": "x"}, scope=scope
    )
    assert not isinstance(started, Problem)
    return started[0]


def layer_of(outcome: Outcome) -> str:
    return str(outcome.decision["reasons"][0]["layer"])


@pytest.mark.req("P3")
async def test_a_guardrail_forbids_and_asks_over_every_agents_policy(tmp_path: Path) -> None:
    rules = "  - deny paper:Destroy on **\n  - {allow: paper:Write on sheets/prod*, requires_approval: true}\n"
    root = configure(tmp_path, "  - paper:* on **\n", guardrails__prod=rules)
    async with open_house(root) as house:
        session = await house.session()
        assert (await house.ask(session, "Read")).state is IntentState.SUCCEEDED
        assert (await house.ask(session, "Write", "prod-1")).state is IntentState.PENDING_APPROVAL
        denied = await house.ask(session, "Destroy")
        assert (denied.state, layer_of(denied)) == (IntentState.DENIED, "guardrail")
        assert (await house.ask(await house.session("stranger"), "Write", "prod-1")).state is IntentState.DENIED


async def test_a_boundary_holds_an_agent_back(tmp_path: Path) -> None:
    root = configure(tmp_path, "  - paper:* on **\n", projects__desk="  - paper:Read on **\n")
    async with open_house(root) as house:
        session = await house.session()
        assert (await house.ask(session, "Read")).state is IntentState.SUCCEEDED
        assert layer_of(await house.ask(session, "Write")) == "boundary"


@pytest.mark.req("S1")
async def test_a_scope_narrows_a_session_and_grants_nothing(tmp_path: Path) -> None:
    async with open_house(configure(tmp_path, "  - paper:Read on **\n")) as house:
        session = await scoped(house, "paper:* on sheets/a*")
        assert (await house.ask(session, "Read", "a1")).state is IntentState.SUCCEEDED
        assert layer_of(await house.ask(session, "Read", "b")) == "session"
        assert layer_of(await house.ask(session, "Write", "a1")) == "agent"


@pytest.mark.req("S1")
async def test_a_child_is_held_by_its_parents_scope_and_its_own(tmp_path: Path) -> None:
    async with open_house(configure(tmp_path, "  - paper:Read on **\n")) as house:
        parent = await scoped(house, "paper:Read on sheets/a*")
        child = await house.sessions.start_child(parent, scope=["paper:Read on sheets/a1*"], ttl_seconds=60, labels={})
        assert not isinstance(child, Problem)
        assert (await house.ask(child[0], "Read", "a12")).state is IntentState.SUCCEEDED
        assert (await house.ask(child[0], "Read", "a2")).state is IntentState.DENIED
        wider = await house.sessions.start_child(parent, scope=["paper:Read on sheets/*"], ttl_seconds=60, labels={})
        assert isinstance(wider, Problem)
        assert wider.kind is ProblemKind.SCOPE_TOO_WIDE


async def test_a_scope_whose_action_is_gone_allows_nothing(tmp_path: Path) -> None:
    async with open_house(configure(tmp_path, "  - paper:Read on **\n")) as house:
        session = await scoped(house, "paper:Read on **")
        gone = Session(
            session.id, session.agent, session.project, session.owner, session.created_at_ns, session.expires_at_ns,
            scopes=(("paper:Raed on **",),),
        )  # fmt: skip
        assert layer_of(await house.ask(gone, "Read")) == "session"


@pytest.mark.req("P1")
async def test_conditions_look_at_address_params_labels_and_the_moment(tmp_path: Path) -> None:
    rules = (
        "  - {allow: paper:Read on sheets/ip, when: {source_ip: [10.0.0.0/8]}}\n"
        "  - {allow: paper:Read on sheets/param, when: {params.name: [par*]}}\n"
        "  - {allow: paper:Read on sheets/team, when: {session.team: x}}\n"
        "  - {allow: paper:Read on sheets/owner, when: {session.owner: olivia}}\n"
        '  - {allow: paper:Read on sheets/then, until: "2027-01-15T08:00:01Z"}\n'
        "  - {allow: paper:Read on sheets/rate, when: {rate_class: low}}\n"
    )
    async with open_house(configure(tmp_path, rules)) as house:
        session = await scoped(house, "paper:* on **")
        assert (await house.ask(session, "Read", "ip")).state is IntentState.DENIED
        assert (await house.ask(session, "Read", "ip", source_ip="10.1.2.3")).state is IntentState.SUCCEEDED
        assert (await house.ask(session, "Read", "ip", source_ip="192.0.2.1")).state is IntentState.DENIED
        for name in ("param", "team", "owner", "then", "rate"):
            assert (await house.ask(session, "Read", name)).state is IntentState.SUCCEEDED, name
        house.clock.advance(1)
        assert (await house.ask(session, "Read", "then")).state is IntentState.DENIED
        for _ in range(10):
            last = await house.ask(session, "Read", "rate")
        assert last.state is IntentState.DENIED


async def test_a_variable_is_replaced_by_the_sessions_label_to_the_letter(tmp_path: Path) -> None:
    async with open_house(configure(tmp_path, "  - paper:Read on sheets/${session.sheet}\n")) as house:
        session = await scoped(house, "paper:* on **")
        assert (await house.ask(session, "Read", "a*")).state is IntentState.SUCCEEDED
        assert (await house.ask(session, "Read", "ab")).state is IntentState.DENIED


async def test_the_facts_of_a_decision_are_on_the_ledger_without_params(tmp_path: Path) -> None:
    async with open_house(configure(tmp_path, "  - paper:Read on **\n")) as house:
        session = await scoped(house, "paper:* on **")
        await house.ask(session, "Read", "free", source_ip="10.1.2.3")
        (event,) = await house.reader.events(EventFilter(type="intent.executing"))
        context = parse_event(event.body).data["context"]
        assert context == {
            "source_ip": "10.1.2.3", "session.id": session.id, "session.owner": "olivia",
            "session.sheet": "a*", "session.team": "x", "rate_class": "low",
        }  # fmt: skip


@pytest.mark.req("H3")
async def test_what_was_asked_from_one_address_is_decided_again_with_that_address(tmp_path: Path) -> None:
    rules = "  - {allow: paper:Write on **, requires_approval: true, when: {source_ip: [10.0.0.0/8]}}\n"
    async with open_house(configure(tmp_path, rules)) as house:
        parked = await house.ask(await house.session(), "Write", "a", source_ip="10.1.2.3")
        await house.approve(parked.approval_id)
        (done,) = await house.work()
        assert done is not None
        assert done.state is IntentState.SUCCEEDED
        (event,) = await house.reader.events(EventFilter(type="intent.parked"))
        assert parse_event(event.body).data["reasons"][0]["resource"] == "sheets/a"


async def test_a_yes_does_not_count_once_the_rule_names_other_people(tmp_path: Path) -> None:
    rules = "  - {allow: paper:Write on **, requires_approval: true}\n"
    async with open_house(configure(tmp_path, rules)) as house:
        parked = await house.ask(await house.session(), "Write", "a")
        await house.approve(parked.approval_id, by="alice")
        configure(tmp_path, "  - {allow: paper:Write on **, requires_approval: true, approvers: [bob]}\n")
        assert await house.broker.reload() == []
        await house.work()
        assert house.connector.sent == []
        assert (await house.record(parked.intent_id)).state is IntentState.REFUSED


async def test_rules_with_no_approver_in_common_deny(tmp_path: Path) -> None:
    rule = "  - {{allow: paper:Write on **, requires_approval: true, approvers: [{}]}}\n"
    root = configure(tmp_path, rule.format("alice"), guardrails__g=rule.format("bob"))
    async with open_house(root) as house:
        outcome = await house.ask(await house.session(), "Write", "a")
        assert outcome.state is IntentState.DENIED
        assert await house.reader.approvals((), limit=1) == []


@pytest.mark.req("P1")
async def test_a_rule_that_may_be_used_twice_is_used_twice(tmp_path: Path) -> None:
    async with open_house(configure(tmp_path, "  - {allow: paper:Write on **, max_uses: 2}\n")) as house:
        session = await house.session()
        assert (await house.ask(session, "Write", dry_run=True)).state is IntentState.APPROVED
        states = [(await house.ask(session, "Write")).state for _ in range(3)]
        assert states == [IntentState.SUCCEEDED, IntentState.SUCCEEDED, IntentState.DENIED]
        assert (await house.ask(await house.session(), "Write")).state is IntentState.DENIED


async def test_an_approved_use_is_counted_when_it_runs(tmp_path: Path) -> None:
    rules = "  - {allow: paper:Write on **, max_uses: 1, requires_approval: true}\n"
    async with open_house(configure(tmp_path, rules)) as house:
        session = await house.session()
        first, second = await house.ask(session, "Write", "a"), await house.ask(session, "Write", "b")
        await house.approve(first.approval_id)
        await house.approve(second.approval_id)
        done = await house.work()
        assert [each.state for each in done if each] == [IntentState.SUCCEEDED, IntentState.DENIED]


@pytest.mark.req("P4")
async def test_what_is_explained_is_what_is_decided(tmp_path: Path) -> None:
    rules = "  - {allow: paper:Read on sheets/x, max_uses: 1, when: {source_ip: [10.0.0.0/8]}}\n"
    async with open_house(configure(tmp_path, rules)) as house:
        session = await house.session()
        draft = IntentDraft("paper:Read", {"name": "x"}, source_ip="10.0.0.1")
        (said,) = await explained(house, session, draft)
        assert said is Effect.ALLOW
        await house.broker.submit(session, draft, wait_seconds=0)
        assert await explained(house, session, draft) == [Effect.DENY]
        by_name = IntentDraft("paper:Read", {}, resource="sheets/y")
        assert await explained(house, session, by_name) == [Effect.DENY]
        unknown = await house.broker.explain(session, IntentDraft("paper:Raed", {"name": "x"}), facts={})
        assert isinstance(unknown, Problem)


async def explained(house: House, session: Session, draft: IntentDraft) -> list[Effect]:
    found = await house.broker.explain(session, draft, facts={})
    assert not isinstance(found, Problem)
    return [each.decision.effect for each in found.explanations]
