"""``ostiary alerts``: what people should know, and whether it reaches them."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from broker.cli.client import api_from, segment
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, say

_LIST: Final = ("id", "at", "severity", "kind", "count", "agent", "title")
_ONE: Final = (
    "id", "at", "severity", "kind", "count", "subject", "agent", "project", "session", "title", "facts", "todo", "href"
)  # fmt: skip
_DELIVERIES: Final = ("channel", "state", "attempts", "next_at", "error", "more")

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command("list")
def list_alerts(
    ctx: typer.Context,
    kind: Annotated[str, typer.Option(help="As in `denied`, `volume`, `breaker`, `halt`.")] = "",
    since: Annotated[str, typer.Option(help="RFC 3339, inclusive.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most alerts.")] = 100,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """List alerts, newest first."""
    with api_from(ctx) as api:
        found = api.get("/v1/alerts", {"kind": kind, "since": since, "limit": limit}).body["alerts"]
    emit(found, output, columns=_LIST)


@app.command()
def show(
    ctx: typer.Context,
    alert_id: Annotated[str, typer.Argument(metavar="ID")],
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show one alert, and how far it came to each channel."""
    with api_from(ctx) as api:
        found = api.get(f"/v1/alerts/{segment(alert_id)}").body
    if output is OutputFormat.TABLE:
        emit(found["alert"], output, columns=_ONE)
        if found["deliveries"]:
            emit(found["deliveries"], output, columns=_DELIVERIES)
    else:
        emit(found, output)


@app.command("test")
def send_test(ctx: typer.Context, output: OutputOption = OutputFormat.TABLE) -> None:
    """Send one alert to every channel, and tell what became of it."""
    with api_from(ctx) as api:
        found = api.post("/v1/alerts/test", {}).body
    deliveries: list[dict[str, Any]] = found["deliveries"]
    if not deliveries:
        say("ostiary: no channel is declared; alerts are in the list and on the ledger only")
    elif output is OutputFormat.TABLE:
        emit(deliveries, output, columns=_DELIVERIES)
    if output is not OutputFormat.TABLE:
        emit(found, output)
    states = {each["state"] for each in deliveries}
    if "failed" in states:
        raise typer.Exit(ExitCode.FAILED)
    if "pending" in states:
        say("ostiary: a worker has not come to all of them yet")
        raise typer.Exit(ExitCode.PENDING)
