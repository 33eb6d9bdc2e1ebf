"""``ostiary init``: write a commented starter configuration, never over anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from broker.cli.context import settings_from
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail, say


def init(
    ctx: typer.Context,
    directory: Annotated[Path | None, typer.Argument(help="Folder to write to; the configuration folder.")] = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Write a commented starter configuration; files that are there stay as they are."""
    from broker.config.starter import write_starter

    root = directory.absolute() if directory is not None else settings_from(ctx).config_dir
    try:
        written = write_starter(root)
    except OSError as error:
        fail(f"cannot write to `{root}`: {(error.strerror or 'unknown error').lower()}", ExitCode.FAILED)
    emit([{"written": str(path)} for path in written], output, columns=["written"])
    if not written:
        say(f"`{root}` has a configuration already; nothing was written")
