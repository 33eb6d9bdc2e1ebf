from __future__ import annotations

import stat
from pathlib import Path

import pytest

from broker.config.loader import load_configuration
from broker.config.starter import STARTER_AGENT, STARTER_OPERATOR, write_starter
from broker.model import Role
from policies.model import AccessRequest, Effect, Requirement
from tests.unit.broker.config.paper import CONNECTORS


def test_the_starter_is_valid_as_it_stands(tmp_path: Path) -> None:
    root = tmp_path / "new" / "config"
    written = write_starter(root)
    assert written == [root / "ostiary.yaml", root / "policies" / "ci-runner.yaml"]
    found = load_configuration(root, CONNECTORS)
    assert found.notices == ()
    assert found.operators[STARTER_OPERATOR].may(Role.APPROVER)


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
    assert write_starter(other) == [other / "ostiary.yaml"]
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
