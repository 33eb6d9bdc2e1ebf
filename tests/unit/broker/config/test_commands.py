from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.cli import app


def run(root: Path, *arguments: str) -> Result:
    result: Result = CliRunner().invoke(app, ["--data", str(root), *arguments], env={"OSTIARY_OUTPUT": None})
    return result


def data_of(result: Result) -> Any:
    return json.loads(result.stdout)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    assert run(tmp_path, "init").exit_code == 0
    return tmp_path


def test_init_writes_once_and_says_what(tmp_path: Path) -> None:
    first = run(tmp_path, "init", "-o", "json")
    written = [str(Path(row["written"]).relative_to(tmp_path / "config")) for row in data_of(first)]
    assert written[:3] == ["ostiary.yaml", "policies/ci-runner.yaml", "policies/ci-runner_test.yaml"]
    assert {"policies/guardrails/money.yaml", "policies/guardrails/money_test.yaml"} <= set(written[3:])
    second = run(tmp_path, "init", "-o", "json")
    assert (second.exit_code, data_of(second)) == (0, [])
    assert "nothing was written" in second.stderr


def test_init_writes_to_the_folder_that_is_named(tmp_path: Path) -> None:
    assert run(tmp_path, "init", str(tmp_path / "here")).exit_code == 0
    assert (tmp_path / "here" / "ostiary.yaml").is_file()
    assert run(tmp_path, "check", "--config", str(tmp_path / "here")).exit_code == 0


def test_init_tells_why_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(tmp_path, "init", str(tmp_path / "file"))
    assert result.exit_code == 4
    assert "cannot write to" in result.stderr


def test_check_counts_what_is_there(root: Path) -> None:
    result = run(root, "check", "-o", "json")
    assert result.exit_code == 0
    report = data_of(result)
    assert report["counts"] == {
        "projects": 1, "agents": 1, "operators": 1, "connections": 2, "channels": 1, "rules": 4,
    }  # fmt: skip
    assert (report["ok"], report["findings"]) == (True, [])
    assert run(root, "check").stdout.endswith(
        "ok: 1 projects, 1 agents, 1 operators, 2 connections, 1 channels, 4 rules\n"
    )


def test_check_prints_every_fault_with_its_place_and_exits_with_2(root: Path) -> None:
    policy = root / "config" / "policies" / "ci-runner.yaml"
    policy.write_text("policies:\n  - git:pull on repos/*\n  - git:read\n")
    result = run(root, "check")
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [
        "policies/ci-runner.yaml:2:5: error: unknown action `git:pull` (did you mean `git:push`?)",
        "  2 |   - git:pull on repos/*",
        "    |     ^",
        "policies/ci-runner.yaml:3:5: error: not a rule: `git:read` (write `action on resource`)",
        "  3 |   - git:read",
        "    |     ^",
    ]
    assert "2 faults" in result.stderr
    report = data_of(run(root, "check", "-o", "json"))
    assert (report["ok"], report["findings"][0]["line"], report["findings"][0]["column"]) == (False, 2, 5)


def test_check_prints_notices_too(root: Path) -> None:
    policy = root / "config" / "policies" / "ci-runner.yaml"
    policy.write_text("policies:\n  - crm:UpdateRecord on records/x\n")
    result = run(root, "check")
    assert result.exit_code == 0
    assert result.stdout.startswith("policies/ci-runner.yaml:2:5: notice: no connector here serves `crm`")


def test_show_prints_rules_as_they_were_understood(root: Path) -> None:
    rows = data_of(run(root, "policy", "show", "ci-runner", "-o", "json"))
    own = [row for row in rows if row["layer"] == "agent"]
    assert [row["resources"] for row in own][:2] == ["repos/*/*", "repos/*/*/branches/feature/*"]
    assert own[2]["approval"] == "approvals within 3600s"
    assert {row["layer"] for row in rows} == {"guardrail", "agent"}
    assert "repos/*/*/branches/feature/*" in run(root, "policy", "show", "ci-runner").stdout


@pytest.mark.parametrize(
    ("action", "resource", "facts", "code", "effect"),
    [
        ("git:push", "repos/acme/app/branches/feature/x", ("--param", 'paths_folded:=["a.py"]'), 0, "allow"),
        ("git:push", "repos/acme/app/branches/feature/x", (), 8, "require_approval"),
        ("git:push", "repos/acme/app/branches/main", (), 8, "require_approval"),
        ("aws:s3:GetObject", "data-lake/raw/x.csv", (), 0, "allow"),
        ("s3:DeleteObject", "data-lake/raw/x.csv", (), 3, "deny"),
    ],
)
def test_explain_answers_and_its_exit_code_says_the_effect(
    root: Path, action: str, resource: str, facts: tuple[str, ...], code: int, effect: str
) -> None:
    result = run(root, "policy", "explain", "ci-runner", action, resource, *facts, "-o", "json")
    assert (result.exit_code, data_of(result)["effect"]) == (code, effect)


def test_explain_names_what_nearly_granted_and_the_fix(root: Path) -> None:
    found = data_of(run(root, "policy", "explain", "ci-runner", "s3:DeleteObject", "data-lake/raw/x", "-o", "json"))
    own = next(layer for layer in found["layers"] if layer["layer"] == "agent")
    miss = own["near_misses"][0]
    assert (miss["text"], miss["part"], miss["file"]) == (
        "s3:GetObject on data-lake/raw/*", "action", "policies/ci-runner.yaml",
    )  # fmt: skip
    assert "s3:DeleteObject on data-lake/raw/x" in found["fix"]
    assert own["matches"] == []
    shown = run(root, "policy", "explain", "ci-runner", "git:read", "repos/a/b").stdout
    assert "agent: allow" in shown
    assert "written out: repos/*/*" in shown


def test_what_cannot_be_explained_is_a_usage_error(root: Path) -> None:
    assert "did you mean `ci-runner`?" in run(root, "policy", "show", "ci-runer").stderr
    odd = run(root, "policy", "explain", "ci-runner", "git:*", "repos/a/b")
    assert (odd.exit_code, "not a canonical action" in odd.stderr) == (2, True)
    (root / "config" / "policies" / "ci-runner.yaml").write_text("policies:\n  - a\n  - b\n")
    broken = run(root, "policy", "show", "ci-runner")
    assert broken.exit_code == 2
    assert "policies/ci-runner.yaml:2:5: not a rule: `a`" in broken.stderr
    assert "policies/ci-runner.yaml:3:5: not a rule: `b`" in broken.stderr
