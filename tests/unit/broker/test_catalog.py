from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import pytest

from broker.canonical import NotCanonicalError
from broker.catalog import Catalog, Resolved, draft_bytes, plan_digest_of, request_digest
from broker.config.model import Configuration
from broker.model import IntentDraft, IntentState
from broker.outcome import Problem, ProblemKind
from connectors.aws import model
from connectors.aws.connector import AwsConnector
from connectors.base import Access, Connection, Connector, Plan
from connectors.usage import Estimate
from policies.model import Requirement
from tests.house import OSTIARY_YAML, House, PaperConnector
from vault.model import CredentialRef, GitHubTokenRequest, MintRequest, TokenScheme

PLAN = Plan(
    "paper", "paper:Write", "paper", CredentialRef("paper/one"), {"name": "a", "payload_sha256": "0" * 64},
    (Requirement("paper:Write", "sheets/a"),), Access.WRITE, idempotent=False, summary="write a",
    host="h:1", payload=b"payload",
)  # fmt: skip
OTHERS: dict[str, Any] = {
    "connector": "other", "action": "paper:Read", "connection": "other", "credential": CredentialRef("paper/two"),
    "call": {"name": "b", "payload_sha256": "0" * 64}, "requirements": (Requirement("paper:Write", "sheets/b"),),
    "access": Access.DESTROY, "idempotent": True, "summary": "write b", "host": "h:2",
    "mint": MintRequest("arn:aws:iam::123456789012:role/r", "{}", 900, "https://h:2", "eu-west-1"),
}  # fmt: skip


class Kinked(PaperConnector):
    """Plans what has no canonical form."""

    def plan(self, action: str, params: dict[str, Any], connection: Connection) -> Plan:
        return replace(super().plan(action, params, connection), call={"number": math.nan})


def catalog(house: House, connector: Connector | None = None) -> Catalog:
    return Catalog({"paper": connector or house.connector}, house.policies)


def draft(**members: Any) -> IntentDraft:
    return IntentDraft(**{"action": "paper:Read", "params": {"name": "a"}, **members})


def problem(found: Resolved | Problem) -> ProblemKind:
    assert isinstance(found, Problem)
    return found.kind


async def configured(house: House, text: str) -> None:
    (house.broker.settings.config_dir / "ostiary.yaml").write_text(text)
    assert await house.broker.reload() == []


TWO = OSTIARY_YAML.replace("connections: [paper]", "connections: [paper, spare]") + (
    "  spare: {connector: paper, credential: paper/two}\n"
)


async def test_a_draft_becomes_a_plan_on_the_one_connection_of_its_project(house: House) -> None:
    found = catalog(house).resolve("desk", draft())
    assert isinstance(found, Resolved)
    assert (found.connection.name, found.plan.connection, found.connector) == ("paper", "paper", house.connector)
    again = catalog(house).resolve("desk", draft(resource="sheets/a", connection="paper"))
    assert isinstance(again, Resolved)
    assert again.digest == found.digest == plan_digest_of(found.plan)


async def test_the_aws_prefix_of_an_action_is_the_same_action(house: House) -> None:
    """`aws:s3:GetObject` is how policies may write `s3:GetObject`; nothing else is taken off."""
    assert isinstance(catalog(house).resolve("desk", draft(action="aws:paper:Read")), Resolved)
    for action in ("aws:paper", "paper:Read:aws", "aws:aws:paper:Read", "gcp:paper:Read", "paper:read", "paper", ""):
        assert problem(catalog(house).resolve("desk", draft(action=action))) is ProblemKind.UNKNOWN_ACTION


async def test_an_unknown_action_is_repeated_in_part_only(house: House) -> None:
    found = catalog(house).resolve("desk", draft(action="x" * 5000))
    assert isinstance(found, Problem)
    assert len(found.detail) < 200


async def test_of_several_connections_one_must_be_named(house: House) -> None:
    await configured(house, TWO)
    found = catalog(house).resolve("desk", draft())
    assert isinstance(found, Problem)
    assert (found.kind, found.reason) == (ProblemKind.AMBIGUOUS_CONNECTION, "paper, spare")
    named = catalog(house).resolve("desk", draft(connection="spare"))
    assert isinstance(named, Resolved)
    assert (named.connection.credential, named.plan.credential) == ("paper/two", "paper/two")
    other = catalog(house).resolve("desk", draft(connection="paper"))
    assert isinstance(other, Resolved)
    assert named.digest != other.digest
    assert problem(catalog(house).resolve("desk", draft(connection="absent"))) is ProblemKind.DENIED


async def test_a_project_without_connections_or_without_an_entry_can_do_nothing(house: House) -> None:
    for project in ("bare", "no-such-project", ""):
        assert problem(catalog(house).resolve(project, draft())) is ProblemKind.DENIED
        assert catalog(house).offers(project) == []


async def test_a_project_is_offered_the_connectors_it_has_connections_for(house: House) -> None:
    await configured(house, TWO)
    [(connector, names)] = catalog(house).offers("desk")
    assert (connector.name, names) == ("paper", ["paper", "spare"])


