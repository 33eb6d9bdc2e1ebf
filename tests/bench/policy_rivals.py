"""The yardsticks: the same rules in Cedar and in Casbin, both with everything parsed beforehand.

Cedar's ``like`` has one star, which crosses segments; Casbin is given Ostiary's own compiled patterns as its matching
function, which flatters it. Neither asks a human, so a rule that asks allows there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

import casbin  # type: ignore[import-untyped]  # it ships no types
import cedarpy

from policies.model import AccessRequest, Effect, Rule
from policies.patterns.pattern import compile_pattern

_MODEL = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.sub == p.sub && covers(r.act, p.act) && covers(r.obj, p.obj)
"""

Ask = Callable[[AccessRequest], bool]


def cedar(rules: tuple[Rule, ...]) -> Ask:
    """Return what asks Cedar; pre-parsed policies, no entities."""
    policies = cedarpy.PolicySet.from_str("\n".join(map(_cedar_policy, rules)))
    entities = cedarpy.Entities.from_json_str("[]")

    def ask(request: AccessRequest) -> bool:
        asked = request.requirements[0]
        return bool(
            cedarpy.is_authorized(
                {
                    "principal": {"type": "Agent", "id": request.agent},
                    "action": {"type": "Action", "id": "act"},
                    "resource": {"type": "Resource", "id": "it"},
                    "context": {"action": asked.action, "resource": asked.resource},
                },
                policies,
                entities,
            ).allowed
        )

    return ask


def pycasbin(rules: tuple[Rule, ...]) -> Ask:
    """Return what asks Casbin; rules in memory, a matching function of compiled patterns."""
    logging.disable(logging.INFO)
    model = casbin.Model()
    model.load_model_from_text(_MODEL)
    enforcer = casbin.Enforcer(model)
    enforcer.add_function("covers", lambda asked, pattern: _compiled(pattern)(asked))
    enforcer.add_policies(
        [
            ["bench", rule.resources[0], rule.actions[0], "deny" if rule.effect is Effect.DENY else "allow"]
            for rule in rules
        ]
    )

    def ask(request: AccessRequest) -> bool:
        asked = request.requirements[0]
        return bool(enforcer.enforce(request.agent, asked.resource, asked.action))

    return ask


@cache
def _compiled(pattern: str) -> Callable[[str], bool]:
    return compile_pattern(pattern).matches


def _cedar_policy(rule: Rule) -> str:
    word = "forbid" if rule.effect is Effect.DENY else "permit"
    return (
        f'{word}(principal == Agent::"bench", action, resource) when '
        f'{{ context.action like "{rule.actions[0]}" && context.resource like "{rule.resources[0]}" }};'
    )
