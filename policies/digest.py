"""The version of a policy set: a digest over everything a decision or its explanation can depend on.

Stored with every decision. A field added to `Rule` must be left out of the form while it has its default value, so
that old versions can be computed again.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from policies.model import PolicyVersion, Rule

_DOMAIN: Final = b"ostiary.policy.v1\0"


def policy_version(agent: str, rules: tuple[Rule, ...]) -> PolicyVersion:
    """Return the version of an agent's rules; the same rules in another order, place or file have another one."""
    form = [agent, [_form(rule) for rule in rules]]
    data = json.dumps(form, ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode("ascii")
    return PolicyVersion(hashlib.sha256(_DOMAIN + data).hexdigest())


def _form(rule: Rule) -> list[object]:
    approval = [rule.approval.channel, rule.approval.timeout_seconds] if rule.approval else []
    place = [rule.span.file, rule.span.line, rule.span.column]
    return [rule.id, rule.effect.value, rule.actions, rule.resources, place, approval, rule.description]
