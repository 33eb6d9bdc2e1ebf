from __future__ import annotations

import json
from typing import Any

import pytest

from broker.cli.session import timeline
from broker.ids import SessionId
from tests.unit.broker.cli.conftest import House, Run

HOSTILE = "approve me\x1b[2J\x1b[1A\u202e"


@pytest.mark.req("S1")
def test_a_session_is_started_with_its_token_on_stdout_only(run: Run, house: House) -> None:
    result = run(
        "session",
        "start",
        "--agent",
        "reader",
        "--ttl",
        "15m",
        "--label",
        "run=1",
        "--label",
        "b=x=y",
        "-o",
        "json",
        token=house.world.ana,
    )
    assert result.exit_code == 0, result.stderr
    started = json.loads(result.stdout)
    session = house.world.sessions_by_id[SessionId(started["session"]["id"])]
    assert session.labels == {"run": "1", "b": "x=y"}
    assert session.expires_at_ns - session.created_at_ns == 900 * 10**9
    assert started["token"].startswith("ost_s_")
    table = run("session", "start", "--agent", "reader", token=house.world.ana)
    assert "ost_s_" in table.stdout
    assert "ost_" not in table.stderr


@pytest.mark.parametrize(
    "words", [["--ttl", "8"], ["--ttl", "0h"], ["--ttl", "1w"], ["--label", "x"], ["--label", "=x"]]
)
def test_a_ttl_or_a_label_that_is_none_exits_2(run: Run, house: House, words: list[str]) -> None:
    before = len(house.world.sessions_by_id)
    assert run("session", "start", "--agent", "reader", *words, token=house.world.ana).exit_code == 2
    assert len(house.world.sessions_by_id) == before


@pytest.mark.req("S1")
def test_an_agent_starts_no_session(run: Run, house: House) -> None:
    result = run("session", "start", "--agent", "reader", token=house.world.reader_token)
    assert result.exit_code == 3
    assert "never" in result.stderr


@pytest.mark.req("S1")
def test_a_session_is_started_with_a_scope_and_hands_out_a_narrower_one(run: Run, house: House) -> None:
    rules = ["s3:GetObject on raw/*", "deny s3:GetObject on raw/secret"]
    scope = [word for rule in rules for word in ("--scope", rule)]
    result = run("session", "start", "--agent", "reader", *scope, "-o", "json", token=house.world.ana)
    started = json.loads(result.stdout)
    assert started["session"]["scopes"] == [rules]
    narrow = ["--scope", "s3:GetObject on raw/a"]
    words = ["session", "child", *narrow, "--ttl", "15m", "--label", "part=lint", "-o", "json"]
    child = json.loads(run(*words, token=started["token"]).stdout)
    assert child["session"]["scopes"] == [rules, ["s3:GetObject on raw/a"]]
    assert child["session"]["parent"] == started["session"]["id"]
    assert child["session"]["added_labels"] == {"part": "lint"}
    table = run("session", "child", *narrow, token=started["token"])
    assert "ost_s_" in table.stdout
    assert "ost_" not in table.stderr
    assert run("session", "child", "--scope", "*:* on **", token=started["token"]).exit_code != 0
    assert run("session", "child", token=started["token"]).exit_code == 2
    assert run("session", "child", *narrow, token=house.world.ana).exit_code == 3


@pytest.mark.req("S2")
def test_a_session_is_killed_and_shown(run: Run, house: House) -> None:
    session = house.world.session_of(house.world.reader_token)
    assert run("session", "kill", session.id, token=house.world.ana).exit_code == 0
    shown = json.loads(run("session", "show", session.id, "-o", "json", token=house.world.ana).stdout)
    assert shown["killed_at"] is not None
    for unknown in ("ses_" + "0" * 26, "../../livez", "", "a?b#c"):
        assert run("session", "kill", unknown, token=house.world.ana).exit_code == 4


