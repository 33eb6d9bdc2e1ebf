"""``ostiary intent``: look at an intent again, wait for its end, take its body."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from broker.cli.client import api_from
from broker.cli.do import awaited, finish, intent_path
from broker.cli.output import OutputFormat, OutputOption

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def _noun() -> None:
    """Look at what was asked, as the agent that asked."""


@app.command()
def show(
    ctx: typer.Context,
    intent_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait for its end.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the body to this file; `-` for stdout.")] = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show where an intent stands; exits 8 while it is pending, 3 or 4 when it did not succeed."""
    with api_from(ctx) as api:
        path = intent_path({"intent": intent_id})
        answer = awaited(api, lambda seconds: api.get(path, wait=seconds), wait)
        finish(api, answer, out, output)
