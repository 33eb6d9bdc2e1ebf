from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.cli import app
from broker.clock import NS_PER_SECOND, SystemClock
from broker.ids import hash_token, token_kind
from broker.settings import Settings
from broker.store.base import EventFilter
from broker.store.database import Database, open_database
from broker.store.reader import SqlReader
from broker.store.schema import migrate


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = open_database(Settings(data=tmp_path).database)
    migrate(found)
    yield found
    found.close()


def test_a_token_is_printed_once_works_and_is_on_the_ledger(tmp_path: Path, database: Database) -> None:
    result = CliRunner().invoke(app, ["--data", str(tmp_path), "operator", "token", "ana", "--ttl", "1h", "-o", "json"])
    assert result.exit_code == 0, result.stderr
    token = json.loads(result.stdout)["token"]
    assert token_kind(token) == "o"
    assert token not in result.stderr
    reader, now_ns = SqlReader(database), SystemClock().now_ns()

    async def look() -> tuple[str | None, str | None, bytes]:
        [event] = await reader.events(EventFilter())
        known = await reader.operator_by_token(hash_token(token), now_ns)
        return known, await reader.operator_by_token(hash_token(token), now_ns + 3600 * NS_PER_SECOND), event.body

    known, later, body = asyncio.run(look())
    assert (known, later) == ("ana", None)
    told = json.loads(body)
    assert (told["type"], told["operator"]) == ("operator.token_issued", "ana")
    assert token.encode() not in body
    assert token.encode() not in (tmp_path / "ledger.sqlite3").read_bytes()
    assert hash_token(token).encode() not in body


def test_where_there_is_no_database_none_is_made(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--data", str(tmp_path), "operator", "token", "ana"])
    assert result.exit_code == 2
    assert "there is no database" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_holds_no_ledger_exits_4(tmp_path: Path) -> None:
    open_database(Settings(data=tmp_path).database).close()
    result = CliRunner().invoke(app, ["--data", str(tmp_path), "operator", "token", "ana"])
    assert result.exit_code == 4
    assert "ost_o_" not in result.output
