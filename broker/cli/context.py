"""What the global options and the environment mean: settings, where the API is, which token is sent."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from broker.cli.output import ExitCode, fail

if TYPE_CHECKING:
    from broker.settings import Settings
    from broker.store.base import Change, EventType

OPERATOR_TOKEN_FILE: Final = "operator.token"  # noqa: S105 - a name of a file
API_NOTE: Final = "api.json"
MAX_TOKEN_FILE_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Options:
    """The global options as given; empty and None mean not given."""

    data: Path | None = None
    config: Path | None = None
    url: str = ""
    token_file: Path | None = None


def options_from(ctx: typer.Context) -> Options:
    """Return the global options of this call."""
    found = ctx.find_object(Options)
    return found if found is not None else Options()


def settings_from(ctx: typer.Context) -> Settings:
    """Return the settings from the environment and the global options; ends the command when they do not fit."""
    from broker.settings import SettingsError, load_settings

    options = options_from(ctx)
    try:
        return load_settings(os.environ, data=options.data, config=options.config)
    except SettingsError as error:
        fail(str(error), ExitCode.USAGE)


def api_url(ctx: typer.Context, environment: Mapping[str, str] | None = None) -> str:
    """Return where the API is: ``--url``, ``OSTIARY_URL``, else what `ostiary up` noted in the data folder."""
    given = options_from(ctx).url or (os.environ if environment is None else environment).get("OSTIARY_URL", "")
    url = given or _noted_url(settings_from(ctx).run_dir / API_NOTE)
    if not url:
        fail("no API is running here", ExitCode.USAGE, fix="start one with `ostiary up`, or name it with `--url`")
    if not url.startswith(("http://", "https://")):
        fail("the URL of the API must begin with `https://` or `http://`", ExitCode.USAGE)
    return url.rstrip("/")


def unverified_token(ctx: typer.Context, environment: Mapping[str, str] | None = None) -> str:
    """Return the token to send: ``--token-file``, ``OSTIARY_TOKEN``, else the operator's own in the data folder.

    What is no token of ours is refused, so that a wrong file is never sent anywhere.
    """
    from broker.ids import token_kind

    token = _given_token(ctx, os.environ if environment is None else environment)
    if token_kind(token) is None:
        fail("what was given as the token is none, or was mistyped", ExitCode.USAGE)
    return token


def _given_token(ctx: typer.Context, environment: Mapping[str, str]) -> str:
    token_file = options_from(ctx).token_file
    if token_file is not None:
        return _read_token(token_file)
    if environment.get("OSTIARY_TOKEN"):
        return environment["OSTIARY_TOKEN"].strip()
    own = settings_from(ctx).data / OPERATOR_TOKEN_FILE
    if not own.exists():
        fail("no token", ExitCode.USAGE, fix="set OSTIARY_TOKEN, or name a file with `--token-file`")
    if stat.S_IMODE(own.stat().st_mode) & 0o077:
        fail(f"`{own}` can be read by others", ExitCode.USAGE, fix=f"chmod 600 {own}, and issue a new token")
    return _read_token(own)


def _read_token(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_TOKEN_FILE_BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        fail(f"cannot read `{path}`: {(error.strerror or 'unknown').lower()}", ExitCode.USAGE)


def _noted_url(note: Path) -> str:
    try:
        found: Any = json.loads(note.read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    url = found.get("url") if isinstance(found, dict) else None
    return url if isinstance(url, str) else ""


async def commit(settings: Settings, change: Change) -> None:
    """Open the ledger of this machine, write one change, close it.

    Raises:
        LedgerUnavailableError: it is not durable.
        ConflictError: a row of it was there already.
    """
    from broker.clock import SystemClock
    from broker.ledger.log import Ledger
    from broker.store.database import open_database

    database = open_database(settings.database)
    try:
        ledger = Ledger(database, SystemClock(), min_free_bytes=settings.min_free_bytes)
        ledger.start()
        try:
            await ledger.commit(change)
        finally:
            await ledger.aclose()
    finally:
        database.close()


async def record_event(settings: Settings, kind: EventType, data: Mapping[str, Any], operator: str) -> None:
    """Write one event of the command line itself to the ledger.

    Args:
        settings: Name the database.
        kind: Kind of the event.
        data: What happened; JSON, no secret.
        operator: Who did it, as known on this machine.

    Raises:
        LedgerUnavailableError: it is not durable.
    """
    from broker.clock import SystemClock
    from broker.store.base import Change, new_event

    await commit(settings, Change(new_event(SystemClock(), kind, dict(data), operator=operator)))


def ledger_url(settings: Settings) -> str:
    """Return the ledger's URL; a SQLite file that is not there is not made by looking at it."""
    if not settings.database_url and not Path(settings.database.removeprefix("sqlite:///")).is_file():
        fail(f"there is no ledger in `{settings.data}`", ExitCode.FAILED, fix="name the folder with --data")
    return settings.database
