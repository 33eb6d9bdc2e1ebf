"""Who can do one thing.

An answer about policies, not a decision: what depends on facts that were not given is said to depend on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from policies.analysis.comparison import Comparison
from policies.analysis.levels import Level
from policies.layers import LayeredPolicy
from policies.model import NO_CONTEXT, AccessRequest, Effect, Fact, PolicySet, Requirement, Rule, Span


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the request that is asked about.

    Args:
        projects: The project of each agent.
        context: As in `policies.model.AccessRequest`.
        now_ns: The moment, nanoseconds since the epoch, UTC; None when it is not known.
        returns_secrets: Whether what is asked for returns secrets.
    """

    projects: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, Fact] = field(default_factory=lambda: NO_CONTEXT)
    now_ns: int | None = None
    returns_secrets: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One agent that can do it.

    Args:
        agent: Its name.
        effect: ALLOW or REQUIRE_APPROVAL.
        rule_id: The rule that says so.
        span: Where it stands.
        text: One sentence for people.
        conditional: True when it takes facts that were not given; then `effect` is what it would be at best.
    """

    agent: str
    effect: Effect
    rule_id: str
    span: Span | None
    text: str
    conditional: bool = False


def who_can(
    policies: Mapping[str, LayeredPolicy], requirement: Requirement, facts: Facts | None = None
) -> tuple[Answer, ...]:
    """Return the agents that can do one thing, by name; an agent that cannot is left out.

    Args:
        policies: The layers of each agent.
        requirement: What is to be done.
        facts: What is known of the request.
    """
    given = facts or Facts()
    found = (_answer(agent, policy, requirement, given) for agent, policy in sorted(policies.items()))
    return tuple(answer for answer in found if answer is not None)


def _answer(agent: str, policy: LayeredPolicy, requirement: Requirement, facts: Facts) -> Answer | None:
    project = facts.projects.get(agent, "")
    request = AccessRequest(
        agent, project, (requirement,), facts.context, facts.now_ns, returns_secrets=facts.returns_secrets
    )
    decision = policy.decide(request)
    if decision.errors:
        return None
    reason = decision.reasons[0]
    if decision.effect is not Effect.DENY:
        return Answer(agent, decision.effect, reason.rule_id, reason.span, reason.text)
    return _at_best(agent, policy, requirement, facts)


def _at_best(agent: str, policy: LayeredPolicy, requirement: Requirement, facts: Facts) -> Answer | None:
    """Return what would be granted if the conditions of every grant held and those of no deny did."""
    hopeful = [replace(one, rules=tuple(_hopeful(one))) for one in _sets(policy)]
    values = {name: value for name, value in facts.context.items() if isinstance(value, str)}
    values |= {"agent.id": agent, "project": facts.projects.get(agent, "")}
    comparison = Comparison((), hopeful, secrets=facts.returns_secrets)
    change = comparison.change_at(requirement, {}, values)
    if change is None or change[1] is Level.DENY:
        return None
    spoken = [voice.rule for voice in comparison.speaking(requirement, values)]
    speaking = [rule for rule in spoken if rule.effect is change[1].effect]
    rule = max(speaking, key=lambda rule: facts.returns_secrets and rule.returns_secrets)
    text = f"rule `{rule.id}` at {rule.span} would, if the conditions of policies allow it"
    return Answer(agent, rule.effect, rule.id, rule.span, text, conditional=True)


def _hopeful(policy: PolicySet) -> Iterator[Rule]:
    for rule in policy.rules:
        if rule.effect is not Effect.DENY:
            yield replace(rule, conditions=(), until_ns=0, max_uses=0)
        elif not (rule.conditions or rule.until_ns):
            yield rule


def _sets(policy: LayeredPolicy) -> list[PolicySet]:
    return [layer.policy for layer in policy.layers]
