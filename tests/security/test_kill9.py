"""Invariants 8 and 11: any process may be killed at any instant, and Redis may be lost, and still nothing acknowledged
is lost, every intent ends in one state, and no act happens twice.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.parts.http_api import call
from tests.parts.s3_house import S3House, put_body, s3_house
from tests.parts.up import eventually

TERMINAL = {"succeeded", "failed", "unknown", "refused", "expired", "cancelled"}
FINAL = {"succeeded", "failed", "unknown"}
WRITERS = 4


@dataclass
class Run:
    """A running Ostiary, what was asked of it and what it said."""

    house: S3House
    stop: threading.Event = field(default_factory=threading.Event)
    acknowledged: dict[str, str] = field(default_factory=dict)
    intents: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def put(self, key: str) -> tuple[int, Any]:
        """Ask for one PUT, again and again with the same idempotency key until there is an answer."""
        body = put_body(key)
        while not self.stop.is_set():
            with suppress(OSError, http.client.HTTPException):
                url = self.house.url
                status, answer = call(url, "POST", "/v1/intents", self.house.token, body, Idempotency_Key=key)
                # A 503 may be final (the vault was away: failed, nothing sent) or not (the ledger or store was).
                if status == 202 or answer.get("state") in FINAL:
                    return status, answer
            self.stop.wait(0.05)
        return 0, {}

    def state_of(self, intent: str) -> str:
        status, answer = call(self.house.url, "GET", f"/v1/intents/{intent}", self.house.token)
        return str(answer.get("state", status))

    def write(self, number: int) -> None:
        """Keep asking for PUTs, some of them gated, until told to stop."""
        count = 0
        while not self.stop.is_set():
            kind = "gated" if count % 10 == 9 else "free"
            key = f"{kind}/{number}-{count}"
            status, answer = self.put(key)
            if status:
                self.intents[key] = answer["intent"]
                if status == 200:
                    self.acknowledged[key] = answer["state"]
                elif status not in {202, 502, 503, 504}:
                    self.faults.append(f"{status} {answer}")
            count += 1
            self.stop.wait(0.05)

    def approve(self) -> None:
        """Say yes to everything that waits."""
        while not self.stop.is_set():
            with suppress(OSError, http.client.HTTPException, KeyError, TypeError):
                url = self.house.url
                _, listed = call(url, "GET", "/v1/approvals?state=pending", self.house.alice)
                for each in listed["approvals"]:
                    call(url, "POST", f"/v1/approvals/{each['id']}/approve", self.house.alice, {"reason": ""})
            self.stop.wait(0.1)


@pytest.fixture
def run() -> Iterator[Run]:
    with s3_house(OSTIARY_INSTANCE_TTL_SECONDS="1.5", OSTIARY_RECONCILE_SECONDS="0.2") as house:
        yield Run(house)


@pytest.mark.req("H4")
@pytest.mark.req("E1")
def test_kill_minus_9_of_every_process_under_load_loses_nothing_and_doubles_nothing(run: Run) -> None:
    threads = [threading.Thread(target=run.write, args=(number,)) for number in range(WRITERS)]
    threads.append(threading.Thread(target=run.approve))
    for thread in threads:
        thread.start()
    try:
        for name in ("api", "worker", "vault", "valkey", "api"):
            more(run, name)
            victim = run.house.up.pid_of(name)
            os.kill(victim, signal.SIGKILL)
            if name == "valkey":
                shutil.rmtree(run.house.up.data / "valkey", ignore_errors=True)
            eventually(lambda name=name, victim=victim: run.house.up.pid_of(name) not in (0, victim))  # type: ignore[misc]
        more(run, "the last kill")
    finally:
        run.stop.set()
        for thread in threads:
            thread.join()
    run.stop.clear()
    settle(run)
    check(run)


def more(run: Run, after: str) -> None:
    """Wait until the writers got more answers."""
    before = len(run.acknowledged)
    eventually(
        lambda: len(run.acknowledged) > before + 5,
        lambda: f"no more answers before {after}; {run.faults[:3]}; {run.house.up.said[-2000:]}",
    )


def settle(run: Run) -> None:
    """Say yes to what still waits and let everything come to its end."""
    approver = threading.Thread(target=run.approve)
    approver.start()
    try:
        eventually(
            lambda: all(run.state_of(each) in TERMINAL for each in run.intents.values()),
            lambda: f"{Counter(run.state_of(each) for each in run.intents.values())}; {run.house.up.said[-3000:]}",
        )
    finally:
        run.stop.set()
        approver.join()


def check(run: Run) -> None:
    assert run.faults == []
    assert any(key.startswith("gated/") for key in run.intents)
    for key, intent in run.intents.items():
        state, effects = run.state_of(intent), run.house.upstream.effects[f"/bkt/{key}"]
        assert effects <= 1, f"{key} happened {effects} times and is {state}"
        if state == "succeeded":
            assert effects == 1, key
        if state in {"failed", "refused", "expired", "cancelled"}:
            assert effects == 0, f"{key} is {state} and happened"
    for key, state in run.acknowledged.items():
        assert run.state_of(run.intents[key]) == state
    report = run.house.up.answer("audit", "verify")
    assert report["ok"]
    executions = [each for each in run.house.upstream.effects.values() if each > 1]
    assert executions == []


@pytest.mark.req("H4")
def test_a_write_whose_answer_never_comes_is_unknown_and_sent_once(run: Run) -> None:
    run.house.upstream.mute.add("/bkt/free/quiet")
    status, answer = run.put("free/quiet")
    assert (status, answer["type"]) == (504, "urn:ostiary:problem:outcome-unknown")
    assert run.state_of(answer["intent"]) == "unknown"
    assert run.house.upstream.effects["/bkt/free/quiet"] == 1
