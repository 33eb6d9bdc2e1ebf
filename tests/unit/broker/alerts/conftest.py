from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.store.database import open_database
from broker.store.schema import migrate
from tests.unit.broker.alerts.desk import Desk, open_desk


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that every test copies: migrating takes longer than most of them."""
    path = tmp_path_factory.mktemp("alerts") / "ledger.sqlite3"
    database = open_database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


@pytest.fixture
async def desk(empty_database: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(empty_database, tmp_path) as opened:
        yield opened
