"""The rules that grant what returns secrets: one more layer, which is asked of such requests only.

A rule grants secrets by ``returns_secrets: true``, in the agent's own policy and nowhere else: a guardrail grants
nothing, and a boundary or a scope says what an agent may have at most, of which secrets are a part. Beside these rules
the whole policy is asked as ever. So a rule without the option never grants a secret, and still asks and denies.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from policies.lookup.rulebook import RuleBook
from policies.lookup.trie import split
from policies.model import AccessRequest, Effect, PolicySet, Requirement, Rule


def grants_secrets(rule: Rule) -> bool:
    """Tell whether a rule of an agent's own policy grants requests that return secrets."""
    return rule.returns_secrets and rule.effect is not Effect.DENY


def secrets_of(policy: PolicySet) -> PolicySet:
    """Return the rules of an agent's own policy that grant requests that return secrets, as a layer."""
    return replace(policy, rules=tuple(filter(grants_secrets, policy.rules)))


class SecretsBook(RuleBook):
    """The rules of an agent's own policy that grant secrets.

    Args:
        whole: All rules of that policy.

    Raises:
        BoundError: a decision could take too long.
    """

    __slots__ = ("_whole",)

    gives: ClassVar[bool] = True

    def __init__(self, whole: RuleBook) -> None:
        super().__init__(secrets_of(whole.policy))
        self._whole = whole

    def nearest(self, requirement: Requirement, request: AccessRequest) -> str:
        """Return the rule that would grant it but for the option, else the nearest one that has it, in words."""
        entry, _ = self._whole.weigh(requirement, split(requirement.resource), request)
        if entry is not None:
            return f"{entry.said} it without `returns_secrets: true`"
        return super().nearest(requirement, request) or self._whole.nearest(requirement, request)
