from __future__ import annotations

import json

import pytest

from broker.studies import replay as replaying
from broker.studies.records import RecordedIntent
from broker.studies.replay import ReplayReport, replay
from policies.layers import LayeredPolicy
from policies.model import Effect
from tests.unit.broker.studies.desk import layered, record, stream

READ, WRITE = "desk:Read on sheets/a/x", "desk:Write on sheets/a/x"
DRAFT = """\
  - desk:Read on sheets/a/*
  - allow: desk:Write on sheets/a/*
    requires_approval: true
"""


async def replayed(text: str, *records: RecordedIntent, **layers: str) -> ReplayReport:
    return await replay(stream(records), {"ci": layered("ci", text, **layers)})


async def test_an_answer_the_draft_keeps_is_no_change() -> None:
    report = await replayed(DRAFT, record(READ), record(WRITE, effect=Effect.REQUIRE_APPROVAL))
    assert (report.intents, report.changed, report.changes, report.doubts) == (2, 0, (), ())


async def test_an_answer_the_draft_changes_is_told_with_the_rule_that_changes_it() -> None:
    report = await replayed(DRAFT, record(WRITE), record("desk:Read on sheets/b/x"))
    (gated, _), (denied, _) = report.changes
    assert (gated.before, gated.after, str(gated.place)) == (
        Effect.ALLOW,
        Effect.REQUIRE_APPROVAL,
        "policies/ci.yaml:3",
    )
    assert (denied.after, denied.rule, denied.place, denied.requirement.resource) == (
        Effect.DENY, "", None, "sheets/b/x",
    )  # fmt: skip
    assert report.totals == {"allow -> require_approval": 1, "allow -> deny": 1}


async def test_the_draft_is_all_layers_together() -> None:
    report = await replayed(DRAFT, record(READ), guardrails="  - deny desk:* on sheets/a/*\n")
    assert [each.place.file for each, _ in report.changes if each.place] == ["policies/guardrails/all.yaml"]


async def test_the_strictest_of_several_requirements_is_the_one_that_is_told() -> None:
    report = await replayed(DRAFT, record(READ, "desk:Read on sheets/b/x"))
    assert [each.requirement.resource for each, _ in report.changes] == ["sheets/b/x"]


async def test_changes_are_told_by_session_and_repeated_ones_once() -> None:
    records = [record(WRITE, session=f"ses_{number % 2}", number=number) for number in range(1, 6)]
    report = await replayed(DRAFT, *records)
    told = report.to_json()
    assert [(each["session"], each["changes"][0]["times"]) for each in told["sessions"]] == [("ses_0", 2), ("ses_1", 3)]
    assert told["sessions"][1]["changes"][0]["first_intent"] == "int_1"
    assert told["changed"] == 5
    json.dumps(told)


async def test_what_hangs_on_a_fact_that_was_not_recorded_is_not_guessed() -> None:
    text = "  - allow: desk:Read on sheets/a/*\n    when: {params.kind: [t3.*], params.force: false}\n"
    report = await replayed(text, record(READ, context={}))
    assert (report.changes, report.unsure) == ((), 1)
    assert report.doubts[0][0].why == "cannot tell: params.force, params.kind were not recorded"
    one = await replayed("  - allow: desk:Read on sheets/a/*\n    when: {params.force: false}\n", record(READ))
    assert one.doubts[0][0].why == "cannot tell: params.force was not recorded"
    assert one.to_json()["sessions"][0]["cannot_tell"][0]["times"] == 1


async def test_an_intent_whose_requirements_were_not_recorded_cannot_be_told() -> None:
    report = await replayed(DRAFT, record(effect=Effect.REQUIRE_APPROVAL))
    assert (report.unsure, report.changed) == (1, 0)


async def test_an_agent_the_draft_does_not_know_may_do_nothing() -> None:
    report = await replayed(DRAFT, record(READ, agent="gone"))
    assert [(each.after, each.agent) for each, _ in report.changes] == [(Effect.DENY, "gone")]


async def test_what_the_sessions_scope_denied_no_draft_can_change() -> None:
    report = await replayed(DRAFT, record(READ, effect=Effect.DENY, out_of_scope=True))
    assert (report.intents, report.changed, report.unsure) == (1, 0, 0)


async def test_a_limited_rule_is_used_up_in_the_order_of_the_ledger() -> None:
    text = "  - allow: desk:Read on sheets/a/*\n    max_uses: 2\n"
    report = await replayed(text, *(record(READ, number=number) for number in range(1, 5)))
    assert report.totals == {"allow -> deny": 2}
    assert report.changes[0][0].first_intent == "int_3"


async def test_a_request_the_engine_cannot_decide_is_a_denial_with_its_fault() -> None:
    report = await replayed(DRAFT, record("desk:Read on sheets/a\n"))
    assert [(each.after, each.rule) for each, _ in report.changes] == [(Effect.DENY, "")]
    assert report.changes[0][0].text


async def test_a_full_list_counts_what_it_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "MAX_LISTED", 1)
    records = [record(WRITE), record(WRITE), record("desk:Read on sheets/b/x"), record()]
    report = await replayed(DRAFT, *records)
    assert (len(report.changes), report.changes[0][1], len(report.doubts), report.unlisted) == (1, 2, 0, 2)
    assert (report.changed, report.unsure) == (3, 1)


async def test_no_records_are_no_changes() -> None:
    policies: dict[str, LayeredPolicy] = {}
    assert (await replay(stream(()), policies)).to_json()["sessions"] == []
