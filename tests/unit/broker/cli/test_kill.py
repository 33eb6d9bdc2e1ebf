from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.cli import app
from broker.ids import HaltId
from broker.model import Halt, HaltKind, HaltScope
from tests.unit.broker.cli.conftest import House, Run

pytestmark = pytest.mark.req("S2")

WHY = ("--reason", "it ran away")


def halted(house: House) -> list[tuple[str, str, bool]]:
    return [(each.scope.value, each.name, each.active) for each in house.world.halts.values()]


@pytest.mark.parametrize(
    ("words", "scope", "name"),
    [
        (["agent", "reader"], "agent", "reader"),
        (["project", "data"], "project", "data"),
        (["connector", "aws-main"], "connection", "aws-main"),
        (["connector", "aws", "--all"], "connector", "aws"),
        (["everything"], "everything", ""),
    ],
)
def test_what_is_stopped_is_reported_and_goes_on_again(
    run: Run, house: House, words: list[str], scope: str, name: str
) -> None:
    sure = ["--yes"] if scope == "everything" else []
    stopped = run("kill", *words, *WHY, *sure, "-o", "json", token=house.world.ben)
    assert stopped.exit_code == 0, stopped.stderr
    shown = json.loads(stopped.stdout)
    assert (shown["halt"]["started_by"], shown["report"]["sessions"]["count"]) == ("ben", 3)
    assert halted(house) == [(scope, name, True)]
    again = run("kill", *words, *WHY, *sure, token=house.world.ana)
    assert (again.exit_code, "already" in again.stderr) == (4, True)
    resumed = run("resume", *words, "--reason", "mended", "-o", "json", token=house.world.ana)
    assert json.loads(resumed.stdout)["lift_reason"] == "mended"
    assert halted(house) == [(scope, name, False)]
    gone = run("resume", *words, "--reason", "mended", token=house.world.ana)
    assert (gone.exit_code, "ostiary halts" in gone.stderr) == (4, True)


def test_a_report_is_a_table_for_people(run: Run, house: House) -> None:
    shown = run("kill", "agent", "reader", *WHY, token=house.world.ana)
    lines = {line.split("  ")[0]: line for line in shown.stdout.splitlines()}
    assert "3 ses_a ses_a ses_a" in lines["sessions"]
    assert "2 revoked, 0 failed, 0 pending" in lines["tokens"]
    slow = run("kill", "agent", "slow", *WHY, token=house.world.ana)
    assert "still being carried out" in slow.stdout


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 2), ("", 2)])
def test_everything_is_stopped_by_who_means_it(house: House, typed: str, code: int) -> None:
    words = ["--url", house.url, "--data", str(house.data), "kill", "everything", *WHY]
    done = CliRunner().invoke(app, words, env={"OSTIARY_TOKEN": house.world.ana}, input=typed)
    assert done.exit_code == code
    assert len(house.world.halts) == (1 if code == 0 else 0)


@pytest.mark.parametrize(
    "words",
    [
        ["agent", "reader"],
        ["agent", *WHY],
        ["everything", "reader", "--yes", *WHY],
        ["session"],
        ["planet", "x", *WHY],
        ["agent", "reader", "--reason", ""],
    ],
)
def test_a_kill_without_a_name_or_a_reason_exits_2(run: Run, house: House, words: list[str]) -> None:
    assert run("kill", *words, token=house.world.ana).exit_code == 2
    assert house.world.halts == {}


def test_an_unknown_name_is_told_with_the_one_that_was_meant(run: Run, house: House) -> None:
    refused = run("kill", "agent", "raeder", *WHY, token=house.world.ana)
    assert (refused.exit_code, "did you mean `reader`?" in refused.stderr) == (4, True)
    assert run("kill", "agent", "raeder", *WHY, "--force", token=house.world.ana).exit_code == 0


def test_who_may_not_stop_or_let_go_on_is_told_so(run: Run, house: House) -> None:
    assert run("kill", "agent", "reader", *WHY, token=house.world.reader_token).exit_code == 3
    run("kill", "agent", "reader", *WHY, token=house.world.ben)
    assert run("resume", "agent", "reader", *WHY, token=house.world.ben).exit_code == 3
    assert halted(house) == [("agent", "reader", True)]


def test_a_session_is_killed_by_either_command(run: Run, house: House) -> None:
    session = house.world.session_of(house.world.reader_token)
    done = run("kill", "session", session.id, token=house.world.ana)
    assert (done.exit_code, session.id in done.stderr) == (0, True)
    assert house.world.sessions_by_id[session.id].killed_at_ns > 0


def test_a_session_that_a_budget_paused_goes_on(run: Run, house: House) -> None:
    session = house.world.session_of(house.world.reader_token)
    pause = Halt(HaltId("hlt_" + "0" * 26), HaltScope.SESSION, session.id, HaltKind.PAUSE, "spent", "", 1)
    house.world.halts[pause.id] = pause
    assert run("resume", "session", session.id, "--reason", "granted", token=house.world.ana).exit_code == 0
    assert halted(house) == [("session", session.id, False)]


def test_halts_are_listed_those_that_hold_or_all(run: Run, house: House) -> None:
    for name in ("reader", "pusher"):
        run("kill", "agent", name, "--reason", "away\x1b[2J", token=house.world.ana)
    run("resume", "agent", "reader", "--reason", "mended", token=house.world.ana)

    def listed(*words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(run("halts", *words, "-o", "json", token=house.world.eve).stdout)
        return found

    assert [each["name"] for each in listed()] == ["pusher"]
    assert [each["name"] for each in listed("--all")] == ["pusher", "reader"]
    table = run("halts", token=house.world.eve).stdout
    assert "pusher" in table
    assert "\x1b" not in table
