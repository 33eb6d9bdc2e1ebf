"""``ostiary kill`` and ``ostiary resume``: stop, and let go on; ``ostiary halts``: see what is stopped.

A connector is named by the connection (``aws-main``), or with ``--all`` by its kind (``aws``).
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from broker.cli.client import Api, JsonObject, api_from, segment
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail, say

_LIST: Final = ("id", "scope", "name", "kind", "active", "started_at", "started_by", "reason", "ends_at")

NameArgument = Annotated[str, typer.Argument(metavar="NAME")]
SessionArgument = Annotated[str, typer.Argument(metavar="ID")]
ReasonOption = Annotated[str, typer.Option(help="Why; kept on the ledger, and shown to agents that are refused.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Take a name that only the ledger knows.")]
AllOption = Annotated[bool, typer.Option("--all", help="NAME is a kind of connector: every connection of it.")]

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
resume_app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)


@app.command("agent")
def kill_agent(
    ctx: typer.Context,
    name: NameArgument,
    reason: ReasonOption,
    *,
    force: ForceOption = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """End all sessions of an agent for good, and refuse its work and new sessions until it is resumed."""
    _kill(ctx, {"scope": "agent", "name": name, "reason": reason, "force": force}, output)


@app.command("project")
def kill_project(
    ctx: typer.Context,
    name: NameArgument,
    reason: ReasonOption,
    *,
    force: ForceOption = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """End all sessions of a project for good, and refuse its work and new sessions until it is resumed."""
    _kill(ctx, {"scope": "project", "name": name, "reason": reason, "force": force}, output)


@app.command("connector")
def kill_connector(
    ctx: typer.Context,
    name: NameArgument,
    reason: ReasonOption,
    *,
    every: AllOption = False,
    force: ForceOption = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Cut what goes through a connection, and refuse it until it is resumed; no session ends."""
    _kill(ctx, {"scope": _connector_scope(every=every), "name": name, "reason": reason, "force": force}, output)


@app.command("everything")
def kill_everything(
    ctx: typer.Context,
    reason: ReasonOption,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """End every session for good, and refuse all work and new sessions until it is resumed."""
    if not yes:
        _confirm()
    _kill(ctx, {"scope": "everything", "reason": reason}, output)


@app.command("session")
def kill_session(ctx: typer.Context, session_id: SessionArgument) -> None:
    """End a session, and all it handed out, for ever; the same as `ostiary session kill`."""
    with api_from(ctx) as api:
        api.delete(f"/v1/sessions/{segment(session_id)}")
    say(f"ostiary: {session_id} is killed")


@resume_app.command("agent")
def resume_agent(
    ctx: typer.Context, name: NameArgument, reason: ReasonOption, output: OutputOption = OutputFormat.TABLE
) -> None:
    """Let an agent have sessions again."""
    _resume(ctx, "agent", name, reason=reason, output=output)


@resume_app.command("project")
def resume_project(
    ctx: typer.Context, name: NameArgument, reason: ReasonOption, output: OutputOption = OutputFormat.TABLE
) -> None:
    """Let a project have sessions again."""
    _resume(ctx, "project", name, reason=reason, output=output)


@resume_app.command("session")
def resume_session(
    ctx: typer.Context, session_id: SessionArgument, reason: ReasonOption, output: OutputOption = OutputFormat.TABLE
) -> None:
    """Let a session go on that a budget paused; one that people killed stays so."""
    _resume(ctx, "session", session_id, reason=reason, output=output)


@resume_app.command("connector")
def resume_connector(
    ctx: typer.Context,
    name: NameArgument,
    reason: ReasonOption,
    *,
    every: AllOption = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Let a connection be used again."""
    _resume(ctx, _connector_scope(every=every), name, reason=reason, output=output)


@resume_app.command("everything")
def resume_everything(ctx: typer.Context, reason: ReasonOption, output: OutputOption = OutputFormat.TABLE) -> None:
    """Let everything go on that is not stopped by itself."""
    _resume(ctx, "everything", "", reason=reason, output=output)


def halts(
    ctx: typer.Context,
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those that were lifted.")] = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """List what is stopped, newest first."""
    with api_from(ctx) as api:
        found = _halts(api, active=not every)
    emit(found, output, columns=_LIST)


def _kill(ctx: typer.Context, body: JsonObject, output: OutputFormat) -> None:
    with api_from(ctx) as api:
        stopped = api.post("/v1/halts", body).body
    emit(_rows(stopped) if output is OutputFormat.TABLE else stopped, output)
    say(f"ostiary: stopped until it is resumed; see `ostiary resume` ({stopped['halt']['id']})")


def _resume(ctx: typer.Context, scope: str, name: str, *, reason: str, output: OutputFormat) -> None:
    with api_from(ctx) as api:
        found = [each for each in _halts(api, active=True) if (each["scope"], each["name"]) == (scope, name)]
        if not found:
            what = f"no halt of {scope} `{name}` holds" if name else "no halt of everything holds"
            fail(what, ExitCode.FAILED, fix="ostiary halts")
        lifted = api.post(f"/v1/halts/{segment(found[0]['id'])}/lift", {"reason": reason}).body
    emit(lifted, output)


def _connector_scope(*, every: bool) -> str:
    """Return the word of the API, where a connection and all of a connector are two things."""
    return "connector" if every else "connection"


def _confirm() -> None:
    try:
        sure = typer.confirm("Stop everything: end all sessions, and refuse all work until it is resumed?", err=True)
    except typer.Abort:
        sure = False
    if not sure:
        fail("nothing was stopped", ExitCode.USAGE, fix="answer y, or say `--yes`")


def _halts(api: Api, *, active: bool) -> list[JsonObject]:
    query = {"active": "true" if active else "false", "limit": 500}
    found: list[JsonObject] = api.get("/v1/halts", query).body["halts"]
    return found


def _rows(stopped: JsonObject) -> dict[str, Any]:
    """Return a report as the rows of a table."""
    halt, report = stopped["halt"], stopped["report"]
    rows: dict[str, Any] = {name: halt[name] for name in ("id", "scope", "name", "reason")}
    if report is None:
        return {**rows, "report": "still being carried out; see `ostiary halts`"}
    rows["calls cut"] = report["calls"]
    for sort in ("sessions", "approvals", "queued"):
        rows[sort] = " ".join([str(report[sort]["count"]), *report[sort]["names"]])
    tokens = report["tokens"]
    rows["tokens"] = f"{tokens['revoked']} revoked, {tokens['failed']} failed, {tokens['pending']} pending"
    return {**rows, "stages_ms": report["stages_ms"]}
