"""``ostiary approvals``: what waits for a person, and the person's answer."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from broker.cli.client import api_from, segment
from broker.cli.output import OutputFormat, OutputOption, emit, say
from broker.cli.review.page import page_of, with_times
from broker.cli.review.sheet import show as print_sheet
from broker.clock import SystemClock

_LIST: Final = ("id", "state", "agent", "project", "action", "summary", "age", "expires", "assurance", "approvers")

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

ApprovalArgument = Annotated[str, typer.Argument(metavar="ID")]


@app.command("list")
def list_approvals(
    ctx: typer.Context,
    state: Annotated[str, typer.Option(help="pending, approved, …; `all` for every state.")] = "pending",
    project: Annotated[str, typer.Option(help="Only of this project.")] = "",
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """List approvals, newest first."""
    with api_from(ctx) as api:
        query = {"state": "" if state == "all" else state, "project": project}
        found = api.get("/v1/approvals", query).body["approvals"]
    if output is OutputFormat.TABLE:
        now_ns = SystemClock().now_ns()
        found = [with_times(each, now_ns) for each in found]
    emit(found, output, columns=_LIST)


@app.command()
def show(
    ctx: typer.Context,
    approval_id: ApprovalArgument,
    *,
    no_diff: Annotated[bool, typer.Option("--no-diff", help="Leave the lines of a diff out.")] = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show one approval: what would happen, by whom and why it is asked; the agent's own words come last."""
    with api_from(ctx) as api:
        found = api.get(f"/v1/approvals/{segment(approval_id)}").body
    if output is OutputFormat.TABLE:
        print_sheet(page_of(found, SystemClock().now_ns(), diff=not no_diff))
    else:
        emit(found, output)


@app.command()
def approve(
    ctx: typer.Context,
    approval_id: ApprovalArgument,
    reason: Annotated[str, typer.Option(help="Your words, kept with the decision.")] = "",
) -> None:
    """Say yes: the exact request that was parked may run once."""
    _decide(ctx, approval_id, "approve", reason)


@app.command()
def reject(
    ctx: typer.Context,
    approval_id: ApprovalArgument,
    reason: Annotated[str, typer.Option(help="Your words; the agent gets them.")],
) -> None:
    """Say no."""
    _decide(ctx, approval_id, "reject", reason)


def _decide(ctx: typer.Context, approval_id: str, verb: str, reason: str) -> None:
    with api_from(ctx) as api:
        decided = api.post(f"/v1/approvals/{segment(approval_id)}/{verb}", {"reason": reason}).body
    say(f"ostiary: {decided.get('id')} is {decided.get('state')}: {decided.get('summary')}")
