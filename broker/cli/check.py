"""``ostiary check``: validate the whole configuration offline, naming every fault with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli.context import settings_from
from broker.cli.output import ExitCode, OutputFormat, OutputOption, clean, emit, say
from broker.cli.source import caret

if TYPE_CHECKING:
    from broker.config.model import Configuration
    from broker.errors import Finding


def check(
    ctx: typer.Context,
    config: Annotated[Path | None, typer.Option("--config", help="Folder to check; the configuration folder.")] = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Check the whole configuration, offline; exit code 2 when it cannot be used."""
    from broker.config.files import read_folder
    from broker.config.loader import load_configuration
    from broker.errors import ConfigError
    from connectors.registry import build_connectors

    root = config.absolute() if config is not None else settings_from(ctx).config_dir
    try:
        report = _good(load_configuration(root, build_connectors()))
    except ConfigError as error:
        report = {"ok": False, "root": str(root), "findings": [_plain(each) for each in error.findings]}
    if output is OutputFormat.TABLE:
        _tell(report, read_folder(root).files)
    else:
        emit(report, output)
    if not report["ok"]:
        raise typer.Exit(ExitCode.USAGE)


def _good(configuration: Configuration) -> dict[str, Any]:
    return {
        "ok": True,
        "root": str(configuration.root),
        "version": configuration.version,
        "counts": {
            "projects": len(configuration.projects),
            "agents": len(configuration.agents),
            "operators": len(configuration.operators),
            "connections": len(configuration.connections),
            "channels": len(configuration.channels),
            "rules": sum(len(each.policy.rules) for each in configuration.policies.values()),
        },
        "findings": [],
        "notices": [_plain(each) for each in configuration.notices],
    }


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "fix": finding.fix,
    }


def _tell(report: dict[str, Any], files: Mapping[str, bytes]) -> None:
    """Print places as ``file:line:column``, which editors and terminals make links of; then one line in sum."""
    for finding in report["findings"]:
        typer.echo(clean(_line(finding, "error")))
        for line in caret(finding["file"], finding["line"], finding["column"], files):
            typer.echo(clean(line))
    for notice in report.get("notices", []):
        typer.echo(clean(_line(notice, "notice")))
    if report["ok"]:
        counts = ", ".join(f"{number} {name}" for name, number in report["counts"].items())
        typer.echo(clean(f"ok: {counts}"))
    else:
        say(f"{len(report['findings'])} faults in `{report['root']}`")


def _line(finding: dict[str, Any], kind: str) -> str:
    hint = f" ({finding['fix']})" if finding["fix"] else ""
    return f"{finding['file']}:{finding['line']}:{finding['column']}: {kind}: {finding['message']}{hint}"
