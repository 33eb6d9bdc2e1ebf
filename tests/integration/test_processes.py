"""``ostiary up`` for real: ready, restarted, refused twice, ended, and nothing left."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.ids import IntentId
from broker.queue import Queue, connect
from tests.parts.up import Up, data_folder, eventually


@pytest.fixture
def house() -> Iterator[Up]:
    with data_folder() as made:
        yield made


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.req("O1")
def test_up_makes_everything_serves_and_leaves_nothing_running(house: Up) -> None:
    house.start()

    assert set(house.ready["pids"]) == {"vault", "valkey", "api", "worker"}
    assert house.get("/livez") == 200
    assert mode(house.data) == mode(house.data / "run") == 0o700
    for name in ("operator.token", "vault.key", "ledger.sqlite3", "vault.sqlite3", "logs/api.log"):
        assert mode(house.data / name) == 0o600, name
    assert mode(house.data / "run" / "vault.sock") == 0o600
    assert mode(house.data / "run" / "valkey.sock") == 0o700
    assert (house.data / "config" / "ostiary.yaml").is_file()
    eventually(lambda: "--dry-run\n" in house.said)
    assert "ostiary is running: http://127.0.0.1:" in house.said
    for command in ("vault put aws/example --kind aws", "session start --agent ci-runner", "do s3:GetObject"):
        assert command in house.said
    assert (house.data / "operator.token").read_text().strip() not in house.said

    assert house.end() == 0
    assert house.left() == []
    assert not (house.data / "run" / "api.json").exists()


@pytest.mark.req("O1")
def test_what_is_killed_comes_back(house: Up) -> None:
    house.start()
    for name in ("worker", "valkey", "vault", "api"):
        before = house.pid_of(name)
        assert before, name
        os.kill(before, signal.SIGKILL)
        house.await_another(name, before)
    eventually(lambda: house.get("/livez") == 200, lambda: house.said)
    eventually(lambda: house.get("/readyz") == 200, lambda: house.said)

    assert house.process.poll() is None
    assert house.end() == 0
    assert house.left() == []


@pytest.mark.req("O1")
def test_killing_the_supervisor_takes_all_along_and_the_next_start_finds_its_data(house: Up) -> None:
    house.start()
    token = (house.data / "operator.token").read_text()
    house.process.kill()
    house.process.wait()
    eventually(lambda: not house.left(), lambda: "\n".join(house.left()))

    house.start()
    assert (house.data / "operator.token").read_text() == token
    assert "  made" not in house.said
    assert house.get("/livez") == 200
    assert house.end() == 0


def test_a_second_one_on_the_same_data_is_refused_and_reload_and_stop_reach_the_first(house: Up) -> None:
    house.start()

    second = house.cli("up", "--port", "0")
    assert second.returncode == 4
    assert f"ostiary already runs on this data folder (process `{house.process.pid}`)" in second.stderr

    taken = house.cli("reload")
    assert (taken.returncode, "the configuration is in force" in taken.stderr) == (0, True)
    (house.data / "config" / "ostiary.yaml").write_text("version: 1\nno_such_key: 1\n")
    refused = house.cli("reload")
    assert refused.returncode == 2
    assert "ostiary.yaml:2:1: unknown key `no_such_key`" in refused.stderr
    assert "the old one stays in force" in refused.stderr
    eventually(lambda: "config.rejected" in (house.data / "logs" / "api.log").read_text())
    assert house.get("/livez") == 200

    assert house.cli("stop").returncode == 0
    assert house.process.wait() == 0
    assert house.left() == []
    assert house.cli("stop").returncode == 4
    assert house.cli("reload").returncode == 4


@pytest.mark.req("H4")
def test_a_message_for_an_intent_nobody_approved_is_looked_at_and_left_alone(house: Up) -> None:
    house.start()
    url = f"unix://{house.data / 'run' / 'valkey.sock'}"
    intent = IntentId("int_" + "0" * 26)
    with contextlib.closing(Queue(url, job_timeout_seconds=60)) as queue, connect(url) as redis:
        queue.enqueue(intent, 1)
        eventually(lambda: not redis.exists(f"rq:job:{intent}-1"), lambda: house.said)
        assert not redis.zcard("rq:failed:ostiary")
    assert "work.broken" not in house.said


def test_a_faulty_configuration_is_told_before_anything_starts(house: Up) -> None:
    (house.data / "config").mkdir(parents=True, mode=0o700)
    house.data.chmod(0o700)
    (house.data / "config" / "ostiary.yaml").write_text("version: 1\nagentz: {}\n")

    done = house.cli("up", "--port", "0")

    assert done.returncode == 2
    assert "ostiary.yaml:2:1" in done.stderr
    assert not (house.data / "vault.key").exists()


def test_a_taken_port_ends_the_start_with_the_apis_own_words(house: Up) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = house.cli("up", "--port", str(port))

    assert done.returncode == 4
    assert f"cannot listen on `127.0.0.1` port `{port}`: address already in use" in done.stderr
    assert house.left() == []


def test_a_data_folder_open_to_others_is_refused(house: Up) -> None:
    house.data.mkdir(mode=0o755)
    house.data.chmod(0o755)

    done = house.cli("up", "--port", "0")

    assert done.returncode == 4
    assert "is open to others" in done.stderr
