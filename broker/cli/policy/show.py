"""``ostiary policy show`` and ``schema``: the rules as they were understood, and the file format for editors."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from broker.cli.output import OutputFormat, OutputOption, emit
from broker.cli.policy.context import configuration, layers_of, plain_rule

Agent = Annotated[str, typer.Argument(help="Name of the agent.")]

_COLUMNS = ("layer", "rule", "effect", "actions", "resources", "when", "place", "approval")


def show(ctx: typer.Context, agent: Agent, output: OutputOption = OutputFormat.TABLE) -> None:
    """Show all that decides for an agent as it was understood: guardrails, boundary, its own rules, written out."""
    rules = [
        {"layer": layer.policy.layer.value, **plain_rule(rule)}
        for layer in layers_of(configuration(ctx), agent).layers
        for rule in layer.policy.rules
    ]
    emit(rules, output, columns=list(_COLUMNS))


def schema() -> None:
    """Print the JSON Schema of policy files, for editors; it knows the actions of this build."""
    from broker.config.loader import catalogue_of
    from connectors.registry import build_connectors
    from policies.language.schema import policy_schema

    sys.stdout.write(json.dumps(policy_schema(catalogue_of(build_connectors())), indent=2) + "\n")
