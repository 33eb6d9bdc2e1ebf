"""Sealed pieces of prompts and answers, on every database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.errors import ConflictError
from broker.ids import IntentId
from broker.store.contents import EXPIRED_AT_ONCE, Piece, SqlContents
from broker.store.database import Database, Kind
from broker.store.outputs import open_outputs
from broker.store.schema import migrate

ONE, TWO = IntentId("int_one"), IntentId("int_two")


@pytest.fixture
def contents(database_url: str) -> Iterator[SqlContents]:
    opened: Database = open_outputs(database_url)
    if opened.kind is Kind.POSTGRESQL:
        migrate(opened)
    yield SqlContents(opened)
    opened.close()


def piece(intent_id: IntentId = ONE, part: str = "prompt", idx: int = 0, expires_at_ns: int = 100) -> Piece:
    return Piece(intent_id, part, idx, expires_at_ns, f"{intent_id}{part}{idx}".encode() + b"\0\xff")


async def test_a_piece_is_read_at_its_place_until_its_time_is_over(contents: SqlContents) -> None:
    for each in (piece(), piece(idx=1), piece(part="answer"), piece(TWO)):
        await contents.append(each)
    assert await contents.read(ONE, "prompt", 1, 99) == piece(idx=1).sealed
    assert await contents.read(ONE, "prompt", 1, 100) is None
    assert await contents.read(ONE, "prompt", 2, 0) is None


async def test_what_is_kept_is_never_replaced(contents: SqlContents) -> None:
    await contents.append(piece())
    with pytest.raises(ConflictError):
        await contents.append(Piece(ONE, "prompt", 0, 500, b"other"))
    assert await contents.read(ONE, "prompt", 0, 0) == piece().sealed


async def test_all_of_one_intent_is_dropped_and_of_no_other(contents: SqlContents) -> None:
    for each in (piece(), piece(part="answer"), piece(TWO)):
        await contents.append(each)
    await contents.discard(ONE)
    await contents.discard(ONE)
    assert await contents.read(ONE, "answer", 0, 0) is None
    assert await contents.read(TWO, "prompt", 0, 0) is not None


async def test_what_has_had_its_time_goes_some_at_a_time(contents: SqlContents) -> None:
    for number in range(EXPIRED_AT_ONCE + 1):
        await contents.append(piece(IntentId(f"int_{number}")))
    await contents.append(piece(TWO, expires_at_ns=101))
    assert await contents.expire(99) == 0
    assert await contents.expire(100) == EXPIRED_AT_ONCE
    assert await contents.expire(100) == 1
    assert await contents.expire(100) == 0
    assert await contents.read(TWO, "prompt", 0, 0) is not None
