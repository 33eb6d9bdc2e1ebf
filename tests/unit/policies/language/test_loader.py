from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.document.nodes import MAX_TEXTS
from policies.errors import Finding, LoadError, PolicyError, YamlError
from policies.language.loader import (
    MAX_CROSSING_RULES,
    MAX_RULES,
    LoadedPolicy,
    load_policy,
)
from policies.language.options import DEFAULT_CHANNEL, DEFAULT_TIMEOUT_SECONDS
from policies.model import ApprovalTerms, Effect, ResourceType, Rule
from policies.resources.catalogue import build_catalogue

CATALOGUE = build_catalogue(
    [
        ResourceType("git/repository", "repos/{repo=*/*}", ("git:read",)),
        ResourceType("git/branch", "repos/{repo=*/*}/branches/{branch=**}", ("git:push",)),
        ResourceType("git/pull-request", "repos/{repo=*/*}/pull-requests/{number}", ("git:comment",)),
        ResourceType(
            "s3/object",
            "arn:{partition}:s3:::{bucket}/{key=**}",
            ("s3:GetObject",),
            short_forms=("{bucket}/{key=**}",),
            defaults={"partition": "aws"},
        ),
    ],
    {name: (name,) for name in ("git:read", "git:push", "s3:GetObject")},
)

BRIEF = """\
policies:
  - git:read on repos/*
  - git:comment on repos/*/pull-requests/*
  - git:push on repos/*/branches/feature/*
  - s3:GetObject on data-lake/raw/*
  - aws:ecs:UpdateService on arn:aws:ecs:*:*:service/staging-*
  - aws:ecs:UpdateService on arn:aws:ecs:*:*:service/prod-*
    requires_approval: true
    approval_channel: slack:#deploy-approvals
    approval_timeout: 60m
  - llm:InvokeModel on models/anthropic/claude-*
"""


def load(text: str, file: str = "policies/ci-runner.yaml") -> LoadedPolicy:
    return load_policy(text.encode(), file=file, catalogue=CATALOGUE)


def rules(text: str) -> tuple[Rule, ...]:
    return load(text).policy.rules


def faults(text: str) -> list[Finding]:
    with pytest.raises((LoadError, YamlError)) as caught:
        load(text)
    return list(caught.value.findings)


@pytest.mark.req("P1")
def test_the_form_of_the_brief_loads_as_it_is_printed() -> None:
    loaded = load(BRIEF)
    assert loaded.policy.agent == "ci-runner"
    found = [(rule.effect, rule.actions, rule.resources, rule.span.line) for rule in loaded.policy.rules]
    assert found == [
        (Effect.ALLOW, ("git:read",), ("repos/*/*",), 2),
        (Effect.ALLOW, ("git:comment",), ("repos/*/*/pull-requests/*",), 3),
        (Effect.ALLOW, ("git:push",), ("repos/*/*/branches/feature/*",), 4),
        (Effect.ALLOW, ("s3:GetObject",), ("arn:aws:s3:::data-lake/raw/*",), 5),
        (Effect.ALLOW, ("ecs:UpdateService",), ("arn:aws:ecs:*:*:service/staging-*",), 6),
        (Effect.REQUIRE_APPROVAL, ("ecs:UpdateService",), ("arn:aws:ecs:*:*:service/prod-*",), 7),
        (Effect.ALLOW, ("llm:InvokeModel",), ("models/anthropic/claude-*",), 11),
    ]
    assert loaded.policy.rules[5].approval == ApprovalTerms("slack:#deploy-approvals", 3600)
    notices = [str(notice) for notice in loaded.notices]
    assert len(notices) == 5
    assert notices[2] == (
        "policies/ci-runner.yaml:7:1: options under a bare rule are not YAML; 1 read as `- allow: RULE` with options "
        "(write `- allow: RULE`)"
    )


