"""What files of each layer may say, the scopes of sessions, and how files become one policy."""

from __future__ import annotations

import pytest

from policies.errors import LoadError
from policies.language.loader import MAX_SCOPE_RULE_CHARS, MAX_SCOPE_RULES, LoadedPolicy, load_policy, load_scope, merge
from policies.model import Effect, Layer
from policies.patterns.pattern import compile_pattern
from tests.unit.policies.language.test_loader import CATALOGUE, load


@pytest.mark.parametrize("agents", [("ci-*",), ("a", "b*"), ("*",)])
def test_a_policy_of_several_agents_may_have_any_name(agents: tuple[str, ...]) -> None:
    names = ", ".join(f"'{name}'" for name in agents)
    loaded = load(f"agents: [{names}]\npolicies: [git:read on repos/*]\n", "policies/Team A.yaml")
    assert loaded.agents == agents
    with pytest.raises(ValueError, match="several agents"):
        _ = loaded.policy


def test_a_policy_of_one_named_agent_is_its_policy() -> None:
    assert load("agents: [bot]\npolicies: []\n", "policies/team.yaml").policy.agent == "bot"
    assert load("policies: []\n").agents == ("ci-runner",)


@pytest.mark.parametrize("file", ["policies/*.yaml", "policies/CI.yaml", "policies/ci runner.yaml"])
def test_a_file_whose_name_no_agent_has_must_name_its_agents(file: str) -> None:
    with pytest.raises(LoadError, match="no agent can be called"):
        load("policies: [git:read on repos/*]\n", file)


def guardrail(text: str, file: str = "policies/guardrails/keys.yaml") -> LoadedPolicy:
    return load_policy(text.encode(), file=file, layer=Layer.GUARDRAIL, catalogue=CATALOGUE)


def test_a_guardrail_forbids_and_asks() -> None:
    text = "policies:\n  - deny git:push on repos/*\n  - allow: git:read on repos/*\n    requires_approval: true\n"
    loaded = guardrail(text)
    assert (loaded.layer, loaded.agents) == (Layer.GUARDRAIL, ("*",))
    assert [rule.effect for rule in loaded.rules] == [Effect.DENY, Effect.REQUIRE_APPROVAL]
    assert (loaded.policy.agent, loaded.policy.layer) == ("", Layer.GUARDRAIL)
    assert guardrail("agents: [ci-*, bot]\n" + text).agents == ("ci-*", "bot")


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("policies:\n  - git:read on repos/*\n", 2, 5, "only forbids and asks"),
        ("policies:\n  - allow: git:read on repos/*\n    id: x\n", 2, 12, "only forbids and asks"),
        ("policies:\n  - {allow: git:read on repos/*, requires_approval: false}\n", 2, 13, "only forbids and asks"),
        ("agent: keys\npolicies: []\n", 1, 1, "unknown key `agent`"),
        ("project: keys\npolicies: []\n", 1, 1, "unknown key `project`"),
    ],
)
def test_a_guardrail_grants_nothing_and_speaks_of_no_single_agent(
    text: str, line: int, column: int, words: str
) -> None:
    with pytest.raises(LoadError) as caught:
        guardrail(text)
    found = caught.value.findings[0]
    assert (found.line, found.column) == (line, column)
    assert words in found.message


def boundary(text: str) -> LoadedPolicy:
    return load_policy(text.encode(), file="policies/projects/shop.yaml", layer=Layer.BOUNDARY, catalogue=CATALOGUE)


def test_a_boundary_is_named_for_its_project() -> None:
    loaded = boundary("version: 1\nproject: shop\npolicies: [git:read on repos/*, deny git:push on repos/*]\n")
    assert (loaded.layer, loaded.agents, loaded.policy.agent) == (Layer.BOUNDARY, ("*",), "")
    assert [rule.effect for rule in loaded.rules] == [Effect.ALLOW, Effect.DENY]
    for text, words in [
        ("project: other\npolicies: []\n", "named for `shop` and speaks of `other`"),
        ("agent: shop\npolicies: []\n", "unknown key `agent`"),
        ("agents: ['*']\npolicies: []\n", "unknown key `agents`"),
    ]:
        with pytest.raises(LoadError, match=words):
            boundary(text)


