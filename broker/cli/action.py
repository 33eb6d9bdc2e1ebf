"""``ostiary action``: what can be asked for, and how one action is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer

from broker.cli.client import api_from, segment
from broker.cli.output import OutputFormat, OutputOption, clean, emit, say

_LIST: Final = ("action", "access", "asks", "connections", "summary")
_SHOW: Final = ("action", "summary", "access", "idempotent", "resources", "connections", "more_rules")
_PAGE: Final = 200
"""Rows of one request, as `broker.doors.catalogue.MAX_LIMIT`."""

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command("list")
def list_actions(
    ctx: typer.Context,
    words: Annotated[str, typer.Argument(help="Part of the name, as `Instances`.")] = "",
    *,
    service: Annotated[str, typer.Option(help="Only of this service, as `s3` or `states`.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="As an agent: also what its policy does not grant.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=20_000, help="Rows at most.")] = 50,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """List actions: for an agent those its policy may let it do, for an operator those of every connection."""
    query: dict[str, Any] = {"q": words, "service": service, "all": "true" if everything else ""}
    rows: list[dict[str, Any]] = []
    total, cursor = 0, ""
    with api_from(ctx) as api:
        while len(rows) < limit and cursor is not None:
            page = {"cursor": cursor, "limit": min(limit - len(rows), _PAGE)}
            found = api.get("/v1/actions", {**query, **page}).body
            rows += found["actions"]
            total, cursor = found["total"], found["next"]
    emit(rows, output, columns=_LIST)
    if total > len(rows):
        say(f"ostiary: {len(rows)} of {total}; name a part, a --service or a larger --limit")


@app.command()
def show(
    ctx: typer.Context,
    action: Annotated[str, typer.Argument(help="`service:Operation`, as `s3:GetObject`.")],
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show one action: its params, what the rules say of it, and an example to copy."""
    with api_from(ctx) as api:
        found = api.get(f"/v1/actions/{segment(action)}").body
    if output is not OutputFormat.TABLE:
        emit(found, output)
        return
    emit(found, output, columns=[name for name in _SHOW if found[name]])
    emit(list(_params(found["params_schema"])), output, columns=("param", "type", "required"))
    if found["rules"]:
        emit(found["rules"], output, columns=("effect", "action", "resources", "layer", "place"))
    say(f"example: {clean(_example(found))}")


def _params(schema: dict[str, Any]) -> Iterator[dict[str, str]]:
    required = set(schema.get("required", ()))
    properties: dict[str, dict[str, Any]] = schema.get("properties", {})
    for name in sorted(properties, key=lambda each: (each not in required, each)):
        kind = properties[name].get("type") or ("one of" if "enum" in properties[name] else "object")
        yield {"param": name, "type": str(kind), "required": "yes" if name in required else ""}


def _example(found: dict[str, Any]) -> str:
    """Return the command that asks for the example."""
    words = ["ostiary", "do", str(found["action"])]
    for name, value in found["example"].items():
        words.append(f"{name}={value}" if isinstance(value, str) else f"'{name}:={json.dumps(value)}'")
    return " ".join(words)
