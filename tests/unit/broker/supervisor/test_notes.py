"""Notes of ready processes: whole or absent, and believed only from the process they name."""

from __future__ import annotations

import os
from pathlib import Path

from broker.supervisor.children import note_names_it
from broker.supervisor.notes import note, read_note, write_note


def test_a_note_stands_while_its_block_runs(tmp_path: Path) -> None:
    path = tmp_path / "api.json"
    with note(path, {"url": "http://127.0.0.1:1"}):
        assert read_note(path) == {"url": "http://127.0.0.1:1", "pid": os.getpid()}
        assert path.stat().st_mode & 0o777 == 0o600
        assert note_names_it(path)(os.getpid())
        assert not note_names_it(path)(os.getpid() + 1)
    assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_note_that_another_process_wrote_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "api.json"
    with note(path, {}):
        write_note(path, {"pid": 1})
    assert read_note(path) == {"pid": 1}


def test_a_missing_broken_or_foreign_note_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "api.json"
    assert read_note(path) == {}
    for text in ("", "{", "[1]", '"x"'):
        path.write_text(text)
        assert read_note(path) == {}
    path.write_bytes(b"\xff")
    assert read_note(path) == {}


def test_a_link_planted_as_the_draft_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (tmp_path / f".api.json.{os.getpid()}").symlink_to(tmp_path / "victim")
    write_note(tmp_path / "api.json", {"pid": 1})
    assert (tmp_path / "victim").read_text() == "kept"