async def test_what_planning_needs_is_read_before_it_and_only_once(house: House) -> None:
    found = catalog(house, AwsConnector())
    model.read_model.cache_clear()
    asked = draft(action="aws:sqs:SendMessage", alternatives=(("sns:Publish", {}),))
    await found.ready(asked)
    assert model.is_in_memory("sqs")
    assert model.is_in_memory("sns")
    read = model.read_model.cache_info().misses
    for each in (asked, *(draft(action=name) for name in ("paper:Read", "nope:Nope", "sqs:Nope", ""))):
        await found.ready(each)
    assert model.read_model.cache_info().misses == read


async def test_a_resource_that_is_not_the_derived_one_is_refused_and_told(house: House) -> None:
    found = catalog(house).resolve("desk", draft(resource="sheets/b"))
    assert isinstance(found, Problem)
    assert (found.kind, found.reason) == (ProblemKind.RESOURCE_MISMATCH, "params address `sheets/a`")


async def test_a_plan_that_has_no_canonical_form_is_refused(house: House) -> None:
    assert problem(catalog(house, Kinked()).resolve("desk", draft())) is ProblemKind.INVALID_PARAMS


@pytest.mark.req("H3")
@pytest.mark.parametrize("name", sorted(OTHERS))
def test_the_digest_is_bound_to_each_part_of_the_plan(name: str) -> None:
    assert plan_digest_of(replace(PLAN, **{name: OTHERS[name]})) != plan_digest_of(PLAN)


def test_no_part_of_a_plan_is_left_out_of_the_digest_unseen() -> None:
    """What comes in is bound by the call, an estimate is no promise, and people are not asked about fresh tokens."""
    unbound = {"payload", "upload", "stream", "estimate", "fresh", "trace", "attempt", "patience_seconds"}
    # They are bound by digests of their own.
    unbound |= {"fallbacks"}
    assert {each.name for each in fields(Plan)} == {*OTHERS, *unbound}
    assert plan_digest_of(replace(PLAN, estimate=Estimate(calls=9))) == plan_digest_of(PLAN)


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "other"},
        {"repositories": ("site",)},
        {"permissions": (("issues", "write"),)},
        {"endpoint": "https://h:2/api/v3"},
        {"scheme": TokenScheme.BASIC},
        {"everywhere": True},
    ],
)
def test_the_digest_is_bound_to_each_part_of_the_token_of_an_app(changes: dict[str, Any]) -> None:
    mint = GitHubTokenRequest("acme", ("app",), (("issues", "read"),), "https://h:2")
    other = replace(PLAN, mint=replace(mint, **changes))
    assert plan_digest_of(other) != plan_digest_of(replace(PLAN, mint=mint))


def test_a_payload_that_is_not_bound_to_its_call_has_no_digest() -> None:
    with pytest.raises(NotCanonicalError, match="not bound"):
        plan_digest_of(replace(PLAN, call={"name": "a"}))
    assert plan_digest_of(replace(PLAN, call={"name": "a"}, payload=b""))


def test_an_idempotency_key_is_bound_to_what_is_asked_and_not_to_how() -> None:
    base = request_digest(draft())
    assert request_digest(draft(idempotency_key="k", dry_run=True)) == base
    for other in (draft(action="paper:Write"), draft(params={"name": "b"}), draft(reason="r"), draft(connection="c")):
        assert request_digest(other) != base
    assert b"idempotency" not in draft_bytes(draft(idempotency_key="k"))


@pytest.mark.req("H3")
async def test_an_approved_intent_of_a_project_that_lost_its_connection_is_not_sent(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated")
    await house.approve(parked.approval_id)
    await configured(house, OSTIARY_YAML.replace("connections: [paper]", "connections: []"))
    outcomes = await house.work()
    assert [each and each.state for each in outcomes] == [IntentState.DENIED]
    assert house.connector.sent == []


@pytest.mark.req("H3")
async def test_an_approved_intent_whose_connection_has_another_credential_now_is_stale(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated")
    await house.approve(parked.approval_id)
    await configured(house, OSTIARY_YAML.replace("credential: paper/one", "credential: paper/two"))
    (outcome,) = await house.work()
    assert outcome is not None
    assert outcome.problem is not None
    assert outcome.problem.kind is ProblemKind.STALE_PLAN
    assert house.connector.sent == []


@pytest.mark.req("H3")
async def test_an_approved_intent_that_has_become_ambiguous_is_refused(house: House) -> None:
    parked = await house.ask(await house.session(), "Write", "gated")
    await house.approve(parked.approval_id)
    await configured(house, TWO)
    (outcome,) = await house.work()
    assert outcome is not None
    assert outcome.problem is not None
    assert outcome.problem.kind is ProblemKind.AMBIGUOUS_CONNECTION
    assert house.connector.sent == []


def test_the_configuration_is_asked_at_every_call() -> None:
    """A catalogue made before the first reload must not go on with the old one."""
    seen: list[int] = []

    def configuration() -> Configuration:
        seen.append(1)
        raise LookupError

    found = Catalog({"paper": PaperConnector()}, configuration)
    for _ in range(2):
        with pytest.raises(LookupError):
            found.resolve("desk", draft())
    assert len(seen) == 2
