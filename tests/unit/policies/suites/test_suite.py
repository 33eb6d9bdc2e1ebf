from __future__ import annotations

import json

import pytest

from policies.engine import compile_policy
from policies.errors import LoadError, YamlError
from policies.language.loader import load_policy
from policies.layers import LayeredPolicy, compile_layers
from policies.model import Effect, Layer, ResourceType
from policies.resources.catalogue import UNCHECKED, Catalogue, build_catalogue
from policies.suites.run import Report, coverage, run_suite
from policies.suites.suite import BESIDE, MAX_CASES, Suite, load_suite

NOW_NS = 1_795_176_000_000_000_000  # 2026-11-20T12:00:00Z

POLICY = """\
policies:
  - git:read on repos/*
  - allow: git:push on repos/*/branches/main
    id: gate
    requires_approval: true
    when: {source_ip: 10.0.0.0/8}
  - allow: s3:GetObject on data-lake/${project}/*
    id: own
    until: "2026-12-01T00:00:00Z"
  - allow: s3:DeleteObject on scratch/*
    id: thrice
    max_uses: 3
  - deny s3:* on arn:aws:s3:::vault/*
"""
GUARDRAIL = """\
policies:
  - deny git:push on repos/*/branches/main
  - allow: git:push on repos/*/branches/release
    id: release
    requires_approval: true
"""
TYPES = (
    ResourceType("git/repository", "repos/{repo=*/*}", ("git:read",)),
    ResourceType("git/branch", "repos/{repo=*/*}/branches/{branch=**}", ("git:push",)),
    ResourceType("s3/object", "arn:{partition}:s3:::{bucket}/{key=**}", ("s3:*Object",), ("{bucket}/{key=**}",),
                 {"partition": "aws"}),
)  # fmt: skip
CATALOGUE = build_catalogue(
    TYPES,
    {
        "git:read": ["git:read"],
        "git:push": ["git:push"],
        "s3:GetObject": ["s3:GetObject"],
        "s3:DeleteObject": ["s3:DeleteObject"],
    },
)


def layers(catalogue: Catalogue = CATALOGUE, *, guarded: bool = False, agent: str = "bot") -> LayeredPolicy:
    own = load_policy(POLICY.encode(), file="policies/bot.yaml", catalogue=catalogue).policy
    sets = [compile_policy(own)]
    if guarded:
        file = "policies/guardrails/pack.yaml"
        pack = load_policy(GUARDRAIL.encode(), file=file, layer=Layer.GUARDRAIL, catalogue=catalogue)
        sets.insert(0, compile_policy(pack.policy))
    return compile_layers(agent, tuple(sets))


def suite(tests: str, *, top: str = "agent: bot\n", file: str = "policies/bot_test.yaml") -> Suite:
    return load_suite(f"{top}tests:\n{tests}".encode(), file=file)


def run(tests: str, *, top: str = "agent: bot\n", guarded: bool = False) -> Report:
    policies = {"bot": layers(guarded=guarded)}
    return run_suite(suite(tests, top=top), policies, CATALOGUE, {"bot": "blue"})


def one(text: str) -> str:
    """Return a list of one test, the fields in flow form."""
    return f"  - {{name: t, {text}}}\n"


READ = "action: git:read, resource: repos/acme/app"


def test_a_test_is_a_matrix_of_agents_actions_and_resources() -> None:
    loaded = suite(one("agents: [a, b], actions: [x:A, x:B], resources: [r, s, t], expect: deny"))
    asked = {(case.agent, case.action, case.resource) for case in loaded.cases}
    assert asked == {(agent, action, resource) for agent in "ab" for action in ("x:A", "x:B") for resource in "rst"}
    assert {(case.name, str(case.span), case.effect) for case in loaded.cases} == {
        ("t", "policies/bot_test.yaml:3", Effect.DENY)
    }


def test_the_top_of_a_file_says_what_its_tests_leave_out() -> None:
    top = 'version: 1\nagents: [a, b]\nproject: green\nnow: "2026-11-20T12:00:00Z"\n'
    text = one("action: x:A, resource: r, expect: allow") + (
        '  - {name: m, agent: c, project: red, now: "2026-11-20T12:00:01Z", action: x:A, resource: r, expect: allow}\n'
    )
    first, second, third = suite(text, top=top).cases
    assert (first.agent, first.project, first.now_ns) == ("a", "green", NOW_NS)
    assert second.agent == "b"
    assert (third.agent, third.project, third.now_ns) == ("c", "red", NOW_NS + 10**9)


def test_a_test_without_an_agent_and_a_moment_has_none() -> None:
    (case,) = suite(one(f"{READ}, expect: allow"), top="").cases
    assert (case.agent, case.now_ns, case.project, case.rule) == (BESIDE, None, "", None)


