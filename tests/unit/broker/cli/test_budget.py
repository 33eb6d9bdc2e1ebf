from __future__ import annotations

import json

import pytest

from broker.config.limits import OnExceed
from broker.holds import Unit
from broker.limits.treasury import Extra
from tests.unit.broker.cli.conftest import House, Run
from tests.unit.broker.doors.budgeting import MONEY, TOKENS, account

pytestmark = pytest.mark.req("L1")


@pytest.fixture(autouse=True)
def _counted(house: House) -> None:
    house.world.accounts = [
        account(TOKENS, Unit.TOKENS, 1_000, OnExceed.DENY, used=900),
        account(MONEY, Unit.NANO_DOLLARS, 5 * 10**9, OnExceed.PAUSE_AND_ALERT, used=6_250_000_001),
    ]


def test_budgets_are_listed_with_money_in_dollars(run: Run, house: House) -> None:
    result = run("budget", "list", token=house.world.eve)
    assert result.exit_code == 0, result.stderr
    assert {"900", "$5.00", "$6.250000001", "-$1.250000001"} <= set(result.stdout.split())
    shown = json.loads(run("budget", "list", "--agent", "reader", "-o", "json", token=house.world.eve).stdout)
    assert [(each["key"], each["left"]) for each in shown] == [(TOKENS, 100)]


def test_the_budgets_of_a_session_are_listed(run: Run, house: House) -> None:
    session = house.world.session_of(house.world.reader_token)
    words = ["budget", "list", "--session", session.id, "--project", "data", "-o", "json"]
    assert len(json.loads(run(*words, token=house.world.eve).stdout)) == 2
    assert run("budget", "list", "--session", "ses_none", token=house.world.eve).exit_code == 4


@pytest.mark.parametrize(
    ("written", "extra"),
    [
        ("100000", Extra(100_000)),
        ("50%", Extra(0, 50)),
        ("$5", Extra(5 * 10**9, 0, Unit.NANO_DOLLARS)),
        ("$ 0.000000001", Extra(1, 0, Unit.NANO_DOLLARS)),
        ("0.29 USD", Extra(290_000_000, 0, Unit.NANO_DOLLARS)),
    ],
)
def test_more_is_granted_as_it_is_written(run: Run, house: House, written: str, extra: Extra) -> None:
    result = run("budget", "grant", MONEY, "--extra", written, "--reason", "release", token=house.world.ana)
    assert result.exit_code == 0, result.stderr
    assert house.world.treasury.granted == [(MONEY, extra, "ana", "release")]


def test_who_grants_is_told_that_a_pause_goes_on(run: Run, house: House) -> None:
    words = ["--extra", "5", "--reason", "why"]
    paused = run("budget", "grant", MONEY, *words, token=house.world.ana)
    assert "ostiary resume project data" in paused.stderr
    assert run("budget", "grant", TOKENS, *words, token=house.world.ana).stderr == ""
    shown = json.loads(run("budget", "grant", TOKENS, *words, "-o", "json", token=house.world.ana).stdout)
    assert (shown["cap"], shown["granted"]) == (1_000, 5)


@pytest.mark.parametrize(
    "written", ["", "five", "-5", "5.5", "$", "$-5", "1e9", "$1e3", "5EUR", "\u0665", "$0.0000000001"]
)
def test_what_is_no_amount_is_a_usage_error(run: Run, house: House, written: str) -> None:
    result = run("budget", "grant", TOKENS, "--extra", written, "--reason", "why", token=house.world.ana)
    assert result.exit_code == 2
    assert house.world.treasury.granted == []


def test_a_grant_needs_an_admin_a_reason_and_a_budget(run: Run, house: House) -> None:
    assert run("budget", "grant", TOKENS, "--extra", "5", token=house.world.ana).exit_code == 2
    words = ["--extra", "5", "--reason", "why"]
    assert run("budget", "grant", TOKENS, *words, token=house.world.eve).exit_code == 3
    assert run("budget", "grant", "../../v1/budgets", *words, token=house.world.ana).exit_code == 4
    assert house.world.treasury.granted == []
