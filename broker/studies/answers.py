"""What the policies of a configuration say, as plain data: the same answers on the command line and over the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from broker.config.model import Configuration
from broker.model import JsonObject, Role
from policies.analysis.can_i import Grant, can_i
from policies.analysis.diff import Difference, diff
from policies.analysis.lint import lint
from policies.analysis.remarks import Code, Lint
from policies.analysis.who_can import Answer, Facts, who_can
from policies.language.actions import canonical_action
from policies.model import Assurance, Fact, Layer, PolicySet, Requirement

SURFACES = (Assurance.CHAT, Assurance.WEB)
"""How surely people are known where they can answer today."""


def remarks_on(configuration: Configuration, now_ns: int) -> tuple[Lint, ...]:
    """Return what a linter remarks on a configuration.

    Guardrails name what may come one day, so that an action nobody serves yet is none of their faults.

    Args:
        configuration: What is looked at.
        now_ns: The moment, for rules that have ended.
    """
    roles = {
        name: [role.value for role in Role if operator.may(role)] for name, operator in configuration.operators.items()
    }
    guards = {
        rule.span
        for layers in policy_sets(configuration).values()
        for policy in layers
        if policy.layer is Layer.GUARDRAIL
        for rule in policy.rules
    }
    found = lint(policy_sets(configuration), configuration.catalogue, approvers=roles, surfaces=SURFACES, now_ns=now_ns)
    return _once(each for each in found if each.code is not Code.DEAD or each.span not in guards)


def _once(found: Iterable[Lint]) -> tuple[Lint, ...]:
    """Return the remarks, with what is said of the people behind many rules said once."""
    groups: dict[object, list[Lint]] = {}
    for each in found:
        key = (each.code, each.message) if each.code is Code.ONE_APPROVER else each
        groups.setdefault(key, []).append(each)
    return tuple(
        replace(same[0], message=f"{same[0].message}; so it is for {len(same) - 1} more rules") if same[1:] else same[0]
        for same in groups.values()
    )


def remark_row(found: Lint) -> JsonObject:
    """Return a remark as data."""
    span = found.span
    return {
        "file": span.file if span else "",
        "line": span.line if span else 0,
        "column": span.column if span else 0,
        "severity": found.severity.value,
        "code": found.code.value,
        "rule": found.rule_id,
        "message": found.message,
        "fix": found.fix,
    }


def differences(before: Configuration, after: Configuration) -> tuple[Difference, ...]:
    """Return what a change of configurations changes."""
    return diff(policy_sets(before), policy_sets(after), after.catalogue)


def difference_row(found: Difference) -> JsonObject:
    """Return a difference as data."""
    rule = found.rule
    return {
        "agent": found.agent,
        "change": found.kind.value,
        "action": found.requirement.action,
        "resource": found.requirement.resource,
        "was": found.old.value,
        "is": found.new.value,
        "rule": rule.id if rule else "",
        "place": f"{rule.span}{'' if found.added else ' (gone)'}" if rule else "",
        "widens": found.widens,
        "conditional": found.conditional,
        "returns_secrets": found.returns_secrets,
        "values": dict(found.values),
    }


def grants_of(configuration: Configuration, agent: str, action: str = "") -> list[JsonObject]:
    """Return what a declared agent can do.

    Args:
        configuration: What is looked at.
        agent: Name of the agent.
        action: Only this action; empty for all.
    """
    wanted = canonical_action(action) or None
    return [_grant_row(each) for each in can_i(configuration.layers[agent], configuration.catalogue, wanted)]


def who_can_rows(
    configuration: Configuration, asked: Requirement, context: Mapping[str, Fact], now_ns: int
) -> list[JsonObject]:
    """Return the agents that can do one thing, in the order of their names.

    Args:
        configuration: What is looked at.
        asked: The thing; its resource may be in a short form.
        context: Facts that are known.
        now_ns: The moment.
    """
    name = canonical_action(asked.action)
    requirement = Requirement(name, configuration.catalogue.full_name(name, asked.resource))
    projects = {agent: each.project for agent, each in configuration.agents.items()}
    secrets = configuration.catalogue.returns_secrets(name)
    found = who_can(configuration.layers, requirement, Facts(projects, context, now_ns, secrets))
    return [_answer_row(each) for each in found]


def policy_sets(configuration: Configuration) -> dict[str, list[PolicySet]]:
    """Return the layers of every agent; layers that agents share are the same objects."""
    return {agent: [layer.policy for layer in layered.layers] for agent, layered in configuration.layers.items()}


def _grant_row(grant: Grant) -> JsonObject:
    return {
        "effect": grant.effect.value,
        "actions": list(grant.actions),
        "resource": grant.resource,
        "asks": list(grant.asks),
        "never": list(grant.never),
        "only": list(grant.only),
        "conditional": grant.conditional,
        "returns_secrets": grant.returns_secrets,
        "rule": grant.rule.id,
        "place": str(grant.rule.span),
        "example": {"action": grant.example.action, "resource": grant.example.resource},
    }


def _answer_row(answer: Answer) -> JsonObject:
    return {
        "agent": answer.agent,
        "effect": answer.effect.value,
        "conditional": answer.conditional,
        "rule": answer.rule_id,
        "place": str(answer.span or ""),
        "text": answer.text,
    }
