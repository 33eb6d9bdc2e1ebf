"""Runs the same corpus through the command line, in this process: ``ostiary policy explain … -o json``.

What the command line has no words for (several requirements at once, scopes of sessions, uses, a moment that is not
known, an unknown part of a name) is counted here, so that no question falls out of the corpus unseen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.cli import app
from broker.cli.output import ExitCode
from policies.suites.suite import EXPECTATIONS
from tests.conformance.policies.corpus import AGENT, PROJECT, UNKNOWN_PART, Question, Refusal, questions, refusals

EXIT = {"allow": ExitCode.OK, "approval": ExitCode.PENDING, "deny": ExitCode.DENIED}


def library_only(question: Question) -> str:
    """Return why a question cannot be asked on the command line; empty when it can."""
    if len(question.ask) != 1:
        return "several requirements, or none"
    if question.session:
        return "a session's scope"
    if question.uses:
        return "uses"
    if question.now is None:
        return "a moment that is not known"
    if question.returns_secrets is not None:
        return "what the call returns"
    if UNKNOWN_PART in question.ask[0]:
        return "an unknown part"
    return "a pattern for an action" if "*" in question.ask[0].partition(" on ")[0] else ""


QUESTIONS = questions()
ASKED = [question for question in QUESTIONS if not library_only(question)]


def write(folder: Path, files: dict[str, str], project: str = PROJECT) -> None:
    """Write a configuration folder around policy files."""
    projects: dict[str, Any] = {name: {"connections": []} for name in {PROJECT, project}}
    main = {
        "version": 1,
        "projects": projects,
        "agents": {AGENT: {"project": project}},
        "channels": {"slack:#deploy-approvals": {"kind": "log"}},
    }
    for name, text in {"ostiary.yaml": json.dumps(main), **files}.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def explain(folder: Path, ask: str, *options: str) -> Result:
    action, _, resource = ask.partition(" on ")
    words = ["--config", str(folder), "policy", "explain", AGENT, action, resource, *options, "-o", "json"]
    return CliRunner().invoke(app, words, catch_exceptions=False)


def options_of(question: Question) -> list[str]:
    """Return the context of a question in the words of the command line."""
    words = ["--at", question.now or ""]
    for name, value in question.context.items():
        if name == "source_ip":
            words += ["--ip", value]
        elif name == "params":
            words += [word for key, param in value.items() for word in ("--param", f"{key}:={json.dumps(param)}")]
        elif name.startswith("session."):
            words += ["--session", f"{name.removeprefix('session.')}={value}"]
        else:
            words += ["--fact", f"{name}={value}"]
    return words


def test_every_question_but_a_known_few_is_asked_on_the_command_line() -> None:
    left_out = [library_only(question) for question in QUESTIONS if library_only(question)]
    assert len(ASKED) >= 230
    assert set(left_out) == {
        "several requirements, or none", "a session's scope", "uses", "a moment that is not known", "an unknown part",
        "a pattern for an action", "what the call returns",
    }  # fmt: skip


@pytest.mark.req("P4")
@pytest.mark.parametrize("question", ASKED, ids=lambda question: question.id)
def test_the_command_line_gives_the_expected_answer(question: Question, tmp_path: Path) -> None:
    write(tmp_path, question.files, question.project)
    result = explain(tmp_path, question.ask[0], *options_of(question))
    found: dict[str, Any] = json.loads(result.stdout)
    reason = next(each for each in found["reasons"] if each["effect"] == found["effect"])
    assert found["effect"] == EXPECTATIONS[question.expect]
    assert result.exit_code == EXIT[question.expect]
    assert question.rule in (None, reason["rule"])
    assert question.layer in (None, reason["layer"])
    if reason["rule"]:
        first = [layer["matches"][0]["rule"] for layer in found["layers"] if layer["matches"]]
        assert reason["rule"] in first


@pytest.mark.parametrize("refusal", refusals(), ids=lambda refusal: refusal.name)
def test_the_command_line_tells_the_place_of_what_it_refuses(refusal: Refusal, tmp_path: Path) -> None:
    write(tmp_path, {refusal.file: refusal.text})
    result = explain(tmp_path, "git:read on repos/acme/app")
    assert result.exit_code == ExitCode.USAGE
    assert f"{refusal.file}:{refusal.line}:{refusal.column}: " in result.stderr
