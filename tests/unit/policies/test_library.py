from __future__ import annotations

from pathlib import Path

import pytest

import policies
from policies.engine import CompiledPolicy, compile_policy
from policies.loader import load_policy
from policies.model import AccessRequest, Effect, Requirement

LIBRARY = Path(policies.__file__).parent / "library"
FILES = sorted(LIBRARY.glob("*.yaml"))
KNOWN = frozenset({"git:read", "git:push", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"})


def compiled(stem: str) -> CompiledPolicy:
    path = LIBRARY / f"{stem}.yaml"
    return compile_policy(load_policy(path.read_bytes(), file=path.name, known_actions=KNOWN).policy)


def effect(stem: str, action: str, resource: str) -> Effect:
    decision = compiled(stem).decide(AccessRequest(stem, "p", (Requirement(action, resource),)))
    assert decision.errors == ()
    return decision.effect


def test_the_library_holds_nothing_but_policies() -> None:
    assert len(FILES) >= 6
    assert set(LIBRARY.iterdir()) == set(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_loads_in_its_canonical_form(path: Path) -> None:
    loaded = load_policy(path.read_bytes(), file=path.name, known_actions=KNOWN)
    assert loaded.policy.rules
    assert not [notice for notice in loaded.notices if "not YAML" in notice.message]


@pytest.mark.req("P1")
@pytest.mark.parametrize(
    ("stem", "action", "resource", "expected"),
    [
        ("code-reviewer", "git:read", "repos/acme/app", Effect.ALLOW),
        ("code-reviewer", "git:comment", "repos/acme/app/pull-requests/7", Effect.ALLOW),
        ("code-reviewer", "git:push", "repos/acme/app/branches/feature/x", Effect.DENY),
        ("ci-runner", "git:push", "repos/acme/app/branches/feature/x", Effect.ALLOW),
        ("ci-runner", "git:push", "repos/acme/app/branches/main", Effect.DENY),
        ("ci-runner", "ecs:UpdateService", "arn:aws:ecs:eu-west-1:1:service/staging-web", Effect.ALLOW),
        ("ci-runner", "ecs:UpdateService", "arn:aws:ecs:eu-west-1:1:service/prod-web", Effect.REQUIRE_APPROVAL),
        ("ci-runner", "ecs:UpdateService", "arn:aws:ecs:eu-west-1:1:service/main/prod-web", Effect.REQUIRE_APPROVAL),
        (
            "ci-runner",
            "ecs:UpdateService",
            "arn:aws:ecs:eu-west-1:1:service/staging-c/prod-web",
            Effect.REQUIRE_APPROVAL,
        ),
        ("support-bot", "crm:ReadCustomer", "customers/17", Effect.REQUIRE_APPROVAL),
        ("support-bot", "crm:UpdateCustomer", "customers/17", Effect.DENY),
        ("support-bot", "s3:GetObject", "arn:aws:s3:::knowledge-base/published/a", Effect.ALLOW),
        ("support-bot", "s3:PutObject", "arn:aws:s3:::knowledge-base/published/a", Effect.DENY),
    ],
)
def test_the_example_agents_may_do_what_their_first_line_says(
    stem: str, action: str, resource: str, expected: Effect
) -> None:
    assert effect(stem, action, resource) is expected


@pytest.mark.req("P3")
@pytest.mark.parametrize(
    ("stem", "action", "resource"),
    [
        ("guardrails-production", "ecs:UpdateService", "arn:aws:ecs:eu-west-1:1:service/prod-web"),
        ("guardrails-production", "lambda:UpdateFunctionCode", "arn:aws:lambda:eu-west-1:1:function:prod-x"),
        ("guardrails-production", "rds-data:ExecuteStatement", "arn:aws:rds:eu-west-1:1:cluster:main"),
        ("guardrails-people", "s3:DeleteObject", "arn:aws:s3:::customer-data/x"),
        ("guardrails-people", "payments:Refund", "charges/17"),
        ("guardrails-keys", "iam:AttachRolePolicy", "arn:aws:iam::1:role/admin"),
        ("guardrails-keys", "secretsmanager:RotateSecret", "arn:aws:secretsmanager:eu-west-1:1:secret:db"),
    ],
)
def test_a_guardrail_asks_a_human(stem: str, action: str, resource: str) -> None:
    assert effect(stem, action, resource) is Effect.REQUIRE_APPROVAL


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:1:secret:db"),
        ("ssm:GetParameter", "arn:aws:ssm:eu-west-1:1:parameter/db/password"),
    ],
)
def test_secrets_are_not_read_at_all(action: str, resource: str) -> None:
    assert effect("guardrails-keys", action, resource) is Effect.DENY
