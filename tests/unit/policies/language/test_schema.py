from __future__ import annotations

import json
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies
from connectors.base import permissions_of
from connectors.registry import build_connectors
from policies.conditions.facts import is_session_fact
from policies.document.nodes import to_json
from policies.document.strict_yaml import parse
from policies.errors import LoadError, PolicyError, YamlError
from policies.language.fmt import format_policy
from policies.language.loader import load_policy
from policies.language.options import MAX_TIMEOUT_SECONDS
from policies.language.rule_schema import rule_expression, whole
from policies.language.rule_text import parse_rule
from policies.language.schema import FILE_LAYERS, policy_schema
from policies.model import Effect, Layer
from policies.patterns.pattern import MAX_PATTERN_CHARS
from policies.resources.catalogue import UNCHECKED, Catalogue, build_catalogue
from tests.conformance.policies.corpus import Refusal, questions, refusals
from tests.property.test_fmt import policies as formatted_policies
from tests.unit.policies.language.test_silent_losses import LOSSES

CONNECTORS = build_connectors().values()
CATALOGUE = build_catalogue(
    [each for connector in CONNECTORS for each in connector.resource_types],
    {action: asked for one in CONNECTORS for action, asked in permissions_of(one.operations).items()},
)

FOLDERS = {"policies/guardrails": Layer.GUARDRAIL, "policies/projects": Layer.BOUNDARY}
LIBRARY = Path(policies.__file__).parent / "library"

BEYOND_A_SCHEMA = {
    "a boundary of another project",
    "a minimum above its maximum",
    "a policy of another agent",
    "an address inside a network",
    "an id twice",
    "an unknown variable",
}
"""Texts of the corpus that only the loader can refuse."""


@cache
def validator(layer: Layer | None, *, checked: bool = True) -> Any:
    schema = policy_schema(CATALOGUE if checked else UNCHECKED, layer)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def layer_of(file: str) -> Layer:
    return FOLDERS.get(file.rpartition("/")[0], Layer.AGENT)


def read(text: str) -> Any:
    return to_json(parse(text.encode(), "x.yaml"))


def faults(text: str, layer: Layer | None = Layer.AGENT, *, checked: bool = True) -> list[str]:
    return [error.json_path for error in validator(layer, checked=checked).iter_errors(read(text))]


@pytest.mark.parametrize("layer", [*FILE_LAYERS, None])
@pytest.mark.parametrize("checked", [True, False])
def test_it_is_a_schema_of_its_dialect(layer: Layer | None, checked: bool) -> None:
    assert validator(layer, checked=checked).is_valid({"policies": []})


def test_a_scope_has_no_schema() -> None:
    with pytest.raises(ValueError, match="no file"):
        policy_schema(layer=Layer.SESSION)


FILES = sorted({(name, text) for each in questions() for name, text in each.files.items() if "_test" not in name})


@pytest.mark.parametrize(("file", "text"), FILES)
def test_every_policy_of_the_corpus_is_valid(file: str, text: str) -> None:
    canonical = format_policy(text.encode(), file).decode()
    for layer, checked in product((layer_of(file), None), (True, False)):
        assert faults(canonical, layer, checked=checked) == []


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_policy_of_the_library_is_valid(path: Path) -> None:
    if path.stem.endswith("_test"):
        return
    layer = Layer.GUARDRAIL if path.parent.name == "guardrails" else Layer.AGENT
    assert faults(path.read_text("utf-8"), layer) == []


@pytest.mark.parametrize("each", [each for each in refusals() if each.strict_yaml], ids=lambda each: each.name)
def test_every_refused_text_of_the_corpus_is_invalid(each: Refusal) -> None:
    assert bool(faults(each.text, layer_of(each.file))) == (each.name not in BEYOND_A_SCHEMA)


