"""``ostiary budget``: how budgets stand, and more of one."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Final

import typer

from broker.cli.client import api_from
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail, say

_AMOUNTS: Final = ("cap", "granted", "used", "reserved", "left")
_LIST: Final = ("key", "unit", *_AMOUNTS, "percent", "resets_at", "on_exceed")
_MONEY: Final = "nano_dollars"
_NANO: Final = 9
"""Decimal places of a dollar that are counted."""

_DOLLARS: Final = re.compile(r"\$ ?([0-9]{1,9}(?:\.[0-9]{1,9})?)|([0-9]{1,9}(?:\.[0-9]{1,9})?) ?USD")
_PERCENT: Final = re.compile(r"([0-9]{1,4})%")
_COUNT: Final = re.compile(r"[0-9]{1,18}")

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command("list")
def list_budgets(
    ctx: typer.Context,
    agent: Annotated[str, typer.Option(help="Only those of this agent.")] = "",
    project: Annotated[str, typer.Option(help="Only those of this project and of its agents.")] = "",
    session: Annotated[str, typer.Option(help="Id of a session: those that count its calls, its own among them.")] = "",
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Tell how budgets stand: what is used, reserved and left of each, and when it begins anew."""
    with api_from(ctx) as api:
        found = api.get("/v1/budgets", {"agent": agent, "project": project, "session": session}).body["budgets"]
    emit([_row(each) for each in found] if output is OutputFormat.TABLE else found, output, columns=_LIST)


@app.command()
def grant(
    ctx: typer.Context,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="As the list shows it; without its period for the one that runs.")
    ],
    extra: Annotated[str, typer.Option(help="How much more: `100000`, `'$5'`, or `50%` of the cap.")],
    reason: Annotated[str, typer.Option(help="Your words, kept on the ledger.")],
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Grant more of a budget, beyond its cap, until its running period is over."""
    with api_from(ctx) as api:
        granted = api.post("/v1/budgets/grants", {"key": key, **_extra(extra), "reason": reason}).body
    emit([_row(granted)] if output is OutputFormat.TABLE else granted, output, columns=_LIST)
    if granted["on_exceed"] == "pause_and_alert":
        kind, name = granted["of"], granted["name"]
        say(f"ostiary: if the budget paused it, it is paused still: `ostiary resume {kind} {name} --reason …`")


def _extra(written: str) -> dict[str, Any]:
    """Return the members of a grant that say how much."""
    if money := _DOLLARS.fullmatch(written):
        found: dict[str, Any] = {"extra": int(Decimal(money[1] or money[2]).scaleb(_NANO)), "unit": _MONEY}
    elif percent := _PERCENT.fullmatch(written):
        found = {"percent": int(percent[1])}
    elif _COUNT.fullmatch(written):
        found = {"extra": int(written)}
    else:
        fail(f"`{written}` is no amount", ExitCode.USAGE, fix="write `100000`, `'$5'`, `5USD` or `50%`")
    return found


def _row(budget: dict[str, Any]) -> dict[str, Any]:
    """Return a budget as a row of a table, money in dollars."""
    if budget["unit"] != _MONEY:
        return budget
    return {**budget, "unit": "dollars", **{name: _dollars(budget[name]) for name in _AMOUNTS}}


def _dollars(nano: int) -> str:
    whole, rest = divmod(abs(nano), 10**_NANO)
    cents = f"{rest:0{_NANO}d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}${whole}.{cents}"
