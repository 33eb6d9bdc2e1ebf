"""What is in force is what was accepted last, in every process, whatever somebody is editing in the folder."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.parts.s3_house import S3House, s3_house
from tests.parts.up import eventually


@pytest.fixture
def house() -> Iterator[S3House]:
    with s3_house() as made:
        yield made


def approved(house: S3House, key: str) -> str:
    """Ask for a gated write and say yes; return the intent."""
    status, pending = house.put(key)
    assert status == 202
    approval = pending["approval"]["id"]
    assert house.call("POST", f"/v1/approvals/{approval}/approve", house.alice, {"reason": ""})[0] == 200
    return str(pending["intent"])


def state_of(house: S3House, intent: str) -> str:
    return str(house.call("GET", f"/v1/intents/{intent}")[1].get("state"))


@pytest.mark.req("P1")
def test_an_edit_counts_for_nobody_until_it_is_accepted(house: S3House) -> None:
    policy = house.up.data / "config" / "policies" / "agent.yaml"
    accepted = policy.read_text()
    policy.write_text(accepted + "  - deny s3:PutObject on bkt/gated/*\n")
    intent = approved(house, "gated/edited")
    eventually(lambda: state_of(house, intent) == "succeeded")
    assert house.up.cli("reload").returncode == 0
    assert house.put("gated/later")[0] == 403


@pytest.mark.req("P1")
def test_a_broken_folder_stops_neither_the_worker_nor_a_restarted_api(house: S3House) -> None:
    policy = house.up.data / "config" / "policies" / "agent.yaml"
    policy.write_text("policies: [nonsense")
    assert house.up.cli("reload").returncode == 2
    intent = approved(house, "gated/one")
    eventually(lambda: state_of(house, intent) == "succeeded")
    victim = house.up.pid_of("api")
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: house.up.pid_of("api") not in (0, victim) and house.up.get("/livez") == 200)
    assert house.put("free/after")[0] == 200
    assert house.put("elsewhere/after")[0] == 403
