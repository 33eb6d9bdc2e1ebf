"""Signing the head, and refusing to."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from broker.errors import StoreUnavailableError
from broker.ledger.checkpoint import Checkpointer, ContradictionError
from broker.ledger.note import parse_checkpoint, parse_verifier_key
from broker.ledger.sources import DatabaseSource, EventRecord, NoteRecord
from broker.ledger.verify import verify
from broker.store.database import Database
from broker.store.tables import checkpoints, events, ledger_head
from tests.parts.ledgers import SeedSigner, change, fill, running

ORIGIN = "ostiary/ledger"


class WrongSigner(SeedSigner):
    """Signs something else than it was asked to."""

    async def sign_note(self, size: int, root: bytes, origin: str) -> bytes:
        return await super().sign_note(size + 1, root, origin)


def edit(database: Database, *statements: object) -> None:
    with database.transaction() as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


@pytest.mark.req("E1")
async def test_a_grown_ledger_is_signed_and_a_standing_one_is_not(database: Database, tmp_path: Path) -> None:
    signer, key_file = SeedSigner(), tmp_path / "ledger.pub"
    checkpointer = Checkpointer(database, signer, ORIGIN, key_file=key_file)
    assert await checkpointer.checkpoint() is None
    async with running(database) as ledger:
        await fill(ledger, 3)
        first = await checkpointer.checkpoint()
        assert first is not None
        assert (first.size, first.origin, first.signed_by(await signer.public_key())) == (3, ORIGIN, True)
        assert await checkpointer.checkpoint() is None
        await fill(ledger, 1200)
        second = await checkpointer.checkpoint()
        await fill(ledger, 1)
        third = await Checkpointer(database, signer, ORIGIN, key_file=key_file).checkpoint()
    assert second is not None
    assert third is not None
    assert [first.size, second.size, third.size] == [3, 1203, 1204]
    assert parse_verifier_key(key_file.read_text()) == (ORIGIN, await signer.public_key())
    report = verify(DatabaseSource(database), public_key=await signer.public_key(), origin=ORIGIN)
    assert (report.ok, report.checkpoints, report.checkpoint_size, report.events) == (True, 3, 1204, 1204)


async def test_two_processes_that_sign_the_same_head_agree(database: Database) -> None:
    async with running(database) as ledger:
        await fill(ledger, 5)
    notes = [await Checkpointer(database, SeedSigner(), ORIGIN).checkpoint() for _ in range(2)]
    one, two = Checkpointer(database, SeedSigner(), ORIGIN), Checkpointer(database, SeedSigner(), ORIGIN)
    assert notes[1] is None
    async with running(database) as ledger:
        await fill(ledger, 1)
    first, second = await one.checkpoint(), await two.checkpoint()
    assert first is not None
    assert second is None or second == first


def rewrite(seq: int) -> object:
    return update(events).where(events.c.seq == seq).values(body=b"{}", leaf=b"x" * 32)


@pytest.mark.parametrize("seq", [6, 9])
async def test_a_head_that_does_not_follow_from_the_events_is_not_signed(database: Database, seq: int) -> None:
    checkpointer = Checkpointer(database, SeedSigner(), ORIGIN)
    async with running(database) as ledger:
        await fill(ledger, 5)
        await checkpointer.checkpoint()
        await fill(ledger, 4)
    edit(database, rewrite(seq))
    for each in (checkpointer, Checkpointer(database, SeedSigner(), ORIGIN)):
        with pytest.raises(ContradictionError, match="head of 9 events does not follow from the 5"):
            await each.checkpoint()


async def test_a_whole_new_history_is_not_signed(database: Database) -> None:
    checkpointer = Checkpointer(database, SeedSigner(), ORIGIN)
    async with running(database) as ledger:
        await fill(ledger, 5)
        await checkpointer.checkpoint()
    edit(database, delete(events), update(ledger_head).values(size=0, frontier=b""))
    async with running(database) as ledger:
        await ledger.commit(change(number=77))
        await fill(ledger, 8)
    assert not verify(DatabaseSource(database)).ok
    for each in (checkpointer, Checkpointer(database, SeedSigner(), ORIGIN)):
        with pytest.raises(ContradictionError, match="does not follow"):
            await each.checkpoint()


async def test_a_ledger_that_was_cut_is_not_signed(database: Database) -> None:
    checkpointer = Checkpointer(database, SeedSigner(), ORIGIN)
    async with running(database) as ledger:
        await fill(ledger, 5)
        await checkpointer.checkpoint()
    edit(database, delete(events), update(ledger_head).values(size=0, frontier=b""))
    with pytest.raises(ContradictionError):
        await checkpointer.checkpoint()


async def test_a_missing_event_is_named(database: Database) -> None:
    async with running(database) as ledger:
        await fill(ledger, 3)
    edit(database, delete(events).where(events.c.seq == 1))
    with pytest.raises(ContradictionError, match="event 1 is missing"):
        await Checkpointer(database, SeedSigner(), ORIGIN).checkpoint()


@pytest.mark.parametrize(
    "damage",
    [{"note": b"nothing"}, {"frontier": b"x" * 64}, {"frontier": b"short"}],
    ids=["note", "frontier", "length"],
)
async def test_a_last_checkpoint_that_was_forged_is_not_built_upon(
    database: Database, damage: dict[str, bytes]
) -> None:
    async with running(database) as ledger:
        await fill(ledger, 3)
        await Checkpointer(database, SeedSigner(), ORIGIN).checkpoint()
        await fill(ledger, 1)
    edit(database, update(checkpoints).values(damage))
    with pytest.raises(ContradictionError, match="last checkpoint"):
        await Checkpointer(database, SeedSigner(), ORIGIN).checkpoint()


async def test_another_key_does_not_continue_the_ledger(database: Database) -> None:
    async with running(database) as ledger:
        await fill(ledger, 3)
        await Checkpointer(database, SeedSigner(), ORIGIN).checkpoint()
        await fill(ledger, 1)
    with pytest.raises(ContradictionError, match="key"):
        await Checkpointer(database, SeedSigner(b"other" + b"." * 27), ORIGIN).checkpoint()


async def test_a_signature_that_does_not_fit_is_not_stored(database: Database) -> None:
    async with running(database) as ledger:
        await fill(ledger, 3)
    with pytest.raises(ContradictionError, match="signature"):
        await Checkpointer(database, WrongSigner(), ORIGIN).checkpoint()
    with DatabaseSource(database).open() as source:
        kinds = [type(record) for record in source.records()]
    assert kinds == [EventRecord] * 3
    assert NoteRecord not in kinds


async def test_a_damaged_head_is_not_signed(sqlite_database: Database) -> None:
    edit(sqlite_database, update(ledger_head).values(size=3, frontier=b"x"))
    with pytest.raises(ContradictionError, match="damaged"):
        await Checkpointer(sqlite_database, SeedSigner(), ORIGIN).checkpoint()


async def test_a_key_that_cannot_be_left_is_an_error_after_the_checkpoint_is_stored(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with running(sqlite_database) as ledger:
        await fill(ledger, 1)
    with pytest.raises(StoreUnavailableError):
        await Checkpointer(sqlite_database, SeedSigner(), ORIGIN, key_file=tmp_path / "no" / "folder").checkpoint()
    assert sqlite_database.path is not None
    connection = sqlite3.connect(sqlite_database.path)
    ((note,),) = connection.execute("SELECT note FROM checkpoints")
    connection.close()
    assert parse_checkpoint(note).size == 1
