"""``ostiary policy diff OLD NEW``: what a change of policies newly allows, with an example for each. Offline."""

from __future__ import annotations

from typing import Annotated

import typer

from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, say
from broker.cli.policy.context import configuration, draft

_HERE = "."


def diff(
    ctx: typer.Context,
    old: Annotated[str, typer.Argument(help="A folder, or a git revision as `HEAD~1` or `main:deploy/config`.")],
    new: Annotated[str, typer.Argument(help="Likewise; `.` is the configuration folder as it stands.")] = _HERE,
    *,
    fail_on_widening: Annotated[
        bool, typer.Option("--fail-on-widening", help="Exit code 4 when an agent may do more, or with less asking.")
    ] = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Tell what a change newly allows, allows without approval, denies: each with a shortest example."""
    from broker.studies.answers import difference_row, differences

    before, after = (configuration(ctx) if place == _HERE else draft(ctx, place) for place in (old, new))
    found = differences(before, after)
    rows = [difference_row(each) for each in found]
    if rows or output is not OutputFormat.TABLE:
        emit(rows, output, columns=["agent", "change", "action", "resource", "was", "is", "place", "widens"])
    widening = sum(each.widens for each in found)
    say(f"{len(found)} differences, {widening} of them widen" if found else "no difference")
    if widening and fail_on_widening:
        raise typer.Exit(ExitCode.FAILED)
