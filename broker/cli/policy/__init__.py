"""``ostiary policy``: read, check, test, question and improve policies. Offline, but for what reads the ledger."""

from __future__ import annotations

import typer

from broker.cli.policy.diff import diff
from broker.cli.policy.drill import drill
from broker.cli.policy.fmt import fmt
from broker.cli.policy.library import add, library
from broker.cli.policy.lint import lint
from broker.cli.policy.questions import can_i, explain, who_can
from broker.cli.policy.records import replay, suggest, unused
from broker.cli.policy.show import schema, show
from broker.cli.policy.suites import run_tests

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def policy() -> None:
    """Read, check, test, question and improve policies."""


app.command()(show)
app.command()(explain)
app.command("can-i")(can_i)
app.command("who-can")(who_can)
app.command()(lint)
app.command()(fmt)
app.command("test")(run_tests)
app.command()(diff)
app.command()(replay)
app.command()(unused)
app.command()(suggest)
app.command()(drill)
app.command()(schema)
app.command()(library)
app.command()(add)
