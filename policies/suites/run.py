"""Runs policy test files against what decides. Pure.

A test that names its agent asks everything that decides for that agent, all layers together. A test that names none
asks the policy file beside it alone: `guardrails/money_test.yaml` asks `guardrails/money.yaml`, as an agent whose own
policy allows everything, so that it means the same in every configuration that holds the file.

A question about something that does not exist would get the expected denial for the wrong reason, so an unknown agent,
an unknown action and a resource that cannot belong to its action are faults of the case, which then has not passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

from policies.answers.matching import action_fits, matching_rules
from policies.digest import policy_version, rule_key
from policies.engine import CompiledPolicy, compile_policy
from policies.errors import did_you_mean, quote
from policies.language.actions import ANNOUNCED, NO_ACTIONS
from policies.layers import LayeredPolicy, compile_layers
from policies.model import (
    NO_USES,
    AccessRequest,
    Effect,
    Layer,
    PolicySet,
    PolicyVersion,
    Reason,
    Requirement,
    Rule,
    Span,
)
from policies.resources.catalogue import Catalogue
from policies.suites.report import CaseResult, Report, RuleCoverage, coverage
from policies.suites.suite import BESIDE, Case, Suite

__all__ = ["CaseResult", "Report", "RuleCoverage", "coverage", "run_suite"]

_TEST_SUFFIX: Final = "_test.yaml"
_SUFFIX: Final = ".yaml"

_NO_RESOURCE: Final = "*"
"""What an action is asked on that touches nothing in particular, as in AWS."""

_NOWHERE: Final = Span("", 0)
_EVERYTHING: Final = Rule("everything", Effect.ALLOW, ("*",), ("**",), _NOWHERE, returns_secrets=True)
"""What an agent may do by itself where a guardrail or a boundary is asked alone; never shown."""


def run_suite(
    suite: Suite, policies: Mapping[str, LayeredPolicy], catalogue: Catalogue, projects: Mapping[str, str]
) -> Report:
    """Ask every question of a test file; never raises.

    Args:
        suite: From `policies.suites.suite.load_suite`.
        policies: What decides, by agent.
        catalogue: The actions and types of resources there are.
        projects: For each agent its project; what a case says wins. Another project's boundary is not put in its place.
    """
    run = _Run(policies, catalogue, projects, _alone(suite.file, policies.values()))
    return Report(suite.file, tuple(run.ask(case) for case in suite.cases))


@dataclass(frozen=True, slots=True)
class _Run:
    policies: Mapping[str, LayeredPolicy]
    catalogue: Catalogue
    projects: Mapping[str, str]
    alone: LayeredPolicy | None
    speaking: dict[tuple[PolicyVersion, str], PolicySet] = field(default_factory=dict)

    def ask(self, case: Case) -> CaseResult:
        policy = self.alone if case.agent == BESIDE else self.policies.get(case.agent)
        if policy is None:
            return CaseResult(case, case.resource, fault=self._nobody(case))
        resource = self.catalogue.full_name(case.action, case.resource)
        fault = self._misnamed(case, resource)
        if fault:
            return CaseResult(case, case.resource, fault=fault)
        project = case.project or self.projects.get(case.agent, "")
        asked = (Requirement(case.action, resource),)
        uses = _uses(case, policy)
        secrets = case.returns_secrets
        if secrets is None:
            secrets = self.catalogue.returns_secrets(case.action)
        request = AccessRequest(policy.agent, project, asked, case.context, case.now_ns, uses, secrets)
        return self._result(case, policy, request)

    def _result(self, case: Case, policy: LayeredPolicy, request: AccessRequest) -> CaseResult:
        decision = policy.decide(request)
        resource = request.requirements[0].resource
        if decision.errors:
            return CaseResult(case, resource, fault=decision.errors[0])
        reason = decision.reasons[0]
        place = _shown(reason.span)
        own = [_shown(_own_answer(layer, policy.agent, request).span) for layer in policy.layers]
        matched = tuple(
            rule.span
            for layer in policy.layers
            for rule in matching_rules(self._speaking(layer.policy, request.requirements[0]), request)
            if _shown(rule.span)
        )
        return CaseResult(
            case, resource, decision.effect, reason.rule_id if place else "", place, reason.layer, reason.text,
            decided=tuple(span for span in own if span is not None), matched=matched,
        )  # fmt: skip

    def _speaking(self, policy: PolicySet, asked: Requirement) -> PolicySet:
        """Return the rules of a set that speak of the asked action: a suite asks few actions, again and again."""
        key = policy.version, asked.action
        if key not in self.speaking:
            rules = tuple(rule for rule in policy.rules if action_fits(rule, asked))
            self.speaking[key] = replace(policy, rules=rules)
        return self.speaking[key]

    def _nobody(self, case: Case) -> str:
        if case.agent == BESIDE:
            return f"no rule of {quote(_beside(case.span.file))} is in force here, and the test names no agent"
        hint = did_you_mean(case.agent, self.policies)
        return f"unknown agent {quote(case.agent)}" + (f"; {hint}" if hint else "")

    def _misnamed(self, case: Case, resource: str) -> str:
        """Return what of a question does not exist, as far as the connectors know."""
        actions = self.catalogue.actions or NO_ACTIONS
        known = case.action in actions or case.action in ANNOUNCED
        if not known and actions.near(case.action):
            hint = did_you_mean(case.action, actions.near(case.action))
            return f"unknown action {quote(case.action)}" + (f"; {hint}" if hint else "")
        types = self.catalogue.types_for(case.action)
        if types and resource != _NO_RESOURCE and self.catalogue.type_of(case.action, resource) is None:
            named = ", ".join(f"`{each.template}`" for each in types)
            return f"{quote(case.action)} never touches {quote(case.resource)}; its resources are {named}"
        return ""


def _beside(file: str) -> str:
    """Return the name of the policy file a test file stands beside."""
    return file.removesuffix(_TEST_SUFFIX) + _SUFFIX


def _alone(file: str, policies: Iterable[LayeredPolicy]) -> LayeredPolicy | None:
    """Return the policy file a test file stands beside as all there is; None when none of its rules is in force."""
    beside = _beside(file)
    places = [(layer.policy, rule) for each in policies for layer in each.layers for rule in layer.policy.rules]
    found = {rule.span: (policy, rule) for policy, rule in places if rule.span.file == beside}
    if not found:
        return None
    owner = next(iter(found.values()))[0]
    own = _policy_set(owner.agent, tuple(rule for _, rule in found.values()), owner.layer)
    allowing = () if owner.layer is Layer.AGENT else (_anything(),)
    return compile_layers(owner.agent, (own, *allowing))


@cache
def _anything() -> CompiledPolicy:
    return compile_policy(_policy_set("", (_EVERYTHING,), Layer.AGENT))


def _policy_set(agent: str, rules: tuple[Rule, ...], layer: Layer) -> PolicySet:
    return PolicySet(agent, rules, policy_version(agent, rules), layer)


def _own_answer(layer: CompiledPolicy, agent: str, request: AccessRequest) -> Reason:
    """Return what one layer says by itself; beside a guardrail, which grants nothing, stands what allows everything."""
    if layer.policy.layer is not Layer.GUARDRAIL:
        return layer.decide(request).reasons[0]
    return LayeredPolicy((layer, _anything()), agent).decide(request).reasons[0]


def _shown(place: Span | None) -> Span | None:
    """Return the place of a rule that stands in a file."""
    return None if place == _NOWHERE else place


def _uses(case: Case, policy: LayeredPolicy) -> Mapping[str, int]:
    """Return how often rules were used before, by their keys."""
    if not case.uses:
        return NO_USES
    rules = ((layer.policy.agent, rule) for layer in policy.layers for rule in layer.policy.rules)
    return {rule_key(agent, rule): case.uses[rule.id] for agent, rule in rules if rule.id in case.uses}
