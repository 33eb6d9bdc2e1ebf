from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.broker.cli.conftest import House, Run


def asked(run: Run, action: str, token: str = "") -> str:
    return str(json.loads(run("do", action, "-o", "json", token=token).stdout)["intent"])


@pytest.mark.req("A1")
def test_an_intent_is_shown_again_without_being_done_again(run: Run, house: House) -> None:
    intent = asked(run, "s3:HeadObject")
    result = run("intent", "show", intent, "-o", "json")
    assert result.exit_code == 0
    assert (json.loads(result.stdout)["intent"], json.loads(result.stdout)["state"]) == (intent, "succeeded")
    assert len(house.world.drafts) == 1


@pytest.mark.parametrize("wait", ["0", "1"])
def test_a_pending_intent_exits_8_at_once_or_after_the_wait(run: Run, house: House, wait: str) -> None:
    intent = asked(run, "git:push", house.world.pusher_token)
    result = run("intent", "show", intent, "--wait", wait, token=house.world.pusher_token)
    assert (result.exit_code, "pending" in result.stderr) == (8, True)


@pytest.mark.parametrize(("yes", "code"), [(True, 0), (False, 3)])
def test_waiting_ends_with_what_a_person_said(run: Run, house: House, yes: bool, code: int) -> None:
    world = house.world
    intent = asked(run, "git:push", world.pusher_token)

    async def decide() -> None:
        [approval] = world.approvals_by_id.values()
        await world.approvals.decide(approval.id, world.config.operators["ben"], approve=yes, reason="seen")

    world.before_second_look = decide
    result = run("intent", "show", intent, "--wait", "90", token=world.pusher_token)
    assert result.exit_code == code, result.stderr


@pytest.mark.parametrize(("action", "body"), [("s3:GetObject", b"0123456789" * 20_000), ("s3:Small", b"tiny")])
def test_the_body_is_taken_later(run: Run, tmp_path: Path, action: str, body: bytes) -> None:
    out = tmp_path / "out"
    assert run("intent", "show", asked(run, action), "--out", str(out)).exit_code == 0
    assert (out.read_bytes(), out.stat().st_mode & 0o777) == (body, 0o600)


def test_no_body_is_taken_from_a_pending_intent(run: Run, house: House, tmp_path: Path) -> None:
    intent = asked(run, "git:push", house.world.pusher_token)
    result = run("intent", "show", intent, "--out", str(tmp_path / "out"), token=house.world.pusher_token)
    assert result.exit_code == 8
    assert list(tmp_path.glob("out")) == []


def test_another_sessions_intent_is_not_found(run: Run, house: House) -> None:
    intent = asked(run, "s3:HeadObject")
    result = run("intent", "show", intent, token=house.world.pusher_token)
    assert (result.exit_code, result.stdout, "not found" in result.stderr) == (4, "", True)


@pytest.mark.parametrize("words", [["show"], ["show", "int_x", "--wait", "-1"], ["show", "int_x", "-o", "xml"]])
def test_what_cannot_be_meant_exits_2(run: Run, words: list[str]) -> None:
    assert run("intent", *words).exit_code == 2
