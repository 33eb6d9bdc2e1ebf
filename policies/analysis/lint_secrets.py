"""What is odd about a rule of an agent's own policy, given which actions return secrets."""

from __future__ import annotations

from collections.abc import Iterator

from policies.analysis.remarks import Code, Lint, remark
from policies.language.actions import NO_ACTIONS
from policies.model import Effect, Rule
from policies.patterns.pattern import compile_pattern
from policies.resources.catalogue import Catalogue


class SecretsLinter:
    """Looks at rules of agents' own policies one at a time.

    Args:
        catalogue: Known actions, and which of them return secrets.
    """

    __slots__ = ("_asked", "_catalogue")

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._asked: dict[str, frozenset[str]] = {}

    def lint(self, rule: Rule) -> Iterator[Lint]:
        """Yield what is odd about `returns_secrets`, there or missing; nothing about actions nobody knows."""
        secret = self._catalogue.secret_actions
        if rule.effect is Effect.DENY or not (secret or rule.returns_secrets):
            return
        asked = frozenset().union(*map(self._of_pattern, rule.actions))
        if not asked:
            return
        if rule.returns_secrets and not asked & secret:
            yield remark(
                Code.NO_SECRET, rule, f"no action of rule `{rule.id}` returns secrets", "delete `returns_secrets`"
            )
        if not rule.returns_secrets and asked <= self._catalogue.only_secret_actions:
            message = f"rule `{rule.id}` never grants: all it names returns secrets"
            yield remark(Code.SECRET_WITHHELD, rule, message, "add `returns_secrets: true`, or delete it")

    def _of_pattern(self, pattern: str) -> frozenset[str]:
        """Return the known actions a pattern means."""
        if pattern not in self._asked:
            matches = compile_pattern(pattern).matches
            near = (self._catalogue.actions or NO_ACTIONS).near(pattern)
            self._asked[pattern] = frozenset(filter(matches, near))
        return self._asked[pattern]