@pytest.mark.parametrize("loss", LOSSES)
def test_no_approval_is_lost_under_the_eyes_of_an_editor(loss: str) -> None:
    try:
        found = faults(LOSSES[loss][0])
    except YamlError:
        return  # no YAML: the editor says so itself
    assert found


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Layer.AGENT, "agent: a\nagents: [a]\npolicies: []"),
        (Layer.AGENT, "agents: []\npolicies: []"),
        (Layer.AGENT, "agents: ['a**']\npolicies: []"),
        (Layer.AGENT, "project: a\npolicies: []"),
        (Layer.GUARDRAIL, "agent: a\npolicies: []"),
        (Layer.GUARDRAIL, "policies: [git:read on repos/*]"),
        (Layer.GUARDRAIL, "policies: [{allow: git:read on repos/*}]"),
        (Layer.GUARDRAIL, "policies: [{allow: git:read on repos/*, requires_approval: false}]"),
        (Layer.GUARDRAIL, "policies: [{allow: git:read on repos/*, requires_approval: true, max_uses: 3}]"),
        (Layer.GUARDRAIL, "policies: [{allow: git:read on repos/*, requires_approval: true, returns_secrets: true}]"),
        (Layer.BOUNDARY, "policies: [{allow: git:read on repos/*, returns_secrets: true}]"),
        (None, "agent: a\npolicies: [{deny: git:read on repos/*, returns_secrets: true}]"),
        (None, "agent: a\npolicies: [{allow: git:read on repos/*, returns_secrets: 'true'}]"),
        (Layer.BOUNDARY, "agents: ['*']\npolicies: []"),
        (None, "policies: [{allow: git:read on repos/*, requires_approval: yes please}]"),
        (None, "agent: a\npolicies: [{deny: git:read on repos/*, max_uses: 3}]"),
    ],
)
def test_what_another_layer_may_say_is_invalid(layer: Layer | None, text: str) -> None:
    assert faults(text, layer)


@pytest.mark.parametrize("unit", ["s", "m", "h"])
def test_timeouts_are_bounded_as_the_loader_bounds_them(unit: str) -> None:
    limit = MAX_TIMEOUT_SECONDS // {"s": 1, "m": 60, "h": 3600}[unit]
    texts = {f"{number}{unit}" for number in (0, 1, 9, 10, limit - 1, limit, limit + 1, limit * 10, 99, 100, 101)}
    for text in [*texts, f"007{unit}", f"0000001{unit}", f"{unit}"]:
        policy = f"policies: [{{allow: 'x:y on z', requires_approval: true, approval_timeout: '{text}'}}]"
        try:
            load_policy(policy.encode(), file="a.yaml")
            loads = True
        except LoadError:
            loads = False
        assert bool(faults(policy)) != loads, text


@pytest.mark.parametrize("key", ["session.a", "session.a/b.c_d-e", "session.A", "session.", "session.a b"])
def test_labels_of_sessions_are_those_of_conditions(key: str) -> None:
    policy = f"policies: [{{allow: 'x:y on z', when: {{'{key}': v}}}}]"
    assert bool(faults(policy)) != is_session_fact(key)


def accepts(catalogue: Catalogue, rule: str) -> bool:
    schema = {"type": "string", "pattern": whole(rule_expression(catalogue))}
    return bool(jsonschema.Draft202012Validator(schema).is_valid(rule))


def loads(catalogue: Catalogue, rule: str, effect: Effect) -> bool:
    try:
        parse_rule(rule, effect, catalogue)
    except PolicyError:
        return False
    return True