def test_an_action_is_read_in_its_canonical_spelling() -> None:
    (case,) = suite(one("action: aws:s3:GetObject, resource: r, expect: allow")).cases
    assert case.action == "s3:GetObject"


@pytest.mark.parametrize("action", ["git:force-push", "github:pulls.merge"])
def test_an_action_of_any_connector_is_asked(action: str) -> None:
    (case,) = suite(one(f"action: {action}, resource: r, expect: allow")).cases
    assert case.action == action


def test_a_context_holds_facts_and_the_params_as_they_are_sent() -> None:
    facts = (
        "source_ip: 10.0.0.1, session.branch: [a, b], rate_class: low, agent.owner: alice, "
        "params: {Force: false, Items: [{Key: a}, {Key: b}]}, params.Count: 3"
    )
    (case,) = suite(one(f"{READ}, expect: allow, context: {{{facts}}}, uses: {{thrice: 2}}")).cases
    assert dict(case.context) == {
        "source_ip": "10.0.0.1",
        "session.branch": ("a", "b"),
        "rate_class": "low",
        "agent.owner": "alice",
        "params.Force": False,
        "params.Items.Key": ("a", "b"),
        "params.Count": 3,
    }
    assert dict(case.uses) == {"thrice": 2}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("version: 2\ntests: []\n", (1, 10)),
        ("agent: bot\n", (1, 1)),
        ("tests: 7\n", (1, 8)),
        ("tests: []\n", (1, 8)),
        ("tets: []\ntests: [7]\n", (1, 1)),
        ("now: yesterday\ntests: [{name: t, action: x:A, resource: r, expect: deny}]\n", (1, 6)),
        ("tests:\n  - 7\n", (2, 5)),
        ("tests:\n" + one("action: x:A, resource: r"), (2, 5)),
        ("tests:\n" + one("action: x:A, resource: r, expect: alow"), (2, 49)),
        ("tests:\n" + one("action: x:A, resource: r, expect: require_approval"), (2, 49)),
        ("tests:\n" + one("action: x:A, resource: r, expect: deny, rules: a"), (2, 55)),
        ("tests:\n" + one("resource: r, expect: deny"), (2, 5)),
        ("tests:\n" + one("action: x:A, expect: deny"), (2, 5)),
        ("tests:\n" + one("action: 'x:*', resource: r, expect: deny"), (2, 23)),
        ("tests:\n" + one("actions: [x], resource: r, expect: deny"), (2, 25)),
        ("tests:\n" + one("actions: [], resource: r, expect: deny"), (2, 24)),
        ("tests:\n" + one("actions: x:A, resource: r, expect: deny"), (2, 24)),
        ("tests:\n" + one("actions: [7], resource: r, expect: deny"), (2, 25)),
        ("tests:\n" + one("action: x:A, actions: [x:B], resource: r, expect: deny"), (2, 37)),
        ("tests:\n" + one("action: x:A, resource: r, expect: deny, now: '2026'"), (2, 60)),
        ("tests:\n" + one("action: x:A, resource: r, expect: deny, uses: {a: -1}"), (2, 61)),
        ("tests:\n" + one("action: x:A, resource: r, expect: deny, uses: {a: b}"), (2, 65)),
        ("tests:\n" + one("action: x:A, resource: r, expect: deny, context: {source: a}"), (2, 65)),
        ("tests:\n" + one("action: x:A, resource: r, expect: deny, context: {source_ip: {a: b}}"), (2, 76)),
        ("tests:\n" + one("action: x:A, resource: r, expect: deny, context: {session.a: [[b]]}"), (2, 76)),
        ("tests:\n" + one("action: x:A, resource: r, expect: deny, context: {params: a}"), (2, 73)),
        ("tests:\n" + 2 * one("action: x:A, resource: r, expect: deny"), (3, 12)),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(text: str, place: tuple[int, int]) -> None:
    with pytest.raises(LoadError) as caught:
        load_suite(text.encode(), file="t_test.yaml")
    first = caught.value.findings[0]
    assert (first.file, first.line, first.column) == ("t_test.yaml", *place)


def test_what_is_no_strict_yaml_is_refused() -> None:
    with pytest.raises(YamlError):
        load_suite(b"tests: [*a]\n", file="t_test.yaml")


def test_a_mistyped_word_is_answered_with_the_nearest_one() -> None:
    text = "tests:\n" + one("action: x:A, resource: r, expect: alow, context: {source_pi: a}")
    with pytest.raises(LoadError) as caught:
        load_suite(text.encode(), file="t_test.yaml")
    assert [finding.fix for finding in caught.value.findings] == ["did you mean `allow`?", "did you mean `source_ip`?"]


