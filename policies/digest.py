"""The version of a policy set and the key of a rule: digests over what a decision or its explanation can depend on.

Versions are stored with every decision, keys with every use of a rule. A field added to `Rule` or `PolicySet` must be
left out of the form while it has its default value, so that old digests can be computed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Final

from policies.model import ApprovalTerms, Assurance, Condition, Layer, PolicyVersion, Rule

_VERSION: Final = b"ostiary.policy.v1\0"
_LAYERS: Final = b"ostiary.policy.layers.v1\0"
_RULE: Final = b"ostiary.rule.v1\0"
_KEY_CHARS: Final = 32
"""Hexadecimal digits of a rule's key: 128 bits, so that no two rules of an installation share one."""


def policy_version(agent: str, rules: tuple[Rule, ...], layer: Layer = Layer.AGENT) -> PolicyVersion:
    """Return the version of one layer; the same rules in another order, place, file or layer have another one."""
    form: list[object] = [agent, [_form(rule) for rule in rules]]
    if layer is not Layer.AGENT:
        form.append(layer.value)
    return PolicyVersion(_digest(_VERSION, form))


def layers_version(versions: Iterable[PolicyVersion]) -> PolicyVersion:
    """Return the version of several layers together: that of the only one, else a digest over all, in order."""
    listed = list(versions)
    return listed[0] if len(listed) == 1 else PolicyVersion(_digest(_LAYERS, listed))


def rule_key(agent: str, rule: Rule) -> str:
    """Return the name under which the uses of a rule with a limit are counted.

    It holds what the rule says and not where: a rule that moves within its file keeps its count when its author gave
    it an id, and one that says something else starts anew.

    Args:
        agent: Agent of the policy set; empty for a set of all agents, who then share the count.
        rule: The rule.

    Returns:
        32 hexadecimal digits.
    """
    form = [agent, rule.id, rule.effect.value, rule.actions, rule.resources, _conditions(rule), rule.max_uses]
    if rule.returns_secrets:
        form.append(rule.returns_secrets)
    return _digest(_RULE, form)[:_KEY_CHARS]


def _digest(domain: bytes, form: object) -> str:
    data = json.dumps(form, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode("ascii")
    return hashlib.sha256(domain + data).hexdigest()


def _form(rule: Rule) -> list[object]:
    place = [rule.span.file, rule.span.line, rule.span.column]
    form: list[object] = [
        rule.id,
        rule.effect.value,
        rule.actions,
        rule.resources,
        place,
        _terms(rule.approval),
        rule.description,
    ]
    more = {
        "text": rule.text,
        "conditions": _conditions(rule),
        "until_ns": rule.until_ns,
        "max_uses": rule.max_uses,
        "returns_secrets": rule.returns_secrets,
    }
    set_ones = {name: value for name, value in more.items() if value}
    return [*form, set_ones] if set_ones else form


def _terms(terms: ApprovalTerms | None) -> list[object]:
    if terms is None:
        return []
    form: list[object] = [terms.channel, terms.timeout_seconds]
    if terms.approvers or terms.assurance is not Assurance.CHAT:
        form += [terms.approvers, terms.assurance.value]
    return form


def _conditions(rule: Rule) -> list[tuple[object, ...]]:
    return [_condition(condition) for condition in rule.conditions]


def _condition(condition: Condition) -> tuple[object, ...]:
    return condition.key, condition.operator, condition.operands
