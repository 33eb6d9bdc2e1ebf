from __future__ import annotations

import pytest

from broker.decision_point import DecisionPoint
from broker.model import IntentDraft
from policies.answers.triggers import Trigger
from policies.language.loader import load_policy, merge
from policies.layers import compile_layers
from policies.model import Effect, Layer
from tests.house import CONNECTION, House

POLICY = b"""version: 1
agent: scribe
policies:
  - allow: paper:Write on *
    id: gate
    requires_approval: true
    when: {params.paths: [".github/*", "src/*"]}
  - paper:Read on *
"""
DRAFT = IntentDraft("paper:Write", {"name": "a"}, evidence={"facts": {"paths": [".github/x", "src/a"]}})


@pytest.fixture
def point(house: House) -> DecisionPoint:
    loaded = load_policy(POLICY, file="policies/scribe.yaml")
    policy = compile_layers("scribe", (merge([loaded], "scribe", Layer.AGENT),))
    return DecisionPoint(
        policy_of=lambda _session: policy,
        configuration=house.broker.in_force,
        reader=house.reader,
        rate_class=lambda _session: "",
        now_ns=lambda: 1,
    )


@pytest.mark.req("H2")
async def test_who_is_asked_is_told_because_of_which_paths(house: House, point: DecisionPoint) -> None:
    plan = house.connector.plan("paper:Write", {"name": "a"}, CONNECTION)
    session = await house.session()
    verdict = await point.decide(session, DRAFT, plan)
    assert verdict.decision.effect is Effect.REQUIRE_APPROVAL
    assert verdict.triggers == (Trigger("policies/scribe.yaml:4 (gate)", (".github/x", "src/a")),)
    again = await point.decide(session, DRAFT, plan, verdict.facts)
    assert (again.decision, again.triggers) == (verdict.decision, ())


async def test_where_nobody_is_asked_nothing_is_told(house: House, point: DecisionPoint) -> None:
    plan = house.connector.plan("paper:Read", {"name": "a"}, CONNECTION)
    verdict = await point.decide(await house.session(), DRAFT, plan)
    assert (verdict.decision.effect, verdict.triggers) == (Effect.ALLOW, ())
