"""``ostiary policy drill``: the brief's four checks against your own configuration, with a dated report."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from broker.cli.output import ExitCode, OutputFormat, OutputOption, clean, emit, fail, say
from broker.cli.policy.context import configuration


def drill(
    ctx: typer.Context,
    agent: Annotated[list[str] | None, typer.Argument(help="Names of agents; all when none is named.")] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Folder to keep the dated report in, as Markdown and JSON.")
    ] = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Drill the configuration: requests outside of it are denied and on the ledger, gates ask, projects stay apart.

    The whole pipeline runs in a scratch store; nothing is lent, nothing is sent. Exit code 4 when a check fails.
    """
    from broker.clock import SystemClock
    from broker.errors import BrokerError
    from broker.studies.drill.run import run_drill
    from connectors.registry import build_connectors

    found = configuration(ctx)
    with TemporaryDirectory(prefix="ostiary-drill-") as folder:
        try:
            drilled = asyncio.run(
                run_drill(found, build_connectors(), SystemClock(), Path(folder) / "store", agent or None)
            )
        except BrokerError as error:
            fail(str(error), ExitCode.FAILED)
    data = drilled.to_json()
    if report is not None:
        _keep(report, data["at"], {"md": drilled.to_markdown(), "json": json.dumps(data, indent=2) + "\n"})
    if output is OutputFormat.TABLE:
        columns = ["agent", "check", "verdict", "asked", "found", "rule"]
        emit(data["checks"], output, columns=columns)
        say(f"{data['result']}: {len(data['checks'])} checks, {data['ledger']['events']} events on the drill's ledger")
    else:
        emit(data, output)
    if drilled.failed:
        raise typer.Exit(ExitCode.FAILED)


def _keep(folder: Path, at: str, texts: dict[str, str]) -> None:
    name = "policy-drill-" + at.replace(":", "").replace("-", "")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, text in texts.items():
            path = folder / f"{name}.{suffix}"
            path.write_text(text, encoding="utf-8")
            say(clean(f"written: {path}"))
    except OSError as error:
        fail(f"cannot write to `{folder}`: {(error.strerror or 'unknown').lower()}", ExitCode.FAILED)