def test_a_file_asks_a_bounded_number_of_questions() -> None:
    many = ", ".join(f"r{number}" for number in range(MAX_CASES // 2 + 1))
    with pytest.raises(LoadError):
        suite(one(f"agents: [a, b], action: x:A, resources: [{many}], expect: deny"))
    assert len(suite(one(f"action: x:A, resources: [{many}], expect: deny")).cases) == MAX_CASES // 2 + 1


def test_the_answer_and_the_rule_that_gave_it_are_told() -> None:
    (result,) = run(one(f"{READ}, expect: allow, rule: bot-L2")).cases
    assert result.passed
    assert (result.found, result.rule, str(result.place), result.layer) == (
        Effect.ALLOW, "bot-L2", "policies/bot.yaml:2", Layer.AGENT,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", [f"{READ}, expect: deny", f"{READ}, expect: allow, rule: gate", f"{READ}, expect: allow, rule: ''"]
)
def test_another_answer_or_another_rule_fails(text: str) -> None:
    report = run(one(text))
    assert report.failures == report.cases
    assert not report.cases[0].fault


def test_an_empty_rule_asks_for_a_default_denial() -> None:
    denied = "action: s3:DeleteObject, expect: deny, rule: ''"
    assert not run(one(f"{denied}, resource: other/x")).failures
    assert run(one(f"{denied}, resource: vault/x")).failures


@pytest.mark.parametrize(
    "text",
    [
        "action: git:push, resource: repos/acme/app/branches/main, context: {source_ip: 10.0.0.1}, expect: approval",
        "action: git:push, resource: repos/acme/app/branches/main, context: {source_ip: 11.0.0.1}, expect: deny",
        'action: s3:GetObject, resource: data-lake/blue/a, now: "2026-11-30T00:00:00Z", expect: allow',
        'action: s3:GetObject, resource: data-lake/blue/a, now: "2026-12-01T00:00:00Z", expect: deny',
        'action: s3:GetObject, resource: data-lake/red/a, now: "2026-11-30T00:00:00Z", expect: deny',
        'action: s3:GetObject, resource: data-lake/red/a, project: red, now: "2026-11-30T00:00:00Z", expect: allow',
        "action: s3:DeleteObject, resource: scratch/a, uses: {thrice: 2}, expect: allow",
        "action: s3:DeleteObject, resource: scratch/a, uses: {thrice: 3}, expect: deny",
        "action: s3:DeleteObject, resource: 'arn:aws:s3:::scratch/a', expect: allow",
    ],
)
def test_context_moment_project_uses_and_short_forms_count(text: str) -> None:
    assert not run(one(text)).failures


@pytest.mark.parametrize(
    "text",
    [
        "agent: bto, action: git:read, resource: repos/acme/app, expect: deny",
        "action: git:raed, resource: repos/acme/app, expect: deny",
        "action: git:push, resource: repos/acme/app, expect: deny",
        "action: s3:GetObject, resource: data-lake, expect: deny",
        'action: git:read, resource: "repos/acme/a\\tb", expect: deny',
    ],
)
def test_a_denial_of_what_does_not_exist_proves_nothing(text: str) -> None:
    (result,) = run(one(text)).cases
    assert not result.passed
    assert result.fault
    assert result.found is None


def test_what_no_connector_serves_yet_can_be_asked_all_the_same() -> None:
    assert not run(one("action: ecs:UpdateService, resource: service/web, expect: deny")).failures


def test_an_action_that_touches_nothing_in_particular_is_asked_on_a_star() -> None:
    assert not run(one("action: s3:GetObject, resource: '*', expect: deny")).failures


def test_without_a_catalogue_names_are_taken_as_they_are() -> None:
    loaded = suite(one("action: git:raed, resource: repos/acme/app, expect: deny"))
    assert not run_suite(loaded, {"bot": layers(UNCHECKED)}, UNCHECKED, {}).failures


def test_a_named_agent_is_asked_with_all_its_layers() -> None:
    push = "action: git:push, resource: repos/acme/app/branches/main, context: {source_ip: 10.0.0.1}"
    (result,) = run(one(f"{push}, expect: deny"), guarded=True).cases
    assert result.passed
    assert (result.rule, result.layer) == ("pack-L2", Layer.GUARDRAIL)


def beside(tests: str, file: str, policies: dict[str, LayeredPolicy]) -> Report:
    return run_suite(suite(tests, top="", file=file), policies, CATALOGUE, {})


def test_a_test_without_an_agent_asks_the_guardrail_beside_it_alone() -> None:
    tests = (
        "  - {name: a, action: git:push, resource: repos/acme/app/branches/main, expect: deny, rule: pack-L2}\n"
        "  - {name: b, action: git:push, resource: repos/acme/app/branches/release, expect: approval, rule: release}\n"
        "  - {name: c, action: git:push, resource: repos/acme/app/branches/x, expect: allow, rule: ''}\n"
    )
    report = beside(tests, "policies/guardrails/pack_test.yaml", {"bot": layers(guarded=True)})
    assert not report.failures
    assert report.cases[2].place is None


def test_a_test_without_an_agent_asks_the_policy_beside_it_without_guardrails() -> None:
    push = "action: git:push, resource: repos/acme/app/branches/main, context: {source_ip: 10.0.0.1}"
    report = beside(
        one(f"{push}, expect: approval, rule: gate"), "policies/bot_test.yaml", {"bot": layers(guarded=True)}
    )
    assert not report.failures


def test_a_test_beside_no_policy_in_force_cannot_be_asked() -> None:
    (result,) = beside(one(f"{READ}, expect: allow"), "policies/other_test.yaml", {"bot": layers()}).cases
    assert (result.passed, bool(result.fault)) == (False, True)


def test_the_report_is_plain_data() -> None:
    report = run(one(f"{READ}, expect: allow") + "  - {name: m, agent: who, action: x:A, resource: r, expect: deny}\n")
    found = json.loads(json.dumps(report.to_json()))
    assert (found["file"], found["passed"], found["failed"]) == ("policies/bot_test.yaml", 1, 1)
    assert found["cases"][0]["expected"] == found["cases"][0]["found"] == "allow"
    assert found["cases"][1]["found"] is None


def test_coverage_tells_which_rules_no_test_has_touched() -> None:
    tests = one(f"{READ}, expect: allow") + (
        "  - {name: m, action: git:push, resource: repos/acme/app/branches/main, context: {source_ip: 10.0.0.1}, "
        "expect: deny}\n"
    )
    report = run(tests, guarded=True)
    found = {
        (each.rule.id, each.layer): (each.decided, each.matched)
        for each in coverage([report], {"bot": layers(guarded=True), "other": layers(guarded=True, agent="bot")})
    }
    assert found == {
        ("bot-L2", Layer.AGENT): (1, 1),
        ("gate", Layer.AGENT): (1, 1),
        ("own", Layer.AGENT): (0, 0),
        ("thrice", Layer.AGENT): (0, 0),
        ("bot-L13", Layer.AGENT): (0, 0),
        ("pack-L2", Layer.GUARDRAIL): (1, 1),
        ("release", Layer.GUARDRAIL): (0, 0),
    }


def test_a_guardrail_that_asks_has_decided() -> None:
    tests = one("action: git:push, resource: repos/acme/app/branches/release, expect: deny")
    found = coverage([run(tests, guarded=True)], {"bot": layers(guarded=True)})
    assert [(each.decided, each.matched) for each in found if each.rule.id == "release"] == [(1, 1)]


def test_a_test_without_an_agent_asks_the_boundary_beside_it_alone() -> None:
    text = b"policies:\n  - git:read on repos/acme/*\n"
    boundary = load_policy(text, file="policies/projects/blue.yaml", layer=Layer.BOUNDARY, catalogue=CATALOGUE).policy
    own = load_policy(b"policies: []", file="policies/bot.yaml").policy
    tests = (
        "  - {name: a, action: git:read, resource: repos/acme/app, expect: allow}\n"
        "  - {name: b, action: git:read, resource: repos/other/app, expect: deny}\n"
    )
    report = beside(tests, "policies/projects/blue_test.yaml", {"bot": compile_layers("bot", (boundary, own))})
    assert not report.failures


def test_a_rule_that_applies_and_decides_nothing_is_tested() -> None:
    policy = "policies:\n  - git:read on repos/*\n  - deny git:read on repos/acme/*\n"
    compiled = compile_policy(load_policy(policy.encode(), file="policies/bot.yaml", catalogue=CATALOGUE).policy)
    policies = {"bot": compile_layers("bot", (compiled,))}
    report = run_suite(suite(one(f"{READ}, expect: deny")), policies, CATALOGUE, {})
    found = [(str(each.rule.span), each.decided, each.matched, each.tested) for each in coverage([report], policies)]
    assert found == [("policies/bot.yaml:2", 0, 1, True), ("policies/bot.yaml:3", 1, 1, True)]
    assert next(each.to_json() for each in coverage([], policies)) == {
        "rule": "bot-L2", "place": "policies/bot.yaml:2", "text": "git:read on repos/*", "layer": "agent",
        "decided": 0, "matched": 0,
    }  # fmt: skip
