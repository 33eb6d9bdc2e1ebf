"""``ostiary agent``: the configured agents, read offline from the configuration folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli.context import settings_from
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail

if TYPE_CHECKING:
    from broker.config.model import Agent, Configuration

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command("list")
def list_agents(ctx: typer.Context, output: OutputOption = OutputFormat.TABLE) -> None:
    """List the agents, their projects and how many rules each has."""
    configuration = _configuration(ctx)
    rows = [_row(configuration, agent) for _, agent in sorted(configuration.agents.items())]
    emit(rows, output, columns=("agent", "project", "owner", "rules", "description"))


@app.command()
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the agent.")],
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show one agent: its project, its connections, and where its policy stands."""
    configuration = _configuration(ctx)
    agent = configuration.agents.get(name)
    if agent is None:
        fail(f"unknown agent `{name}`", ExitCode.USAGE, fix="ostiary agent list")
    project = configuration.projects[agent.project]
    emit({**_row(configuration, agent), "connections": list(project.connections)}, output)


def _row(configuration: Configuration, agent: Agent) -> dict[str, Any]:
    policy = configuration.policies[agent.name].policy
    return {
        "agent": agent.name,
        "project": agent.project,
        "owner": agent.owner,
        "rules": len(policy.rules),
        "policy_version": policy.version,
        "description": agent.description,
    }


def _configuration(ctx: typer.Context) -> Configuration:
    from broker.config.loader import load_configuration
    from broker.errors import ConfigError
    from connectors.registry import build_connectors

    try:
        return load_configuration(settings_from(ctx).config_dir, build_connectors())
    except ConfigError as error:
        fail(str(error.findings[0]), ExitCode.USAGE, fix="see `ostiary check`")
