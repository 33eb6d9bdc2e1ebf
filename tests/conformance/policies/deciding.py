"""Answers the corpus with the library: files to layers, questions to decisions."""

from __future__ import annotations

from functools import cache
from pathlib import PurePosixPath
from typing import Any

from connectors.base import permissions_of, secret_operations_of
from connectors.registry import build_connectors
from policies.conditions.guards import flatten_params
from policies.conditions.moments import parse_moment
from policies.digest import policy_version, rule_key
from policies.engine import CompiledPolicy, compile_policy
from policies.language.actions import canonical_action
from policies.language.loader import LoadedPolicy, load_policy, load_scope, merge
from policies.layers import LayeredPolicy, compile_layers
from policies.model import AccessRequest, Decision, Fact, Layer, PolicySet, Requirement
from policies.patterns.pattern import UNKNOWN, compile_pattern
from policies.resources.catalogue import Catalogue, build_catalogue
from tests.conformance.policies.corpus import AGENT, PROJECT, UNKNOWN_PART, Question

_FOLDERS = {"guardrails": Layer.GUARDRAIL, "projects": Layer.BOUNDARY, "policies": Layer.AGENT}
_ORDER = (Layer.GUARDRAIL, Layer.BOUNDARY, Layer.AGENT)


@cache
def catalogue() -> Catalogue:
    """Return what the connectors of this build offer; the command line uses the same."""
    connectors = build_connectors().values()
    operations = {action: asked for one in connectors for action, asked in permissions_of(one.operations).items()}
    secret = [name for one in connectors for name in secret_operations_of(one.operations)]
    return build_catalogue([each for one in connectors for each in one.resource_types], operations, secret)


def layer_of(file: str) -> Layer:
    return _FOLDERS[PurePosixPath(file).parent.name]


def load(file: str, text: str) -> LoadedPolicy:
    return load_policy(text.encode(), file=file, layer=layer_of(file), catalogue=catalogue())


def compiled(question: Question) -> LayeredPolicy:
    loaded = [load(file, text) for file, text in question.files.items()]
    for_agent = [each for each in loaded if layer_of(each.file) is Layer.BOUNDARY or _speaks_of_the_agent(each)]
    layers = []
    for layer in _ORDER:
        files = [each for each in for_agent if each.layer is layer]
        if files or layer is Layer.AGENT:
            layers.append(compile_policy(merge(files, AGENT if layer is Layer.AGENT else "", layer)))
    return compile_layers(AGENT, (*layers, *(_scope(rules) for rules in question.session)))


def decide(question: Question, policy: LayeredPolicy) -> Decision:
    return policy.decide(request(question, policy))


def request(question: Question, policy: LayeredPolicy) -> AccessRequest:
    uses = {
        rule_key(layer.policy.agent, rule): question.uses[rule.id]
        for layer in policy.layers
        for rule in layer.policy.rules
        if rule.id in question.uses
    }
    now_ns = None if question.now is None else parse_moment(question.now)
    asked = tuple(requirement(text) for text in question.ask)
    secrets = question.returns_secrets
    if secrets is None:
        secrets = any(catalogue().returns_secrets(each.action) for each in asked)
    return AccessRequest(AGENT, question.project, asked, _facts(question.context), now_ns, uses, secrets)


def requirement(text: str) -> Requirement:
    action, _, resource = text.partition(" on ")
    name = canonical_action(action)
    return Requirement(name, catalogue().full_name(name, resource.replace(UNKNOWN_PART, UNKNOWN)))


def _scope(rules: tuple[str, ...]) -> CompiledPolicy:
    found = load_scope(rules, catalogue())
    return compile_policy(PolicySet(AGENT, found, policy_version(AGENT, found), Layer.SESSION))


def _speaks_of_the_agent(loaded: LoadedPolicy) -> bool:
    return any(compile_pattern(name).matches(AGENT) for name in loaded.agents)


def _facts(context: dict[str, Any]) -> dict[str, Fact]:
    rest = {name: value for name, value in context.items() if name != "params"}
    return rest | flatten_params(context.get("params", {}))


__all__ = ["PROJECT", "catalogue", "compiled", "decide", "layer_of", "load", "request", "requirement"]
