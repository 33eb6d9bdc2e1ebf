"""Holds the guardrails that ship against the models of AWS: what they mean to catch, they catch, and names are real."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest

import policies
from broker.config.loader import catalogue_of
from connectors.aws.catalogue.data import load
from connectors.aws.operations import asked_actions
from connectors.registry import build_connectors
from policies.language.actions import NO_ACTIONS, parse_action
from policies.language.loader import load_policy
from policies.layers import LayeredPolicy, compile_layers
from policies.model import AccessRequest, Effect, Layer, PolicySet, Requirement

PACKS = Path(policies.__file__).parent / "library" / "guardrails"

MODELS = {
    "aws-marketplace": ("marketplace-agreement", "marketplace-catalog"),
    "cassandra": ("keyspaces",),
    "elasticmapreduce": ("emr",),
    "es": ("es", "opensearch"),
    "sso": ("sso", "sso-admin"),
    "sso-oauth": ("sso-oidc",),
    "tax": ("taxsettings",),
    "timestream": ("timestream-write",),
}
"""Services whose name in policies is not the one of their model."""

NO_MODEL = {
    "credits", "crm", "customers", "discounts", "git", "github", "invoices", "mysql", "payments", "payouts", "postgres",
    "prices", "purchase-orders", "refunds", "s3express", "sql", "sso-directory", "subscriptions", "transfers",
}  # fmt: skip
"""Services of other connectors, and services of AWS that have permissions and no published model."""

READS = ("Get", "List", "Simulate")
KEYS = {"secretaccesskey", "sessiontoken"}
MAX_DEPTH = 4


NAMES = sorted(path.stem for path in PACKS.glob("*.yaml") if not path.stem.endswith("_test"))
KNOWN = catalogue_of(build_connectors()).actions or NO_ACTIONS


@cache
def model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def operations(service: str) -> list[tuple[str, Any]]:
    """Return the operations of a service as policies name it, each with the shape of its answer."""
    models = [model(name) for name in MODELS.get(service, (service,))]
    return [(name, each.operation_model(name).output_shape) for each in models for name in each.operation_names]


@cache
def pack(name: str) -> PolicySet:
    file = f"policies/guardrails/{name}.yaml"
    data = (PACKS / f"{name}.yaml").read_bytes()
    return load_policy(data, file=file, layer=Layer.GUARDRAIL).policy


@cache
def guarded(name: str) -> LayeredPolicy:
    """Return what decides for an agent that may do anything but for one pack."""
    return compile_layers("bot", (pack(name), load_policy(b"policies: ['* on **']", file="bot.yaml").policy))


def answer(name: str, action: str) -> Effect:
    """Return what is said to such an agent about an action on anything."""
    decision = guarded(name).decide(AccessRequest("bot", "p", (Requirement(action, "*"),)))
    assert decision.errors == ()
    return decision.effect


def services(name: str) -> set[str]:
    """Return the services with a model that a pack speaks of."""
    named = {action.partition(":")[0] for rule in pack(name).rules for action in rule.actions}
    return named - NO_MODEL


def members(shape: Any, depth: int = MAX_DEPTH) -> Iterator[str]:
    """Yield the names of all members of an answer, as deep as keys have been seen to stand."""
    if shape is None or depth == 0:
        return
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield name.lower()
            yield from members(member, depth - 1)
    elif shape.type_name == "list":
        yield from members(shape.member, depth - 1)


@pytest.mark.req("P3")
def test_every_operation_of_iam_that_does_not_only_read_asks_a_person() -> None:
    changes = [name for name, _ in operations("iam") if not name.startswith(READS)]
    assert len(changes) > 100
    assert [name for name in changes if answer("iam-changes", f"iam:{name}") is not Effect.REQUIRE_APPROVAL] == []


def test_reading_iam_asks_nobody() -> None:
    reads = [name for name, _ in operations("iam") if name.startswith(READS)]
    assert [name for name in reads if answer("iam-changes", f"iam:{name}") is not Effect.ALLOW] == []


@pytest.mark.req("P3")
def test_every_purchase_asks_a_person() -> None:
    bought = [
        f"{service}:{name}" for service in services("money") for name, _ in operations(service) if "Purchase" in name
    ]
    reads = [name for name in bought if name.partition(":")[2].startswith(("Describe", "Get", "List"))]
    assert len(bought) > len(reads) + 8
    assert [name for name in {*bought} - {*reads} if answer("money", name) is not Effect.REQUIRE_APPROVAL] == []


@pytest.mark.req("P3")
def test_no_operation_of_a_named_service_returns_credentials() -> None:
    found = [
        f"{service}:{name}"
        for service in services("secret-returning")
        for name, answered in operations(service)
        if KEYS & set(members(answered))
    ]
    assert len(found) >= 15
    assert [name for name in found if answer("secret-returning", name) is not Effect.DENY] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_action_a_pack_names_exists(name: str) -> None:
    # The loader refuses an unknown action of a service that is served; what nobody serves must be meant.
    actions = {action for rule in pack(name).rules for action in rule.actions}
    assert {action.partition(":")[0] for action in actions} - KNOWN.by_service.keys() <= NO_MODEL
    for action in actions:
        parse_action(action, KNOWN)


@pytest.mark.req("P3")
def test_every_operation_that_escalates_asks_a_person_or_is_denied() -> None:
    everything = compile_layers(
        "bot", (*map(pack, NAMES), load_policy(b"policies: ['* on **']", file="bot.yaml").policy)
    )
    entries = [load().entry(service, name) for service in load().services() for name in load().operations(service)]
    escalating = [entry for entry in entries if entry is not None and entry.escalates]
    ungated = []
    for entry in escalating:
        asked = tuple(Requirement(action, "*") for action in asked_actions(entry))
        if everything.decide(AccessRequest("bot", "p", asked)).effect is Effect.ALLOW:
            ungated.append(f"{entry.service}:{entry.operation}")
    assert len(escalating) == 482
    assert ungated == []
