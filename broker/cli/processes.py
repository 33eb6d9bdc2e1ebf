"""``ostiary up``, ``serve``, ``worker`` and ``stop``: the processes of this machine.

`up` makes what is missing (folders, a starter configuration, the database, a token for the first operator), then
supervises vault, Valkey, API and worker until it is told to stop. The others run or signal a single one.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from broker.cli.context import OPERATOR_TOKEN_FILE, settings_from
from broker.cli.output import ExitCode, clean, fail, say
from broker.errors import BrokerError, ConfigError

if TYPE_CHECKING:
    from broker.config.model import Configuration
    from broker.settings import Settings

TOKEN_DAYS: Final = 30
"""Validity of the operator token `up` writes; a new one is written a day before its end, at the next start."""
STOP_SECONDS: Final = 10.0
"""How long `stop` waits; the supervisor itself takes at most five."""

_DAY_SECONDS: Final = 86_400

DataOption = Annotated[Path | None, typer.Option("--data", help="Folder of everything Ostiary keeps.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Folder of ostiary.yaml and policies/.")]
HostOption = Annotated[str | None, typer.Option("--host", help="Address the API listens on.")]
PortOption = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")]


def up(
    ctx: typer.Context,
    data: DataOption = None,
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    ready_file: Annotated[Path | None, typer.Option(help="File to write, as JSON, when all is ready.")] = None,
) -> None:
    """Start Ostiary on this machine and keep it running until Ctrl-C."""
    from broker.cli.welcome import kept_files, welcome
    from broker.supervisor.folders import instance_lock

    settings = settings_of(ctx, data=data, config=config, host=host, port=port)
    os.umask(0o077)
    try:
        _make_folders(settings)
        with instance_lock(settings.run_dir):
            known = [path for path in kept_files(settings) if path.exists()]
            tokens, configuration = _first_start(settings)

            def told(url: str) -> list[str]:
                # Asked when all is ready: the vault makes its own files.
                made = [path for path in kept_files(settings) if path not in known and path.exists()]
                return welcome(settings, configuration, made + tokens, url)

            _supervise(settings, told, ready_file)
    except ConfigError as error:
        for finding in error.findings:
            say(clean(str(finding)))
        fail("the configuration cannot be used", ExitCode.USAGE, fix="mend it, then `ostiary check`")
    except BrokerError as error:
        for line in str(error).splitlines():
            say(clean(line))
        fail("ostiary is not running", ExitCode.FAILED)


def serve(
    ctx: typer.Context,
    data: DataOption = None,
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Run the API process alone; vault, queue and database are reached as the settings say."""
    from broker.serve import main

    _run_alone(functools.partial(main, alone=True), settings_of(ctx, data=data, config=config, host=host, port=port))


def worker(ctx: typer.Context, data: DataOption = None, config: ConfigOption = None) -> None:
    """Run a worker alone; vault, queue and database are reached as the settings say."""
    from broker.worker import main

    _run_alone(main, settings_of(ctx, data=data, config=config))


def stop(ctx: typer.Context, data: DataOption = None) -> None:
    """Stop the running Ostiary and wait until it has ended."""
    from broker.supervisor.folders import running_supervisor

    settings = settings_of(ctx, data=data)
    os.kill(running(settings), signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while running_supervisor(settings.run_dir) is not None:
        if time.monotonic() > deadline:
            fail("it has not ended yet", ExitCode.FAILED)
        time.sleep(0.05)


def settings_of(ctx: typer.Context, **overrides: object) -> Settings:
    """Return the settings of this call; what its own options say wins."""
    from broker.settings import Settings

    settings = settings_from(ctx)
    given = {name: value for name, value in overrides.items() if value is not None}
    return Settings.model_validate({**settings.model_dump(), **given}) if given else settings


def _run_alone(main: Callable[[Settings], None], settings: Settings) -> None:
    os.umask(0o077)
    try:
        _make_folders(settings)
        main(settings)
    except BrokerError as error:
        for line in str(error).splitlines():
            say(clean(line))
        fail("the process ended", ExitCode.FAILED)


def running(settings: Settings) -> int:
    """Return the process id of the supervisor of this data folder; ends the command when there is none."""
    from broker.supervisor.folders import running_supervisor

    pid = running_supervisor(settings.run_dir)
    if pid is None:
        fail(f"ostiary does not run on `{settings.data}`", ExitCode.FAILED, fix="start it with `ostiary up`")
    return pid


def _make_folders(settings: Settings) -> list[Path]:
    from broker.supervisor.household import make_folders

    return make_folders(settings)


def _first_start(settings: Settings) -> tuple[list[Path], Configuration]:
    """Make what is missing before any process needs it; return a token written now, and the configuration."""
    from broker.config.loader import load_configuration
    from broker.config.starter import write_starter
    from broker.store.database import open_database
    from broker.store.schema import migrate
    from connectors.registry import build_connectors

    if not (settings.config_dir / "ostiary.yaml").exists():
        write_starter(settings.config_dir)
    # Read here too, so that a faulty one is told in full and at once; the processes would only fail to start.
    configuration = load_configuration(settings.config_dir, build_connectors())
    database = open_database(settings.database)
    try:
        migrate(database)
    finally:
        database.close()
    return _operator_token(settings, configuration), configuration


def _operator_token(settings: Settings, configuration: Configuration) -> list[Path]:
    from broker.cli.operator import issue_token
    from broker.clock import NS_PER_SECOND, SystemClock
    from broker.model import Role

    path = settings.data / OPERATOR_TOKEN_FILE
    admins = sorted(name for name, operator in configuration.operators.items() if Role.ADMIN in operator.roles)
    age_seconds = SystemClock().now_ns() / NS_PER_SECOND - path.stat().st_mtime if path.exists() else float("inf")
    if not admins or age_seconds < (TOKEN_DAYS - 1) * _DAY_SECONDS:
        return []
    token = issue_token(settings, admins[0], TOKEN_DAYS * _DAY_SECONDS)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    draft.replace(path)
    return [path]


def _supervise(settings: Settings, welcome: Callable[[str], list[str]], ready_file: Path | None) -> None:
    from broker.clock import SystemClock
    from broker.supervisor.household import log_dir, specs
    from broker.supervisor.notes import API_NOTE, read_note, write_note
    from broker.supervisor.supervisor import Supervisor

    def ready(pids: Mapping[str, int]) -> None:
        url = str(read_note(settings.run_dir / API_NOTE).get("url", ""))
        if ready_file is not None:
            write_note(ready_file, {"url": url, "pid": os.getpid(), "pids": dict(pids), "data": str(settings.data)})
        _print(welcome(url))

    Supervisor(
        specs(settings), log_dir=log_dir(settings), clock=SystemClock(), on_ready=ready, terminal=sys.stderr
    ).run()


def _print(lines: list[str]) -> None:
    # Whoever started this may have closed its output; that is no reason to stop.
    try:
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
    except OSError:
        return
