"""``ostiary audit``: search, verify and export the ledger."""

from __future__ import annotations

import base64
import os
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from broker.cli.context import ledger_url, settings_from
from broker.cli.output import ExitCode, OutputFormat, emit, fail, say

app = typer.Typer(no_args_is_help=True, add_completion=False)

KEY_FILE: Final = "ledger.pub"
"""Name of the file in the data folder with the public key of the checkpoints."""

_CONTENT_COLUMNS: Final = ("part", "size_bytes", "cut", "masked", "withheld", "data")


class ContentPart(StrEnum):
    """What can be kept of a call of a model."""

    PROMPT = "prompt"
    ANSWER = "answer"


@app.command()
def verify(
    ctx: typer.Context,
    *,
    export: Annotated[Path | None, typer.Option(help="Verify this export instead of the database.")] = None,
    state: Annotated[
        Path | None, typer.Option(help="Where to remember what was seen; keep it off this machine.")
    ] = None,
    public_key: Annotated[Path | None, typer.Option(help="File with the checkpoints' public key.")] = None,
    output: Annotated[OutputFormat, typer.Option("--output", "-o", help="Format of the report.")] = OutputFormat.TABLE,
) -> None:
    """Hash every event again and compare with checkpoints, head, and what was seen the last time."""
    from broker.errors import BrokerError
    from broker.ledger.audit import audit_database, audit_export

    settings = settings_from(ctx)
    key_file = public_key or settings.data / KEY_FILE
    if public_key is not None and not public_key.is_file():
        fail(f"there is no public key at `{public_key}`", ExitCode.USAGE)
    try:
        if export is not None:
            report = audit_export(export, state, key_file, os.environ)
        else:
            report = audit_database(ledger_url(settings), state, key_file, os.environ)
    except BrokerError as error:
        fail(str(error), ExitCode.FAILED)
    shown = asdict(report)
    emit({name: value for name, value in shown.items() if name != "note"}, output)
    if not report.ok:
        raise typer.Exit(ExitCode.FAILED)


@app.command("export")
def export_ledger(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to write it; replaced when it is there.")],
    output: Annotated[OutputFormat, typer.Option("--output", "-o", help="Format of the report.")] = OutputFormat.TABLE,
) -> None:
    """Write every event and checkpoint to a file that `audit verify --export` can check anywhere."""
    from broker.errors import BrokerError
    from broker.ledger.sources import write_export
    from broker.store.database import open_database

    try:
        database = open_database(ledger_url(settings_from(ctx)))
        try:
            count = write_export(database, file)
        finally:
            database.close()
    except BrokerError as error:
        fail(str(error), ExitCode.FAILED)
    emit({"file": str(file), "events": count}, output)


@app.command()
def content(
    ctx: typer.Context,
    intent_id: Annotated[str, typer.Argument(metavar="INTENT_ID", help="Id of an intent that asked a model.")],
    *,
    part: Annotated[ContentPart | None, typer.Option(help="Only this part.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Write the bytes of the part as they are.")] = False,
    output: Annotated[OutputFormat, typer.Option("--output", "-o", help="Format of it.")] = OutputFormat.TABLE,
) -> None:
    """Show the prompt and the answer of a model, where its project keeps them; it is on the ledger that you did."""
    from broker.cli.client import api_from, segment

    if raw and part is None:
        fail("`--raw` writes one part", ExitCode.USAGE, fix="add `--part prompt` or `--part answer`")
    if raw and sys.stdout.isatty():
        # Whoever wrote it may have written what moves the cursor and hides lines.
        fail("`--raw` does not write to a terminal", ExitCode.USAGE, fix="send it to a file, or leave `--raw` away")
    with api_from(ctx) as api:
        found = api.get(f"/v1/intents/{segment(intent_id)}/content", {"part": part.value if part else ""}).body
    if raw and part is not None:
        sys.stdout.buffer.write(_bytes_of(found[part.value]))
        return
    if output is not OutputFormat.TABLE:
        emit(found, output)
        return
    shown = [each for each in ContentPart if found[each.value] is not None]
    emit([{"part": each.value, **found[each.value]} for each in shown], output, columns=_CONTENT_COLUMNS)
    say(f"ostiary: `{found['store']}`, kept at {found['kept_at']} until {found['expires_at']}")


def _bytes_of(part: dict[str, Any]) -> bytes:
    data = str(part["data"])
    return base64.b64decode(data) if part["encoding"] == "base64" else data.encode()


@app.command()
def search(  # noqa: PLR0913, PLR0917 - each option is a parameter in Typer
    ctx: typer.Context,
    session: Annotated[str, typer.Option(help="Id of a session.")] = "",
    agent: Annotated[str, typer.Option(help="Name of an agent.")] = "",
    project: Annotated[str, typer.Option(help="Name of a project.")] = "",
    action: Annotated[str, typer.Option(help="As in `s3:GetObject`.")] = "",
    kind: Annotated[str, typer.Option("--type", help="As in `intent.denied`.")] = "",
    intent: Annotated[str, typer.Option(help="Id of an intent.")] = "",
    since: Annotated[str, typer.Option(help="RFC 3339, inclusive.")] = "",
    until: Annotated[str, typer.Option(help="RFC 3339.")] = "",
    after: Annotated[int, typer.Option(min=0, help="Only events after this place.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most events.")] = 100,
    newest: Annotated[bool, typer.Option("--newest", help="Newest first.")] = False,
    output: Annotated[OutputFormat, typer.Option("--output", "-o", help="Format of the events.")] = OutputFormat.TABLE,
) -> None:
    """Search the ledger through the API."""
    from broker.cli.client import api_from
    from broker.cli.session import timeline

    query = {
        "session": session,
        "agent": agent,
        "project": project,
        "action": action,
        "type": kind,
        "intent": intent,
        "since": since,
        "until": until,
        "after": after,
        "limit": limit,
        "order": "desc" if newest else "asc",
    }
    with api_from(ctx) as api:
        page = api.get("/v1/events", query).body
    if output is OutputFormat.TABLE:
        columns = ("seq", "time", "event", "agent", "session", "action", "resource", "why", "operator")
        emit(timeline(page["events"]), output, columns=columns)
    else:
        emit(page, output)