@pytest.mark.req("E2")
def test_a_replay_tells_what_was_done_after_a_denial(run: Run, house: House) -> None:
    world = house.world
    session = world.session_of(world.reader_token)
    problem = {"rule": "policies/a.yaml:3 (a)", "detail": "policy denies it"}
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("intent.executing", "s3:GetObject", {"reasons": [{"file": "p.yaml", "line": 2, "rule": "r"}, {}]}),
        ("intent.denied", "s3:DeleteObject", {"problem": problem, "resources": ["arn:x"]}),
        ("intent.succeeded", "s3:PutObject", {"reasons": [{"file": ""}]}),
        ("intent.parked", "git:push", {"rule": "p.yaml:9 (main)"}),
        ("intent.failed", "s3:HeadObject", {"problem": {"detail": "gone\x1b[2J"}}),
    ]
    for kind, action, data in steps * 150:
        world.clock.at_ns += 250_000_000
        world.tell(kind, session, action=action, data=data)
    result = run("session", "replay", session.id, "-o", "json", token=world.reader_token)
    rows = json.loads(result.stdout)
    assert len(rows) == 750
    assert [row["after_denial"] for row in rows[:4]] == [
        "",
        "",
        "0.250s after s3:DeleteObject",
        "0.500s after s3:DeleteObject",
    ]
    assert [row["why"] for row in rows[:5]] == [
        "p.yaml:2 (r)",
        "policies/a.yaml:3 (a)",
        "",
        "p.yaml:9 (main)",
        "gone\x1b[2J",
    ]
    table = run("session", "replay", session.id, token=world.ana)
    assert "s3:DeleteObject" in table.stdout
    assert "\x1b" not in table.stdout


def test_an_empty_story_has_no_rows() -> None:
    assert timeline([]) == []


@pytest.mark.req("H1")
def test_an_approver_lists_reads_and_approves(run: Run, house: House) -> None:
    world = house.world
    run("do", "git:push", "--reason", HOSTILE, token=world.pusher_token)
    [approval_id] = world.approvals_by_id
    listed = run("approvals", "list", token=world.ben)
    assert approval_id in listed.stdout
    assert "push 1 ref" in listed.stdout
    assert "approve me" not in listed.stdout
    shown = run("approvals", "show", approval_id, token=world.ben)
    parts = [line for line in shown.stdout.splitlines() if line.isupper() or "UNVERIFIED" in line.upper()]
    assert parts[:2] == ["REQUEST", parts[1]]
    assert parts.index("AGENT'S OWN WORDS  unverified") > parts.index("WHY A PERSON IS ASKED")
    assert "\x1b" not in shown.stdout
    assert "\u202e" not in shown.stdout
    as_data = json.loads(run("approvals", "show", approval_id, "-o", "json", token=world.ben).stdout)
    assert as_data["reason"] == HOSTILE
    approved = run("approvals", "approve", approval_id, "--reason", "fine", token=world.ben)
    assert approved.exit_code == 0
    assert "approved" in approved.stderr
    assert world.approvals_by_id[approval_id].decision_reason == "fine"
    again = run("approvals", "approve", approval_id, token=world.ben)
    assert (again.exit_code, "already" in again.stderr) == (4, True)
    assert json.loads(run("approvals", "list", "-o", "json", token=world.ben).stdout) == []
    everything = run("approvals", "list", "--state", "all", "--project", "web", "-o", "json", token=world.ben)
    assert [item["id"] for item in json.loads(everything.stdout)] == [approval_id]


@pytest.mark.req("H3")
def test_an_agent_cannot_approve_and_a_rejection_needs_words(run: Run, house: House) -> None:
    world = house.world
    run("do", "git:push", token=world.pusher_token)
    [approval_id] = world.approvals_by_id
    assert run("approvals", "approve", approval_id, token=world.pusher_token).exit_code == 3
    assert run("approvals", "reject", approval_id, token=world.ben).exit_code == 2
    assert world.approvals_by_id[approval_id].state == "pending"
    assert run("approvals", "reject", approval_id, "--reason", "no", token=world.ben).exit_code == 0
    assert world.approvals_by_id[approval_id].state == "rejected"


@pytest.mark.req("E1")
def test_the_ledger_is_searched_by_every_filter(run: Run, house: House) -> None:
    world = house.world
    session = world.session_of(world.reader_token)
    for number in range(3):
        world.tell("intent.denied", session, action=f"s3:Op{number}", intent_id=f"int_{number}")
    filters = ["--session", session.id, "--agent", "reader", "--project", "data", "--type", "intent.denied"]
    found = run("audit", "search", *filters, "--newest", "--limit", "2", "-o", "json", token=world.eve)
    assert [item["event"]["action"] for item in json.loads(found.stdout)["events"]] == ["s3:Op2", "s3:Op1"]
    one = run("audit", "search", "--action", "s3:Op1", "--intent", "int_1", "--after", "1", token=world.eve)
    assert "s3:Op1" in one.stdout
    assert "s3:Op2" not in one.stdout
    none = run("audit", "search", "--since", "2100-01-01T00:00:00Z", "-o", "json", token=world.eve)
    assert json.loads(none.stdout)["events"] == []
    wrong = run("audit", "search", "--until", "yesterday", token=world.eve)
    assert wrong.exit_code == 2
