"""What supervised processes print: whole lines, bounded files, a terminal nobody can drive."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from broker.supervisor.output import MAX_LINE_BYTES, TAIL_LINES, Output


def test_lines_are_written_when_they_are_whole(tmp_path: Path) -> None:
    output = Output("api", tmp_path / "api.log", None)
    output.feed(b"one\ntw")
    assert (tmp_path / "api.log").read_bytes() == b"one\n"
    output.feed(b"o\nthree")
    assert (tmp_path / "api.log").read_bytes() == b"one\ntwo\n"
    output.close()
    assert (tmp_path / "api.log").read_bytes() == b"one\ntwo\nthree\n"
    assert output.tail == ["one", "two", "three"]


def test_the_log_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    output = Output("api", tmp_path / "api.log", None)
    output.feed(b"x\n")
    output.close()
    assert (tmp_path / "api.log").stat().st_mode & 0o777 == 0o600


def test_a_full_log_is_set_aside_and_only_one_old_one_is_kept(tmp_path: Path) -> None:
    output = Output("api", tmp_path / "api.log", None, max_bytes=10)
    for number in range(6):
        output.feed(f"line{number}\n".encode())
    output.close()
    assert (tmp_path / "api.log").read_text() == "line5\n"
    assert (tmp_path / "api.log.1").read_text() == "line4\n"
    assert len(list(tmp_path.iterdir())) == 2


def test_an_existing_log_is_continued_and_counts(tmp_path: Path) -> None:
    (tmp_path / "api.log").write_text("12345678\n")
    output = Output("api", tmp_path / "api.log", None, max_bytes=12)
    output.feed(b"abc\n")
    output.feed(b"def\n")
    output.close()
    assert (tmp_path / "api.log").read_text() == "def\n"
    assert (tmp_path / "api.log.1").read_text() == "12345678\nabc\n"


def test_a_log_that_cannot_be_written_does_not_stop_the_echo(tmp_path: Path) -> None:
    terminal = io.StringIO()
    output = Output("api", tmp_path / "no" / "api.log", terminal)
    output.feed(b"hello\n")
    output.close()
    assert terminal.getvalue() == "   api | hello\n"


def test_a_link_planted_as_the_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "api.log").symlink_to(tmp_path / "victim")
    output = Output("api", tmp_path / "api.log", None)
    output.feed(b"hello\n")
    output.close()
    assert (tmp_path / "victim").read_text() == "kept"


@pytest.mark.req("O2")
def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    terminal = io.StringIO()
    output = Output("api", tmp_path / "api.log", terminal)
    output.feed("\x1b[2Jgone\x07\x9b31m\ttab\r\n".encode())
    output.close()
    assert terminal.getvalue() == "   api | �[2Jgone��31m\ttab\n"


def test_a_closed_terminal_ends_the_echo_and_nothing_else(tmp_path: Path) -> None:
    terminal = io.StringIO()
    terminal.close()
    output = Output("api", tmp_path / "api.log", terminal)
    output.feed(b"one\ntwo\n")
    output.close()
    assert (tmp_path / "api.log").read_text() == "one\ntwo\n"


def test_an_endless_line_is_cut_and_only_the_last_lines_are_remembered(tmp_path: Path) -> None:
    output = Output("api", tmp_path / "api.log", None)
    output.feed(b"x" * (MAX_LINE_BYTES * 2 + 5))
    assert (tmp_path / "api.log").stat().st_size == 2 * (MAX_LINE_BYTES + 1)
    output.feed(b"\n" * (TAIL_LINES * 2))
    output.close()
    assert len(output.tail) == TAIL_LINES