def test_a_scope_is_a_list_of_plain_rules() -> None:
    found = load_scope(["git:read on repos/acme/*", "deny git:push on repos/*/branches/main"], CATALOGUE)
    assert [(rule.effect, rule.id, str(rule.span)) for rule in found] == [
        (Effect.ALLOW, "scope-L1", "scope:1"),
        (Effect.DENY, "scope-L2", "scope:2"),
    ]
    assert found[1].resources == ("repos/*/*/branches/main",)
    assert load_scope([]) == ()


@pytest.mark.parametrize(
    ("rules", "line", "column", "words"),
    [
        (["git:read on repos/*", "git:pull on repos/*"], 2, 1, "unknown action `git:pull`"),
        (["deny git:pull on repos/*"], 1, 6, "unknown action `git:pull`"),
        ([""], 1, 1, "a space too many"),
        (["git:read on repos/*\n"], 1, 20, "only looks like a space"),
        (["allow: git:read on repos/*"], 1, 1, "not a rule"),
        (["git:read on repos/*"] * (MAX_SCOPE_RULES + 1), MAX_SCOPE_RULES + 1, 1, "at most 64 rules, found 65"),
        (["git:read on " + "x" * MAX_SCOPE_RULE_CHARS], 1, 1, "at most 1024 characters"),
    ],
)
def test_each_fault_of_a_scope_has_the_number_of_its_rule(rules: list[str], line: int, column: int, words: str) -> None:
    with pytest.raises(LoadError) as caught:
        load_scope(rules, CATALOGUE)
    found = caught.value.findings[0]
    assert (found.file, found.line, found.column) == ("scope", line, column)
    assert words in found.message


def test_files_of_one_agent_are_one_policy_in_any_order() -> None:
    one = load("agents: [ci-*]\npolicies:\n  - {allow: git:read on repos/*, id: read}\n", "policies/a.yaml")
    two = load("policies:\n  - {allow: git:push on repos/*, id: read}\n  - {deny: git:read on repos/a/*, id: x}\n")
    policy = merge([two, one], "ci-runner", Layer.AGENT)
    assert policy == merge([one, two], "ci-runner", Layer.AGENT)
    assert [rule.id for rule in policy.rules] == ["a.read", "ci-runner.read", "x"]
    assert (policy.agent, policy.layer) == ("ci-runner", Layer.AGENT)
    assert policy.version != two.policy.version


def test_ids_that_clash_even_with_their_files_are_numbered() -> None:
    text = (
        "agents: [a]\npolicies:\n  - {allow: git:read on repos/*, id: read}\n  - {deny: git:push on repos/*, id: %s}\n"
    )
    files = [load(text % "b.read", "x/b.yaml"), load(text % "c", "y/b.yaml")]
    assert [rule.id for rule in merge(files, "a", Layer.AGENT).rules] == ["b.read.2", "b.read", "b.read.3", "c"]


def test_an_agent_without_a_file_may_do_nothing() -> None:
    assert merge((), "bot", Layer.AGENT).rules == ()


def test_files_of_different_layers_are_never_merged() -> None:
    with pytest.raises(ValueError, match="several layers"):
        merge([guardrail("policies: []")], "bot", Layer.AGENT)


@pytest.mark.parametrize("glob", ["ci-*", "*-bot", "a*b", "bot"])
def test_globs_of_agents_are_patterns_of_names(glob: str) -> None:
    loaded = load(f"agents: ['{glob}']\npolicies: []\n")
    matches = compile_pattern(loaded.agents[0]).matches
    assert [bool(matches(name)) for name in ("ci-x", "x-bot", "ab", "a-long-b", "bot", "other")] == [
        glob == "ci-*", glob == "*-bot", glob == "a*b", glob == "a*b", glob == "bot", False,
    ]  # fmt: skip
