from __future__ import annotations

from pathlib import Path

import pytest

from broker.ledger.events import fields_of
from broker.store.base import EventFilter
from broker.store.database import open_database
from broker.store.reader import SqlReader
from broker.studies.drill.report import CheckName, DrillReport, Verdict
from broker.studies.drill.run import run_drill
from broker.studies.drill.scratch import DrillError
from connectors.base import Connector
from connectors.registry import build_connectors
from tests.house import ManualClock, PaperConnector
from tests.unit.broker.studies.drill.folder import MAIN, SCRIBE, configured

PASSED, NO_CASE = Verdict.PASSED, Verdict.NOT_APPLICABLE


async def drilled(folder: Path, main: str = MAIN, agents: list[str] | None = None, **policies: str) -> DrillReport:
    connectors: dict[str, Connector] = {"paper": PaperConnector()}
    configuration = configured(folder, connectors, main, **policies)
    return await run_drill(configuration, connectors, ManualClock(), folder / "scratch", agents)


def verdicts(report: DrillReport, agent: str = "scribe") -> dict[CheckName, Verdict]:
    return {each.name: each.verdict for each in report.checks if each.agent == agent}


async def logged(folder: Path, seq: int) -> dict[str, object]:
    database = open_database(f"sqlite:///{folder / 'scratch' / 'ledger.sqlite3'}")
    found = await SqlReader(database).events(EventFilter(after_seq=seq - 1, limit=1))
    database.close()
    return fields_of(found[0].body)


@pytest.mark.req("E4")
async def test_a_sound_configuration_passes_every_check_that_can_be_made(tmp_path: Path) -> None:
    report = await drilled(tmp_path, scribe=SCRIBE, clerk="policies: []\n")
    assert verdicts(report) == {
        CheckName.OUTSIDE_POLICY: PASSED,
        CheckName.NEEDS_APPROVAL: PASSED,
        CheckName.TOKEN_LIMIT: Verdict.NOT_CONFIGURED,
        CheckName.OTHER_PROJECT: PASSED,
    }
    assert verdicts(report, "clerk")[CheckName.NEEDS_APPROVAL] is NO_CASE
    assert (report.failed, report.tried, report.ledger_fault) == (False, (), "")
    assert report.at_ns == ManualClock().now_ns()


async def test_what_passed_is_on_the_scratch_ledger_with_rule_and_reason(tmp_path: Path) -> None:
    report = await drilled(tmp_path, scribe=SCRIBE)
    outside, gated, _, other = (each for each in report.checks if each.agent == "scribe")
    assert (await logged(tmp_path, outside.event))["type"] == "intent.denied"
    assert outside.rule == "default deny"
    assert (await logged(tmp_path, gated.event))["type"] == "intent.parked"
    assert "policies/scribe.yaml:3" in gated.rule
    assert gated.asked == "paper:Write on sheets/gated"
    assert (await logged(tmp_path, other.event))["type"] == "intent.denied"
    assert "connection other" in other.asked


async def test_an_agent_that_may_do_everything_has_no_outside(tmp_path: Path) -> None:
    report = await drilled(
        tmp_path, agents=["scribe"], scribe="policies:\n  - {allow: paper:* on **, returns_secrets: true}\n"
    )
    assert [each.verdict for each in report.checks] == [NO_CASE, NO_CASE, Verdict.NOT_CONFIGURED, PASSED]
    assert not report.failed


async def test_where_nothing_is_denied_by_default_a_rule_that_forbids_will_do(tmp_path: Path) -> None:
    text = "policies:\n  - {allow: paper:* on **, returns_secrets: true}\n  - deny paper:Write on sheets/a\n"
    report = await drilled(tmp_path, agents=["scribe"], scribe=text)
    assert report.checks[0].verdict is PASSED
    assert "policies/scribe.yaml:3" in report.checks[0].rule


async def test_what_no_rule_speaks_of_comes_before_what_a_rule_forbids(tmp_path: Path) -> None:
    text = "policies:\n  - deny paper:Destroy on **\n  - paper:Re* on **\n  - deny paper:Reveal on **\n"
    report = await drilled(tmp_path, agents=["scribe"], scribe=text)
    assert (report.checks[0].asked, report.checks[0].rule) == ("paper:Write on sheets/a", "default deny")


async def test_a_project_without_connections_has_nothing_to_ask_through(tmp_path: Path) -> None:
    main = MAIN.replace("desk: {connections: [own]}", "desk: {connections: []}")
    report = await drilled(tmp_path, main, ["scribe"], scribe=SCRIBE)
    assert [each.verdict for each in report.checks][:2] == [NO_CASE, NO_CASE]


