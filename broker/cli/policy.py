"""``ostiary policy``: show an agent's rules, and explain what they say to one request. Offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from broker.cli.context import settings_from
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail

if TYPE_CHECKING:
    from broker.config.model import Configuration
    from policies.engine import CompiledPolicy, Explanation
    from policies.model import Rule

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

Agent = Annotated[str, typer.Argument(help="Name of the agent.")]

_EXIT: Final = {"allow": ExitCode.OK, "require_approval": ExitCode.PENDING, "deny": ExitCode.DENIED}


@app.callback()
def policy() -> None:
    """Show and explain policies, offline."""


@app.command()
def show(ctx: typer.Context, agent: Agent, output: OutputOption = OutputFormat.TABLE) -> None:
    """Show an agent's rules as they were understood: canonical actions, full resources."""
    rules = _policy(ctx, agent).policy.rules
    emit(
        [_rule(rule) for rule in rules], output, columns=["rule", "effect", "actions", "resources", "place", "approval"]
    )


@app.command()
def explain(
    ctx: typer.Context,
    agent: Agent,
    action: Annotated[str, typer.Argument(help="As in `s3:GetObject`.")],
    resource: Annotated[str, typer.Argument(help="As in `repos/acme/app/branches/main` or `data-lake/raw/x.csv`.")],
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Explain one answer: every rule that matches, what came nearest, what would allow it.

    Exit code 0 for allow, 3 for deny, 8 when a person is asked.
    """
    from policies.actions import canonical_action
    from policies.model import Requirement
    from policies.resources import full_resource

    compiled = _policy(ctx, agent)
    name = canonical_action(action)
    explanation = compiled.explain(Requirement(name, full_resource(resource, name.partition(":")[0])))
    if explanation.decision.errors:
        fail(explanation.decision.errors[0], ExitCode.USAGE)
    emit(_explained(explanation), output)
    raise typer.Exit(_EXIT[explanation.decision.effect.value])


def _policy(ctx: typer.Context, agent: str) -> CompiledPolicy:
    from policies.errors import did_you_mean, quote

    policies = _configuration(ctx).policies
    if agent not in policies:
        fail(f"unknown agent {quote(agent)}", ExitCode.USAGE, fix=did_you_mean(agent, policies))
    return policies[agent]


def _configuration(ctx: typer.Context) -> Configuration:
    from broker.config.loader import load_configuration
    from broker.errors import ConfigError
    from connectors.registry import build_connectors

    root = settings_from(ctx).config_dir
    try:
        return load_configuration(root, build_connectors())
    except ConfigError as error:
        first, more = error.findings[0], len(error.findings) - 1
        fail(str(first) + (f", and {more} more" if more else ""), ExitCode.USAGE, fix="see `ostiary check`")


def _rule(rule: Rule) -> dict[str, Any]:
    terms = rule.approval
    return {
        "rule": rule.id,
        "effect": rule.effect.value,
        "actions": ", ".join(rule.actions),
        "resources": ", ".join(rule.resources),
        "place": str(rule.span),
        "approval": f"{terms.channel} within {terms.timeout_seconds}s" if terms else "",
        "description": rule.description,
    }


def _explained(explanation: Explanation) -> dict[str, Any]:
    from policies.fixes import fix_for

    decision = explanation.decision
    reason = decision.reasons[0]
    return {
        "effect": decision.effect.value,
        "reason": reason.text,
        "action": reason.requirement.action,
        "resource": reason.requirement.resource,
        "matches": [_rule(rule) for rule in explanation.matches],
        "nearest": _rule(explanation.nearest) if explanation.nearest is not None else None,
        "fix": fix_for(decision),
        "policy_version": decision.policy_version,
    }
