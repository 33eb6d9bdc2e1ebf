"""Whoever changes the ledger is found out, and the first bad event is named."""

# ruff: noqa: ASYNC240 - files of a few hundred bytes, and a loop with nothing else to do

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from broker.errors import StoreUnavailableError
from broker.ledger.audit import audit, audit_database, audit_export
from broker.ledger.checkpoint import Checkpointer
from broker.ledger.merkle import Frontier, leaf_hash
from broker.ledger.note import verifier_key
from broker.ledger.seen import Seen, SeenError, default_state_path, load_seen, save_seen
from broker.ledger.sources import DatabaseSource, ExportSource, write_export
from broker.ledger.verify import Report, verify
from broker.store.database import Database
from broker.store.tables import checkpoints, events, ledger_head
from tests.parts.ledgers import SeedSigner, change, event, fill, running

ORIGIN = "ostiary/ledger"
COUNT = 20
Edit = Callable[[Database], None]


@pytest.fixture
async def ledger_database(database: Database) -> Database:
    """Twenty events; checkpoints at 8 and 15."""
    checkpointer = Checkpointer(database, SeedSigner(), ORIGIN)
    async with running(database) as ledger:
        for upto in (8, 15, COUNT):
            for number in range(1, upto + 1):
                if number > (await _size(database)):
                    await ledger.commit(change(number=number))
            if upto != COUNT:
                await checkpointer.checkpoint()
    return database


async def _size(database: Database) -> int:
    return await database.read(lambda connection: int(connection.execute(select(ledger_head.c.size)).scalar_one()))


async def check(database: Database, seen: Seen | None = None) -> Report:
    return verify(DatabaseSource(database), public_key=await SeedSigner().public_key(), origin=ORIGIN, seen=seen)


def run(database: Database, *statements: Any) -> None:
    with database.transaction() as connection:
        for statement in statements:
            connection.execute(statement)


def body_of(database: Database, seq: int) -> bytes:
    with database.connect() as connection:
        return bytes(connection.execute(select(events.c.body).where(events.c.seq == seq)).scalar_one())


def set_event(seq: int, /, **values: Any) -> Any:
    return update(events).where(events.c.seq == seq).values(**values)


def recompute(database: Database) -> None:
    """Make leaves and head fit the bodies again, as a forger would."""
    tree = Frontier()
    with database.transaction() as connection:
        for row in connection.execute(select(events.c.seq, events.c.body).order_by(events.c.seq)).all():
            leaf = leaf_hash(bytes(row.body))
            tree.append(leaf)
            connection.execute(set_event(row.seq, leaf=leaf))
        connection.execute(update(ledger_head).values(size=tree.size, frontier=tree.to_bytes()))


def flip_body(database: Database) -> None:
    body = bytearray(body_of(database, 12))
    body[40] ^= 1
    run(database, set_event(12, body=bytes(body)))


def swap_rows(database: Database) -> None:
    one, two = body_of(database, 4), body_of(database, 9)
    run(
        database,
        set_event(4, body=two, leaf=leaf_hash(two), at_ns=event(9).at_ns),
        set_event(9, body=one, leaf=leaf_hash(one), at_ns=event(4).at_ns),
    )


def renumber(database: Database) -> None:
    run(database, set_event(COUNT, seq=COUNT + 5))


def lie_with_hash(database: Database) -> None:
    body = body_of(database, 12).replace(b"ci-runner", b"nobody!!!")
    run(database, set_event(12, body=body, leaf=leaf_hash(body), agent="nobody!!!"))


def forge(database: Database) -> None:
    lie_with_hash(database)
    recompute(database)


def forge_after_the_last_checkpoint(database: Database) -> None:
    body = body_of(database, 18).replace(b"ci-runner", b"nobody!!!")
    run(database, set_event(18, body=body, leaf=leaf_hash(body), agent="nobody!!!"))


def cut(database: Database) -> None:
    run(database, delete(events).where(events.c.seq > 10))
    recompute(database)


def extra(database: Database) -> None:
    body = body_of(database, COUNT).replace(b'"seq":20', b'"seq":21')
    with database.connect() as connection:
        row = dict(connection.execute(select(events).where(events.c.seq == COUNT)).one()._mapping)
    run(database, insert(events).values({**row, "seq": 21, "body": body, "leaf": leaf_hash(body)}))


def garbage(database: Database) -> None:
    run(database, set_event(5, body=b"{}", leaf=leaf_hash(b"{}")))


