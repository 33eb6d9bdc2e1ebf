"""Why one requirement is decided as it is: every rule that applies, and where nothing does, what nearly did.

Slow and complete: every rule is looked at, one by one. The decision itself is the engine's own and is never made here.

A layer that denies because nothing in it grants tells its near misses, so that people see which layer to change; a
layer that forbids has none, since no other rule could help; a guardrail in which nothing matches objects to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.answers.fixes import fix_for
from policies.answers.matching import Match, matches_of
from policies.answers.near_misses import NearMiss, near_misses
from policies.document.nodes import Json
from policies.engine import CompiledPolicy
from policies.layers import LayeredPolicy
from policies.lookup.entries import Entry
from policies.lookup.trie import split
from policies.model import AccessRequest, Decision, Effect, Layer, PolicyVersion, Reason, Requirement, Rule
from policies.resources.catalogue import UNCHECKED, Catalogue


@dataclass(frozen=True, slots=True)
class LayerExplanation:
    """What one layer says to a requirement.

    Args:
        layer: Which kind of layer.
        version: Version of its rules.
        effect: Its own answer; None for a guardrail that objects to nothing.
        matches: Every rule that applies, the one that gave the answer first, then the strictest first.
        near_misses: What nearly granted, nearest first; only where the layer denies by silence.
    """

    layer: Layer
    version: PolicyVersion
    effect: Effect | None
    matches: tuple[Match, ...]
    near_misses: tuple[NearMiss, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that speaks to one requirement.

    Args:
        agent: Who asks.
        requirement: What is asked.
        decision: The decision on it alone.
        layers: What each layer says, in their order; empty when the request could not be decided.
        fix: What would help; empty when nothing is denied.
    """

    agent: str
    requirement: Requirement
    decision: Decision
    layers: tuple[LayerExplanation, ...]
    fix: str


def explain(policy: LayeredPolicy, request: AccessRequest, catalogue: Catalogue = UNCHECKED) -> Explanation:
    """Tell everything an agent's layers have to say about one requirement.

    Args:
        policy: What decides for the agent.
        request: With exactly one requirement, whose resource is written in full.
        catalogue: Knows the types of resources and the short forms of rules.

    Raises:
        ValueError: the request has no requirement, or several.
    """
    (requirement,) = request.requirements
    decision = policy.decide(request)
    layers = () if decision.errors else tuple(_explain_layer(layer, request, catalogue) for layer in policy.layers)
    return Explanation(policy.agent, requirement, decision, layers, fix_for(decision, catalogue))


def to_json(explanation: Explanation) -> dict[str, Json]:
    """Return an explanation as plain data, for the API and ``-o json``."""
    decision, requirement = explanation.decision, explanation.requirement
    return {
        "agent": explanation.agent,
        "action": requirement.action,
        "resource": requirement.resource,
        "effect": decision.effect.value,
        "reasons": [_reason(reason) for reason in decision.reasons],
        "errors": list(decision.errors),
        "layers": [_layer(layer) for layer in explanation.layers],
        "fix": explanation.fix,
        "policy_version": decision.policy_version,
    }


def _explain_layer(compiled: CompiledPolicy, request: AccessRequest, catalogue: Catalogue) -> LayerExplanation:
    policy = compiled.policy
    entry = _ruling(compiled, request)
    if entry is not None:
        # Of two rules that forbid, one that surely matches decides before one that only might.
        found = sorted(matches_of(policy, request), key=lambda match: match.rule.id != entry.rule_id)
        return LayerExplanation(policy.layer, policy.version, entry.effect, tuple(found), ())
    if compiled.guards:
        return LayerExplanation(policy.layer, policy.version, None, (), ())
    return LayerExplanation(policy.layer, policy.version, Effect.DENY, (), near_misses(policy, request, catalogue))


def _ruling(compiled: CompiledPolicy, request: AccessRequest) -> Entry | None:
    """Return the rule that gives a layer's answer; None when it is silent, or grants all but what returns secrets."""
    requirement = request.requirements[0]
    segments = split(requirement.resource)
    entry, _ = compiled.weigh(requirement, segments, request)
    if entry is None or entry.effect is Effect.DENY or compiled.secrets is None or not request.returns_secrets:
        return entry
    granting, _ = compiled.secrets.weigh(requirement, segments, request)
    return granting if granting is None or granting.rank >= entry.rank else entry


def _reason(reason: Reason) -> dict[str, Json]:
    return {
        "effect": reason.effect.value,
        "layer": reason.layer.value,
        "rule": reason.rule_id,
        "file": reason.span.file if reason.span else "",
        "line": reason.span.line if reason.span else 0,
        "text": reason.text,
    }


def _layer(layer: LayerExplanation) -> dict[str, Json]:
    return {
        "layer": layer.layer.value,
        "effect": layer.effect.value if layer.effect else None,
        "version": layer.version,
        "matches": [{**_rule(match.rule), "pattern": match.pattern} for match in layer.matches],
        "near_misses": [
            {**_rule(miss.rule), "pattern": miss.pattern, "part": miss.part.value, "why_not": miss.text}
            for miss in layer.near_misses
        ],
    }


def _rule(rule: Rule) -> dict[str, Json]:
    return {
        "rule": rule.id,
        "file": rule.span.file,
        "line": rule.span.line,
        "effect": rule.effect.value,
        "text": rule.text,
        "expansion": list(rule.resources),
        "description": rule.description,
    }
