"""``ostiary audit verify`` and ``export``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import typer
from sqlalchemy import update
from typer.testing import CliRunner, Result

from broker.cli.audit import app
from broker.cli.context import Options
from broker.ledger.checkpoint import Checkpointer
from broker.store.database import open_database
from broker.store.schema import migrate
from broker.store.tables import events
from tests.parts.ledgers import SeedSigner, fill, running

pytestmark = pytest.mark.req("E1")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with seven events, a checkpoint and the public key."""
    folder = tmp_path / "data"
    database = open_database(f"sqlite:///{folder / 'ledger.sqlite3'}")
    migrate(database)

    async def build() -> None:
        async with running(database) as ledger:
            await fill(ledger, 7)
        await Checkpointer(database, SeedSigner(), "ostiary/ledger", key_file=folder / "ledger.pub").checkpoint()

    asyncio.run(build())
    database.close()
    return folder


def call(data: Path, *arguments: str) -> Result:
    environment = {"XDG_STATE_HOME": str(data.parent / "state")}
    return CliRunner().invoke(app, list(arguments), obj=Options(data=data), env=environment)


def test_a_sound_ledger_is_said_to_be_sound(data: Path) -> None:
    done = call(data, "verify", "-o", "json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["ok"], report["events"], report["checkpoint_size"], report["signatures"]) == (True, 7, 7, True)
    again = json.loads(call(data, "verify", "-o", "json").stdout)
    assert again["remembered_size"] == 7


def test_a_changed_ledger_ends_with_4_and_names_the_first_bad_event(data: Path) -> None:
    database = open_database(f"sqlite:///{data / 'ledger.sqlite3'}")
    with database.transaction() as connection:
        connection.execute(update(events).where(events.c.seq == 3).values(agent="other"))
    database.close()
    done = call(data, "verify", "--output", "json")
    assert done.exit_code == 4
    report = json.loads(done.stdout)
    assert (report["ok"], report["first_bad_seq"]) == (False, 3)


def test_an_export_can_be_verified_elsewhere_against_what_was_seen(data: Path, tmp_path: Path) -> None:
    file, state, elsewhere = tmp_path / "e.ndjson", tmp_path / "seen.json", tmp_path / "elsewhere"
    done = call(data, "export", str(file), "-o", "json")
    assert (done.exit_code, json.loads(done.stdout)["events"]) == (0, 7)
    options = ["--export", str(file), "--state", str(state), "--public-key", str(data / "ledger.pub"), "-o", "json"]
    done = call(elsewhere, "verify", *options)
    assert (done.exit_code, json.loads(done.stdout)["signatures"]) == (0, True)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0].replace(b'"size":7', b'"size":6') + b"".join(lines[1:-2]))
    done = call(elsewhere, "verify", *options)
    assert done.exit_code == 4
    assert not elsewhere.exists()


def test_what_cannot_be_verified_is_an_error(data: Path, tmp_path: Path) -> None:
    assert call(tmp_path / "nowhere", "verify").exit_code == 4
    assert not (tmp_path / "nowhere").exists()
    assert call(tmp_path / "nowhere", "export", str(tmp_path / "x")).exit_code == 4
    assert call(data, "export", str(tmp_path / "no" / "folder")).exit_code == 4
    assert call(data, "verify", "--public-key", str(tmp_path / "none")).exit_code == 2
    (tmp_path / "state.json").write_text("damaged")
    assert call(data, "verify", "--state", str(tmp_path / "state.json")).exit_code == 4


def test_the_application_is_a_group_for_the_command_line() -> None:
    assert isinstance(app, typer.Typer)
