from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import policies
from connectors.base import permissions_of, secret_operations_of
from connectors.registry import build_connectors
from policies.engine import compile_policy
from policies.language.fmt import format_policy
from policies.language.loader import LoadedPolicy, load_policy, merge
from policies.layers import LayeredPolicy, compile_layers
from policies.model import Effect, Layer
from policies.resources.catalogue import build_catalogue
from policies.suites.run import coverage, run_suite
from policies.suites.suite import Suite, load_suite

LIBRARY = Path(policies.__file__).parent / "library"
PATHS = sorted(path for path in LIBRARY.rglob("*.yaml") if not path.name.endswith("_test.yaml"))
PACKS = [path for path in PATHS if path.parent.name == "guardrails"]
CONNECTORS = build_connectors().values()
CATALOGUE = build_catalogue(
    [each for connector in CONNECTORS for each in connector.resource_types],
    {action: asked for one in CONNECTORS for action, asked in permissions_of(one.operations).items()},
    [name for one in CONNECTORS for name in secret_operations_of(one.operations)],
)


def file_of(path: Path) -> str:
    """Return the name a file has once it is copied into a configuration folder."""
    return f"policies/{path.relative_to(LIBRARY).as_posix()}"


def load(path: Path) -> LoadedPolicy:
    layer = Layer.GUARDRAIL if path in PACKS else Layer.AGENT
    return load_policy(path.read_bytes(), file=file_of(path), layer=layer, catalogue=CATALOGUE)


def suite(path: Path) -> Suite:
    tests = path.with_name(f"{path.stem}_test.yaml")
    return load_suite(tests.read_bytes(), file=file_of(tests))


def alone(path: Path) -> dict[str, LayeredPolicy]:
    """Return what decides where one file of the library is all there is."""
    policy = load(path).policy
    agent = policy.agent or "bot"
    return {agent: compile_layers(agent, (compile_policy(policy),))}


def everything() -> dict[str, LayeredPolicy]:
    """Return what decides where the whole library was copied."""
    guardrails = compile_policy(merge([load(path) for path in PACKS], "", Layer.GUARDRAIL))
    own = [load(path).policy for path in PATHS if path not in PACKS]
    return {each.agent: compile_layers(each.agent, (guardrails, compile_policy(each))) for each in own}


def test_the_library_holds_the_policies_that_were_promised() -> None:
    assert {path.stem for path in PATHS if path not in PACKS} == {
        "break-glass", "ci-runner", "code-reviewer", "read-only", "support-bot",
    }  # fmt: skip
    assert {path.stem for path in PACKS} == {
        "borrowed-powers", "customer-data", "iam-changes", "migrations", "money", "production-deploys",
        "repository-safety", "secret-returning", "secret-rotation",
    }  # fmt: skip


def test_the_library_holds_nothing_but_policies_and_their_tests() -> None:
    tests = {path.with_name(f"{path.stem}_test.yaml") for path in PATHS}
    assert {path for path in LIBRARY.rglob("*") if path.is_file()} == {*PATHS, *tests}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_each_file_says_first_what_it_is_for(path: Path) -> None:
    first = path.read_text("utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith(".")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_each_file_is_in_its_canonical_form(path: Path) -> None:
    data = path.read_bytes()
    assert format_policy(data, path.name) == data


@pytest.mark.req("P1")
@pytest.mark.req("P3")
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_each_file_answers_its_own_tests(path: Path) -> None:
    report = run_suite(suite(path), alone(path), CATALOGUE, {})
    assert report.cases
    assert [result.to_json() for result in report.failures] == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_tests_of_each_file_touch_every_rule(path: Path) -> None:
    policies_alone = alone(path)
    report = run_suite(suite(path), policies_alone, CATALOGUE, {})
    assert [str(each.rule.span) for each in coverage([report], policies_alone) if not each.tested] == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_each_file_still_answers_its_tests_where_the_whole_library_is_in_force(path: Path) -> None:
    report = run_suite(suite(path), everything(), CATALOGUE, {})
    assert [result.to_json() for result in report.failures] == []


def test_no_two_packs_use_the_same_id_so_that_a_test_may_name_one() -> None:
    ids = Counter(rule.id for path in PACKS for rule in load(path).rules)
    assert [rule_id for rule_id, count in ids.items() if count > 1] == []


def test_nothing_in_a_pack_grants() -> None:
    assert Effect.ALLOW not in {rule.effect for path in PACKS for rule in load(path).rules}
