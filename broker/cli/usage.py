"""``ostiary usage``: what agents spent, by session, model and day."""

from __future__ import annotations

import csv
import re
import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from broker.cli.client import api_from
from broker.cli.durations import seconds
from broker.cli.output import ExitCode, OutputFormat, emit, fail, say

_DURATION: Final = re.compile(r"[0-9]{1,9}[smhd]")
_SUMS: Final = (
    "calls", "estimated_calls", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "dollars",
)  # fmt: skip
_SHOWN: Final = ("calls", "input_tokens", "output_tokens", "cache_read_tokens", "dollars")


class UsageFormat(StrEnum):
    """How usage is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


def usage(  # noqa: PLR0913, PLR0917 - each option is a parameter in Typer
    ctx: typer.Context,
    agent: Annotated[str, typer.Option(help="Name of an agent.")] = "",
    project: Annotated[str, typer.Option(help="Name of a project.")] = "",
    session: Annotated[str, typer.Option(help="Id of a session.")] = "",
    model: Annotated[str, typer.Option(help="As in `anthropic/claude-opus-4-8`.")] = "",
    since: Annotated[
        str, typer.Option(help="How long ago (24h, 30d), or RFC 3339; from the beginning of its hour.")
    ] = "24h",
    until: Annotated[str, typer.Option(help="The same, to the end of its hour; now if not given.")] = "",
    by: Annotated[
        list[str] | None,
        typer.Option(help="Split by project, agent, session, model, upstream, day, hour; may be repeated."),
    ] = None,
    zone: Annotated[str, typer.Option(help="Time zone of days and hours.")] = "UTC",
    output: Annotated[UsageFormat, typer.Option("--output", "-o", help="How the data is printed.")] = UsageFormat.TABLE,
) -> None:
    """Tell what calls of models came to: tokens and money, by session, model and day."""
    query: dict[str, Any] = {
        "agent": agent, "project": project, "session": session, "model": model,
        "since": _moment(since, "--since"), "until": _moment(until, "--until") if until else "", "zone": zone,
    }  # fmt: skip
    split = by or ["session", "model", "day"]
    with api_from(ctx) as api:
        found = api.get("/v1/usage", {name: value for name, value in query.items() if value} | {"by": split}).body
    match output:
        case UsageFormat.CSV:
            _print_csv(split, found["rows"])
        case UsageFormat.TABLE:
            rows = [{**row["key"], **row["spent"]} for row in found["rows"]]
            rows.append({split[0]: "total", **found["total"]})
            emit(rows, OutputFormat.TABLE, columns=(*split, *_SHOWN))
            say(f"ostiary: since {found['since']}, in US dollars")
        case _:
            emit(found, OutputFormat(output.value))


def _print_csv(by: list[str], rows: list[dict[str, Any]]) -> None:
    """Print rows as RFC 4180 says, without the total: sheets make their own."""
    writer = csv.writer(sys.stdout)
    writer.writerow([*by, *_SUMS])
    for row in rows:
        writer.writerow([*(_cell(row["key"][name]) for name in by), *(row["spent"][name] for name in _SUMS)])


def _cell(text: str) -> str:
    """Return a name as a cell that no sheet takes for a formula: models are named by whoever asks."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _moment(written: str, option: str) -> str:
    if _DURATION.fullmatch(written):
        return (datetime.now(UTC) - timedelta(seconds=seconds(written))).isoformat()
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        fail(
            f"`{written}` is no moment for `{option}`",
            ExitCode.USAGE,
            fix="write `24h`, `30d` or `2026-11-20T08:00:00Z`",
        )
    if moment.tzinfo is None:
        fail(f"`{written}` has no time zone", ExitCode.USAGE, fix="write `2026-11-20T08:00:00Z`")
    return moment.isoformat()
