from __future__ import annotations

import json

import pytest

from broker.limits.runs import Standing, Tally
from tests.unit.broker.cli.conftest import House, Run

KEY = "connection/lake/aws/prod"


@pytest.fixture(autouse=True)
def _failing(house: House) -> None:
    house.world.standings[KEY] = Standing(KEY, Tally(10, {}, "403\x1b[2J"), 1, 1, 2)


def test_breakers_are_listed(run: Run, house: House) -> None:
    result = run("breaker", "list", token=house.world.eve)
    assert result.exit_code == 0, result.stderr
    assert KEY in result.stdout
    assert "\x1b" not in result.stdout
    shown = json.loads(run("breaker", "list", "-o", "json", token=house.world.eve).stdout)
    assert [(each["key"], each["openings"]) for each in shown] == [(KEY, 1)]


def test_a_breaker_is_reset_by_its_key_with_a_reason(run: Run, house: House) -> None:
    assert run("breaker", "reset", KEY, token=house.world.ana).exit_code == 2
    result = run("breaker", "reset", KEY, "--reason", "renewed", token=house.world.ana)
    assert (result.exit_code, KEY in result.stderr) == (0, True)
    assert house.world.breakers.resets == [(KEY, "ana", "renewed")]


@pytest.mark.parametrize("key", ["session/none", "../../v1/breakers", "a?b#c/d%2F"])
def test_a_key_that_is_none_is_not_found(run: Run, house: House, key: str) -> None:
    assert run("breaker", "reset", key, "--reason", "why", token=house.world.ana).exit_code == 4
    assert house.world.breakers.resets == []


def test_an_operator_who_may_not_reset_is_told_so(run: Run, house: House) -> None:
    result = run("breaker", "reset", KEY, "--reason", "why", token=house.world.eve)
    assert (result.exit_code, "admin" in result.stderr) == (3, True)
