"""``ostiary policy lint``: what is valid and probably not meant."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from broker.cli.output import ExitCode, OutputFormat, OutputOption, clean, emit
from broker.cli.policy.context import configuration


def lint(
    ctx: typer.Context,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 4 for warnings, too.")] = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Look for rules that do not do what they seem to; exit code 4 when one is an error."""
    from broker.studies.answers import remark_row, remarks_on
    from policies.analysis.remarks import Severity

    found = remarks_on(configuration(ctx), time.time_ns())
    if output is OutputFormat.TABLE:
        for each in found:
            typer.echo(clean(str(each)))
        typer.echo(f"{len(found)} remarks" if found else "ok: nothing to remark")
    else:
        emit([remark_row(each) for each in found], output)
    wrong = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    if any(each.severity in wrong for each in found):
        raise typer.Exit(ExitCode.FAILED)
