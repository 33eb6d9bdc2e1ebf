from __future__ import annotations

import json

import pytest

from broker.studies import unused as studying
from broker.studies.records import RecordedIntent
from broker.studies.unused import RuleUse, UnusedReport, unused
from policies.model import Effect, Layer
from tests.unit.broker.studies.desk import AT_NS, CATALOGUE, layered, record, stream

READ = "desk:Read on sheets/a/x"


async def studied(text: str, *records: RecordedIntent, **layers: str) -> UnusedReport:
    return await unused(stream(records), {"ci": layered("ci", text, **layers)}, CATALOGUE)


def by_line(report: UnusedReport) -> dict[int, RuleUse]:
    return {each.rule.span.line: each for each in report.rules if each.layer is Layer.AGENT}


async def test_uses_are_counted_with_the_last_one() -> None:
    found = by_line(await studied("  - desk:Read on sheets/*\n", *(record(READ, number=n) for n in (3, 9, 5))))
    assert (found[2].times, found[2].last_ns, found[2].unused) == (3, AT_NS + 9, False)


async def test_a_rule_nothing_needed_is_unused() -> None:
    report = await studied("  - desk:Read on sheets/*\n  - desk:Write on sheets/*\n", record(READ))
    assert [each.rule.span.line for each in report.unused] == [3]
    assert report.to_json()["unused"] == 1
    assert report.to_json()["rules"][1]["last"] == ""


async def test_a_use_is_what_the_rules_say_now_and_not_what_the_event_named() -> None:
    found = by_line(await studied("  - desk:Read on sheets/b/*\n", record(READ, effect=Effect.ALLOW)))
    assert found[2].unused


async def test_an_allow_under_a_deny_or_a_gate_is_not_used() -> None:
    text = """\
  - desk:Read on sheets/*
  - deny desk:Read on sheets/a/*
  - allow: desk:Read on sheets/b/*
    requires_approval: true
"""
    found = by_line(await studied(text, record(READ), record("desk:Read on sheets/b/x")))
    assert [found[line].times for line in (2, 3, 4)] == [0, 1, 1]


async def test_each_layer_counts_for_itself() -> None:
    report = await studied("  - desk:Read on sheets/*\n", record(READ), guardrails="  - deny desk:* on sheets/a/*\n")
    assert [(each.layer, each.times) for each in report.rules] == [(Layer.AGENT, 1), (Layer.GUARDRAIL, 1)]


async def test_a_rule_that_hangs_on_a_fact_nobody_wrote_down_was_perhaps_used() -> None:
    text = "  - desk:Read on sheets/*\n  - deny: desk:Read on sheets/a/*\n    when: {params.force: true}\n"
    found = by_line(await studied(text, record(READ, context={})))
    assert [(each.times, each.perhaps, each.unused) for each in found.values()] == [(1, 0, False), (0, 1, False)]


async def test_a_rule_for_several_agents_is_told_of_once() -> None:
    guardrails = "  - deny desk:Write on sheets/*\n"
    policies = {name: layered(name, "  - desk:* on sheets/*\n", guardrails=guardrails) for name in ("ci", "bot")}
    records = [record("desk:Write on sheets/a/x", agent=name) for name in ("ci", "bot", "gone")]
    report = await unused(stream(records), policies, CATALOGUE)
    (shared,) = [each for each in report.rules if each.layer is Layer.GUARDRAIL]
    assert (shared.agents, shared.times) == (("bot", "ci"), 2)
    json.dumps(report.to_json())


async def test_what_would_have_sufficed_is_offered() -> None:
    report = await studied("  - desk:* on sheets/*\n", record(READ), record("desk:Read on sheets/a/y"))
    assert report.rules[0].narrower == ("desk:Read on sheets/a/x", "desk:Read on sheets/a/y")
    assert report.wider == report.rules


async def test_many_are_offered_as_one_pattern() -> None:
    records = [record(f"desk:Read on sheets/a/raw/{number}") for number in range(8)]
    found = by_line(await studied("  - desk:* on sheets/*\n", *records))
    assert found[2].narrower == ("desk:Read on sheets/a/raw/*",)


async def test_no_narrower_gate_and_no_narrower_denial_is_offered() -> None:
    text = "  - deny desk:Write on sheets/*\n  - allow: desk:Read on sheets/*\n    requires_approval: true\n"
    report = await studied(text, record(READ), record("desk:Write on sheets/a/x"))
    assert [(each.times, each.narrower) for each in report.rules] == [(1, ()), (1, ())]


async def test_a_rule_that_answered_more_than_is_remembered_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studying, "MAX_KEPT", 2)
    records = [record(f"desk:Read on sheets/a/{number}") for number in range(4)]
    found = by_line(await studied("  - desk:* on sheets/*\n", *records))
    assert (found[2].times, found[2].narrower) == (4, ())


async def test_records_without_requirements_are_counted() -> None:
    report = await studied("  - desk:* on sheets/*\n", record(), record(READ))
    assert (report.intents, report.incomplete) == (2, 1)
