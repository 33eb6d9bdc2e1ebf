from __future__ import annotations

import csv
import io
import json

import pytest

from broker.usage import Spent
from tests.unit.broker.cli.conftest import House, Run

pytestmark = pytest.mark.req("L1")

ROWS = [
    (("ses_1", "acme/large"), Spent(calls=2, input_tokens=10, output_tokens=3, nano_dollars=1_500_000_000)),
    (("ses_2", "=HYPERLINK(1)"), Spent(calls=1, nano_dollars=5)),
]
BY = ["--by", "session", "--by", "model"]


def test_what_an_agent_spent_is_told_as_table_json_and_csv(run: Run, house: House) -> None:
    house.world.reader.spent = list(ROWS)
    table = run("usage", *BY, token=house.world.eve)
    assert table.exit_code == 0, table.stderr
    assert "1.500000000" in table.stdout
    assert "total" in table.stdout
    found = json.loads(run("usage", *BY, "-o", "json", token=house.world.eve).stdout)
    assert found["total"]["nano_dollars"] == 1_500_000_005
    rows = list(csv.DictReader(io.StringIO(run("usage", *BY, "-o", "csv", token=house.world.eve).stdout)))
    assert [(row["session"], row["model"], row["dollars"]) for row in rows] == [
        ("ses_1", "acme/large", "1.500000000"),
        ("ses_2", "'=HYPERLINK(1)", "0.000000005"),
    ]
    assert "total:" in run("usage", *BY, "-o", "yaml", token=house.world.eve).stdout


def test_filters_and_times_go_with_the_question(run: Run, house: House) -> None:
    words = ["--agent", "reader", "--since", "2026-11-01T00:00:00Z", "--until", "1h", "--zone", "Europe/Berlin"]
    assert run("usage", *words, token=house.world.eve).exit_code == 0
    asked = house.world.reader.usage_asked
    assert (asked.agent, asked.since_ns) == ("reader", 1_793_491_200 * 10**9)
    assert asked.until_ns > 0
    assert [each.value for each in asked.by] == ["session", "model", "day"]


@pytest.mark.parametrize("words", [["--since", "soon"], ["--until", "2026-11-01T00:00:00"], ["--by", "moon"]])
def test_a_question_that_cannot_be_read_ends_with_a_usage_error(run: Run, house: House, words: list[str]) -> None:
    assert run("usage", *words, token=house.world.eve).exit_code != 0