async def test_a_gate_no_request_can_reach_is_said_not_to_be_tried(tmp_path: Path) -> None:
    text = "policies:\n  - allow: paper:Write on sheets/${session.room}\n    requires_approval: true\n"
    report = await drilled(tmp_path, agents=["scribe"], scribe=text)
    assert report.checks[1].verdict is NO_CASE
    assert "no request was found" in report.checks[1].found


async def test_one_project_has_no_other(tmp_path: Path) -> None:
    main = MAIN.replace("  shop: {connections: [other]}\n", "").replace("project: shop", "project: desk")
    report = await drilled(tmp_path, main, ["scribe"], scribe=SCRIBE)
    assert report.checks[3].verdict is NO_CASE


async def test_projects_that_share_their_connections_are_told_apart_by_what_their_agents_may_do(
    tmp_path: Path,
) -> None:
    main = MAIN.replace("shop: {connections: [other]}", "shop: {connections: [own]}")
    clerk = "policies:\n  - paper:Write on sheets/till\n  - deny paper:Read on sheets/*\n"
    report = await drilled(tmp_path, main, ["scribe"], scribe=SCRIBE, clerk=clerk)
    assert (report.checks[3].verdict, report.checks[3].asked) == (PASSED, "paper:Write on sheets/till")


async def test_projects_that_share_everything_have_nothing_to_be_told_apart_by(tmp_path: Path) -> None:
    main = MAIN.replace("shop: {connections: [other]}", "shop: {connections: [own]}")
    clerk = "policies:\n  - paper:Read on sheets/x\n  - allow: paper:Read on sheets/q\n    when: {params.name: [z]}\n"
    report = await drilled(tmp_path, main, ["scribe"], scribe=SCRIBE, clerk=clerk)
    assert report.checks[3].verdict is NO_CASE


async def test_the_real_connectors_are_drilled_with_requests_made_of_their_examples(tmp_path: Path) -> None:
    main = """\
version: 1
projects:
  web: {connections: [github, lake]}
  data: {connections: [other-lake]}
agents:
  ci: {project: web}
operators: {olivia: {roles: [admin]}, alice: {roles: [approver]}}
connections:
  github: {connector: git, credential: git/bot, url: 'https://git.example.com'}
  lake: {connector: aws, credential: aws/lake, account: '123456789012', regions: [eu-west-1]}
  other-lake: {connector: aws, credential: aws/other, account: '210987654321', regions: [eu-west-1]}
"""
    policy = """\
policies:
  - git:read on repos/*
  - git:push on repos/*/branches/feature/*
  - allow: git:push on repos/acme/*/branches/release/**
    requires_approval: true
"""
    connectors = build_connectors()
    configuration = configured(tmp_path, connectors, main, ci=policy)
    report = await run_drill(configuration, connectors, ManualClock(), tmp_path / "scratch")
    assert [each.verdict for each in report.checks] == [PASSED, PASSED, Verdict.NOT_CONFIGURED, PASSED]
    assert "/branches/release/" in report.checks[1].asked
    assert not report.failed


async def test_two_drills_of_one_configuration_find_the_same(tmp_path: Path) -> None:
    first = await drilled(tmp_path / "a", scribe=SCRIBE)
    second = await drilled(tmp_path / "b", scribe=SCRIBE)
    assert first.to_json() == second.to_json()


async def test_a_folder_in_use_is_not_drilled_in(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "ledger.sqlite3").touch()
    with pytest.raises(DrillError, match="empty"):
        await drilled(tmp_path, scribe=SCRIBE)
    assert (tmp_path / "scratch" / "ledger.sqlite3").read_bytes() == b""


async def test_a_folder_that_cannot_be_made_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "scratch").touch()
    with pytest.raises(DrillError):
        await drilled(tmp_path, scribe=SCRIBE)


async def test_an_agent_nobody_declared_cannot_be_drilled(tmp_path: Path) -> None:
    with pytest.raises(DrillError, match="did you mean `scribe`"):
        await drilled(tmp_path, agents=["scrib"], scribe=SCRIBE)


@pytest.mark.req("E4")
async def test_an_agent_with_a_session_a_day_is_drilled_all_the_same_and_its_money_counts_too(tmp_path: Path) -> None:
    budget = "budget: {max_sessions_per_day: 1, max_cost_per_day: $1, on_exceed: ask, ask: {extra: 50%}}"
    main = MAIN.replace("scribe: {project: desk}", f"scribe: {{project: desk, {budget}}}")
    report = await drilled(tmp_path, main, ["scribe"], scribe=SCRIBE)
    assert verdicts(report)[CheckName.TOKEN_LIMIT] is PASSED
