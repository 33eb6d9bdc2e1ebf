"""The command line: ``ostiary NOUN VERB``. Commands are imported when they are called, so that help is quick."""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from broker.cli.context import Options
from broker.cli.output import ExitCode, say
from broker.errors import BrokerError

COMMANDS: Final[dict[str, tuple[str, str, str]]] = {
    "up": ("processes", "up", "Start Ostiary on this machine: vault, API, worker and queue."),
    "init": ("init", "init", "Write a commented starter configuration."),
    "check": ("check", "check", "Check the whole configuration, offline."),
    "action": ("action", "app", "Look up what can be asked for, and how."),
    "do": ("do", "do", "Ask for one action, as an agent."),
    "intent": ("intent", "app", "Look at what was asked, as the agent that asked."),
    "session": ("session", "app", "Start, replay and kill sessions of agents."),
    "kill": ("kill", "app", "Stop an agent, a session, a project, a connector, or everything, within a second."),
    "resume": ("kill", "resume_app", "Let go on what was stopped, or paused by a budget."),
    "halts": ("kill", "halts", "List what is stopped."),
    "approvals": ("approvals", "app", "List and answer what waits for a person."),
    "usage": ("usage", "usage", "Tell what agents spent, by session, model and day."),
    "budget": ("budget", "app", "Tell how budgets stand, and grant more of one."),
    "alerts": ("alerts", "app", "List alerts, and see whether they arrive."),
    "breaker": ("breaker", "app", "List and reset circuit breakers."),
    "agent": ("agent", "app", "Show the configured agents."),
    "operator": ("operator", "app", "Issue tokens to operators."),
    "policy": ("policy", "app", "Show and explain policies."),
    "vault": ("vault", "app", "Keep and rotate credentials."),
    "catalog": ("catalog", "app", "Look at the catalogue of operations."),
    "audit": ("audit", "app", "Search, verify and export the ledger."),
    "serve": ("processes", "serve", "Run the API process alone."),
    "worker": ("processes", "worker", "Run the worker process alone."),
    "stop": ("processes", "stop", "Stop the running Ostiary."),
    "reload": ("reload", "reload", "Take up the configuration again."),
}
"""Name -> module in this package, the function or the Typer application in it, one line of help."""


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are run; help shows the table's line instead."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - Typer's signature
        super().__init__(**attributes)
        for name, (_, _, summary) in COMMANDS.items():
            self.add_command(TyperCommand(name, help=summary, rich_markup_mode=None))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 - Typer's
        """Return the command itself."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else stand_in, rest


def load(name: str) -> Any:  # noqa: ANN401 - Typer keeps the class of its commands to itself
    """Import one command."""
    module_name, attribute, summary = COMMANDS[name]
    found = getattr(import_module(f"{__name__}.{module_name}"), attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.help = group.help or summary
        return group
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name)(found)
    return get_command(single)


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


def _show_version(*, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("ostiary")
        except PackageNotFoundError:
            found = "from source, not installed"
        sys.stdout.write(f"ostiary {found}\n")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    data: Annotated[Path | None, typer.Option(help="Folder of everything Ostiary keeps.")] = None,
    config: Annotated[Path | None, typer.Option(help="Folder of ostiary.yaml and policies/.")] = None,
    url: Annotated[str, typer.Option(help="Where the API is (OSTIARY_URL).")] = "",
    token_file: Annotated[Path | None, typer.Option(help="File with the token to send (or OSTIARY_TOKEN).")] = None,
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=lambda value: _show_version(wanted=value), is_eager=True)
    ] = False,
) -> None:
    """Ostiary: agents hold no keys; they ask, Ostiary decides, acts, and hands back only the result."""
    ctx.obj = Options(data=data, config=config, url=url, token_file=token_file)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except BrokerError as error:
        for line in str(error).splitlines():
            say(f"ostiary: {line}")
        sys.exit(ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001 - the last wall: its text may hold a secret, so its type and place are told
        frame = traceback.extract_tb(error.__traceback__)[-1]
        say(f"ostiary: unexpected {type(error).__name__} at {Path(frame.filename).name}:{frame.lineno} ({frame.name})")
        sys.exit(ExitCode.FAILED)
