from __future__ import annotations

import pytest

from connectors.aws.resource_types import RESOURCE_TYPES as AWS
from connectors.git.resource_types import RESOURCE_TYPES as GIT
from connectors.github.resource_types import RESOURCE_TYPES as GITHUB
from policies.answers.fixes import fix_for, literal_rule
from policies.model import Decision, Effect, Layer, PolicyVersion, Reason, Requirement, Span
from policies.resources.catalogue import UNCHECKED, build_catalogue

CATALOGUE = build_catalogue((*GIT, *GITHUB, *AWS), {})
MAIN = Requirement("git:push", "repos/acme/app/branches/main")


def denial(*reasons: Reason, effect: Effect = Effect.DENY, errors: tuple[str, ...] = ()) -> Decision:
    return Decision(effect, reasons, (), PolicyVersion("v"), errors)


def silent(requirement: Requirement = MAIN, layer: Layer = Layer.AGENT) -> Reason:
    return Reason(requirement, Effect.DENY, "", None, "no rule allows it", layer)


@pytest.mark.parametrize(
    ("requirement", "rule"),
    [
        (("s3:GetObject", "arn:aws:s3:::lake/raw/x"), "s3:GetObject on lake/raw/x"),
        (("s3:GetObject", "arn:aws-cn:s3:::lake/x"), "s3:GetObject on arn:aws-cn:s3:::lake/x"),
        (("s3:ListBucket", "arn:aws:s3:::lake"), "s3:ListBucket on lake"),
        (("git:push", "repos/a/b/branches/main"), "git:push on repos/a/b/branches/main"),
        (
            ("ecs:UpdateService", "arn:aws:ecs:eu-west-1:1:service/main/web"),
            "ecs:UpdateService on arn:aws:ecs:eu-west-1:1:service/main/web",
        ),
        (("llm:InvokeModel", "models/x/y"), "llm:InvokeModel on models/x/y"),
    ],
)
def test_a_literal_rule_names_exactly_what_was_asked_in_its_shortest_form(
    requirement: tuple[str, str], rule: str
) -> None:
    assert literal_rule(Requirement(*requirement), CATALOGUE) == rule


@pytest.mark.parametrize("key", ["a*", "a b", "a/**", "e\u0301", "\u200b", "x" * 300, "${agent.id}", "${", "a\x00"])
def test_no_literal_rule_is_wider_than_the_request(key: str) -> None:
    requirement = Requirement("s3:GetObject", f"arn:aws:s3:::lake/{key}")
    assert literal_rule(requirement, CATALOGUE) == ""
    assert "no literal rule can name" in fix_for(denial(silent(requirement)), CATALOGUE)


def test_what_no_rule_can_name_gets_none() -> None:
    assert literal_rule(Requirement("git:push", "repos/a"), CATALOGUE) == ""
    assert literal_rule(Requirement("nonsense", "x"), CATALOGUE) == ""


def test_without_a_catalogue_the_rule_is_by_the_letter() -> None:
    needed = Requirement("s3:GetObject", "arn:aws:s3:::lake/x")
    assert literal_rule(needed, UNCHECKED) == "s3:GetObject on arn:aws:s3:::lake/x"


def test_a_denial_by_silence_is_mended_by_the_missing_rule() -> None:
    assert fix_for(denial(silent())) == "ask the policy's owner for: `git:push on repos/acme/app/branches/main`"


def test_each_silent_layer_has_its_own_owner() -> None:
    fix = fix_for(denial(silent(layer=Layer.SESSION), silent(layer=Layer.BOUNDARY)))
    boundary, session = fix.split("; ")
    assert "boundary" in boundary
    assert "session" in session


def test_a_rule_that_forbids_is_named() -> None:
    forbidden = Reason(MAIN, Effect.DENY, "no-main", Span("guardrails/x.yaml", 3), "forbidden", Layer.GUARDRAIL)
    fix = fix_for(denial(silent(), forbidden))
    assert "`no-main` at guardrails/x.yaml:3" in fix
    assert "guardrails" in fix


def test_what_is_no_denial_and_what_failed_need_no_rule() -> None:
    assert fix_for(denial()) == ""
    assert fix_for(denial(silent(), effect=Effect.ALLOW)) == ""
    assert fix_for(denial(silent(), errors=("broken",))) == ""


def test_many_missing_rules_are_counted() -> None:
    fix = fix_for(denial(*(silent(Requirement("git:read", f"repos/a/r{number}")) for number in range(8))))
    assert fix.count("`git:read on") == 5
    assert fix.endswith("and 3 more")