PIECES = st.sampled_from(
    ["repos", "branches", "branchs", "main", "acme", "*", "**", "a*", "*b", "arn", "aws", "s3", "", "data-lake", "tags",
     "${agent.id}", "${project}", "${session.a/b}", "service", "prod-*", "ecs", "bra*", "$", "x"]
)  # fmt: skip
RESOURCES = st.lists(st.tuples(PIECES, st.sampled_from("/:")), min_size=1, max_size=8).map(
    lambda pairs: "".join(piece + separator for piece, separator in pairs)[:-1]
)
NAMES = st.sampled_from(
    ["git:read", "git:push", "git:delete-ref", "s3:GetObject", "s3:PutObject", "s3:ListBucket", "aws:s3:GetObject",
     "git:*", "s3:Get*", "*", "*:read", "ecs:UpdateService", "iam:*", "git:comment", "crm:Read", "aws:iam:Pass*",
     "git:pull", "aws:*", "s3:getObject", "S3:GetObject", "x:**", "aws:x", "git:-x*", "x:-y", "x:a.b", "x:a.*",
     "git:*.b", "git:.x*", "x:.y"]
)  # fmt: skip


@given(st.lists(NAMES, min_size=1, max_size=2), RESOURCES, st.sampled_from(Effect), st.booleans())
def test_a_rule_that_loads_is_never_invalid(names: list[str], resource: str, effect: Effect, checked: bool) -> None:
    rule = f"{','.join(names)} on {resource}"
    catalogue = CATALOGUE if checked else UNCHECKED
    if loads(catalogue, rule, effect):
        assert accepts(catalogue, rule)


@given(formatted_policies(in_order=False))
def test_a_policy_that_loads_is_valid_once_it_is_formatted(text: str) -> None:
    assert faults(format_policy(text.encode(), "bot.yaml").decode(), checked=False) == []


@pytest.mark.parametrize(
    "rule",
    ["git:pull on repos/*", "s3:getObject on data-lake/x", "git:push on repos/*/branchs/main", "git:read on repos/acme",
     "git:push on data-lake/raw/x", "s3:GetObject on arn:aws:ecs:*:*:service/web", "git:read on a/***",
     "git:read on *a*b*c*d*e*f*g*h*i", "git:read on repos/*\n", "git:read  on repos/*", "git:read on repos/* x",
     "deny git:read on repos/*", "x:A on " + "a" * (MAX_PATTERN_CHARS + 1), "x:" + "A" * 127 + " on b", "x:A** on b",
     "aws:* on **", "x:.A on b", "git:.A* on repos/*", "a.b:A on c"],
)  # fmt: skip
def test_rules_no_loader_reads_are_invalid(rule: str) -> None:
    assert not loads(CATALOGUE, rule, Effect.ALLOW)
    assert not accepts(CATALOGUE, rule)


def test_two_stars_in_a_row_are_one_wildcard() -> None:
    rule = "x:A on a**b**c**d**e**f**g**h**"
    assert loads(CATALOGUE, rule, Effect.ALLOW)
    assert accepts(CATALOGUE, rule)


@pytest.mark.parametrize("rule", ["git:read on " + "${a" * 80, "git:push on " + "repos/" * 40, "x:A on " + "*" * 250])
def test_hostile_rules_cost_their_length(rule: str) -> None:
    assert not accepts(CATALOGUE, rule + "\u00a0")


def test_with_all_of_aws_it_stays_small_and_still_knows_the_services_with_types() -> None:
    assert len(CATALOGUE.actions or ()) > 20_000
    assert len(json.dumps(policy_schema(CATALOGUE))) < 200_000
    for rule in ("athena:GetQueryExecution on **", "ec2:Describe* on *", "aws:glue:GetTable,s3:GetObject on **"):
        assert loads(CATALOGUE, rule, Effect.ALLOW)
        assert accepts(CATALOGUE, rule)
    # Names of services without types are left to the loader.
    assert accepts(CATALOGUE, "athena:GetQueryExecutoin on **")
    assert not loads(CATALOGUE, "athena:GetQueryExecutoin on **", Effect.ALLOW)
    for rule in (
        "iam:GetRoel on **",
        "s3:GetObject,s3:GetObjct on **",
        "s3:GetObject, on x",
        "ecs:UpdateService on a/b/c",
    ):
        assert not accepts(CATALOGUE, rule)
