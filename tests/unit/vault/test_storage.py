"""One contract for every storage, and what is SQLite's alone."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.vault.process import ROOT
from vault.errors import StorageError
from vault.storage import MemoryStorage, SqliteStorage, Storage

Maker = Callable[[], Storage]


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    made: Storage = MemoryStorage() if request.param == "memory" else SqliteStorage(tmp_path / "vault.sqlite3")
    yield made
    made.close()


def test_a_new_storage_is_empty(storage: Storage) -> None:
    assert storage.names() == set()
    assert storage.get("x") is None


def test_rows_are_written_replaced_and_deleted_together(storage: Storage) -> None:
    storage.apply({"a": b"1", "b": b"\0\xff"})
    storage.apply({"a": b"2", "c": b""}, ["b", "never there"])
    assert storage.names() == {"a", "c"}
    assert (storage.get("a"), storage.get("b"), storage.get("c")) == (b"2", None, b"")


def test_a_row_that_is_deleted_and_put_is_there(storage: Storage) -> None:
    storage.apply({"a": b"1"})
    storage.apply({"a": b"2"}, ["a"])
    assert storage.get("a") == b"2"


def test_a_closed_storage_refuses_everything(storage: Storage) -> None:
    storage.close()
    for use in (storage.names, lambda: storage.get("a"), lambda: storage.apply({"a": b"1"})):
        with pytest.raises(StorageError):
            use()


def test_rows_survive_closing(tmp_path: Path) -> None:
    first = SqliteStorage(tmp_path / "v")
    first.apply({"a": b"1"})
    first.close()
    second = SqliteStorage(tmp_path / "v")
    assert second.get("a") == b"1"
    second.close()


def test_an_acknowledged_change_survives_kill_9(tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib; from vault.storage import SqliteStorage\n"
        "s = SqliteStorage(pathlib.Path(sys.argv[1]))\n"
        "for n in range(50): s.apply({'a': str(n).encode(), f'r{n}': b'x'}, [f'r{n - 1}'])\n"
        "os.kill(os.getpid(), 9)"
    )
    path = tmp_path / "v"
    assert subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, check=False).returncode == -9
    storage = SqliteStorage(path)
    assert storage.get("a") == b"49"
    assert storage.names() == {"a", "r49"}
    storage.close()


@pytest.mark.req("V1")
def test_a_second_process_on_the_same_file_is_refused(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib, vault.storage as v\n"
        "try: v.SqliteStorage(pathlib.Path(sys.argv[1]), busy_seconds=0)\n"
        "except v.StorageError as error: print(error)"
    )
    path = tmp_path / "v"
    storage = SqliteStorage(path)
    told = subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, check=True, capture_output=True)
    storage.close()
    assert b"another vault process holds it" in told.stdout


def test_the_file_and_its_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "v"
    storage = SqliteStorage(path)
    storage.apply({"a": b"1"})
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    storage.close()


def test_a_file_that_is_open_to_others_a_link_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").touch(mode=0o644)
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "real").touch(mode=0o600)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for path in (tmp_path / "open", tmp_path / "link", tmp_path, tmp_path / "open" / "v"):
        with pytest.raises(StorageError):
            SqliteStorage(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v"
    path.write_bytes(b"planted secret, not a database, and long enough to have a header" * 20)
    path.chmod(0o600)
    with pytest.raises(StorageError) as caught:
        SqliteStorage(path)
    assert "planted" not in str(caught.value)


def test_a_row_that_is_no_blob_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v"
    storage = SqliteStorage(path)
    storage.apply({"a": b"1"})
    storage.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE rows SET value = 'text'")
    connection.close()
    storage = SqliteStorage(path)
    with pytest.raises(StorageError, match="no blob"):
        storage.get("a")
    storage.close()


@pytest.mark.parametrize("replace", [False, True])
def test_a_change_is_not_acknowledged_when_the_file_was_removed_or_replaced(tmp_path: Path, replace: bool) -> None:
    path = tmp_path / "v"
    storage = SqliteStorage(path)
    storage.apply({"a": b"1"})
    if replace:
        shutil.copy(path, tmp_path / "copy")
        os.replace(tmp_path / "copy", path)  # noqa: PTH105 - the very call
    else:
        path.unlink()
    with pytest.raises(StorageError, match="replaced" if replace else "removed"):
        storage.apply({"a": b"2"})
    storage.close()


def test_a_change_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "v"
    storage = SqliteStorage(path)
    storage.apply({"a": b"1"})
    # The real thing: SQLite refuses to grow the file, as on a full disk.
    storage._connection.execute("PRAGMA max_page_count = 4").fetchall()
    with pytest.raises(StorageError, match="SQLITE_FULL"):
        storage.apply({"a": b"2", "b": bytes(1 << 20)})
    assert storage.names() == {"a"}
    assert storage.get("a") == b"1"
    storage.close()


def test_deleted_bytes_are_not_left_in_the_files(tmp_path: Path) -> None:
    path = tmp_path / "v"
    storage = SqliteStorage(path)
    storage.apply({"a": b"planted-ciphertext" * 50})
    storage.apply({}, ["a"])
    assert all(b"planted-ciphertext" not in file.read_bytes() for file in tmp_path.iterdir())
    storage.close()