def test_the_canonical_form_loads_without_a_notice_of_its_form() -> None:
    text = "version: 1\nagent: ci-runner\npolicies:\n  - allow: git:push on repos/*\n    requires_approval: true\n"
    loaded = load(text)
    assert loaded.notices == ()
    assert loaded.policy.rules[0].approval == ApprovalTerms(DEFAULT_CHANNEL, DEFAULT_TIMEOUT_SECONDS)


def test_a_list_of_rules_shares_its_options() -> None:
    found = rules(
        "policies:\n  - allow: [git:read on repos/a/*, git:push on repos/a/*]\n    id: team-a\n"
        "    description: Team A's own\n    requires_approval: true\n    approval_timeout: 90s\n"
    )
    assert [rule.id for rule in found] == ["team-a", "team-a.2"]
    assert {rule.approval for rule in found} == {ApprovalTerms("approvals", 90)}
    assert {rule.description for rule in found} == {"Team A's own"}
    assert [rule.span.column for rule in found] == [13, 36]


def test_a_rule_may_name_several_actions() -> None:
    assert rules("policies: ['git:read,git:push,git:read on repos/*']")[0].actions == ("git:read", "git:push")


def test_denials_are_written_bare_or_as_a_mapping() -> None:
    found = rules("policies:\n  - deny git:push on repos/*\n  - deny: git:read on repos/*\n    id: no-read\n")
    assert [(rule.effect, rule.id) for rule in found] == [(Effect.DENY, "ci-runner-L2"), (Effect.DENY, "no-read")]


def test_ids_are_unique_even_on_one_line() -> None:
    found = rules("policies: [git:read on repos/a/b, git:push on repos/a/*]")
    assert [rule.id for rule in found] == ["ci-runner-L1", "ci-runner-L1.2"]


def test_an_empty_list_is_a_policy_that_denies_everything() -> None:
    assert rules("policies: []") == ()


def test_an_explicit_false_asks_nobody() -> None:
    assert rules("policies: [{allow: git:read on repos/*, requires_approval: false}]")[0].effect is Effect.ALLOW


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("60m", 3600), ("24h", 86400), ("168h", 604800)])
def test_timeouts_have_a_unit(text: str, seconds: int) -> None:
    found = rules(f"policies: [{{allow: git:read on repos/*, requires_approval: true, approval_timeout: {text}}}]")
    assert found[0].approval == ApprovalTerms("approvals", seconds)


@pytest.mark.parametrize(
    "value", ["0s", "60", "1d", "169h", "1:30", "'1:30'", "-5m", "5 m", "1.5h", "'60m '", "9999999s", "", "[5m]", "5M"]
)
def test_other_timeouts_are_refused(value: str) -> None:
    found = faults(
        f"policies:\n  - allow: git:read on repos/*\n    requires_approval: true\n    approval_timeout: {value}\n"
    )
    assert found[0].line == 4


