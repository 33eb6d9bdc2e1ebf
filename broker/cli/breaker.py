"""``ostiary breaker``: circuit breakers with failures, and their reset."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from broker.cli.client import api_from
from broker.cli.output import OutputFormat, OutputOption, emit, say

_LIST: Final = ("key", "state", "failures", "openings", "last_status", "open_until", "agent")

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command("list")
def list_breakers(ctx: typer.Context, output: OutputOption = OutputFormat.TABLE) -> None:
    """List the breakers that have failures, open or not."""
    with api_from(ctx) as api:
        emit(api.get("/v1/breakers").body["breakers"], output, columns=_LIST)


@app.command()
def reset(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="As the list shows it: `session/ID`.")],
    reason: Annotated[str, typer.Option(help="Your words, kept on the ledger.")],
) -> None:
    """Close a breaker and forget its failures, everywhere within a second."""
    with api_from(ctx) as api:
        api.post("/v1/breakers/reset", {"key": key, "reason": reason})
    say(f"ostiary: {key} is closed")
