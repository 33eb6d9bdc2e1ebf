"""``ostiary session``: start, replay and kill runs of agents, and lead their clients to Ostiary."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from broker.cli.client import Api, api_from, segment
from broker.cli.durations import seconds
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail, say
from broker.cli.session_env import aws_credentials, env
from broker.clock import NS_PER_SECOND, rfc3339

PAGE: Final = 500

_COLUMNS: Final = ("seq", "time", "event", "action", "resource", "why", "after_denial")

LabelOption = Annotated[list[str] | None, typer.Option(help="KEY=VALUE, shown in replay; may be repeated.")]

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
app.command("env")(env)
app.command("aws-credentials")(aws_credentials)


@app.command()
def start(
    ctx: typer.Context,
    agent: Annotated[str, typer.Option(help="Name of the agent.")],
    ttl: Annotated[str, typer.Option(help="How long it may live: 90s, 15m, 8h, 7d.")] = "8h",
    label: LabelOption = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Rule it is held to beside its agent's policy: `git:read on repos/acme/*`; may be repeated."),
    ] = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Start a session; its token is printed once and kept nowhere."""
    body = {"agent": agent, "ttl_seconds": seconds(ttl), "labels": _labels(label or []), "scope": scope or []}
    _start(ctx, "/v1/sessions", body, output)


@app.command()
def child(
    ctx: typer.Context,
    scope: Annotated[list[str], typer.Option(help="Rule it is held to: `git:read on repos/acme/*`; may be repeated.")],
    ttl: Annotated[str, typer.Option(help="How long it may live; it ends with this session at the latest.")] = "8h",
    label: LabelOption = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Hand out a session that may do no more than this one, as an agent."""
    body = {"scope": scope, "ttl_seconds": seconds(ttl), "labels": _labels(label or [])}
    _start(ctx, "/v1/sessions/children", body, output)


def _start(ctx: typer.Context, path: str, body: dict[str, Any], output: OutputFormat) -> None:
    with api_from(ctx) as api:
        started = api.post(path, body).body
    if output is OutputFormat.TABLE:
        session = started.get("session", {})
        shown = {name: session.get(name) for name in ("id", "agent", "project", "expires_at")}
        emit({**shown, "token": started.get("token")}, output)
        say("ostiary: give the token to the agent as OSTIARY_TOKEN; it is not shown again")
    else:
        emit(started, output)


@app.command()
def replay(
    ctx: typer.Context,
    session_id: Annotated[str, typer.Argument(metavar="ID")],
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Tell the whole story of one session in order, with what it did after each denial."""
    with api_from(ctx) as api:
        story = timeline(_events(api, session_id))
    emit(story, output, columns=_COLUMNS)


@app.command()
def kill(ctx: typer.Context, session_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """End a session, and all it handed out, everywhere within a second, for ever."""
    with api_from(ctx) as api:
        api.delete(f"/v1/sessions/{segment(session_id)}")
    say(f"ostiary: {session_id} is killed")


@app.command()
def show(
    ctx: typer.Context,
    session_id: Annotated[str, typer.Argument(metavar="ID")],
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show one session."""
    with api_from(ctx) as api:
        emit(api.get(f"/v1/sessions/{segment(session_id)}").body, output)


def timeline(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a replay.

    Args:
        records: Members ``seq`` and ``event`` of the API, oldest first.
    """
    rows: list[dict[str, Any]] = []
    denied: dict[str, Any] | None = None
    for record in records:
        event = record["event"]
        row = _row(record["seq"], event)
        if denied is not None:
            later = (event["at_ns"] - denied["at_ns"]) / NS_PER_SECOND
            row["after_denial"] = f"{later:.3f}s after {denied['action']}"
        if event["type"] == "intent.denied":
            denied = event
        rows.append(row)
    return rows


def _row(seq: int, event: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data") or {}
    problem = data.get("problem") or {}
    resources = data.get("resources") or []
    why = problem.get("rule") or problem.get("detail") or _rule(data) or data.get("rule") or ""
    return {
        "seq": seq,
        "time": rfc3339(event["at_ns"]),
        "event": event["type"],
        "agent": event.get("agent", ""),
        "action": event.get("action", ""),
        "resource": ", ".join(map(str, resources)),
        "why": why,
        "operator": event.get("operator", ""),
        "intent": event.get("intent_id", ""),
        "session": event.get("session_id", ""),
        "after_denial": "",
    }


def _rule(data: dict[str, Any]) -> str:
    for reason in data.get("reasons") or []:
        if reason.get("file"):
            return f"{reason['file']}:{reason.get('line', 0)} ({reason.get('rule', '')})"
    return ""


def _events(api: Api, session_id: str) -> list[dict[str, Any]]:
    path = f"/v1/sessions/{segment(session_id)}/events"
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = api.get(path, {"after": after, "limit": PAGE}).body
        found.extend(page["events"])
        after = page["next"]
    return found


def _labels(words: list[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals or name in labels:
            fail(f"`{word}` is no label, or its name stands twice", ExitCode.USAGE, fix="write `--label KEY=VALUE`")
        labels[name] = value
    return labels
