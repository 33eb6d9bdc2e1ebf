from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from broker.outcome import ProblemKind
from tests.unit.broker.cli.conftest import House, Run


@pytest.mark.req("A1")
def test_an_allowed_action_prints_its_result(run: Run, house: House, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(b"\x00\xff")
    more = tmp_path / "more.json"
    more.write_text('{"Bucket": "overridden", "Tags": {"a": "b"}}')
    result = run(
        "do",
        "s3:PutObject",
        "Bucket=data-lake",
        "Key=raw/x=1.csv",
        "Count:=3",
        "Flag:=true",
        'List:=["a"]',
        f"Body=@{blob}",
        "--params-file",
        str(more),
        "--connection",
        "aws-main",
        "--reason",
        "because",
        "--resource",
        "arn:x",
        "--idempotency-key",
        "k1",
        "-o",
        "json",
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["state"] == "succeeded"
    [draft] = house.world.drafts
    assert draft.params == {
        "Bucket": "data-lake",
        "Key": "raw/x=1.csv",
        "Tags": {"a": "b"},
        "Count": 3,
        "Flag": True,
        "List": ["a"],
        "Body": "AP8=",
    }
    assert (draft.connection, draft.reason, draft.resource, draft.idempotency_key) == (
        "aws-main",
        "because",
        "arn:x",
        "k1",
    )


@pytest.mark.req("P2")
def test_a_denial_exits_3_and_says_why_by_which_rule_and_what_would_help(run: Run) -> None:
    result = run("do", "s3:DeleteObject", "Key=x")
    assert result.exit_code == 3
    assert result.stdout == ""
    for line in ("denied by policy: policy denies it", "reason: no rule", "rule: default deny", "fix: ask for: `x`"):
        assert line in result.stderr
    assert "intent: int_" in result.stderr


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ProblemKind.DENIED, 3),
        (ProblemKind.APPROVAL_REJECTED, 3),
        (ProblemKind.APPROVAL_EXPIRED, 3),
        (ProblemKind.INVALID_PARAMS, 2),
        (ProblemKind.UNKNOWN_ACTION, 2),
        (ProblemKind.RESOURCE_MISMATCH, 2),
        (ProblemKind.SESSION_EXPIRED, 4),
        (ProblemKind.UPSTREAM_REFUSED, 4),
        (ProblemKind.OUTCOME_UNKNOWN, 4),
        (ProblemKind.LEDGER_UNAVAILABLE, 4),
        (ProblemKind.INTERNAL, 4),
    ],
)
def test_each_problem_has_its_exit_code(run: Run, kind: ProblemKind, code: int) -> None:
    assert run("do", f"fault:{kind}").exit_code == code


@pytest.mark.req("H1")
def test_a_pending_intent_exits_8_at_once_or_after_the_wait(run: Run, house: House) -> None:
    at_once = run("do", "git:push", "-o", "json", token=house.world.pusher_token)
    assert at_once.exit_code == 8
    assert json.loads(at_once.stdout)["state"] == "pending_approval"
    assert "pending" in at_once.stderr
    waited = run("do", "git:push", "--wait", "1", token=house.world.pusher_token)
    assert waited.exit_code == 8
    assert house.world.waits == [0, 1]


def test_waiting_ends_with_the_outcome_a_person_gave(run: Run, house: House) -> None:
    world = house.world

    async def approve() -> None:
        [approval] = world.approvals_by_id.values()
        await world.approvals.decide(approval.id, world.config.operators["ben"], approve=True, reason="")

    world.before_second_look = approve
    result = run("do", "git:push", "--wait", "90", "-o", "json", token=world.pusher_token)
    assert (result.exit_code, json.loads(result.stdout)["state"]) == (0, "succeeded")
    assert world.waits == [60]


def test_a_dry_run_prints_the_decision_and_does_nothing(run: Run, house: House) -> None:
    result = run("do", "git:push", "--dry-run", "--out", "never", "-o", "yaml", token=house.world.pusher_token)
    assert result.exit_code == 0
    assert "effect: allow" in result.stdout
    assert house.world.approvals_by_id == {}
    assert not Path("never").exists()


@pytest.mark.parametrize(("action", "body"), [("s3:GetObject", b"0123456789" * 20_000), ("s3:Small", b"tiny")])
def test_a_body_is_written_to_a_private_file(run: Run, tmp_path: Path, action: str, body: bytes) -> None:
    out = tmp_path / "out"
    result = run("do", action, "--out", str(out), "-o", "json")
    assert result.exit_code == 0, result.stderr
    assert out.read_bytes() == body
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "body" not in json.loads(result.stdout)["result"]
    assert not list(tmp_path.glob(".out*"))


def test_a_body_can_go_to_stdout_alone(run: Run) -> None:
    result = run("do", "s3:Small", "--out", "-")
    assert result.stdout_bytes == b"tiny"


def test_a_body_that_is_not_there_or_cannot_be_written_exits_4(run: Run, house: House, tmp_path: Path) -> None:
    assert run("do", "s3:HeadObject", "--out", str(tmp_path / "x")).exit_code == 4
    unwritable = run("do", "s3:Small", "--out", str(tmp_path / "no" / "x"))
    assert (unwritable.exit_code, "cannot write" in unwritable.stderr) == (4, True)


def test_a_cut_body_leaves_no_file(run: Run, house: House, tmp_path: Path) -> None:
    house.world.outputs.cut_after = 5
    result = run("do", "s3:GetObject", "--out", str(tmp_path / "x"))
    assert result.exit_code == 4
    assert not (tmp_path / "x").exists()
    house.world.outputs.cut_after = 0
    gone = run("do", "s3:GetObject", "--out", str(tmp_path / "x"))
    assert gone.exit_code == 4
    assert "no longer kept" in gone.stderr
    assert not list(tmp_path.glob(".x*"))


@pytest.mark.parametrize(
    "words",
    [
        ["novalue"],
        ["=x"],
        ["a b=c"],
        ["K:=nope"],
        ["K:=" + "[" * 100_000],
        ["K=1", "K=2"],
        ["K=@/nonexistent/file"],
        ["--params-file", "/nonexistent/file"],
        ["--params-file", "/dev/null"],
        ["--idempotency-key", "a b"],
        ["--wait", "-1"],
        ["-o", "xml"],
    ],
)
def test_what_cannot_be_read_exits_2_and_asks_for_nothing(run: Run, house: House, words: list[str]) -> None:
    result = run("do", "s3:HeadObject", *words)
    assert result.exit_code == 2
    assert house.world.drafts == []


def test_a_params_file_must_hold_an_object(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "p"
    path.write_text("[1]")
    assert run("do", "s3:HeadObject", "--params-file", str(path)).exit_code == 2
