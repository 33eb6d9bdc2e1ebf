"""What a push survives: people who do not come, sessions that are killed, and kill -9 at the worst instant.

Whatever happens, upstream has the push once or not at all, and the ledger says which, or that it is not known.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.parts.git_house import Coder, GitHouse, Repository, git_house, place
from tests.parts.git_server import Fault
from tests.parts.up import eventually

pytestmark = [pytest.mark.req("A3"), pytest.mark.req("H4")]

HEADS = "refs/heads/"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHouse]:
    settings = {"OSTIARY_INSTANCE_TTL_SECONDS": "1.5", "OSTIARY_RECONCILE_SECONDS": "0.2"}
    with git_house(tmp_path_factory.mktemp("house"), settings) as made:
        yield made


@pytest.fixture(scope="module")
def folder(house: GitHouse, tmp_path_factory: pytest.TempPathFactory) -> Coder:
    coder = Coder(tmp_path_factory.mktemp("work") / "clone", house.door(), house.begin("coder")[1])
    coder.clone()
    return coder


@pytest.fixture
def session(house: GitHouse, folder: Coder) -> str:
    began, folder.token = house.begin("coder")
    return began


@pytest.fixture
def coder(house: GitHouse, folder: Coder, session: str) -> Iterator[Coder]:
    """The clone, its remote where the API listens now, with a session of the test's own; the host is well before."""
    folder.url = house.door()
    folder.git("remote", "set-url", "origin", folder.url)
    yield folder
    mend(house)


@pytest.fixture
def upstream(house: GitHouse) -> Repository:
    return house.upstream()


def mend(house: GitHouse) -> None:
    """Let the host answer again, and cut what hangs."""
    house.host.fault = Fault.NONE
    house.host.release.set()


def hang(house: GitHouse, fault: Fault) -> None:
    """Let the host go silent at the next push."""
    house.host.arrived.clear()
    house.host.release.clear()
    house.host.fault = fault


def kill_the_api(house: GitHouse) -> None:
    """Kill -9, and wait for the next one."""
    before = house.up.pid_of("api")
    os.kill(before, signal.SIGKILL)
    mend(house)
    house.up.await_another("api", before)
    eventually(lambda: house.up.get("/readyz") == 200, lambda: house.up.said[-2000:])


# People.


def test_a_push_that_nobody_looks_at_says_where_it_waits_and_lands_later(
    house: GitHouse, coder: Coder, session: str, upstream: Repository
) -> None:
    new = coder.commit("asked/late")
    said = coder.refusal("push", "origin", "asked/late")
    (asked,) = house.pending(coder.token)
    assert f"(pending approval {house.url}/v1/approvals/{asked['id']})" in said
    assert place("ask") in said
    # Asked again it is the same question, with the same answer.
    assert asked["id"] in coder.refusal("push", "origin", "asked/late")
    house.answer(coder.token)
    house.await_event(session, "intent.succeeded")
    assert upstream.refs()[HEADS + "asked/late"] == new
    assert "Everything up-to-date" in coder.run("push", "origin", "asked/late").stderr
    assert house.types(session).count("intent.executing") == 1


def test_a_no_that_came_while_nobody_waited_is_told_at_the_next_push_and_only_then(
    house: GitHouse, coder: Coder, session: str
) -> None:
    coder.commit("asked/refused")
    coder.refusal("push", "origin", "asked/refused")
    house.answer(coder.token, "reject")
    told = coder.refusal("push", "origin", "asked/refused")
    assert "(rejected by a person)" in told
    assert "because" in told
    # It was told; asked once more it is a new question.
    assert "(pending approval" in coder.refusal("push", "origin", "asked/refused")
    assert len(house.pending(coder.token)) == 1


# Sessions.


def test_a_session_killed_while_its_question_waits_lands_nothing(
    house: GitHouse, coder: Coder, session: str, upstream: Repository
) -> None:
    coder.commit("asked/void")
    coder.refusal("push", "origin", "asked/void")
    (asked,) = house.pending(coder.token)
    house.kill(session)
    assert house.call("POST", f"/v1/approvals/{asked['id']}/approve", house.alice, {"reason": ""})[0] == 409
    assert house.call("GET", f"/v1/approvals/{asked['id']}", house.alice)[1]["state"] == "cancelled"
    assert HEADS + "asked/void" not in upstream.refs()


