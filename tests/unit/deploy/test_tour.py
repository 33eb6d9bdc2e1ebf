"""What the tour is configured with is valid, with GitHub and on a machine that cannot run its emulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.config.loader import load_configuration
from connectors.registry import build_connectors
from deploy.tour.configuration import AGENT, BUDGET_TOKENS, POLICY, Account, ostiary_yaml

HUB = "http://127.0.0.1:4000"


@pytest.mark.parametrize(
    ("hub_url", "expected"), [(HUB, {"lake", "code", "models", "hub"}), ("", {"lake", "code", "models"})]
)
def test_the_configuration_is_valid_with_github_and_without(tmp_path: Path, hub_url: str, expected: set[str]) -> None:
    text = ostiary_yaml(
        Account("123456789012", "eu-west-1", "http://127.0.0.1:5000"),
        git_url="http://127.0.0.1:6000",
        models_url="http://127.0.0.1:7000",
        hub_url=hub_url,
    )
    (tmp_path / "policies").mkdir()
    (tmp_path / "ostiary.yaml").write_text(text)
    (tmp_path / "policies" / f"{AGENT}.yaml").write_text(f"version: 1\nagent: {AGENT}\npolicies:\n{POLICY}")
    found = load_configuration(tmp_path, build_connectors())
    budget = found.agents[AGENT].budget
    assert budget is not None
    assert [line.cap for line in budget.lines] == [BUDGET_TOKENS]
    assert (set(found.connections), found.notices) == (expected, ())
