"""``ostiary policy replay``, ``unused`` and ``suggest``: what the ledger teaches about the policies."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from broker.cli.context import ledger_url, settings_from
from broker.cli.output import ExitCode, OutputFormat, OutputOption, clean, emit, fail, say
from broker.cli.policy.context import configuration, draft, since_ns

if TYPE_CHECKING:
    from broker.config.model import Configuration
    from broker.settings import Settings
    from broker.store.base import Reader
    from broker.studies.records import RecordedIntent

T = TypeVar("T")

Since = Annotated[str, typer.Option("--since", help="How far back to look, as `7d`.")]


def replay(
    ctx: typer.Context,
    new: Annotated[str, typer.Argument(help="The draft: a folder or a git revision; `.` is the configuration folder.")],
    since: Since = "7d",
    *,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="Exit code 4 when an answer would change.")
    ] = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Decide what was asked again, by a draft: which answers would change, session by session."""
    from broker.studies.replay import replay as replayed

    drafted = configuration(ctx) if new == "." else draft(ctx, new)
    report = _study(ctx, drafted, since, lambda records: replayed(records, drafted.layers))
    found = report.to_json()
    if output is OutputFormat.TABLE:
        rows = [
            {"session": each["session"], "agent": each["agent"], **change}
            for each in found["sessions"]
            for change in each["changes"]
        ]
        emit(
            rows, output, columns=["session", "agent", "action", "resource", "before", "after", "times", "file", "line"]
        )
        for each in found["sessions"]:
            for doubt in each["cannot_tell"]:
                say(f"cannot tell: {each['session']} {doubt['action']}: {doubt['why']}")
        say(f"{report.changed} of {report.intents} intents would be answered otherwise, {report.unsure} cannot be told")
    else:
        emit(found, output)
    if fail_on_change and (report.changed or report.unsure):
        raise typer.Exit(ExitCode.FAILED)


def unused(ctx: typer.Context, since: Since = "90d", output: OutputOption = OutputFormat.TABLE) -> None:
    """Tell which rules nobody used, and which grant more than anybody needed."""
    from broker.studies.unused import unused as counted

    found = configuration(ctx)
    report = _study(ctx, found, since, lambda records: counted(records, found.layers, found.catalogue))
    if output is not OutputFormat.TABLE:
        emit(report.to_json(), output)
        return
    rows = [each.to_json() for each in report.rules if each.unused or each.narrower]
    shown = [{**row, "place": f"{row['file']}:{row['line']}", "narrower": "; ".join(row["narrower"])} for row in rows]
    emit(shown, output, columns=["place", "rule", "text", "times", "last", "narrower"])
    say(f"{len(report.unused)} of {len(report.rules)} rules were not used by {report.intents} intents")


def suggest(
    ctx: typer.Context,
    agent: Annotated[list[str] | None, typer.Argument(help="Names of agents; all when none is named.")] = None,
    since: Since = "30d",
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Suggest the least privilege that what was asked needed, as a diff for `patch`; nothing is changed by itself."""
    from broker.studies.suggest import suggest as suggested

    found = configuration(ctx)
    for name in agent or ():
        if name not in found.agents:
            fail(f"unknown agent `{clean(name)}`", ExitCode.USAGE)
    report = _study(
        ctx,
        found,
        since,
        lambda records: suggested(records, found.layers, found.files, found.catalogue, agent or ()),
    )
    if output is not OutputFormat.TABLE:
        emit(report.to_json(), output)
        return
    for each in report.suggestions:
        sys.stdout.write("".join(clean(line) + "\n" for line in each.diff.splitlines()))
        for kept in each.kept:
            say(f"{kept.rule.span}: kept `{kept.rule.text}`: {kept.why}")
        for requirement in each.inexpressible:
            say(f"{each.agent}: no literal rule can name {requirement.action} on {requirement.resource}")
        for note in each.notes:
            say(f"{each.agent}: {note}")
    say(f"from {report.intents} intents; read it, then apply it yourself")


def _study(
    ctx: typer.Context,
    found: Configuration,
    since: str,
    study: Callable[[AsyncGenerator[RecordedIntent, None]], Awaitable[T]],
) -> T:
    """Run a study over the window of the ledger that begins ``since`` ago and ends now."""
    from broker.errors import BrokerError
    from broker.ledger.events import UnreadableEventError

    settings, begin_ns = settings_from(ctx), since_ns(since)
    ledger_url(settings)
    owners = {name: agent.owner for name, agent in found.agents.items()}

    async def run() -> T:
        from broker.studies.records import recorded

        async with _reader(settings) as reader:
            return await study(recorded(reader, begin_ns, owners=owners))

    try:
        return asyncio.run(run())
    except (BrokerError, UnreadableEventError) as error:
        fail(str(error), ExitCode.FAILED)


@asynccontextmanager
async def _reader(settings: Settings) -> AsyncGenerator[Reader, None]:
    from broker.store.database import open_database
    from broker.store.reader import SqlReader

    database: Any = open_database(settings.database)
    try:
        yield SqlReader(database)
    finally:
        database.close()
