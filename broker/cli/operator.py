"""``ostiary operator``: tokens for people, made on the machine that holds the data folder.

Whoever can write the database is trusted with this already; the ledger tells of every token that was made.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli.context import commit, settings_from
from broker.cli.durations import seconds
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail, say
from broker.errors import BrokerError

if TYPE_CHECKING:
    from broker.settings import Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def _noun() -> None:
    """Issue tokens to operators."""


@app.command()
def token(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of an operator in ostiary.yaml.")],
    ttl: Annotated[str, typer.Option(help="How long it is valid: 15m, 8h, 30d.")] = "30d",
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Issue a token to an operator; it is printed once and only its hash is kept."""
    settings = settings_from(ctx)
    lifetime = seconds(ttl)
    if not (settings.database_url or (settings.data / "ledger.sqlite3").exists()):
        fail(f"there is no database in `{settings.data}`", ExitCode.USAGE, fix="run `ostiary up` once, or use `--data`")
    try:
        issued = issue_token(settings, name, lifetime)
    except BrokerError as error:
        fail(str(error), ExitCode.FAILED)
    emit({"operator": name, "token": issued}, output)
    say("ostiary: the token is not shown again")


def issue_token(settings: Settings, name: str, ttl_seconds: int) -> str:
    """Make a token for an operator, straight in the database, and return it.

    Whether the configuration knows the operator is looked at whenever the token is used, not here.

    Args:
        settings: Name the database, which must have been migrated.
        name: Of the operator.
        ttl_seconds: How long it is valid, at least 1.

    Raises:
        LedgerUnavailableError: it is not durable; the token is worth nothing.
    """
    from broker.clock import NS_PER_SECOND, SystemClock
    from broker.ids import TOKEN_ENTROPY_BYTES, hash_token, make_token
    from broker.store.base import Change, EventType, Insert, new_event

    clock = SystemClock()
    made = make_token("o", clock.entropy(TOKEN_ENTROPY_BYTES))
    now_ns = clock.now_ns()
    row = {
        "token_hash": hash_token(made),
        "operator": name,
        "created_at_ns": now_ns,
        "expires_at_ns": now_ns + ttl_seconds * NS_PER_SECOND,
    }
    data = {"expires_at_ns": row["expires_at_ns"]}
    event = new_event(clock, EventType.OPERATOR_TOKEN_ISSUED, data, operator=name)
    asyncio.run(commit(settings, Change(event, (Insert("operator_tokens", row),))))
    return made
