"""The page of the limits is held to the code it speaks of."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import broker.limits
from broker.config.limits import OnExceed, OnRate
from broker.config.loader import load_configuration
from broker.config.model import Configuration
from broker.doors.problems import problem_members
from broker.limits import runs
from broker.limits.drawing import Counters, Scope
from broker.limits.grants import exceeded
from broker.limits.periods import Periods
from broker.store.base import BudgetRow
from connectors.registry import build_connectors
from tests.unit.broker.limits.spending import NOON_NS

FOLDER = Path(broker.limits.__file__).parent
PAGE = (FOLDER / "README.md").read_text("utf-8")
BUDGETS, RATES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
[REFUSAL] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


def loaded(folder: Path, text: str) -> Configuration:
    (folder / "ostiary.yaml").write_text(f"version: 1\n{text}")
    return load_configuration(folder, build_connectors())


def test_every_file_is_on_the_page() -> None:
    names = [path.name for path in FOLDER.glob("*.py") if path.stem != "__init__"]
    assert [name for name in names if f"`{name}`" not in PAGE] == []


@pytest.mark.req("L1")
def test_the_budgets_of_the_page_are_budgets(tmp_path: Path) -> None:
    found = loaded(tmp_path, BUDGETS)
    agent, project = found.agents["ci-runner"].budget, found.projects["data"].budget
    assert agent is not None
    assert project is not None
    assert (agent.on_exceed, project.on_exceed) == (OnExceed.ASK, OnExceed.PAUSE_AND_ALERT)
    assert (len(agent.lines), [line.cap for line in project.lines]) == (5, [500 * 10**9])


@pytest.mark.req("L2")
def test_the_rates_of_the_page_are_rates(tmp_path: Path) -> None:
    found = loaded(tmp_path, RATES)
    of_agent, of_connection = found.agents["ci-runner"].rates, found.rates["lake"]
    assert [(each.name, each.per_minute) for each in of_agent] == [("requests", 60), ("reads", 600)]
    assert of_agent[0].on_exceed is OnRate.THROTTLE_AND_ALERT
    assert [each.concurrent for each in of_connection] == [50]


def test_the_refusal_of_the_page_is_what_its_budget_says(tmp_path: Path) -> None:
    found = loaded(tmp_path, BUDGETS)
    counters = Counters(Periods()).owned(found, Scope.AGENT, "ci-runner", NOON_NS)
    counter = next(each for each in counters if each.line.name == "max_tokens_per_day")
    row = BudgetRow(counter.key, used=995_000, reserved=4_096)
    assert problem_members(exceeded(counter, row, 1_039, NOON_NS)) == json.loads(REFUSAL)


def test_the_numbers_of_the_breakers_are_those_of_the_code() -> None:
    text = PAGE.partition("## Circuit breakers")[2].partition("\n## ")[0].replace("\n", " ")
    for words in (
        f"after {runs.SESSION_FAILURES} failures of upstreams in a row",
        f"request failed {runs.IDENTICAL} times",
        f"after {runs.CONNECTION_FAILURES} in a row, of which at most {runs.MOST_OF_ONE}",
        f"refuses for {runs.FIRST_SECONDS} s",
        f"up to {runs.LONGEST_SECONDS // 60} min",
    ):
        assert words in text
