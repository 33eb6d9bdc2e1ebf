"""``ostiary reload``: have the running Ostiary take up its configuration again, and tell whether it did.

The API answers on the ledger: `policy.loaded` or `policy.refused` is the first thing it writes after the signal.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from broker.cli.output import ExitCode, clean, fail, say
from broker.cli.processes import running, settings_of
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.settings import Settings
    from broker.store.base import Reader

ANSWER_SECONDS: Final = 10.0
"""How long the answer may take; reading a large configuration takes a fraction of a second."""

_POLL_SECONDS: Final = 0.05
_LOOK: Final = "look into `logs/api.log` in the data folder"


def reload(
    ctx: typer.Context,
    data: Annotated[Path | None, typer.Option("--data", help="Folder of everything Ostiary keeps.")] = None,
) -> None:
    """Take up the configuration again; a faulty one is refused with its faults, and the old one stays."""
    settings = settings_of(ctx, data=data)
    pid = running(settings)
    try:
        answer = asyncio.run(_ask(settings, pid))
    except BrokerError as error:
        fail(f"told to reload, but the answer cannot be read: {error}", ExitCode.FAILED, fix=_LOOK)
    if answer is None:
        fail("told to reload, and no answer came", ExitCode.FAILED, fix=_LOOK)
    findings = answer.get("findings")
    if findings is None:
        say(f"ostiary: the configuration is in force, version {str(answer.get('version'))[:12]}")
        return
    for finding in findings:
        say(clean(finding))
    fail("the configuration was refused, the old one stays in force", ExitCode.USAGE, fix="mend it, then reload again")


async def _ask(settings: Settings, pid: int) -> dict[str, Any] | None:
    """Signal the supervisor and return the data of the event that answers, None when none comes in time."""
    from broker.store.base import EventFilter
    from broker.store.database import open_database
    from broker.store.reader import SqlReader

    # Looking at a database must not make one; and that this process finds none is no reason not to tell the other.
    if not settings.database_url and not (settings.data / "ledger.sqlite3").is_file():
        os.kill(pid, signal.SIGHUP)
        return None
    database = open_database(settings.database)
    try:
        reader = SqlReader(database)
        newest = await reader.events(EventFilter(newest_first=True, limit=1))
        os.kill(pid, signal.SIGHUP)
        return await _answer(reader, newest[0].seq if newest else 0)
    finally:
        database.close()


async def _answer(reader: Reader, after_seq: int) -> dict[str, Any] | None:
    from broker.store.base import EventFilter, EventType

    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        for kind in (EventType.POLICY_LOADED, EventType.POLICY_REFUSED):
            found = await reader.events(EventFilter(type=kind.value, after_seq=after_seq, limit=1))
            if found:
                data: dict[str, Any] = orjson.loads(found[0].body)["data"]
                return data
        await asyncio.sleep(_POLL_SECONDS)
    return None
