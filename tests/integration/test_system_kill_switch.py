"""S2 across the processes of one machine: what a killed session has under way is cut wherever it runs."""

from __future__ import annotations

import pytest

from tests.parts.s3_house import S3House
from tests.parts.up import eventually

pytestmark = pytest.mark.req("S2")


def test_a_write_that_hangs_in_the_api_is_cut_and_its_outcome_is_unknown(house: S3House) -> None:
    hanging = house.hang("free/api")
    assert house.kill() == 204
    status, said = hanging.answer()
    assert (status, said["type"], said["state"]) == (504, "urn:ostiary:problem:outcome-unknown", "unknown")
    assert said["reason"] == "an operator stopped it"
    assert house.state_of(said["intent"]) == "intent.unknown"
    assert house.upstream.effects["/bkt/free/api"] == 1


def test_a_read_that_hangs_in_the_api_is_cut_and_cancelled(house: S3House) -> None:
    body = {"action": "s3:GetObject", "params": {"Bucket": "bkt", "Key": "slow"}}
    hanging = house.hang("slow", body)
    assert house.kill() == 204
    status, said = hanging.answer()
    assert (status, said["state"]) == (409, "cancelled")
    assert house.state_of(said["intent"]) == "intent.cancelled"


def test_approved_work_that_hangs_in_the_worker_is_cut_and_its_outcome_is_unknown(house: S3House) -> None:
    _, parked = house.put("gated/worker")
    house.await_hanging("gated/worker")
    assert house.approve(parked["approval"]["id"])[0] == 200
    assert house.upstream.arrived.wait(20)
    assert house.kill() == 204
    house.await_state(parked["intent"], "intent.unknown")
    assert house.upstream.effects["/bkt/gated/worker"] == 1


def test_what_waits_for_a_person_is_void_and_can_no_longer_be_approved(house: S3House) -> None:
    _, parked = house.put("gated/waits")
    assert house.kill() == 204
    _, asked = house.call("GET", f"/v1/approvals/{parked['approval']['id']}", house.alice)
    assert asked["state"] == "cancelled"
    status, refused = house.approve(parked["approval"]["id"])
    assert (status, refused["type"]) == (409, "urn:ostiary:problem:approval-conflict")
    assert house.state_of(parked["intent"]) == "approval.cancelled"
    assert house.upstream.effects["/bkt/gated/waits"] == 0


def test_a_killed_session_begins_nothing_and_can_be_killed_twice(house: S3House) -> None:
    assert house.get("a")[0] == 200
    assert house.kill() == 204
    before = house.upstream.requests
    for status, refused in (house.get("a"), house.put("free/late"), house.put("gated/late")):
        assert (status, refused["type"]) == (401, "urn:ostiary:problem:session-expired")
    assert house.kill() == 204
    assert house.upstream.requests == before


def test_another_session_of_the_same_agent_is_left_alone(house: S3House) -> None:
    bystander, killed = house.token, house.session
    hanging = house.hang("free/bystander")
    house.begin()
    assert house.kill() == 204
    assert house.session != killed
    assert house.call("GET", "/v1/whoami", bystander)[0] == 200
    house.upstream.release.set()
    status, said = hanging.answer()
    assert (status, said["state"]) == (200, "succeeded")
    house.upstream.release.clear()


def test_the_kill_is_on_the_ledger_with_who_did_it(house: S3House) -> None:
    house.kill()
    eventually(lambda: "session.killed" in [each["event"]["type"] for each in events(house)])
    (killed,) = [each["event"] for each in events(house) if each["event"]["type"] == "session.killed"]
    assert killed["operator"] == "admin"


def events(house: S3House) -> list[dict[str, dict[str, str]]]:
    _, found = house.call("GET", f"/v1/sessions/{house.session}/events", house.admin)
    return list(found["events"])
