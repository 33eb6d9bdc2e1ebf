"""Executes the examples of policies/README.md."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
import typer

import policies
from broker.cli.policy import app as tools
from connectors.base import permissions_of, secret_operations_of
from connectors.registry import build_connectors
from policies.conditions.guards import compile_guard
from policies.conditions.moments import parse_moment
from policies.conditions.operands import MAX_OPERANDS
from policies.conditions.when import KEYS, MAX_CONDITIONS
from policies.document.nodes import to_json
from policies.document.strict_yaml import MAX_BYTES, parse
from policies.errors import LoadError, YamlError
from policies.language.fmt import format_policy
from policies.language.loader import MAX_CROSSING_RULES, MAX_RULES, MAX_SCOPE_RULES, LoadedPolicy, load_policy
from policies.language.options import MAX_APPROVERS, MAX_DESCRIPTION_CHARS, MAX_USES, OPTIONS
from policies.language.rule_text import parse_rule
from policies.language.schema import policy_schema
from policies.layers import LayeredPolicy, compile_layers
from policies.model import AccessRequest, Effect, Layer, Requirement
from policies.patterns.pattern import MAX_PATTERN_CHARS, MAX_STARS, compile_pattern
from policies.resources.catalogue import build_catalogue
from policies.suites.run import run_suite
from policies.suites.suite import load_suite

ROOM = Path(policies.__file__).parent
PAGE = (ROOM / "README.md").read_text("utf-8")
CONNECTORS = build_connectors().values()
CATALOGUE = build_catalogue(
    [each for connector in CONNECTORS for each in connector.resource_types],
    {action: asked for one in CONNECTORS for action, asked in permissions_of(one.operations).items()},
    [name for one in CONNECTORS for name in secret_operations_of(one.operations)],
)
LAYERS = {"policies/guardrails": Layer.GUARDRAIL, "policies/projects": Layer.BOUNDARY, "policies": Layer.AGENT}
PROJECT = "shop"


@dataclass(frozen=True)
class Section:
    """One chapter of the page: its policy files and its tables of questions and answers."""

    files: dict[str, str]
    answers: list[tuple[str, str, str]]


def section(text: str) -> Section:
    files = dict(re.findall(r"```yaml (policies/\S+)\n(.*?)```", text, re.DOTALL))
    return Section(files, re.findall(r"^\| `(\S+) on (\S+)` \| (allow|require_approval|deny) \|$", text, re.MULTILINE))


SECTIONS = [section(text) for text in re.split(r"^## ", PAGE, flags=re.MULTILINE)]
FILES = [(name, text) for each in SECTIONS for name, text in each.files.items()]
LITERAL = re.findall(r"```yaml literal\n(.*?)```", PAGE, re.DOTALL)
REFUSED = re.findall(r"```yaml refused (\d+):(\d+)\n(.*?)```", PAGE, re.DOTALL)
SUITES = re.findall(r"```yaml test (\S+)\n(.*?)```", PAGE, re.DOTALL)
ANSWERS = [(each.files, *answer) for each in SECTIONS for answer in each.answers]
ROWS = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", PAGE, re.MULTILINE)
PATTERNS = [row for row in ROWS if ": " not in row[0]]
CONDITIONS = [row for row in ROWS if ": " in row[0]]
EXPANSIONS = re.findall(r"^\| `(deny )?(\S+ on \S+)` \| `([^`]+)` \|$", PAGE, re.MULTILINE)


def words(heading: str) -> list[str]:
    """What stands in backticks in the first column of the table with this heading."""
    table = re.split(r"\n\n", PAGE.partition(f"| {heading} |")[2])[0]
    return re.findall(r"`([^`]+)`", "".join(re.findall(r"^\|(.+?) \| ", table, re.MULTILINE)))


def load(name: str, text: str) -> LoadedPolicy:
    return load_policy(text.encode(), file=name, layer=LAYERS[name.rpartition("/")[0]], catalogue=CATALOGUE)


def layered(files: dict[str, str]) -> LayeredPolicy:
    loaded = sorted((load(*each) for each in files.items()), key=lambda each: list(Layer).index(each.layer))
    return compile_layers(loaded[-1].policy.agent, [each.policy for each in loaded])


def test_the_page_has_examples_of_every_kind() -> None:
    kinds = (FILES, LITERAL, REFUSED, SUITES, ANSWERS, PATTERNS, CONDITIONS, EXPANSIONS)
    assert [len(kind) for kind in kinds] == [7, 1, 5, 1, 18, 4, 15, 9]
    assert PAGE.count("```yaml") == len(FILES) + len(LITERAL) + len(REFUSED) + len(SUITES)


@pytest.mark.parametrize(("name", "text"), FILES)
def test_each_policy_loads_in_its_canonical_form(name: str, text: str) -> None:
    assert load(name, text).rules
    assert format_policy(text.encode(), name) == text.encode()


@pytest.mark.parametrize("text", LITERAL)
def test_the_literal_form_loads_with_a_notice(text: str) -> None:
    loaded = load("policies/a.yaml", text)
    assert loaded.rules[-1].effect is Effect.REQUIRE_APPROVAL
    assert any("not YAML" in notice.message for notice in loaded.notices)


@pytest.mark.parametrize(("line", "column", "text"), REFUSED)
def test_each_bad_example_is_refused_where_the_page_says(line: str, column: str, text: str) -> None:
    with pytest.raises((LoadError, YamlError)) as caught:
        load("policies/ci-runner.yaml", text)
    assert (caught.value.findings[0].line, caught.value.findings[0].column) == (int(line), int(column))


def test_an_editor_takes_the_good_examples_and_no_bad_one() -> None:
    def valid(layer: Layer, text: str) -> bool:
        checker: Any = jsonschema.Draft202012Validator(policy_schema(CATALOGUE, layer))
        return bool(checker.is_valid(to_json(parse(text.encode(), "x"))))

    assert all(valid(LAYERS[name.rpartition("/")[0]], text) for name, text in FILES)
    strict = [text for _, _, text in REFUSED if is_strict(text)]
    assert len(strict) == 3
    assert not any(valid(Layer.AGENT, text) for text in strict)


def is_strict(text: str) -> bool:
    try:
        parse(text.encode(), "x")
    except YamlError:
        return False
    return True


@pytest.mark.parametrize(("files", "action", "resource", "expected"), ANSWERS)
def test_each_answer_is_the_one_on_the_page(files: dict[str, str], action: str, resource: str, expected: str) -> None:
    policy = layered(files)
    secrets = CATALOGUE.returns_secrets(action)
    asked = AccessRequest(policy.agent, PROJECT, (Requirement(action, resource),), returns_secrets=secrets)
    decision = policy.decide(asked)
    assert decision.errors == ()
    assert decision.effect is Effect(expected)


@pytest.mark.parametrize(("deny", "rule", "expected"), EXPANSIONS)
def test_each_rule_is_written_out_as_on_the_page(deny: str, rule: str, expected: str) -> None:
    assert parse_rule(rule, Effect.DENY if deny else Effect.ALLOW, CATALOGUE).resources == (expected,)


@pytest.mark.parametrize(("pattern", "covered", "not_covered"), PATTERNS)
def test_each_pattern_covers_what_the_page_says(pattern: str, covered: str, not_covered: str) -> None:
    compiled = compile_pattern(pattern)
    assert compiled.matches(covered)
    assert not compiled.matches(not_covered)


def request_of(facts: str) -> AccessRequest:
    read: Any = to_json(parse(facts.encode(), "x"))
    moment = parse_moment(read.pop("now", ""))
    agent, project = read.pop("agent.id", "bot"), read.pop("project", PROJECT)
    return AccessRequest(agent, project, (Requirement("x:y", "z"),), context=read, now_ns=moment)


@pytest.mark.parametrize(("condition", "holds", "fails"), CONDITIONS)
def test_each_condition_holds_as_the_page_says(condition: str, holds: str, fails: str) -> None:
    text = f"policies:\n  - allow: x:y on z\n    when:\n      {condition}\n"
    guard = compile_guard(load("policies/bot.yaml", text).rules[0])
    assert guard is not None
    assert guard(request_of(holds))
    assert not guard(request_of(fails))
    if not holds.startswith(("agent.id", "project")):
        unknown = replace(request_of(holds), context={}, now_ns=None)
        assert not guard(unknown)
        denial = compile_guard(load("policies/bot.yaml", text.replace("allow", "deny")).rules[0])
        assert denial is not None
        assert denial(unknown)


def test_every_key_of_a_condition_is_on_the_page() -> None:
    keys = {row[0].partition(": ")[0] for row in CONDITIONS}
    assert {key for key in keys if not key.startswith(("params.", "session."))} == set(KEYS)


@pytest.mark.parametrize(("name", "text"), SUITES)
def test_the_test_file_passes(name: str, text: str) -> None:
    policy = layered(SECTIONS[1].files)
    report = run_suite(load_suite(text.encode(), file=name), {policy.agent: policy}, CATALOGUE, {policy.agent: PROJECT})
    assert [(case.found, case.case.effect) for case in report.cases if case.found is not case.case.effect] == []
    assert len(report.cases) == 5


def test_every_option_is_on_the_page() -> None:
    assert [word for word in words("option") if word in OPTIONS] == list(OPTIONS)


def test_the_limits_are_those_of_the_code() -> None:
    for text in (
        f"{MAX_BYTES >> 20} MiB, {MAX_RULES} rules, {MAX_CROSSING_RULES} rules with",
        f"{MAX_PATTERN_CHARS} characters, {MAX_STARS} wildcards",
        f"{MAX_CONDITIONS} conditions of {MAX_OPERANDS} values each, {MAX_APPROVERS} approvers",
        f"one session's scope | {MAX_SCOPE_RULES} rules",
        f"at most {MAX_DESCRIPTION_CHARS} characters",
        f"1 to {MAX_USES}",
    ):
        assert text in PAGE


def test_every_module_is_on_the_page() -> None:
    assert sorted(words("module")) == sorted(path.stem for path in ROOM.glob("*.py") if path.stem != "__init__")


def test_every_tool_is_on_the_page() -> None:
    group: Any = typer.main.get_command(tools)
    assert sorted(words("command")) == sorted(group.commands)


def test_every_library_file_is_on_the_page() -> None:
    shelf = PAGE.partition("## The library")[2].partition("\n## ")[0]
    names = [path.stem for path in (ROOM / "library").rglob("*.yaml") if not path.stem.endswith("_test")]
    assert sorted(set(re.findall(r"`([a-z-]+)`", shelf))) == sorted(names)
