"""``ostiary policy``, command by command, on a starter configuration."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
import yaml
from typer.testing import CliRunner, Result

from broker.cli import app
from broker.config.starter import write_starter
from broker.model import IntentDraft
from broker.outcome import Problem
from broker.settings import Settings
from broker.wiring import open_broker

STEM = "policies/ci-runner.yaml"


def run(root: Path, *words: str) -> Result:
    result: Result = CliRunner().invoke(app, ["--data", str(root), "policy", *words], env={"OSTIARY_OUTPUT": None})
    return result


def data_of(result: Result) -> Any:
    return json.loads(result.stdout)


@pytest.fixture
def root(short_tmp: Path) -> Path:
    write_starter(short_tmp / "config")
    return short_tmp


def rewrite(root: Path, *rules: str, file: str = STEM) -> Path:
    path = root / "config" / file
    path.write_text("version: 1\npolicies:\n" + "".join(f"  - {rule}\n" for rule in rules))
    return path


@pytest.mark.req("P4")
def test_the_starter_has_nothing_wrong_and_its_tests_pass(root: Path) -> None:
    tested = run(root, "test", "--fail-on-untested")
    assert tested.exit_code == 0, tested.stdout
    assert run(root, "fmt", "--check").exit_code == 0
    linted = run(root, "lint", "-o", "json")
    assert linted.exit_code == 0
    assert {each["code"] for each in data_of(linted)} <= {"one-approver", "shadowed"}


@pytest.mark.req("P4")
def test_lint_fails_on_what_can_never_do_what_it_says(root: Path) -> None:
    rewrite(root, "git:read on repos/acme/app", "deny git:read on repos/*")
    found = run(root, "lint", "-o", "json")
    assert found.exit_code == 4
    (error,) = [each for each in data_of(found) if each["severity"] == "error"]
    assert (error["code"], error["file"], error["line"]) == ("allow-under-deny", STEM, 3)
    assert f"{STEM}:3" in run(root, "lint").stdout


def test_lint_can_be_strict(root: Path) -> None:
    assert run(root, "lint").exit_code == 0
    assert run(root, "lint", "--strict").exit_code == 4


@pytest.mark.req("P4")
def test_a_failing_policy_test_is_told_with_its_place_and_what_was_found(root: Path) -> None:
    rewrite(root, "git:push on repos/*/branches/*")
    found = run(root, "test")
    assert found.exit_code == 4
    assert "policies/ci-runner_test.yaml:" in found.stdout
    assert "asks before it changes main" not in run(root, "test", str(root / "config" / STEM)).stdout
    report = data_of(run(root, "test", "-o", "json"))
    failed = [case for each in report["files"] for case in each["cases"] if not case["passed"]]
    assert {case["name"] for case in failed} >= {"reads code"}


def test_a_rule_no_test_touches_can_fail_the_run(root: Path) -> None:
    path = root / "config" / STEM
    path.write_text(path.read_text() + "  - git:read on repos/acme/untested\n  - s3:ListBucket on untested\n")
    assert run(root, "test").exit_code == 0
    bare = run(root, "test", "--fail-on-untested")
    assert bare.exit_code == 4
    assert "s3:ListBucket on untested" in bare.stdout


def test_a_test_file_that_cannot_be_read_is_a_usage_error(root: Path) -> None:
    assert run(root, "test", str(root / "nowhere_test.yaml")).exit_code == 2
    broken = root / "config" / "policies" / "ci-runner_test.yaml"
    broken.write_text("version: 1\ntests:\n  - nme: x\n")
    found = run(root, "test")
    assert found.exit_code == 2
    assert "ci-runner_test.yaml:3:5" in found.stderr
    assert "^" in found.stderr


def test_without_tests_there_is_nothing_to_run(root: Path) -> None:
    for path in (root / "config").rglob("*_test.yaml"):
        path.unlink()
    assert run(root, "test").exit_code == 2


@pytest.mark.req("P4")
def test_fmt_writes_the_canonical_form_in_place_and_keeps_comments(root: Path) -> None:
    path = root / "config" / STEM
    path.write_text("policies:\n  # deploys\n  - git:push on repos/*/branches/main\n    requires_approval: true\n")
    assert run(root, "fmt", "--check").exit_code == 4
    shown = run(root, "fmt", "--diff", str(path))
    assert "+  - allow: git:push on repos/*/branches/main" in shown.stdout
    assert "- allow" not in path.read_text()
    path.chmod(0o640)
    assert run(root, "fmt").exit_code == 0
    assert "# deploys" in path.read_text()
    assert "- allow: git:push on repos/*/branches/main" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640
    assert run(root, "fmt", "--check").exit_code == 0


def test_fmt_points_at_what_it_cannot_read(root: Path) -> None:
    path = root / "config" / STEM
    path.write_text("policies:\n  - git:read on repos/*\n   bad: indent\n")
    found = run(root, "fmt", str(path))
    assert found.exit_code == 2
    assert "ci-runner.yaml:" in found.stderr
    assert run(root, "fmt", str(root / "nowhere.yaml")).exit_code == 2


@pytest.mark.req("P4")
def test_can_i_lists_what_an_agent_may_do(root: Path) -> None:
    rows = data_of(run(root, "can-i", "ci-runner", "-o", "json"))
    assert {(row["effect"], *row["actions"]) for row in rows} == {
        ("allow", "git:read"), ("allow", "git:push"), ("require_approval", "git:push"), ("allow", "s3:GetObject"),
    }  # fmt: skip
    only = data_of(run(root, "can-i", "ci-runner", "aws:s3:GetObject", "-o", "json"))
    assert [row["resource"] for row in only] == ["arn:aws:s3:::data-lake/raw/*"]
    assert run(root, "can-i", "ci-runner", "s3:DeleteObject").exit_code == 3
    assert run(root, "can-i", "nobody").exit_code == 2


@pytest.mark.req("P4")
def test_who_can_names_the_agents_and_the_rule(root: Path) -> None:
    (row,) = data_of(run(root, "who-can", "s3:GetObject", "data-lake/raw/x", "-o", "json"))
    assert (row["agent"], row["effect"]) == ("ci-runner", "allow")
    assert row["place"].startswith(STEM)
    nobody = run(root, "who-can", "s3:DeleteObject", "data-lake/raw/x")
    assert (nobody.exit_code, "nobody" in nobody.stderr) == (3, True)


@pytest.mark.req("P4")
def test_explain_supposes_the_moment_the_address_params_and_labels(root: Path) -> None:
    rewrite(
        root,
        "{allow: git:read on repos/a/ip, when: {source_ip: [10.0.0.0/8]}}",
        '{allow: git:read on repos/a/at, when: {before: "2026-06-01T00:00:00Z"}}',
        "{allow: git:read on repos/a/param, when: {params.what: refs}}",
        "{allow: git:read on repos/a/label, when: {session.branch: main}}",
        "{allow: git:read on repos/a/fact, when: {rate_class: low}}",
    )

    def code(repository: str, *words: str) -> int:
        return run(root, "explain", "ci-runner", "git:read", f"repos/a/{repository}", *words).exit_code

    assert (code("ip"), code("ip", "--ip", "10.1.1.1")) == (3, 0)
    assert (code("at"), code("at", "--at", "2026-05-01T00:00:00Z")) == (3, 0)
    assert (code("param"), code("param", "--param", "what=refs")) == (3, 0)
    assert (code("label"), code("label", "--session", "branch=main")) == (3, 0)
    assert (code("fact"), code("fact", "--fact", "rate_class=low")) == (3, 0)
    assert (code("at", "--at", "tomorrow"), code("label", "--session", "branch")) == (2, 2)
    missed = run(root, "explain", "ci-runner", "git:read", "repos/a/ip")
    assert "near miss" in missed.stdout
    assert "condition" in missed.stdout
    assert "fix: " in missed.stdout


@pytest.mark.req("P4")
def test_diff_tells_what_a_draft_newly_allows_with_an_example(root: Path, tmp_path: Path) -> None:
    write_starter(tmp_path / "draft")
    rules = (tmp_path / "draft" / STEM).read_text()
    (tmp_path / "draft" / STEM).write_text(rules + "  - git:push on repos/acme/*/branches/*\n")
    found = run(root, "diff", str(root / "config"), str(tmp_path / "draft"), "--fail-on-widening", "-o", "json")
    assert found.exit_code == 4
    widened = [row for row in data_of(found) if row["change"] == "newly allowed"]
    assert widened[0]["resource"].startswith("repos/acme/")
    back = run(root, "diff", str(tmp_path / "draft"), ".", "--fail-on-widening", "-o", "json")
    assert back.exit_code == 0
    assert {row["change"] for row in data_of(back)} == {"newly denied"}
    same = run(root, "diff", str(root / "config"))
    assert (same.exit_code, "no difference" in same.stderr) == (0, True)


def test_diff_reads_revisions_of_the_repository(root: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)

    git("init")
    git("add", "config")
    git("commit", "-m", "one")
    rewrite(root, "git:read on repos/*", "git:push on repos/*")
    found = run(root, "diff", "HEAD", "--fail-on-widening")
    assert found.exit_code == 4
    assert "newly allowed" in found.stdout
    assert run(root, "diff", "HEAD~7").exit_code == 2
    (root / "config" / STEM).write_text("nonsense: 1\n")
    git("commit", "-am", "two")
    assert run(root, "diff", "HEAD", "HEAD~1").exit_code == 2


def test_show_and_schema_are_about_all_layers_and_this_build(root: Path) -> None:
    rows = data_of(run(root, "show", "ci-runner", "-o", "json"))
    assert {"guardrail", "agent"} == {row["layer"] for row in rows}
    schema = data_of(run(root, "schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    policy = yaml.safe_load((root / "config" / STEM).read_text())
    assert jsonschema.Draft202012Validator(schema).is_valid(policy)
    policy["policies"].append("git:psuh on repos/*")
    assert not jsonschema.Draft202012Validator(schema).is_valid(policy)


@pytest.mark.req("P3")
def test_a_policy_of_the_library_is_taken_over_once(root: Path) -> None:
    names = {row["name"] for row in data_of(run(root, "library", "-o", "json"))}
    assert {"read-only", "guardrails/money"} <= names
    assert run(root, "library", "guardrails/money").stdout.startswith("#")
    folder = root / "config" / "policies"
    (folder / "guardrails" / "money.yaml").unlink()
    (folder / "guardrails" / "money_test.yaml").unlink()
    assert run(root, "add", "guardrails/money").exit_code == 0
    assert (folder / "guardrails" / "money.yaml").is_file()
    assert (folder / "guardrails" / "money_test.yaml").is_file()
    assert run(root, "add", "guardrails/money").exit_code == 4
    unknown = run(root, "add", "guardrails/mony")
    assert (unknown.exit_code, "guardrails/money" in unknown.stderr) == (2, True)


@pytest.mark.req("E4")
def test_a_drill_leaves_a_dated_report(root: Path, tmp_path: Path) -> None:
    found = run(root, "drill", "--report", str(tmp_path / "reports"), "-o", "json")
    assert found.exit_code == 0
    verdicts = {check["check"]: check["verdict"] for check in data_of(found)["checks"]}
    assert (verdicts["outside policy"], verdicts["needs approval"]) == ("passed", "passed")
    assert sorted(path.suffix for path in (tmp_path / "reports").iterdir()) == [".json", ".md"]
    assert "passed" in run(root, "drill", "ci-runner").stderr
    assert run(root, "drill", "nobody").exit_code == 4
    (tmp_path / "file").write_text("")
    assert run(root, "drill", "--report", str(tmp_path / "file")).exit_code == 4


async def _asked(root: Path) -> None:
    """Ask for something that is denied, and for something that waits, with no vault and no queue."""
    async with open_broker(Settings(data=root, min_free_bytes=0), background=True) as broker:
        (operator, *_) = broker.configuration().operators.values()
        started = await broker.sessions.start(operator, agent="ci-runner", ttl_seconds=60, labels={})
        assert not isinstance(started, Problem)
        session = started[0]
        for key in ("a.csv", "b.csv"):
            params = {"Bucket": "data-lake", "Key": f"raw/{key}"}
            await broker.submit(session, IntentDraft("s3:DeleteObject", params), wait_seconds=0)
            await broker.submit(session, IntentDraft("s3:GetObject", params), wait_seconds=0)


@pytest.fixture
def lived(root: Path) -> Path:
    asyncio.run(_asked(root))
    return root


@pytest.mark.req("P4")
def test_replay_tells_what_a_draft_would_have_answered(lived: Path, tmp_path: Path) -> None:
    write_starter(tmp_path / "draft")
    text = (tmp_path / "draft" / STEM).read_text()
    (tmp_path / "draft" / STEM).write_text(text + "  - s3:DeleteObject on data-lake/raw/*\n")
    found = run(lived, "replay", str(tmp_path / "draft"), "--fail-on-change", "-o", "json")
    assert found.exit_code == 4
    assert data_of(found)["totals"] == {"deny -> allow": 2}
    table = run(lived, "replay", str(tmp_path / "draft"), "--since", "1h")
    assert "s3:DeleteObject" in table.stdout
    assert "2 of 4 intents" in table.stderr
    assert run(lived, "replay", ".", "--fail-on-change").exit_code == 0


@pytest.mark.req("P4")
def test_unused_names_the_rules_nobody_needed_and_the_narrower_ones(lived: Path) -> None:
    rows = {row["text"]: row for row in data_of(run(lived, "unused", "-o", "json"))["rules"]}
    assert rows["git:read on repos/*"]["times"] == 0
    used = rows["s3:GetObject on data-lake/raw/*"]
    assert used["times"] == 2
    assert used["narrower"] == ["s3:GetObject on data-lake/raw/a.csv", "s3:GetObject on data-lake/raw/b.csv"]
    assert "git:read on repos/*" in run(lived, "unused").stdout


@pytest.mark.req("P4")
def test_suggest_prints_a_diff_and_changes_nothing(lived: Path) -> None:
    before = (lived / "config" / STEM).read_bytes()
    found = run(lived, "suggest", "ci-runner")
    assert "+  - s3:GetObject on data-lake/raw/a.csv" in found.stdout
    assert (lived / "config" / STEM).read_bytes() == before
    assert data_of(run(lived, "suggest", "-o", "json"))["suggestions"][0]["agent"] == "ci-runner"
    assert run(lived, "suggest", "nobody").exit_code == 2


def test_what_reads_the_ledger_says_when_there_is_none(root: Path) -> None:
    for words in (("replay", "."), ("unused",), ("suggest",)):
        found = run(root, *words)
        assert (found.exit_code, "there is no ledger" in found.stderr) == (4, True)
    assert not (root / "ledger.sqlite3").exists()


def test_a_configuration_with_faults_ends_every_command_with_its_places(root: Path) -> None:
    rewrite(root, "git:reed on repos/*")
    for words in (("lint",), ("test",), ("can-i", "ci-runner"), ("diff", "."), ("drill",)):
        found = run(root, *words)
        assert found.exit_code == 2
        assert f"{STEM}:3:5" in found.stderr
