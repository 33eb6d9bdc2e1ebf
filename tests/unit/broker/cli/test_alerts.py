from __future__ import annotations

import json

import pytest

from broker.alerts.book import State
from broker.alerts.model import Alert, AlertKind, AlertRow, Severity
from tests.unit.broker.cli.conftest import House, Run


def add(house: House) -> AlertRow:
    return house.world.alerts.add(
        Alert(AlertKind.DENIED, "s", "a title \x1b[2J", "do this", Severity.WARNING, agent="reader")
    )


@pytest.mark.req("L3")
def test_alerts_are_listed_and_shown(run: Run, house: House) -> None:
    house.world.alerts.channels = {"ops": State.PENDING}
    row = add(house)
    listed = run("alerts", "list", "--kind", "denied", token=house.world.eve)
    assert listed.exit_code == 0, listed.stderr
    assert row.id in listed.stdout
    assert "\x1b" not in listed.stdout
    shown = run("alerts", "show", row.id, token=house.world.eve)
    assert "do this" in shown.stdout
    assert "pending" in shown.stdout
    found = json.loads(run("alerts", "show", row.id, "-o", "json", token=house.world.eve).stdout)
    assert found["alert"]["id"] == row.id
    assert run("alerts", "list", "--kind", "nosuch", token=house.world.eve).exit_code == 2
    assert run("alerts", "show", "../x", token=house.world.eve).exit_code == 4


def test_an_alert_that_went_nowhere_is_shown_alone(run: Run, house: House) -> None:
    row = add(house)
    shown = run("alerts", "show", row.id, token=house.world.eve)
    assert shown.exit_code == 0
    assert "CHANNEL" not in shown.stdout


@pytest.mark.req("L3")
@pytest.mark.parametrize(
    ("channels", "code"),
    [
        ({"ops": State.DELIVERED, "soc": State.DELIVERED}, 0),
        ({"ops": State.DELIVERED, "soc": State.FAILED}, 4),
        ({"ops": State.PENDING, "soc": State.FAILED}, 4),
        ({"ops": State.PENDING, "soc": State.DELIVERED}, 8),
        ({}, 0),
    ],
)
def test_a_test_ends_as_the_worst_channel_did(run: Run, house: House, channels: dict[str, State], code: int) -> None:
    house.world.alerts.channels = channels
    result = run("alerts", "test", token=house.world.ana)
    assert result.exit_code == code, result.stderr
    assert all(name in result.stdout for name in channels)
    assert ("no channel" in result.stderr) is not bool(channels)


def test_a_test_as_json_is_json_and_needs_an_admin(run: Run, house: House) -> None:
    found = json.loads(run("alerts", "test", "-o", "json", token=house.world.ana).stdout)
    assert found["deliveries"] == []
    assert run("alerts", "test", token=house.world.eve).exit_code == 3
