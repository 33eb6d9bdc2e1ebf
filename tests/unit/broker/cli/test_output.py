from __future__ import annotations

import json
import os
import pty
import threading
from contextlib import redirect_stdout
from typing import Any

import pytest
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st

from broker.cli.output import MAX_CELL_CHARS, ExitCode, OutputFormat, clean, emit, fail, say

HOSTILE = "ok\x1b[2J\x1b]0;owned\x07\r\nline\u202eevil\u200b\u2028\x9b31m\u00a0x\ud800"


@given(st.text(st.characters()))
def test_no_text_leaves_a_control_or_an_invisible_character(text: str) -> None:
    shown = clean(text)
    assert shown.isprintable()
    assert "\u202e" not in shown


@pytest.mark.req("H2")
@pytest.mark.parametrize("fmt", list(OutputFormat))
def test_an_agents_words_cannot_drive_the_terminal_in_any_format(
    capsys: pytest.CaptureFixture[str], fmt: OutputFormat
) -> None:
    emit([{"reason": HOSTILE, "[bold]": "[red]x[/red]"}], fmt)
    printed = capsys.readouterr().out
    assert all(char == "\n" or char.isprintable() for char in printed)
    assert "\\x1b[2J" in printed or "\\u001b[2J" in printed or "\\e[2J" in printed
    assert "[red]x[/red]" in printed


def test_json_and_yaml_are_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"a": [1, None, True], "ü": "\u202e", "s": "x"}
    emit(data, OutputFormat.JSON)
    assert json.loads(capsys.readouterr().out) == data
    emit(data, OutputFormat.YAML)
    assert yaml.safe_load(capsys.readouterr().out) == data


def test_a_table_away_from_a_terminal_is_plain_and_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    emit([{"a": "1", "b": {"c": 2}}, {"a": "333"}], OutputFormat.TABLE, columns=("a", "b"))
    assert capsys.readouterr().out == 'A    B\n1    {"c": 2}\n333\n'
    emit({"name": "x", "other": None}, OutputFormat.TABLE)
    assert capsys.readouterr().out == "name   x\nother\n"
    emit([], OutputFormat.TABLE, columns=("a",))
    assert capsys.readouterr().out == "A\n"
    emit([], OutputFormat.TABLE)
    assert capsys.readouterr().out == ""
    emit("x\x1b", OutputFormat.TABLE)
    assert capsys.readouterr().out == "x\\x1b\n"


def test_long_cells_are_clipped() -> None:
    assert clean("x" * MAX_CELL_CHARS) == "x" * MAX_CELL_CHARS
    assert clean("x" * (MAX_CELL_CHARS + 1)) == "x" * (MAX_CELL_CHARS - 1) + "…"


def test_a_table_on_a_terminal_takes_brackets_for_brackets() -> None:
    leader, follower = pty.openpty()
    received: list[bytes] = []

    def drain() -> None:
        while b"END" not in b"".join(received):
            received.append(os.read(leader, 4096))

    reading = threading.Thread(target=drain)
    reading.start()
    with os.fdopen(follower, "w") as terminal, redirect_stdout(terminal):
        rows: list[dict[str, Any]] = [{"a": "[red]x[/red]", "b": "\x1b[2J"}]
        emit(rows, OutputFormat.TABLE)
        emit({"name": "[bold]y"}, OutputFormat.TABLE)
        emit([], OutputFormat.TABLE)
        terminal.write("END")
        terminal.flush()
        reading.join(10)
    os.close(leader)
    printed = b"".join(received)
    assert b"[red]x[/red]" in printed
    assert b"\\x1b[2J" in printed
    assert b"\x1b[2J" not in printed
    assert b"[bold]y" in printed


def test_what_is_wrong_goes_to_stderr_with_its_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        fail("`a\x1bb` is wrong", ExitCode.USAGE, fix="do this")
    say("plain")
    captured = capsys.readouterr()
    assert ended.value.exit_code == 2
    assert captured.out == ""
    assert captured.err == "ostiary: `a\\x1bb` is wrong\n  fix: do this\nplain\n"
