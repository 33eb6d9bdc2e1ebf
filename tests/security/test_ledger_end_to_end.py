"""Invariant 5 on the running house: without a ledger nothing is begun, nothing is released, and it says so."""

from __future__ import annotations

import contextlib
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parts.s3_house import S3House, s3_house
from tests.parts.up import eventually

pytestmark = pytest.mark.req("E1")


def ready(house: S3House) -> tuple[int, Any]:
    status, said = house.call("GET", "/readyz")
    return status, said["checks"]["ledger"]


def assert_nothing_is_begun(house: S3House, *kinds: str) -> None:
    """Whatever is asked, the answer is 503 and the upstream does not hear of it."""
    before = house.upstream.requests
    answers = [house.put("free/a"), house.get("a"), house.put("gated/a"), house.put("denied/a")]
    answers.append(house.call("POST", "/v1/sessions", house.admin, {"agent": "agent"}))
    for status, said in answers:
        assert (status, said["type"]) in {(503, f"urn:ostiary:problem:{kind}") for kind in kinds}, said
        assert "result" not in said
    assert house.upstream.requests == before


def unlink(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copyfile(path, copy)
    copy.replace(path)


@pytest.mark.parametrize("swap", [unlink, replace])
def test_a_ledger_that_is_swapped_under_the_running_house_stops_everything(swap: Callable[[Path], None]) -> None:
    with s3_house() as house:
        assert house.put("free/before")[0] == 200
        swap(house.up.data / "ledger.sqlite3")
        # Whether the token is still remembered or must be read from a file that is gone, makes the difference.
        assert_nothing_is_begun(house, "ledger-unavailable", "store-unavailable")
        status, why = ready(house)
        assert status == 503
        assert "removed or replaced" in why
        assert house.up.get("/livez") == 200


@contextlib.contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """Let no write of a process succeed, as on a full disk; its memory and sockets go on working."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def house() -> Iterator[S3House]:
    with s3_house(OSTIARY_RECONCILE_SECONDS="0.2") as running:
        yield running


def test_a_full_disk_stops_everything_and_room_starts_it_again(house: S3House) -> None:
    assert house.put("free/before")[0] == 200
    with full_disk(house.up.pid_of("api")):
        assert_nothing_is_begun(house, "ledger-unavailable")
        status, why = ready(house)
        assert status == 503
        assert "cannot be written" in why
    eventually(lambda: ready(house) == (200, True))
    assert house.put("free/after")[0] == 200
    assert house.up.answer("audit", "verify")["ok"]


def test_what_came_back_while_the_disk_was_full_is_withheld_and_recorded_later(house: S3House) -> None:
    hanging = house.hang("free/owed")
    with full_disk(house.up.pid_of("api")):
        house.upstream.release.set()
        status, said = hanging.answer()
        house.upstream.release.clear()
        assert (status, said["type"]) == (503, "urn:ostiary:problem:ledger-unavailable")
        assert said["state"] == "unknown"
        assert "result" not in said
        assert house.state_of(said["intent"]) == "intent.executing"
    house.await_state(said["intent"], "intent.succeeded")
    assert house.upstream.effects["/bkt/free/owed"] == 1


def test_approved_work_waits_while_the_workers_disk_is_full_and_is_done_once_afterwards(house: S3House) -> None:
    _, parked = house.put("gated/waits")
    seen = faults(house)
    with full_disk(house.up.pid_of("worker")):
        assert house.approve(parked["approval"]["id"])[0] == 200
        eventually(lambda: faults(house) > seen, lambda: house.up.said)
        assert house.upstream.effects["/bkt/gated/waits"] == 0
        assert house.state_of(parked["intent"]) == "approval.approved"
    house.await_state(parked["intent"], "intent.succeeded")
    assert house.upstream.effects["/bkt/gated/waits"] == 1


def faults(house: S3House) -> int:
    """How often the worker, which alone has a full disk, has said that it could not work."""
    return house.up.said.count("work.broken") + house.up.said.count("ledger_unavailable")


def test_too_little_free_disk_stops_new_work_and_is_told() -> None:
    with s3_house(OSTIARY_MIN_FREE_BYTES=str(1 << 60)) as house:
        before = house.upstream.requests
        for status, said in (house.put("free/a"), house.get("a")):
            assert (status, said["type"]) == (503, "urn:ostiary:problem:ledger-unavailable")
        # A no can still be recorded, so it is.
        assert house.put("denied/a")[0] == 403
        status, why = ready(house)
        assert status == 503
        assert "bytes of disk are free" in why
        assert house.upstream.requests == before
