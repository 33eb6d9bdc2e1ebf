from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Access, Connection, JsonObject
from connectors.errors import InvalidParamsError, NotSentError
from connectors.git.connector import GitConnector
from policies.model import Requirement
from tests.fakes import FakeLease, FakeTransport
from tests.unit.connectors.git.test_bundle import OID, OTHER, make
from vault.model import CredentialKind, CredentialRef

CONNECTOR = GitConnector()
FORGE = Connection("forge", "git", CredentialRef("git/acme"), {"url": "https://git.test/scm"})


def bundle(*lines: str) -> str:
    return base64.b64encode(make(*lines)).decode()


ONE = bundle(f"-{OTHER}", f"{OID} refs/heads/feature/x")


@pytest.mark.req("P2")
def test_a_push_needs_one_permission_for_each_ref_in_the_bundle() -> None:
    refs = [f"{OID} refs/heads/feature/x", f"{OID} refs/tags/v1"]
    plan = CONNECTOR.plan("git:push", {"repo": "acme/app", "bundle": bundle(*refs)}, FORGE)
    assert plan.requirements == (
        Requirement("git:push", "repos/acme/app/branches/feature/x"),
        Requirement("git:push", "repos/acme/app/tags/v1"),
    )
    assert plan.summary == "push 2 refs to acme/app: refs/heads/feature/x, refs/tags/v1"


def test_a_push_plan_holds_all_that_is_sent_and_binds_the_payload() -> None:
    params = {"repo": "acme/app", "bundle": ONE, "expected": {"refs/heads/feature/x": "0" * 40}}
    plan = CONNECTOR.plan("git:push", params, FORGE)
    assert plan.call == {
        "url": "https://git.test/scm/acme/app.git",
        "repo": "acme/app",
        "refs": {"refs/heads/feature/x": OID},
        "expected": {"refs/heads/feature/x": "0" * 40},
        "prerequisites": [OTHER],
        "payload_sha256": hashlib.sha256(plan.payload).hexdigest(),
    }
    assert plan.payload == base64.b64decode(ONE)
    assert (plan.access, plan.idempotent, plan.credential) == (Access.WRITE, True, "git/acme")
    assert plan.summary == "push 1 ref to acme/app: refs/heads/feature/x"
    assert plan == CONNECTOR.plan("git:push", params, FORGE)


def test_a_long_list_of_refs_is_cut_in_the_summary_only() -> None:
    refs = [f"{OID} refs/heads/b{n}" for n in range(7)]
    plan = CONNECTOR.plan("git:push", {"repo": "acme/app", "bundle": bundle(*refs)}, FORGE)
    assert plan.summary.endswith("refs/heads/b4 and 2 more")
    assert len(plan.requirements) == 7


@pytest.mark.parametrize("what", ["refs", "bundle"])
def test_a_read_needs_the_repository(what: str) -> None:
    plan = CONNECTOR.plan("git:read", {"repo": "acme/app", "what": what, "refs": ["refs/heads/a"] * 2}, FORGE)
    assert plan.requirements == (Requirement("git:read", "repos/acme/app"),)
    assert plan.call["refs"] == ["refs/heads/a"]
    assert plan.access is Access.READ
    assert plan.summary.endswith("acme/app: refs/heads/a")


def test_every_example_plans() -> None:
    for action, operation in CONNECTOR.operations.items():
        assert CONNECTOR.plan(action, operation.example, FORGE).requirements
        assert operation.params_schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("git:delete", {"repo": "acme/app"}),
        ("git:read", {}),
        ("git:read", {"repo": "acme/app", "what": "all"}),
        ("git:read", {"repo": "acme/app", "refs": "refs/heads/a"}),
        ("git:read", {"repo": "acme/app", "refs": ["--upload-pack=x"]}),
        ("git:read", {"repo": "acme/app", "refs": ["refs/heads/a"] * 101}),
        ("git:read", {"repo": 1}),
        ("git:read", {"repo": "ext::sh -c touch% /tmp/x"}),
        ("git:read", {"repo": "acme/app", "url": "https://evil.test"}),
        ("git:push", {"repo": "acme/app"}),
        ("git:push", {"repo": "acme/app", "bundle": "not base64!"}),
        ("git:push", {"repo": "acme/app", "bundle": ONE[:-1]}),
        ("git:push", {"repo": "acme/app", "bundle": "aGVsbG8="}),
        ("git:push", {"repo": "acme/app", "bundle": ONE, "force": True}),
        ("git:push", {"repo": "../app", "bundle": ONE}),
        ("git:push", {"repo": "acme/app", "bundle": ONE, "expected": {"refs/heads/other": OID}}),
        ("git:push", {"repo": "acme/app", "bundle": ONE, "expected": {"refs/heads/feature/x": "main"}}),
        ("git:push", {"repo": "acme/app", "bundle": ONE, "expected": {"refs/heads/feature/x": None}}),
        ("git:push", {"repo": "acme/app", "bundle": ONE, "\x1b[2J\u0430": 1}),
        ("git:push", {"repo": "acme/app", "bundle": bundle(f"{OID} --upload-pack=x")}),
    ],
)
def test_params_that_do_not_fit_are_refused_in_plain_words(action: str, params: JsonObject) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        CONNECTOR.plan(action, params, FORGE)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_for_a_name_makes_a_resource_wider(repo: str, branch: str) -> None:
    try:
        plan = CONNECTOR.plan("git:push", {"repo": repo, "bundle": bundle(f"{OID} refs/heads/{branch}")}, FORGE)
    except InvalidParamsError:
        return
    (requirement,) = plan.requirements
    assert requirement.resource == f"repos/{repo}/branches/{branch}"
    assert not set(requirement.resource) & set("*?[]{}% \\")
    assert ".." not in requirement.resource.split("/")


async def test_a_plan_for_another_upstream_or_with_another_payload_is_not_sent() -> None:
    plan = CONNECTOR.plan("git:push", {"repo": "acme/app", "bundle": ONE}, FORGE)
    lease = FakeLease("bot", "Basic eDp5", CredentialKind.BASIC)
    elsewhere = Connection("forge", "git", CredentialRef("git/acme"), {"url": "https://evil.test"})
    with pytest.raises(NotSentError, match="another upstream"):
        await CONNECTOR.execute(plan, elsewhere, lease, FakeTransport())
    other = CONNECTOR.plan("git:push", {"repo": "acme/app", "bundle": bundle(f"{OID} refs/heads/main")}, FORGE)
    with pytest.raises(NotSentError, match="not the one"):
        await CONNECTOR.execute(replace(plan, payload=other.payload), FORGE, lease, FakeTransport())
    call = {**plan.call, "payload_sha256": other.call["payload_sha256"]}
    with pytest.raises(NotSentError, match="does not say"):
        await CONNECTOR.execute(replace(plan, payload=other.payload, call=call), FORGE, lease, FakeTransport())
