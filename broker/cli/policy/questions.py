"""``ostiary policy explain``, ``can-i`` and ``who-can``: what would be decided, and why. Offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail, say
from broker.cli.params import params_of
from broker.cli.policy.context import configuration, layers_of, moment, pairs

if TYPE_CHECKING:
    from broker.config.model import Configuration
    from policies.answers.explain import Explanation
    from policies.model import AccessRequest

Agent = Annotated[str, typer.Argument(help="Name of the agent.")]
Action = Annotated[str, typer.Argument(help="As in `s3:GetObject`.")]
Resource = Annotated[str, typer.Argument(help="As in `repos/acme/app/branches/main` or `data-lake/raw/x.csv`.")]
At = Annotated[str, typer.Option("--at", help="The moment to suppose, as `2026-11-20T12:00:00Z`; now.")]
Ip = Annotated[str, typer.Option("--ip", help="Where the request would come from.")]
Params = Annotated[list[str] | None, typer.Option("--param", help="A param, as `KEY=text` or `KEY:=json`.")]
Labels = Annotated[list[str] | None, typer.Option("--session", help="A label of the session, as `branch=main`.")]
Facts = Annotated[list[str] | None, typer.Option("--fact", help="Another fact, as `rate_class=low`.")]

_EXIT: Final = {"allow": ExitCode.OK, "require_approval": ExitCode.PENDING, "deny": ExitCode.DENIED}


def explain(  # noqa: PLR0913, PLR0917 - each option is a parameter in Typer
    ctx: typer.Context,
    agent: Agent,
    action: Action,
    resource: Resource,
    at: At = "",
    ip: Ip = "",
    param: Params = None,
    session: Labels = None,
    fact: Facts = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Explain one answer: every rule that matches, what nearly did and why not, what would allow it.

    Exit code 0 for allow, 3 for deny, 8 when a person is asked.
    """
    from policies.answers.explain import explain as explained
    from policies.answers.explain import to_json

    found = configuration(ctx)
    layered = layers_of(found, agent)
    request = _request(
        found, agent, (action, resource), _facts(found.agents[agent].owner, ip, param, session, fact), at
    )
    answer = explained(layered, request, found.catalogue)
    if answer.decision.errors:
        fail(answer.decision.errors[0], ExitCode.USAGE)
    if output is OutputFormat.TABLE:
        _tell(answer)
    else:
        emit(to_json(answer), output)
    raise typer.Exit(_EXIT[answer.decision.effect.value])


def can_i(
    ctx: typer.Context,
    agent: Agent,
    action: Annotated[str, typer.Argument(help="Only this action, as in `s3:GetObject`.")] = "",
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """List what an agent can do: per action the resources it may touch, where it asks, what is excepted."""
    from broker.studies.answers import grants_of

    found = configuration(ctx)
    layers_of(found, agent)
    rows = grants_of(found, agent, action)
    if output is OutputFormat.TABLE:
        rows = [{name: _listed(value) for name, value in row.items()} for row in rows]
    emit(rows, output, columns=["effect", "actions", "resource", "asks", "never", "only", "place"])
    if not rows:
        say("nothing")
        raise typer.Exit(ExitCode.DENIED)


def who_can(  # noqa: PLR0913, PLR0917 - each option is a parameter in Typer
    ctx: typer.Context,
    action: Action,
    resource: Resource,
    at: At = "",
    ip: Ip = "",
    param: Params = None,
    session: Labels = None,
    fact: Facts = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """List the agents that may do something, with the rule that says so; exit code 3 when there is none."""
    from broker.studies.answers import who_can_rows
    from policies.model import Requirement

    facts = _facts("", ip, param, session, fact)
    rows = who_can_rows(configuration(ctx), Requirement(action, resource), facts, moment(at))
    emit(rows, output, columns=["agent", "effect", "conditional", "rule", "place"])
    if not rows:
        say("nobody")
        raise typer.Exit(ExitCode.DENIED)


def _request(found: Configuration, agent: str, asked: tuple[str, str], facts: dict[str, Any], at: str) -> AccessRequest:
    from policies.language.actions import canonical_action
    from policies.model import AccessRequest, Requirement

    action = canonical_action(asked[0])
    requirement = Requirement(action, found.catalogue.full_name(action, asked[1]))
    known = found.agents[agent]
    secrets = found.catalogue.returns_secrets(action)
    return AccessRequest(agent, known.project, (requirement,), facts, moment(at), returns_secrets=secrets)


def _facts(
    owner: str,
    ip: str,
    param: list[str] | None,
    session: list[str] | None,
    fact: list[str] | None,
) -> dict[str, Any]:
    from policies.conditions.facts import flatten_params

    facts: dict[str, Any] = {f"session.{name}": value for name, value in pairs(session or (), "--session").items()}
    facts |= pairs(fact or (), "--fact")
    if owner:
        facts.setdefault("agent.owner", owner)
    if ip:
        facts["source_ip"] = ip
    return facts | flatten_params(params_of(param or (), None))


def _listed(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _tell(answer: Explanation) -> None:
    """Print an explanation for people: the answer, then layer by layer what made it."""
    decision = answer.decision
    say_out(f"{decision.effect.value}: {decision.reasons[0].text}")
    say_out(f"  resource  {answer.requirement.resource}")
    for layer in answer.layers:
        say_out(f"{layer.layer.value}: {layer.effect.value if layer.effect else 'no objection'}")
        for match in layer.matches:
            rule = match.rule
            say_out(f"  matches   {rule.span}  {rule.effect.value}  {rule.text}  ({rule.id})")
            if match.pattern != rule.text.rpartition(" ")[2]:
                say_out(f"            written out: {match.pattern}")
        for miss in layer.near_misses:
            say_out(f"  near miss {miss.rule.span}  {miss.rule.text}  ({miss.rule.id})")
            say_out(f"            {miss.text}")
    if answer.fix:
        say_out(f"fix: {answer.fix}")


def say_out(line: str) -> None:
    """Print one line of data; nothing in it can drive a terminal."""
    from broker.cli.output import clean

    typer.echo(clean(line))