TAMPERING: list[tuple[Edit, int, str]] = [
    (flip_body, 12, "leaf hash of event 12"),
    (lambda database: run(database, set_event(3, leaf=b"x" * 32)), 3, "leaf hash of event 3"),
    (lambda database: run(database, set_event(3, agent="other")), 3, "column `agent` of event 3"),
    (lambda database: run(database, set_event(7, at_ns=1)), 7, "column `at_ns` of event 7"),
    (swap_rows, 4, "says in its bytes that it is another one"),
    (lambda database: run(database, delete(events).where(events.c.seq == 6)), 6, "event 6 is missing"),
    (lambda database: run(database, delete(events).where(events.c.seq == COUNT)), COUNT, "event 20 is missing"),
    (lambda database: run(database, delete(events).where(events.c.seq == 1)), 1, "event 1 is missing"),
    (renumber, COUNT, "event 20 is missing"),
    (lie_with_hash, 9, "the checkpoint of 15 events has another root"),
    (forge, 9, "the checkpoint of 15 events has another root"),
    (forge_after_the_last_checkpoint, 16, "the head is not the tree"),
    (cut, 11, "a checkpoint speaks of 15 events"),
    (extra, 21, "event 21 is beyond"),
    (garbage, 5, "no event of version 1"),
    (lambda database: run(database, update(ledger_head).values(size=21)), 21, "the head speaks of 21 events"),
    (lambda database: run(database, delete(ledger_head)), 1, "no head"),
    (lambda database: run(database, update(checkpoints).where(checkpoints.c.size == 8).values(note=b"")), 1, "damaged"),
    (lambda database: run(database, update(checkpoints).where(checkpoints.c.size == 15).values(size=14)), 9, "place"),
]


@pytest.mark.req("E1")
async def test_an_untouched_ledger_is_sound(ledger_database: Database) -> None:
    report = await check(ledger_database)
    assert (report.ok, report.problem, report.first_bad_seq) == (True, "", None)
    assert (report.events, report.checkpoints, report.checkpoint_size, report.signatures) == (COUNT, 2, 15, True)


@pytest.mark.req("E1")
@pytest.mark.parametrize(("tamper", "first_bad", "problem"), TAMPERING)
async def test_tampering_is_found_and_the_first_bad_event_named(
    ledger_database: Database, tamper: Edit, first_bad: int, problem: str
) -> None:
    tamper(ledger_database)
    report = await check(ledger_database)
    assert not report.ok
    assert problem in report.problem
    assert report.first_bad_seq == first_bad


async def test_a_checkpoint_of_another_key_or_another_ledger_is_not_believed(ledger_database: Database) -> None:
    source = DatabaseSource(ledger_database)
    other = await SeedSigner(b"o" * 32).public_key()
    assert "signature" in verify(source, public_key=other).problem
    assert "another ledger" in verify(source, origin="other/ledger").problem
    assert verify(source).ok
    assert not verify(source).signatures


@pytest.mark.req("E1")
async def test_a_ledger_that_was_cut_or_rewritten_contradicts_what_was_seen(
    ledger_database: Database, tmp_path: Path
) -> None:
    whole = await check(ledger_database)
    seen = Seen(whole.events, bytes.fromhex(whole.root))
    async with running(ledger_database) as ledger:
        await fill(ledger, 3)
    assert (await check(ledger_database, seen)).ok
    run(ledger_database, delete(checkpoints))
    forge_after_the_last_checkpoint(ledger_database)
    recompute(ledger_database)
    rewritten = await check(ledger_database, seen)
    assert (rewritten.ok, rewritten.first_bad_seq) == (False, 1)
    assert "20 events seen before is not contained: the ledger was rewritten" in rewritten.problem
    cut(ledger_database)
    shorter = await check(ledger_database, seen)
    assert (shorter.ok, shorter.first_bad_seq) == (False, 11)
    assert "20 events seen before is not contained: the ledger was cut" in shorter.problem
    assert (await check(ledger_database)).ok, "by itself the forgery is sound: only memory finds it"


async def test_an_empty_ledger_is_sound_until_something_was_seen(database: Database) -> None:
    assert (await check(database)).ok
    assert not (await check(database, Seen(1, b"x" * 32))).ok
    assert not (await check(database, Seen(0, b"x" * 32))).ok


@pytest.mark.req("E3")
async def test_an_export_verifies_like_its_database(ledger_database: Database, tmp_path: Path) -> None:
    path = tmp_path / "ledger.ndjson"
    assert write_export(ledger_database, path) == COUNT
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.glob(".*.part")] == []
    key = await SeedSigner().public_key()
    report = verify(ExportSource(path), public_key=key, origin=ORIGIN)
    assert report == await check(ledger_database)
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines):
        without = verify(ExportSource(_write(tmp_path, lines[:number] + lines[number + 1 :])), public_key=key)
        twice = verify(ExportSource(_write(tmp_path, [*lines[:number], line, *lines[number:]])), public_key=key)
        note = b'"checkpoint"' in line
        assert without.ok == note, "a checkpoint left out takes evidence away but contradicts nothing"
        assert twice.ok == note
    flipped = [line.replace(b'"seq":7,', b'"seq":70,') for line in lines]
    assert verify(ExportSource(_write(tmp_path, flipped))).first_bad_seq == 7


