from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from broker.config.loader import load_configuration
from broker.config.starter import STARTER_AGENT, STARTER_OPERATOR, write_starter
from broker.model import Role
from connectors.registry import build_connectors
from policies.model import AccessRequest, Effect, Requirement

CONNECTORS = build_connectors()


def test_the_starter_is_valid_as_it_stands(tmp_path: Path) -> None:
    root = tmp_path / "new" / "config"
    written = write_starter(root)
    assert written[:2] == [root / "ostiary.yaml", root / "policies" / "ci-runner.yaml"]
    assert root / "policies" / "guardrails" / "iam-changes.yaml" in written
    found = load_configuration(root, CONNECTORS)
    assert found.notices == ()
    assert found.operators[STARTER_OPERATOR].may(Role.APPROVER)


def test_what_the_starter_shows_as_comments_is_valid_when_it_is_taken_in(tmp_path: Path) -> None:
    write_starter(tmp_path)
    for name in ("ostiary.yaml", "policies/ci-runner.yaml"):
        place = tmp_path / name
        uncommented = re.sub(
            r"^( *)# ((?:  )*(?:- )?[a-z_:-]+(?:[A-Za-z]* on \S+|: .*|:)?)$",
            r"\1\2",
            place.read_text(),
            flags=re.MULTILINE,
        )
        place.write_text(
            uncommented.replace(
                "aws-example, git-example", "aws-example, git-example, git-ssh, github-example, llm-example"
            )
        )
    found = load_configuration(tmp_path, CONNECTORS)
    assert found.notices == ()
    assert {"git-ssh", "github-example", "llm-example"} <= set(found.connections)
    assert found.connections["git-example"].options["app_api"] == "https://api.github.com"
    assert "alice" in found.operators
    project, agent = found.projects["example"], found.agents[STARTER_AGENT]
    assert project.budget is not None
    assert project.hours is not None
    assert agent.budget is not None
    assert [each.per_minute for each in agent.rates] == [120]
    assert found.alerting.channels == ("approvals",)
    asked = AccessRequest(
        STARTER_AGENT, "example", (Requirement("llm:InvokeModel", "models/anthropic/claude-haiku-4-5"),)
    )
    assert found.policies[STARTER_AGENT].decide(asked).effect is Effect.ALLOW
    request = AccessRequest(STARTER_AGENT, "example", (Requirement("git:merge", "repos/acme/app/pull-requests/7"),))
    assert found.policies[STARTER_AGENT].decide(request).effect is Effect.REQUIRE_APPROVAL


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("git:read", "repos/acme/app", Effect.ALLOW),
        ("git:push", "repos/acme/app/branches/feature/x", Effect.ALLOW),
        ("git:push", "repos/acme/app/branches/main", Effect.REQUIRE_APPROVAL),
        ("git:push", "repos/acme/app/tags/v1", Effect.DENY),
        ("s3:GetObject", "arn:aws:s3:::data-lake/raw/x", Effect.ALLOW),
        ("s3:DeleteObject", "arn:aws:s3:::data-lake/raw/x", Effect.DENY),
    ],
)
def test_the_starter_is_safe_as_it_stands(tmp_path: Path, action: str, resource: str, expected: Effect) -> None:
    write_starter(tmp_path)
    policy = load_configuration(tmp_path, CONNECTORS).policies[STARTER_AGENT]
    request = AccessRequest(STARTER_AGENT, "example", (Requirement(action, resource),))
    assert policy.decide(request).effect is expected


def test_nothing_that_is_there_is_ever_touched(tmp_path: Path) -> None:
    (tmp_path / "ostiary.yaml").write_text("version: 1\n")
    assert write_starter(tmp_path) == []
    assert (tmp_path / "ostiary.yaml").read_text() == "version: 1\n"
    other = tmp_path / "other"
    (other / "policies").mkdir(parents=True)
    (other / "policies" / "ci-runner.yaml").write_text("policies: []\n")
    written = write_starter(other)
    assert written[0] == other / "ostiary.yaml"
    assert all("ci-runner" not in path.name for path in written)
    assert (other / "policies" / "ci-runner.yaml").read_text() == "policies: []\n"
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "ostiary.yaml").symlink_to(tmp_path / "elsewhere")
    assert write_starter(linked) == []
    assert not (tmp_path / "elsewhere").exists()


def test_others_may_not_read_the_starter(tmp_path: Path) -> None:
    root = tmp_path / "config"
    for path in write_starter(root):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


@pytest.mark.req("P3")
def test_guardrails_stand_over_every_agent_from_the_beginning(tmp_path: Path) -> None:
    write_starter(tmp_path)
    (tmp_path / "policies" / "ci-runner.yaml").write_text('policies: ["* on **"]\n')
    layers = load_configuration(tmp_path, CONNECTORS).layers[STARTER_AGENT]
    arn = "arn:aws:iam::123456789012:role/deploy"
    for action, resource, expected in (
        ("iam:PutRolePolicy", arn, Effect.REQUIRE_APPROVAL),
        ("git:push", "repos/acme/app/branches/main", Effect.REQUIRE_APPROVAL),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:1:secret:x", Effect.DENY),
        ("s3:GetObject", "arn:aws:s3:::data-lake/raw/x", Effect.ALLOW),
    ):
        request = AccessRequest(STARTER_AGENT, "example", (Requirement(action, resource),))
        assert layers.decide(request).effect is expected, action
