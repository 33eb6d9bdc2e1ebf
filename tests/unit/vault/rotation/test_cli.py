"""``ostiary vault rotate --iam`` and ``rotations``: exit codes, what is shown, and what the ledger is told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.unit.vault.process import short_folder
from tests.unit.vault.rotation.iam import ARN, HOUR, REF, Rig
from tests.unit.vault.rotation.serving import House, served
from vault.errors import IamUnreachableError
from vault.rotation.iam import Identity
from vault.rotation.procedure import MAX_TRIES

ROTATE = ("rotate", REF, "--iam", "--region", "eu-west-1")


@pytest.fixture
def house(rig: Rig) -> Iterator[House]:
    rig.vault.rotations = rig.rotations
    with short_folder() as folder, served(rig.vault, folder / "run" / "vault.sock"):
        yield House(folder, rig.vault)


def test_a_new_key_that_is_not_accepted_fails_the_command_and_is_on_the_ledger(house: House, rig: Rig) -> None:
    rig.iam.slow = 1000
    undone = house.run(*ROTATE)
    assert (undone.exit_code, json.loads(undone.stdout)["step"]) == (4, "undone")
    assert (set(rig.iam.keys), house.told()[-1]) == ({rig.old}, "rotation-undone")
    rig.iam.slow = 0
    assert house.run(*ROTATE).exit_code == 0


def test_an_old_key_in_use_stops_the_command_until_it_is_told_to_ignore_that(house: House, rig: Rig) -> None:
    assert house.run(*ROTATE).exit_code == 0
    rig.clock.now_ns += HOUR * 10**9
    rig.iam.use(rig.old)
    stopped = house.run(*ROTATE)
    assert (stopped.exit_code, "--ignore-use" in stopped.stderr) == (4, True)
    (listed,) = json.loads(house.run("rotations").stdout)
    assert (listed["stopped"], "s3" in listed["reason"]) == (True, True)
    assert house.run(*ROTATE, "--ignore-use").exit_code == 0
    assert not rig.iam.keys[rig.old].active
    assert house.told()[-3:] == ["rotation-switched", "rotation-stopped", "rotation-deactivated"]


def test_an_abort_deletes_the_new_key_and_succeeds(house: House, rig: Rig) -> None:
    lost = [IamUnreachableError("no answer")] * MAX_TRIES
    rig.iam.answers["identity"] = [Identity("123456789012", ARN), *lost]
    assert house.run(*ROTATE).exit_code == 4
    aborted = house.run("rotate", REF, "--abort")
    assert (aborted.exit_code, set(rig.iam.keys)) == (0, {rig.old})
    assert house.told() == ["rotation-begun", "rotation-failed", "rotation-undone"]
    assert house.run("rotate", REF, "--abort").exit_code == 4


def test_without_a_ledger_nothing_is_rotated(house: House, rig: Rig) -> None:
    (house.folder / "ledger.sqlite3").mkdir()
    assert [house.run(*words).exit_code for words in (ROTATE, ("rotations",))] == [4, 4]
    assert rig.faults.done == []
