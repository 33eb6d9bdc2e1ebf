from __future__ import annotations

import pytest

from policies.conditions.moments import parse_moment
from policies.errors import Finding, LoadError, YamlError
from policies.language.loader import load_policy
from policies.language.options import (
    DEFAULT_CHANNEL,
    DEFAULT_TIMEOUT_SECONDS,
    MAX_APPROVERS,
    MAX_DESCRIPTION_CHARS,
    MAX_USES,
    OPTIONS,
)
from policies.model import ApprovalTerms, Assurance, Effect, Layer, Rule

ASKS = "    requires_approval: true\n"
GOOD = {
    "id": "x",
    "description": "why",
    "returns_secrets": "true",
    "requires_approval": "true",
    "approval_channel": "ops",
    "approval_timeout": "5m",
    "approvers": "[alice, bob]",
    "assurance": "web",
    "when": "{project: shop}",
    "until": '"2027-01-31T18:00:00Z"',
    "max_uses": "3",
}


def load(options: str, *, word: str = "allow", layer: Layer = Layer.AGENT) -> Rule:
    text = f"policies:\n  - {word}: git:read on repos/acme/app\n{options}"
    return load_policy(text.encode(), file="policies/a.yaml", layer=layer).rules[0]


def fault(options: str, *, word: str = "allow", layer: Layer = Layer.AGENT) -> Finding:
    with pytest.raises((LoadError, YamlError)) as caught:
        load(options, word=word, layer=layer)
    return caught.value.findings[0]


def test_every_option_has_a_good_example_here() -> None:
    assert tuple(GOOD) == OPTIONS


@pytest.mark.req("P1")
def test_all_options_together_are_read() -> None:
    rule = load("".join(f"    {name}: {value}\n" for name, value in GOOD.items()))
    assert rule.approval == ApprovalTerms("ops", 300, ("alice", "bob"), Assurance.WEB)
    assert (rule.effect, rule.id, rule.description) == (Effect.REQUIRE_APPROVAL, "x", "why")
    assert (rule.until_ns, rule.max_uses) == (parse_moment("2027-01-31T18:00:00Z"), 3)
    assert rule.returns_secrets
    assert [condition.key for condition in rule.conditions] == ["project"]
    assert rule.text == "git:read on repos/acme/app"


def test_a_rule_without_options_has_the_usual_ones() -> None:
    rule = load("")
    assert (rule.approval, rule.description, rule.conditions, rule.until_ns, rule.max_uses) == (None, "", (), 0, 0)
    assert load(ASKS).approval == ApprovalTerms(DEFAULT_CHANNEL, DEFAULT_TIMEOUT_SECONDS, (), Assurance.CHAT)


@pytest.mark.parametrize("name", ["approval_channel", "approval_timeout", "approvers", "assurance"])
@pytest.mark.parametrize("before", ["", "    requires_approval: false\n"])
def test_words_about_an_approval_nobody_gives_are_refused(name: str, before: str) -> None:
    found = fault(f"{before}    {name}: {GOOD[name]}\n")
    assert f"`{name}` without `requires_approval: true`" in found.message
    assert found.line == 3 + bool(before)


