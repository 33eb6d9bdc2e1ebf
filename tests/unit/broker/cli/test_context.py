from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from broker.cli.context import Options, api_url, options_from, record_event, settings_from, unverified_token
from broker.ids import make_token
from broker.settings import Settings
from broker.store.base import EventFilter, EventType
from broker.store.database import open_database
from broker.store.reader import SqlReader
from broker.store.schema import migrate

TOKEN = make_token("o", b"\x01" * 40)
OTHER = make_token("s", b"\x02" * 40)


def _context(options: Options | None) -> typer.Context:
    app = typer.Typer()
    app.command()(lambda: None)
    return typer.Context(get_command(app), obj=options)


@pytest.fixture
def ctx(tmp_path: Path) -> typer.Context:
    return _context(Options(data=tmp_path))


@contextmanager
def _told(capsys: pytest.CaptureFixture[str], said: str) -> Iterator[None]:
    with pytest.raises(typer.Exit) as ended:
        yield
    assert ended.value.exit_code == 2
    assert said in capsys.readouterr().err


def test_options_that_were_not_given_are_empty() -> None:
    assert options_from(_context(None)) == Options()


def test_settings_come_from_the_options(ctx: typer.Context, tmp_path: Path) -> None:
    assert settings_from(ctx).data == tmp_path


def test_an_unknown_setting_ends_the_command(
    ctx: typer.Context, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTIARY_PROT", "8700")
    with _told(capsys, "OSTIARY_PROT"):
        settings_from(ctx)


def test_the_url_is_the_options_then_the_environments_then_the_notes(tmp_path: Path) -> None:
    note = tmp_path / "run" / "api.json"
    note.parent.mkdir()
    note.write_text(json.dumps({"url": "http://127.0.0.1:3/", "pid": 1}))
    environment = {"OSTIARY_URL": "https://two/"}
    assert api_url(_context(Options(data=tmp_path, url="http://one")), environment) == "http://one"
    assert api_url(_context(Options(data=tmp_path)), environment) == "https://two"
    assert api_url(_context(Options(data=tmp_path)), {}) == "http://127.0.0.1:3"


@pytest.mark.parametrize("note", [None, "", "[]", '{"url": 5}', "{}"])
def test_without_any_url_the_command_ends(
    ctx: typer.Context, tmp_path: Path, capsys: pytest.CaptureFixture[str], note: str | None
) -> None:
    (tmp_path / "run").mkdir()
    if note is not None:
        (tmp_path / "run" / "api.json").write_text(note)
    with _told(capsys, "no API is running here"):
        api_url(ctx, {})


def test_a_url_of_another_scheme_is_refused(ctx: typer.Context, capsys: pytest.CaptureFixture[str]) -> None:
    with _told(capsys, "must begin with"):
        api_url(ctx, {"OSTIARY_URL": "file:///etc/passwd"})


def test_the_token_is_the_files_then_the_environments_then_the_operators_own(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_text(TOKEN + "\n")
    own = tmp_path / "operator.token"
    own.touch(0o600)
    own.write_text(TOKEN)
    environment = {"OSTIARY_TOKEN": OTHER}
    assert unverified_token(_context(Options(data=tmp_path, token_file=given)), environment) == TOKEN
    assert unverified_token(_context(Options(data=tmp_path)), environment) == OTHER
    assert unverified_token(_context(Options(data=tmp_path)), {}) == TOKEN


@pytest.mark.parametrize("content", [b"", b"not a token", TOKEN.encode()[:-1] + b"!", b"\xff" * 53, b"x" * 10_000])
def test_what_is_no_token_is_never_sent_and_never_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    given = tmp_path / "given"
    given.write_bytes(content)
    with pytest.raises(typer.Exit):
        unverified_token(_context(Options(data=tmp_path, token_file=given)), {})
    said = capsys.readouterr().err
    assert said == "ostiary: what was given as the token is none, or was mistyped\n"


def test_a_missing_token_or_file_ends_the_command(
    ctx: typer.Context, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _told(capsys, "no token"):
        unverified_token(ctx, {})
    with _told(capsys, "cannot read"):
        unverified_token(_context(Options(token_file=tmp_path / "missing")), {})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_an_own_token_others_can_read_is_refused(
    ctx: typer.Context, tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int
) -> None:
    own = tmp_path / "operator.token"
    own.write_text(TOKEN)
    os.chmod(own, mode)  # noqa: PTH101 - exactly this mode, whatever the umask
    with _told(capsys, "can be read by others"):
        unverified_token(ctx, {})


async def test_an_event_of_the_command_line_is_in_the_ledger(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, min_free_bytes=0)
    database = open_database(settings.database)
    try:
        migrate(database)
        await record_event(settings, EventType.VAULT_CHANGED, {"change": "put"}, "ana")
        [stored] = await SqlReader(database).events(EventFilter())
    finally:
        await asyncio.to_thread(database.close)
    told = json.loads(stored.body)
    assert (told["type"], told["operator"], told["data"]) == ("vault.changed", "ana", {"change": "put"})