@pytest.mark.parametrize(
    ("text", "line", "column", "words", "fix"),
    [
        ("policies: []\nagnet: x\n", 2, 1, "unknown key `agnet`", "did you mean `agent`?"),
        ("version: 2\npolicies: []\n", 1, 10, "this build reads version 1", "write `version: 1`"),
        ("version: '1'\npolicies: []\n", 1, 10, "this build reads version 1", ""),
        ("version: true\npolicies: []\n", 1, 10, "this build reads version 1", ""),
        ("agent: other\npolicies: []\n", 1, 8, "named for `ci-runner`", "rename the file to `other.yaml`"),
        ("agent: Other\npolicies: []\n", 1, 8, "does not fit", ""),
        ("agent: no\npolicies: []\n", 1, 8, "means different things", ""),
        ("version: 1\n", 1, 1, "has no `policies`", ""),
        ("", 1, 1, "has no `policies`", ""),
        ("[]", 1, 1, "must be a mapping", ""),
        ("policies:\n", 1, 10, "must be a list, found nothing", ""),
        ("policies: git:read on repos/*\n", 1, 11, "must be a list", ""),
        ("policies:\n  - 5\n", 2, 5, "a rule must be text", ""),
        ("policies:\n  -\n", 2, 4, "a rule must be text, found nothing", ""),
        ("policies:\n  - {}\n", 2, 5, "an empty rule", ""),
        ("policies:\n  - git:read\n", 2, 5, "not a rule", "write `action on resource`"),
        ("policies:\n  - git:read repos/*\n", 2, 5, "not a rule", ""),
        ("policies:\n  - git:read to repos/*\n", 2, 5, "not a rule", ""),
        ("policies:\n  - git:read on repos/* now\n", 2, 25, "more text after the resource", ""),
        ("policies:\n  - git:read  on repos/*\n", 2, 13, "a space too many", ""),
        ("policies:\n  - 'git:read on repos/* '\n", 2, 5, "a space too many", ""),
        ("policies:\n  - allow git:read on repos/*\n", 2, 5, "allows already", "leave out the word `allow`"),
        ("policies:\n  - deny deny git:read on repos/*\n", 2, 10, "not a rule", ""),
        ("policies:\n  - allow: deny git:read on repos/*\n", 2, 12, "`deny` stands twice", ""),
        ("policies:\n  - deny: deny git:read on repos/*\n", 2, 11, "`deny` stands twice", ""),
        ("policies:\n  - git:pull on repos/*\n", 2, 5, "unknown action `git:pull`", "did you mean `git:push`?"),
        ("policies:\n  - git:read,git:pull on repos/*\n", 2, 14, "unknown action `git:pull`", ""),
        ("policies:\n  - deny git:pull on repos/*\n", 2, 10, "unknown action `git:pull`", ""),
        ("policies:\n  - git:read on acme/app\n", 2, 17, "`acme/app`", ""),
        ("policies:\n  - git:read on " + "repos/" + "a" * 300 + "/*\n", 2, 17, "256 characters", ""),
        ("policies:\n  - allow: git:read on repos/*\n    deny: git:push on repos/*\n", 3, 5, "not both", ""),
        ("policies:\n  - allow: git:read on repos/*\n    aprovers: [x]\n", 3, 5, "unknown key `aprovers`", ""),
        ("policies:\n  - alow: git:read on repos/*\n", 2, 5, "unknown key `alow`", "did you mean `allow`?"),
        ("policies:\n  - allow: []\n", 2, 12, "`allow` has no rule", ""),
        ("policies:\n  - allow: [[git:read on repos/*]]\n", 2, 13, "a rule must be text", ""),
        ("policies:\n  - git:read on repos/*:\n      id: x\n", 2, 5, "a rule is no key", "write `- allow: RULE`"),
        ("policies:\n  - deny git:read on repos/*:\n    id: x\n", 2, 5, "a rule is no key", "write `- deny: RULE`"),
        ("policies:\n  - {allow: git:read on repos/*, id: a}\n  - {deny: git:push on repos/*, id: a}\n", 3, 12,
         "the id `a` stands twice", "line 2"),
        ("policies:\n  - {deny: git:read on repos/*, requires_approval: true}\n", 2, 52, "a deny rule asks nobody", ""),
        ("agent: ci-runner\nagents: [ci-*]\npolicies: []\n", 1, 8, "`agent` or `agents`, not both", "delete one"),
        ("agents: []\npolicies: []\n", 1, 9, "1 to 64 entries, found 0", ""),
        ("agents: ci-*\npolicies: []\n", 1, 9, "must be a list", ""),
        ("agents: [CI]\npolicies: []\n", 1, 10, "does not fit: `CI`", "`*`"),
        ("agents: ['ci**']\npolicies: []\n", 1, 10, "does not fit: `ci**`", ""),
        ("agents: [a, b, a]\npolicies: []\n", 1, 16, "`a` stands twice", ""),
        (f"agents: [{', '.join(f'a{n}' for n in range(MAX_TEXTS + 1))}]\npolicies: []\n", 1, 9, "found 65", ""),
        ("project: shop\npolicies: []\n", 1, 1, "unknown key `project`", ""),
    ],
)  # fmt: skip
def test_each_fault_has_its_place_and_its_fix(text: str, line: int, column: int, words: str, fix: str) -> None:
    found = faults(text)[0]
    assert (found.line, found.column) == (line, column)
    assert words in found.message
    assert fix in found.fix


