"""The whole house on PostgreSQL and a Valkey of its own: two settings name them, nothing else changes."""

from __future__ import annotations

import base64
import contextlib
import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from tests.parts.counting_s3 import CONTENT
from tests.parts.http_api import call
from tests.parts.postgres import start_postgres
from tests.parts.s3_house import S3House, s3_house
from tests.parts.up import eventually
from tests.parts.valkey import private_valkey


@dataclass
class Scene:
    """The house and the database it lives in."""

    house: S3House
    database: str


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with (
        start_postgres(tmp_path_factory.mktemp("postgres")) as database,
        private_valkey() as valkey,
        s3_house(OSTIARY_DATABASE_URL=database, OSTIARY_REDIS_URL=valkey.url) as house,
    ):
        yield Scene(house, database)


@pytest.mark.req("O1")
def test_on_postgresql_it_reads_denies_parks_executes_replays_and_verifies(scene: Scene) -> None:
    house = scene.house
    assert set(house.up.ready["pids"]) == {"vault", "api", "worker"}
    status, answer = house.get("a")
    assert (status, base64.b64decode(answer["result"]["body"]["data"])) == (200, CONTENT)
    status, answer = house.put("elsewhere/a")
    assert (status, answer["type"]) == (403, "urn:ostiary:problem:denied")
    status, parked = house.put("gated/a")
    assert status == 202
    assert house.approve(parked["approval"]["id"])[0] == 200
    status, done = house.call("GET", f"/v1/intents/{parked['intent']}", Prefer="wait=30")
    assert (status, done["state"]) == (200, "succeeded")
    assert house.upstream.effects == {"/bkt/gated/a": 1}
    story = house.up.answer("session", "replay", house.session)
    # People are told, in between, whenever they are.
    assert [each["event"] for each in story if not each["event"].startswith("alert.")] == [
        "session.started", "intent.executing", "intent.succeeded", "intent.denied", "intent.parked",
        "approval.approved", "intent.executing", "intent.succeeded",
    ]  # fmt: skip
    assert house.up.answer("audit", "verify")["ok"]


def test_nothing_is_kept_in_sqlite_beside_the_database(scene: Scene) -> None:
    with psycopg.connect(scene.database) as connection:
        (events,) = connection.execute("SELECT count(*) FROM events").fetchone() or (0,)
    assert events > 0
    assert sorted(each.name for each in scene.house.up.data.glob("*.sqlite3")) == ["vault.sqlite3"]


@contextlib.contextmanager
def another_api(house: S3House) -> Iterator[str]:
    """Run ``ostiary serve`` beside the running house and yield its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [
        sys.executable, "-P", "-m", "broker.cli", "--data", str(house.up.data), "serve", "--port", str(port),
    ]  # fmt: skip
    with (house.up.folder / "second").open("w") as said:
        process = subprocess.Popen(argv, env=house.up.environment(), cwd=house.up.folder, stdout=said, stderr=said)
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: process.poll() is not None or answers(url), (house.up.folder / "second").read_text)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def answers(url: str) -> bool:
    try:
        return call(url, "GET", "/readyz", "", timeout_seconds=1)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


@pytest.mark.req("S2")
def test_a_session_killed_at_one_api_is_refused_and_cut_at_another(scene: Scene) -> None:
    house = scene.house
    house.begin()
    token = house.token
    with another_api(house) as second:
        intent = {"action": "s3:GetObject", "params": {"Bucket": "bkt", "Key": "b"}}
        assert call(second, "POST", "/v1/intents", token, intent)[0] == 200
        hanging = house.hang("free/hangs", url=second)
        assert house.kill() == 204
        eventually(lambda: call(second, "POST", "/v1/intents", token, intent)[0] == 401)
        status, said = hanging.answer()
    assert (status, said["state"], said["reason"]) == (504, "unknown", "an operator stopped it")
    assert house.upstream.effects["/bkt/free/hangs"] == 1


def test_the_first_api_is_still_found_after_another_one_beside_it_ended(scene: Scene) -> None:
    house = scene.house
    with another_api(house):
        assert house.up.answer("agent", "list")
    assert house.up.answer("session", "start", "--agent", "agent")["token"]


def test_lost_connections_to_postgresql_are_made_again(scene: Scene) -> None:
    house = scene.house
    house.begin()
    with psycopg.connect(scene.database, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchall()
    assert ended
    eventually(lambda: house.put("free/after")[0] == 200)
    assert house.upstream.effects["/bkt/free/after"] == 1
    eventually(lambda: house.up.get("/readyz") == 200)
    assert house.up.answer("audit", "verify")["ok"]