def test_a_session_killed_during_its_push_is_cut_and_what_became_of_it_is_found_out(
    house: GitHouse, coder: Coder, session: str, upstream: Repository
) -> None:
    new = coder.commit("feature/cut")
    hang(house, Fault.HANG_AFTER)
    pushing = coder.start("push", "origin", "feature/cut")
    assert house.host.arrived.wait(20)
    house.kill(session)
    _, said = pushing.communicate(timeout=20)
    assert pushing.returncode != 0, said
    unknown = house.await_event(session, "intent.unknown")
    killed = house.await_event(session, "session.killed")
    # The promise is a second; twice that is left for machines that do ten other things.
    assert unknown["at_ns"] - killed["at_ns"] < 2_000_000_000
    mend(house)
    assert house.await_event(session, "intent.reconciled")
    assert upstream.refs()[HEADS + "feature/cut"] == new
    assert coder.run("push", "origin", "feature/cut").returncode == 128


# kill -9.


def test_a_push_whose_broker_died_after_it_landed_is_found_to_have_landed(
    house: GitHouse, coder: Coder, session: str, upstream: Repository
) -> None:
    new = coder.commit("feature/landed")
    hang(house, Fault.HANG_AFTER)
    pushing = coder.start("push", "origin", "feature/landed")
    assert house.host.arrived.wait(20)
    assert upstream.refs()[HEADS + "feature/landed"] == new
    kill_the_api(house)
    _, said = pushing.communicate(timeout=20)
    assert pushing.returncode != 0, said
    settled = house.await_event(session, "intent.reconciled")
    assert house.types(session) == ["intent.executing", "intent.unknown", "intent.reconciled"]
    assert "refs" in settled["data"]["how"]
    status, intent = house.call("GET", f"/v1/intents/{settled['intent_id']}", coder.token)
    assert (status, intent["state"]) == (200, "succeeded")
    coder.git("remote", "set-url", "origin", house.door())
    coder.url = house.door()
    assert "Everything up-to-date" in coder.run("push", "origin", "feature/landed").stderr


def test_a_push_whose_broker_died_before_it_landed_stays_unknown_until_it_is_sent_again(
    house: GitHouse, coder: Coder, session: str, upstream: Repository
) -> None:
    new = coder.commit("feature/lost")
    hang(house, Fault.HANG)
    pushing = coder.start("push", "origin", "feature/lost")
    assert house.host.arrived.wait(20)
    kill_the_api(house)
    pushing.communicate(timeout=20)
    asked = len(house.host.seen)
    unknown = house.await_event(session, "intent.unknown")
    eventually(lambda: len(house.host.seen) > asked, lambda: "nobody asked the host what became of it")
    # Rounds of the reconciler come one after another: this expires in a later one than that which asked.
    coder.url = house.door()
    assert "(nobody answered in time)" in coder.refusal("push", coder.url, "feature/lost:brief/round")
    status, intent = house.call("GET", f"/v1/intents/{unknown['intent_id']}", coder.token)
    assert (status, intent["state"]) == (504, "unknown")
    assert "intent.reconciled" not in house.types(session)
    assert HEADS + "feature/lost" not in upstream.refs()
    coder.git("push", "--quiet", coder.url, "feature/lost")
    assert upstream.refs()[HEADS + "feature/lost"] == new


def test_what_waits_for_people_outlives_the_broker(
    house: GitHouse, coder: Coder, session: str, upstream: Repository
) -> None:
    new = coder.commit("asked/outlives", files={"big.txt": "line\n" * 50_000})
    coder.refusal("push", "origin", "asked/outlives")
    kill_the_api(house)
    house.answer(coder.token)
    house.await_event(session, "intent.succeeded")
    assert upstream.refs()[HEADS + "asked/outlives"] == new


def test_nothing_of_all_that_is_left_on_the_disk_and_the_ledger_verifies(house: GitHouse) -> None:
    report = house.up.answer("audit", "verify")
    assert report["ok"]
    yards = [path for path in house.up.data.rglob("*.git") if "mirrors" not in path.parts]
    assert yards == []
