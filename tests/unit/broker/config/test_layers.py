"""Guardrails, boundaries and policies for several agents, as a folder makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.config.files import read_folder, read_tests
from broker.config.loader import load_configuration, load_files
from broker.config.model import Configuration
from broker.errors import ConfigError
from policies.model import AccessRequest, Decision, Effect, Layer, Requirement
from tests.unit.broker.config.paper import CONNECTORS, MAIN, write

READ = Requirement("git:read", "repos/acme/app")
PUSH = Requirement("git:push", "repos/acme/app/branches/main")


def folder(root: Path, **files: str) -> Path:
    """Write a folder; ``guardrails__x`` is ``policies/guardrails/x.yaml``."""
    write(root, MAIN)
    for name, text in files.items():
        path = root / "policies" / (name.replace("__", "/").replace("_", "-") + ".yaml")
        path.parent.mkdir(exist_ok=True)
        path.write_text("policies:\n" + text if not text.startswith(("version", "agent")) else text)
    return root


def load(root: Path) -> Configuration:
    return load_configuration(root, CONNECTORS)


def decided(found: Configuration, agent: str, requirement: Requirement) -> Decision:
    return found.layers[agent].decide(AccessRequest(agent, "web", (requirement,)))


@pytest.mark.req("P3")
def test_a_guardrail_holds_for_every_agent_and_grants_nothing(tmp_path: Path) -> None:
    root = folder(
        tmp_path,
        ci_runner="  - git:* on **\n",
        guardrails__main="  - deny git:push on repos/*/branches/main\n",
    )
    found = load(root)
    assert decided(found, "ci-runner", READ).effect is Effect.ALLOW
    denied = decided(found, "ci-runner", PUSH)
    assert (denied.effect, denied.reasons[0].layer) == (Effect.DENY, Layer.GUARDRAIL)
    assert str(denied.reasons[0].span) == "policies/guardrails/main.yaml:2"
    assert decided(found, "helper", READ).effect is Effect.DENY


def test_a_guardrail_for_some_agents_leaves_the_others_alone(tmp_path: Path) -> None:
    text = "agents: [ci-*]\npolicies:\n  - deny git:* on **\n"
    root = folder(tmp_path, ci_runner="  - git:* on **\n", helper="  - git:* on **\n", guardrails__ci=text)
    found = load(root)
    assert decided(found, "ci-runner", READ).effect is Effect.DENY
    assert decided(found, "helper", READ).effect is Effect.ALLOW


def test_a_boundary_takes_away_and_grants_nothing(tmp_path: Path) -> None:
    root = folder(tmp_path, ci_runner="  - git:* on **\n", projects__web="  - git:read on repos/*\n")
    found = load(root)
    assert decided(found, "ci-runner", READ).effect is Effect.ALLOW
    assert decided(found, "ci-runner", PUSH).reasons[0].layer is Layer.BOUNDARY
    assert decided(found, "helper", READ).effect is Effect.DENY


def test_files_that_speak_of_one_agent_are_one_policy(tmp_path: Path) -> None:
    root = folder(
        tmp_path,
        everybody='agents: ["*"]\npolicies:\n  - git:read on **\n',
        ci_runner="  - git:push on **\n",
    )
    found = load(root)
    assert decided(found, "ci-runner", PUSH).effect is Effect.ALLOW
    assert decided(found, "ci-runner", READ).effect is Effect.ALLOW
    assert decided(found, "helper", PUSH).effect is Effect.DENY
    assert found.notices == ()


def test_agents_that_guardrails_treat_alike_share_them(tmp_path: Path) -> None:
    found = load(folder(tmp_path, guardrails__main="  - deny git:push on **\n"))
    assert found.layers["ci-runner"].layers[0] is found.layers["helper"].layers[0]


@pytest.mark.parametrize(
    ("name", "text", "place", "words"),
    [
        ("projects__wbe", "  - git:read on **\n", "policies/projects/wbe.yaml:1:1", "did you mean `web`?"),
        ("stranger", "  - git:read on **\n", "policies/stranger.yaml:1:1", "unknown agent"),
        ("guardrails__g", "  - git:read on **\n", "policies/guardrails/g.yaml:2:5", ""),
        (
            "guardrails__g",
            "  - {allow: git:read on **, requires_approval: true, approval_channel: nowhere}\n",
            "policies/guardrails/g.yaml:2:13",
            "unknown channel `nowhere`",
        ),
        (
            "ci_runner",
            "  - {allow: git:read on **, requires_approval: true, approvers: [alise]}\n",
            "policies/ci-runner.yaml:2:13",
            "did you mean `alice`?",
        ),
    ],
)
def test_what_refers_to_nothing_is_a_fault_with_its_place(
    tmp_path: Path, name: str, text: str, place: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder(tmp_path, **{name: text}))
    (fault,) = caught.value.findings
    assert str(fault).startswith(place + ":")
    assert words in str(fault)


def test_a_file_for_agents_nobody_declared_is_told(tmp_path: Path) -> None:
    found = load(folder(tmp_path, bots="agents: [bot-*]\npolicies:\n  - git:read on **\n"))
    assert any(str(each).startswith("policies/bots.yaml:1:1: speaks of no declared agent") for each in found.notices)


def test_a_policy_that_would_be_slow_to_decide_is_refused(tmp_path: Path) -> None:
    slow = "".join(f"  - git:read on repos/*a{number}*b*c/x\n" for number in range(200))
    with pytest.raises(ConfigError) as caught:
        load(folder(tmp_path, ci_runner=slow))
    assert {each.file for each in caught.value.findings} == {"policies/ci-runner.yaml"}


def test_all_layers_come_back_from_the_files_of_an_accepted_configuration(tmp_path: Path) -> None:
    root = folder(tmp_path, ci_runner="  - git:* on **\n", guardrails__g="  - deny git:push on **\n")
    found = load(root)
    again = load_files(found.files, root, CONNECTORS)
    assert again.version == found.version
    assert decided(again, "ci-runner", PUSH).effect is Effect.DENY


def test_tests_are_no_part_of_the_configuration(tmp_path: Path) -> None:
    root = folder(tmp_path, ci_runner="  - git:* on **\n")
    (root / "policies" / "ci-runner_test.yaml").write_text("not: [a policy")
    assert set(load(root).files) == {"ostiary.yaml", "policies/ci-runner.yaml"}
    assert list(read_tests(root)) == ["policies/ci-runner_test.yaml"]


def test_a_folder_nobody_reads_is_a_fault_that_names_the_right_one(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (root / "policies" / "guardrail").mkdir()
    (fault,) = read_folder(root).findings
    assert "did you mean `guardrails`?" in fault.message