def test_all_faults_of_a_file_are_told_at_once() -> None:
    text = "policies:\n  - git:pull on repos/*\n  - git:read\n  - s3:GetObjct on data/*\n"
    assert [(found.line, found.column) for found in faults(text)] == [(2, 5), (3, 5), (4, 5)]


def test_faults_and_rules_of_a_repaired_line_keep_their_columns() -> None:
    text = "policies:\n  - git:pull on repos/*\n    id: a\n  - deny git:push on acme\n    id: b\n"
    assert [(found.line, found.column) for found in faults(text)] == [(2, 5), (4, 22)]
    good = "policies:\n  - git:push on repos/*\n    requires_approval: true\n"
    assert rules(good)[0].span.column == 5


def test_numbers_of_rules_and_of_crossing_rules_are_bounded() -> None:
    many = "policies:\n" + "  - git:read on repos/*\n" * (MAX_RULES + 1)
    assert f"more than {MAX_RULES} rules" in faults(many)[0].message
    crossing = "policies:\n" + "  - x:y on a/**/b\n" * (MAX_CROSSING_RULES + 1)
    assert "inner `**`" in faults(crossing)[0].message
    assert len(rules("policies:\n" + "  - x:y on a/**/b\n" * MAX_CROSSING_RULES)) == MAX_CROSSING_RULES


def test_the_version_changes_with_everything_a_decision_or_its_words_depend_on() -> None:
    texts = [
        "policies:\n  - git:read on repos/*\n",
        "policies:\n\n  - git:read on repos/*\n",
        "policies:\n  - git:read on repos/a/*\n",
        "policies:\n  - deny git:read on repos/*\n",
        "policies:\n  - {allow: git:read on repos/*, requires_approval: true}\n",
        "policies:\n  - {allow: git:read on repos/*, requires_approval: true, approval_timeout: 5m}\n",
        "policies:\n  - {allow: git:read on repos/*, id: a}\n",
    ]
    versions = {load(text).policy.version for text in texts} | {load(texts[0], "policies/other.yaml").policy.version}
    assert len(versions) == len(texts) + 1
    assert load(texts[0]).policy.version == load(texts[0]).policy.version


def test_many_rules_on_one_line_cost_their_number_only() -> None:
    found = rules(f"policies: [{', '.join(['git:read on repos/*'] * 5_000)}]")
    assert len({rule.id for rule in found}) == 5_000
    assert found[-1].id == "ci-runner-L1.5000"


def test_letters_that_may_look_like_others_are_a_notice() -> None:
    notices = load("policies:\n  - s3:GetObject on data/r\u00e9sum\u00e9/*\n").notices
    assert [(notice.line, notice.column) for notice in notices] == [(2, 21)]
    assert "may look like others" in notices[0].message


def test_a_limit_of_uses_without_an_id_is_a_notice() -> None:
    text = "policies:\n  - allow: git:read on repos/*\n    max_uses: 3\n"
    notice = load(text).notices[0]
    assert (notice.line, notice.column) == (2, 12)
    assert "counted anew" in notice.message
    assert load(text + "    id: x\n").notices == ()


def test_without_a_catalogue_names_are_not_checked() -> None:
    loaded = load_policy(b"policies: [git:anything on repos/*]", file="a.yaml")
    assert loaded.notices == ()


@given(st.text(alphabet="gitpush:on repos/*-,#'\"\n {}[]!&denyalow\u00a0\u200b", max_size=80))
def test_any_text_loads_or_is_refused(text: str) -> None:
    try:
        loaded = load("policies:\n  - " + text)
    except PolicyError:
        return
    assert all(rule.effect is not Effect.REQUIRE_APPROVAL for rule in loaded.policy.rules)