@pytest.mark.parametrize(
    ("option", "column", "words", "fix"),
    [
        ("approvers: alice", 16, "must be a list", ""),
        ("approvers: []", 16, "1 to 64 entries, found 0", ""),
        ("approvers:", 15, "must be a list, found nothing", ""),
        ("approvers: [Alice]", 17, "does not fit: `Alice`", "names under `operators:`"),
        ("approvers: [true]", 17, "must be text", ""),
        ("approvers: [alice, alice]", 24, "`alice` stands twice", ""),
        (f"approvers: [{', '.join(f'a{n}' for n in range(MAX_APPROVERS + 1))}]", 16, "found 65", ""),
        ("assurance: passky", 16, "unknown assurance `passky`", "did you mean `passkey`?"),
        ("assurance: xyz", 16, "unknown assurance `xyz`", "write one of `chat`, `web`, `passkey`"),
        ('assurance: ""', 16, "unknown assurance", ""),
        ("assurance:", 15, "must be text, found nothing", ""),
        ("assurance: [web]", 16, "must be text, found a list", ""),
        ("until: 2027-01-31", 12, "different things", ""),
        ("until: 2027-01-31T18:00:00Z", 12, "different things", ""),
        ('until: "2027-01-31"', 12, "must be a moment", "2027-01-31T18:00:00Z"),
        ('until: "2027-01-31T18:00:00"', 12, "must be a moment", ""),
        ('until: "2027-02-30T18:00:00Z"', 12, "must be a moment", ""),
        ('until: "1970-01-01T00:00:00Z"', 12, "must be a moment", ""),
        ('until: ""', 12, "must be a moment", ""),
        ("until:", 11, "must be text, found nothing", ""),
        ("until: 5", 12, "must be text", ""),
        ("max_uses: 0", 15, "1 to 1000000, found 0", ""),
        ("max_uses: -1", 15, "1 to 1000000, found -1", ""),
        (f"max_uses: {MAX_USES + 1}", 15, "found 1000001", ""),
        ("max_uses: true", 15, "must be a whole number, found `true`", ""),
        ('max_uses: "3"', 15, "must be a whole number", ""),
        ("max_uses:", 14, "must be a whole number, found nothing", ""),
        ('returns_secrets: "true"', 22, "must be true or false", "unquoted"),
        ("returns_secrets:", 21, "must be true or false, found nothing", ""),
        ("when:", 10, "holds no condition", ""),
        ("when: {projekt: x}", 12, "unknown key `projekt`", "did you mean `project`?"),
        ("id: A", 9, "`id` does not fit", ""),
        ('id: ""', 9, "`id` does not fit", ""),
        (f"description: {'x' * (MAX_DESCRIPTION_CHARS + 1)}", 18, "more than 500", ""),
        ("approval_channel: Ops", 23, "does not fit", "`channels:`"),
    ],
)
def test_each_fault_of_an_option_has_its_place_and_its_fix(option: str, column: int, words: str, fix: str) -> None:
    found = fault(f"{ASKS}    {option}\n")
    assert (found.line, found.column) == (4, column)
    assert words in found.message
    assert fix in found.fix


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("requires_approval: true", "a deny rule asks nobody"),
        ("requires_approval: false", "a deny rule asks nobody"),
        ("approvers: [alice]", "without `requires_approval: true`"),
        ("max_uses: 3", "a deny rule grants nothing"),
        ("returns_secrets: true", "a deny rule forbids secrets"),
        ("returns_secrets: false", "a deny rule forbids secrets"),
    ],
)
def test_a_denial_takes_no_words_about_granting(option: str, words: str) -> None:
    assert words in fault(f"    {option}\n", word="deny").message


def test_a_denial_takes_conditions_and_an_end() -> None:
    rule = load('    when: {project: shop}\n    until: "2027-01-31T18:00:00Z"\n', word="deny")
    assert (len(rule.conditions), rule.until_ns > 0) == (1, True)


@pytest.mark.parametrize("layer", [Layer.GUARDRAIL, Layer.BOUNDARY])
@pytest.mark.parametrize("value", ["true", "false"])
def test_only_the_rule_of_an_agent_speaks_of_secrets(layer: Layer, value: str) -> None:
    assert "only an agent's own rule" in fault(f"{ASKS}    returns_secrets: {value}\n", layer=layer).message
    assert load(f"{ASKS}    returns_secrets: {value}\n").returns_secrets is (value == "true")


def test_a_guardrail_counts_no_uses() -> None:
    assert "must not run out" in fault(f"{ASKS}    max_uses: 3\n", layer=Layer.GUARDRAIL).message
    assert load(ASKS, layer=Layer.GUARDRAIL).effect is Effect.REQUIRE_APPROVAL


@pytest.mark.parametrize("uses", [1, MAX_USES])
def test_uses_are_counted_from_one_to_a_million(uses: int) -> None:
    assert load(f"    max_uses: {uses}\n").max_uses == uses


@pytest.mark.parametrize("assurance", list(Assurance))
def test_every_assurance_can_be_asked_for(assurance: Assurance) -> None:
    terms = load(f"{ASKS}    assurance: {assurance}\n").approval
    assert terms is not None
    assert terms.assurance is assurance
