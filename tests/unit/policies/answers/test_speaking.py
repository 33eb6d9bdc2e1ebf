from __future__ import annotations

import pytest

from policies.answers.speaking import Grants, rules_about
from policies.engine import compile_policy
from policies.language.loader import load_policy
from policies.layers import LayeredPolicy, compile_layers
from policies.model import Layer

OWN = b"""
policies:
  - s3:GetObject,ecs:Describe* on **
  - {allow: "*:Tag* on **", requires_approval: true}
  - deny sqs:* on **
"""
GUARDRAIL = b"policies: [{allow: 'iam:* on **', requires_approval: true}]"


@pytest.fixture(scope="module")
def policy() -> LayeredPolicy:
    guardrail = load_policy(GUARDRAIL, file="policies/guardrails/g.yaml", layer=Layer.GUARDRAIL).policy
    own = load_policy(OWN, file="policies/bot.yaml").policy
    return compile_layers("bot", (compile_policy(guardrail), compile_policy(own)))


@pytest.mark.parametrize(
    ("action", "granted"),
    [
        ("s3:GetObject", True),
        ("s3:GetObjectTagging", False),
        ("ecs:DescribeServices", True),
        ("ecs:UpdateService", False),
        ("athena:TagResource", True),
        ("sqs:SendMessage", False),
        ("iam:GetRole", False),
    ],
)
def test_what_rules_of_its_own_let_an_agent_do_is_known_by_name(
    policy: LayeredPolicy, action: str, granted: bool
) -> None:
    assert Grants(policy).speak_of(action) is granted


def test_an_agent_without_rules_is_granted_nothing() -> None:
    assert not Grants(compile_layers("bot", ())).speak_of("s3:GetObject")


def test_every_layer_that_speaks_of_an_action_is_listed(policy: LayeredPolicy) -> None:
    assert [each.layer for each in rules_about(policy, ["iam:TagRole"])] == [Layer.GUARDRAIL, Layer.AGENT]
