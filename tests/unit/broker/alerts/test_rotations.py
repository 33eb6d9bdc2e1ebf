from __future__ import annotations

from typing import Any

import pytest

from broker.alerts import rotations
from broker.alerts.model import AlertKind
from broker.alerts.rotations import OverdueWatch, overdue
from broker.config.alerting import Alerting
from broker.store.base import EventType
from tests.unit.broker.alerts.desk import DAY_NS, FRIDAY_NOON_NS, NOTHING, Desk, fresh, seen
from vault.errors import SealedError
from vault.model import CredentialInfo, CredentialKind, CredentialRef


def info(ref: str, days: float, kind: CredentialKind = CredentialKind.AWS, version: int = 1) -> CredentialInfo:
    return CredentialInfo(CredentialRef(ref), kind, version, ("*",), "", FRIDAY_NOON_NS - int(days * DAY_NS))


@pytest.mark.req("L3")
@pytest.mark.parametrize(
    ("change", "told"), [("rotation-stopped", 1), ("rotation-undone", 1), ("rotation-finished", 0), ("sealed", 0)]
)
def test_a_rotation_that_does_not_go_on_is_told(change: str, told: int) -> None:
    data = {"change": change, "credential": "aws/prod", "old_key": "AKIAOLD", "new_key": "", "reason": "still in use"}
    notices = rotations.see(seen(EventType.VAULT_CHANGED, data=data), fresh(), NOTHING)
    assert [each.alert.facts for each in notices] == [{"old_key": "AKIAOLD", "reason": "still in use"}] * told


@pytest.mark.req("L3")
def test_credentials_that_are_too_old_are_told_and_what_is_kept_for_agents_is_not() -> None:
    infos = [
        info("aws/old", 120), info("aws/young", 89), info("aws/edge", 90), info("git/old", 91),
        info("sealed/int_1", 999, CredentialKind.SEALED),
    ]  # fmt: skip
    found = overdue(infos, 90, FRIDAY_NOON_NS)
    assert found is not None
    assert found.alert.facts["credentials"] == {"aws/old": "120 days", "git/old": "91 days"}
    assert found.count == 2
    assert overdue(infos, 365, FRIDAY_NOON_NS) is None


def test_an_alert_names_so_many_and_counts_the_rest() -> None:
    found = overdue([info(f"aws/{number}", 100) for number in range(100)], 90, FRIDAY_NOON_NS)
    assert found is not None
    assert (len(found.alert.facts["credentials"]), found.alert.facts["count"]) == (rotations.MAX_NAMED, 100)


class Vault:
    def __init__(self) -> None:
        self.infos: list[CredentialInfo] = []
        self.sealed = False
        self.asked = 0

    async def list(self) -> list[CredentialInfo]:
        self.asked += 1
        if self.sealed:
            raise SealedError("sealed")
        return self.infos


def watch(desk: Desk, vault: Vault, **terms: Any) -> OverdueWatch:
    return OverdueWatch(vault.list, lambda: Alerting(**terms), desk.ledger, desk.clock)


@pytest.mark.req("L3")
async def test_it_is_told_once_a_week_and_again_when_another_one_joins(desk: Desk) -> None:
    vault = Vault()
    vault.infos = [info("aws/old", 120)]
    watches = [watch(desk, vault), watch(desk, vault)]
    told = []
    for day in range(15):
        for each in watches:
            await each.look()
            await each.look()
        if day == 3:
            vault.infos.append(info("aws/second", 100))
        told.append(len(await desk.told(AlertKind.ROTATION)))
        desk.clock.advance(86_400)
    assert told[0] == 1
    assert told[4] - told[3] == 1
    assert told[-1] == 2 + 2  # and a reminder in each of the two weeks that began
    assert vault.asked == 15 * 2


async def test_a_sealed_vault_is_asked_again(desk: Desk) -> None:
    vault = Vault()
    vault.infos, vault.sealed = [info("aws/old", 120)], True
    looking = watch(desk, vault, rotation_days=30)
    with pytest.raises(SealedError):
        await looking.look()
    vault.sealed = False
    await looking.look()
    assert len(await desk.told()) == 1


async def test_nothing_overdue_is_nothing_told(desk: Desk) -> None:
    await watch(desk, Vault()).look()
    assert await desk.told() == []
