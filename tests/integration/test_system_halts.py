"""S2 across the processes of one machine, under load: what is stopped is stopped everywhere, and stays so."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.parts.s3_house import Hanging, S3House
from tests.parts.up import eventually

pytestmark = pytest.mark.req("S2")

SESSIONS, CALLS = 4, 10
"""Sessions of the agent, and calls of each that hang at the same time."""

WITHIN_SECONDS = 3.0
"""The promise is one second; a machine that runs other tests beside is given more."""

OVER = {"urn:ostiary:problem:session-expired", "urn:ostiary:problem:halted"}


@pytest.fixture(autouse=True)
def _lifted(house: S3House) -> Iterator[None]:
    """At the end nothing is stopped, so that the next test has a house that works."""
    yield
    for halt in halts(house):
        house.call("POST", f"/v1/halts/{halt['id']}/lift", house.admin, {"reason": "the test is over"})
    house.upstream.hang.clear()


def halts(house: S3House) -> list[dict[str, Any]]:
    _, found = house.call("GET", "/v1/halts?active=true", house.admin)
    return list(found["halts"])


def stop(house: S3House, scope: str, name: str = "") -> dict[str, Any]:
    status, stopped = house.call(
        "POST", "/v1/halts", house.alice, {"scope": scope, "name": name, "reason": "it ran away"}
    )
    assert status == 201, stopped
    return dict(stopped)


def read(key: str) -> dict[str, Any]:
    return {"action": "s3:GetObject", "params": {"Bucket": "bkt", "Key": key}}


def test_under_load_every_call_is_cut_within_the_second_and_none_begins_after(house: S3House) -> None:
    keys = [f"load/{number}" for number in range(SESSIONS * CALLS)]
    house.upstream.hang |= {f"/bkt/{key}" for key in keys}
    tokens, hanging = [], []
    for first in range(0, len(keys), CALLS):
        house.begin()
        tokens.append(house.token)
        hanging += [Hanging(house.url, house.token, read(key)) for key in keys[first : first + CALLS]]
    eventually(lambda: all(house.upstream.reads[f"/bkt/{key}"] for key in keys))
    begun = time.monotonic()
    stopped = stop(house, "agent", "agent")
    answers = [each.answer() for each in hanging]
    took = time.monotonic() - begun
    assert [(status, said["state"]) for status, said in answers] == [(409, "cancelled")] * len(keys)
    assert took < WITHIN_SECONDS, stopped
    report = stopped["report"]
    assert report["calls"] == len(keys)
    assert report["sessions"]["count"] >= SESSIONS
    before = house.upstream.requests
    for token in tokens:
        status, refused = house.call("POST", "/v1/intents", token, read("late"))
        assert (status in (401, 403), refused["type"] in OVER) == (True, True)
    status, refused = house.call("POST", "/v1/sessions", house.admin, {"agent": "agent"})
    assert (status, refused["type"]) == (403, "urn:ostiary:problem:halted")
    assert house.upstream.requests == before


def test_a_connection_that_is_stopped_is_cut_in_the_worker_too_and_works_again_after(house: S3House) -> None:
    _, waits = house.put("gated/waits")
    _, parked = house.put("gated/stopped")
    house.await_hanging("gated/stopped")
    assert house.approve(parked["approval"]["id"])[0] == 200
    assert house.upstream.arrived.wait(20)
    shown = house.up.answer("kill", "connector", "s3", "--reason", "the bucket leaks")
    assert shown["report"]["approvals"]["names"] == [waits["approval"]["id"]]
    assert shown["report"]["sessions"]["count"] == 0
    house.await_state(parked["intent"], "intent.unknown")
    assert house.state_of(waits["intent"]) == "approval.cancelled"
    assert house.approve(waits["approval"]["id"])[0] == 409
    before = house.upstream.requests
    status, refused = house.get("a")
    assert (status, refused["type"]) == (403, "urn:ostiary:problem:halted")
    assert (house.upstream.requests, refused["reason"]) == (before, "the bucket leaks")
    house.upstream.hang.clear()
    house.up.answer("resume", "connector", "s3", "--reason", "mended")
    assert house.get("a")[0] == 200


def test_a_halt_outlives_the_process_that_made_it(house: S3House) -> None:
    stop(house, "everything")
    killed = house.up.pid_of("api")
    os.kill(killed, signal.SIGKILL)
    house.up.await_another("api", killed)
    eventually(lambda: house.up.get("/readyz") == 200, lambda: house.up.said)
    status, refused = house.call("POST", "/v1/sessions", house.admin, {"agent": "agent"})
    assert (status, refused["type"]) == (403, "urn:ostiary:problem:halted")
    assert house.call("GET", "/v1/whoami")[0] == 401
    assert [each["scope"] for each in halts(house)] == ["everything"]
    house.up.answer("resume", "everything", "--reason", "mended")
    house.begin()
    assert house.get("a")[0] == 200