def _write(folder: Path, lines: list[bytes]) -> Path:
    path = folder / "changed.ndjson"
    path.write_bytes(b"".join(lines))
    return path


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\n", b"{}\n", b"[]\n", b'{"format":"other/1"}\n', b'{"format":"ostiary-ledger-export/1"}\n',
        b'{"format":"ostiary-ledger-export/1","size":1,"frontier":"?"}\n',
        b'{"format":"ostiary-ledger-export/1","size":0',
    ],
)  # fmt: skip
def test_a_file_that_is_no_export_is_not_sound(tmp_path: Path, line: bytes) -> None:
    report = verify(ExportSource(_write(tmp_path, [line])))
    assert (report.ok, report.first_bad_seq) == (False, 1)


@pytest.mark.parametrize(
    "line", [b"{}\n", b'{"seq":1}\n', b'{"seq":"x","body":"","leaf":""}\n', b"\xff\n", b'{"seq":1']
)
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: bytes) -> None:
    head = b'{"format":"ostiary-ledger-export/1","size":1,"frontier":"%b="}\n' % (b"A" * 43)
    report = verify(ExportSource(_write(tmp_path, [head, line])))
    assert not report.ok
    assert "line 2" in report.problem


async def test_an_export_that_cannot_be_written_leaves_the_old_one(ledger_database: Database, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        write_export(ledger_database, tmp_path / "no" / "folder.ndjson")
    path = tmp_path / "old.ndjson"
    path.write_text("old")
    run(ledger_database, delete(ledger_head))
    with pytest.raises(StoreUnavailableError, match="no head"):
        write_export(ledger_database, path)
    assert path.read_text() == "old"
    assert list(tmp_path.glob(".*")) == []
    with pytest.raises(StoreUnavailableError):
        verify(ExportSource(tmp_path / "none"))


@pytest.mark.req("E1")
async def test_an_audit_remembers_and_pins_the_key_it_saw_first(ledger_database: Database, tmp_path: Path) -> None:
    url = ledger_database.url.render_as_string(hide_password=False)
    key_file, environment = tmp_path / "ledger.pub", {"XDG_STATE_HOME": str(tmp_path / "state")}
    key_file.write_text(verifier_key(ORIGIN, await SeedSigner().public_key()))
    assert audit_database(url, None, key_file, environment).ok
    state = default_state_path(ledger_database.name, environment)
    seen = load_seen(state)
    assert seen is not None
    assert (seen.size, seen.public_key) == (COUNT, await SeedSigner().public_key())
    assert seen.note.startswith(f"{ORIGIN}\n15\n")
    assert state.parent == tmp_path / "state" / "ostiary" / "seen"
    # A forger with the data folder in hand signs a history of their own and leaves their key.
    run(ledger_database, delete(checkpoints))
    async with running(ledger_database) as ledger:
        await fill(ledger, 1)
    await Checkpointer(ledger_database, SeedSigner(b"f" * 32), ORIGIN).checkpoint()
    key_file.write_text(verifier_key(ORIGIN, await SeedSigner(b"f" * 32).public_key()))
    report = audit_database(url, None, key_file, environment)
    assert "signature" in report.problem
    assert load_seen(state) == seen, "a failed audit is nothing to remember"
    assert audit_database(url, tmp_path / "other.json", None, environment).ok


def test_a_public_key_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.pub"
    path.write_text("nothing")
    with pytest.raises(StoreUnavailableError, match="public key"):
        audit(ExportSource(tmp_path / "x"), tmp_path / "state.json", path, {})
    with pytest.raises(StoreUnavailableError):
        audit_export(tmp_path / "x", tmp_path / "state.json", tmp_path / "none", {})


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"size":1,"root":"00","note":"","public_key":""}',
     json.dumps({"size": 1, "root": "00" * 32, "note": "", "public_key": "00"})],
)  # fmt: skip
def test_a_state_file_that_cannot_be_read_is_an_error_not_a_first_time(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(SeenError):
        load_seen(path)


def test_a_state_that_cannot_be_saved_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SeenError):
        save_seen(tmp_path / "file" / "state.json", Seen(0, b"x" * 32))
    (tmp_path / "folder").mkdir()
    with pytest.raises(SeenError):
        save_seen(tmp_path / "folder", Seen(0, b"x" * 32))
    assert not list(tmp_path.glob("*.part"))


def test_the_state_file_stands_under_the_users_state_folder() -> None:
    home = {"HOME": "/home/u"}
    assert default_state_path("a", home).parent == Path("/home/u/.local/state/ostiary/seen")
    assert default_state_path("a", {**home, "XDG_STATE_HOME": "relative"}) == default_state_path("a", home)
    assert default_state_path("a", home) != default_state_path("b", home)
    assert default_state_path("a", {}).is_relative_to(Path(pwd.getpwuid(os.getuid()).pw_dir))
    assert default_state_path("a", {}).is_absolute()
