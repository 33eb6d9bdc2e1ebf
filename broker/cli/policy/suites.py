"""``ostiary policy test``: the configuration's policy tests, and which rules none of them touches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli.context import settings_from
from broker.cli.output import ExitCode, OutputFormat, OutputOption, clean, emit, fail, say
from broker.cli.policy.context import configuration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policies.suites.run import Report, RuleCoverage
    from policies.suites.suite import Suite


def run_tests(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(help="Test files; all `*_test.yaml` below `policies/` when none is named.")
    ] = None,
    *,
    untested: Annotated[
        bool, typer.Option("--fail-on-untested", help="Exit code 4 when a rule is touched by no test.")
    ] = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Run the policy tests; exit code 4 when one fails."""
    from policies.suites.run import coverage, run_suite

    found = configuration(ctx)
    suites = _suites(_read(settings_from(ctx).config_dir, files))
    if not suites:
        fail("there are no policy tests", ExitCode.USAGE, fix="write `policies/NAME_test.yaml`, see policies/README.md")
    projects = {name: agent.project for name, agent in found.agents.items()}
    reports = [run_suite(suite, found.layers, found.catalogue, projects) for suite in suites]
    rules = coverage(reports, found.layers)
    if output is OutputFormat.TABLE:
        _tell(reports, rules)
    else:
        emit({"files": [each.to_json() for each in reports], "rules": [each.to_json() for each in rules]}, output)
    if any(report.failures for report in reports) or (untested and not all(rule.tested for rule in rules)):
        raise typer.Exit(ExitCode.FAILED)


def _read(root: Path, files: list[Path] | None) -> Mapping[str, bytes]:
    from broker.config.files import read_tests

    if not files:
        return read_tests(root)
    read = {}
    for path in files:
        inside = path.absolute().is_relative_to(root)
        name = str(path.absolute().relative_to(root)) if inside else str(path)
        try:
            read[name] = path.read_bytes()
        except OSError as error:
            fail(f"cannot read `{path}`: {(error.strerror or 'unknown').lower()}", ExitCode.USAGE)
    return read


def _suites(files: Mapping[str, bytes]) -> list[Suite]:
    from policies.errors import LoadError, YamlError, render
    from policies.suites.suite import load_suite

    suites, broken = [], False
    for name, data in files.items():
        try:
            suites.append(load_suite(data, file=name))
        except (YamlError, LoadError) as error:
            broken = True
            for finding in error.findings:
                for line in render(finding, data).splitlines():
                    say(clean(line))
    if broken:
        raise typer.Exit(ExitCode.USAGE)
    return suites


def _tell(reports: Sequence[Report], rules: Sequence[RuleCoverage]) -> None:
    asked = failed = 0
    for report in reports:
        asked += len(report.cases)
        for result in report.failures:
            failed += 1
            case = result.case
            found = result.fault or f"found {result.found.value if result.found else 'nothing'}: {result.text}"
            typer.echo(
                clean(f"{case.span}: {case.name}: {case.agent or report.file} {case.action} on {result.resource}")
            )
            typer.echo(clean(f"    expected {case.effect.value}" + (f" by `{case.rule}`" if case.rule else "")))
            typer.echo(clean(f"    {found}" + (f" ({result.place})" if result.place else "")))
    bare = [rule for rule in rules if not rule.tested]
    for rule in bare:
        typer.echo(clean(f"{rule.rule.span}: no test touches `{rule.rule.text or rule.rule.id}`"))
    typer.echo(f"{asked - failed} of {asked} passed; {len(rules) - len(bare)} of {len(rules)} rules tested")
