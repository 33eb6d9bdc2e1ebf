"""What the policy commands share: the configuration they look at, and the moment and facts of a question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from broker.cli.context import settings_from
from broker.cli.output import ExitCode, clean, fail, say
from broker.cli.source import caret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from broker.config.model import Configuration
    from broker.errors import ConfigError
    from policies.layers import LayeredPolicy
    from policies.model import Rule


def configuration(ctx: typer.Context) -> Configuration:
    """Return the configuration folder's content; ends the command with its faults when it cannot be used."""
    from broker.config.files import read_folder
    from broker.config.loader import load_configuration
    from broker.errors import ConfigError
    from connectors.registry import build_connectors

    try:
        return load_configuration(settings_from(ctx).config_dir, build_connectors())
    except ConfigError as error:
        faulty(error, read_folder(settings_from(ctx).config_dir).files)


def draft(ctx: typer.Context, place: str) -> Configuration:
    """Return another configuration: a folder, or a revision of the repository the configuration folder stands in."""
    from broker.config.loader import load_configuration, load_folder
    from broker.config.revisions import RevisionError, read_revision
    from broker.errors import ConfigError
    from connectors.registry import build_connectors

    folder = Path(place)
    root = settings_from(ctx).config_dir
    try:
        if folder.is_dir():
            return load_configuration(folder.absolute(), build_connectors())
        return load_folder(read_revision(root, place), root, build_connectors())
    except RevisionError as error:
        fail(str(error), ExitCode.USAGE, fix="name a folder, or a git revision as `HEAD~1` or `main:deploy/config`")
    except ConfigError as error:
        faulty(error)


def faulty(error: ConfigError, files: Mapping[str, bytes] | None = None) -> NoReturn:
    """Print the faults of a configuration, with their lines where the files are given, and end the command.

    Raises:
        typer.Exit: always.
    """
    for finding in error.findings:
        say(clean(str(finding)))
        for line in caret(finding.file, finding.line, finding.column, files or {}):
            say(clean(line))
    fail("the configuration cannot be used", ExitCode.USAGE, fix="see `ostiary check`")


def layers_of(found: Configuration, agent: str) -> LayeredPolicy:
    """Return what decides for an agent; ends the command when there is no such agent."""
    from policies.errors import did_you_mean, quote

    if agent not in found.layers:
        fail(f"unknown agent {quote(agent)}", ExitCode.USAGE, fix=did_you_mean(agent, found.layers))
    return found.layers[agent]


def moment(text: str) -> int:
    """Return a moment in nanoseconds since the epoch, now when none is given; ends the command when it is none."""
    import time

    from policies.conditions.moments import parse_moment

    if not text:
        return time.time_ns()
    found = parse_moment(text)
    if found is None:
        fail(f"`{clean(text)}` is no moment", ExitCode.USAGE, fix="write `2026-11-20T12:00:00Z`")
    return found


def since_ns(text: str) -> int:
    """Return when a window began that ends now and has this length."""
    import time

    from broker.cli.durations import seconds
    from broker.clock import NS_PER_SECOND

    return time.time_ns() - seconds(text) * NS_PER_SECOND


def pairs(words: Iterable[str], option: str) -> dict[str, str]:
    """Return ``KEY=VALUE`` words as a mapping; ends the command when one is none."""
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            fail(f"`{clean(word)}` is no `KEY=VALUE`", ExitCode.USAGE, fix=f"{option} KEY=VALUE")
        found[key] = value
    return found


def plain_rule(rule: Rule) -> dict[str, Any]:
    """Return a rule for people and programs."""
    from policies.conditions.moments import written

    terms = rule.approval
    return {
        "rule": rule.id,
        "effect": rule.effect.value,
        "text": rule.text,
        "actions": ", ".join(rule.actions),
        "resources": ", ".join(rule.resources),
        "when": "; ".join(
            f"{each.key} {each.operator} {', '.join(map(str, each.operands))}" for each in rule.conditions
        ),
        "until": written(rule.until_ns) if rule.until_ns else "",
        "max_uses": rule.max_uses or "",
        "returns_secrets": rule.returns_secrets,
        "place": str(rule.span),
        "approval": f"{terms.channel} within {terms.timeout_seconds}s" if terms else "",
        "description": rule.description,
    }
