"""What is odd about policies that are valid.

Only single rules are held against each other: a rule that several others make useless only together is not found.
A rule counts as made useless only by one with the same or fewer conditions. Each layer is looked at by itself; only
what a guardrail or a boundary denies outright is held against the grants of other layers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from policies.analysis.lint_pairs import Neighbours, under_other_layers
from policies.analysis.lint_people import lint_people
from policies.analysis.lint_rules import RuleLinter
from policies.analysis.lint_secrets import SecretsLinter
from policies.analysis.remarks import SEVERITIES, Code, Lint
from policies.errors import quote
from policies.model import Assurance, Effect, Layer, PolicySet
from policies.resources.catalogue import UNCHECKED, Catalogue

ALL_SURFACES: Final = tuple(Assurance)
_OUTER: Final = frozenset({Layer.GUARDRAIL, Layer.BOUNDARY})


def lint(
    policies: Mapping[str, Sequence[PolicySet]],
    catalogue: Catalogue = UNCHECKED,
    *,
    approvers: Mapping[str, Collection[str]] | None = None,
    surfaces: Collection[Assurance] = ALL_SURFACES,
    now_ns: int | None = None,
) -> tuple[Lint, ...]:
    """Return everything odd, each once, in the order of files and lines.

    Args:
        policies: For each agent its layers; a layer that several agents share should be the same object, so that it is
            looked at once.
        catalogue: Known actions and types.
        approvers: Every operator with the roles of each; None leaves people unlooked at.
        surfaces: How surely people are known where they can answer.
        now_ns: The moment, nanoseconds since the epoch, UTC; None leaves ends of rules unlooked at.
    """
    linter, secrets = RuleLinter(catalogue, now_ns), SecretsLinter(catalogue)
    layers = {id(policy): policy for layers in policies.values() for policy in layers}
    known = {key: Neighbours(policy) for key, policy in layers.items()}
    found: list[Lint] = []
    for key, policy in layers.items():
        found.extend(known[key].lint())
        for rule in policy.rules:
            found.extend(linter.lint(rule))
            if policy.layer is Layer.AGENT:
                found.extend(secrets.lint(rule))
            if approvers is not None:
                found.extend(lint_people(rule, approvers, surfaces))
    for agent, own in policies.items():
        outer = [known[id(policy)] for policy in own if policy.layer in _OUTER]
        found.extend(_of_agent(agent, own, outer))
    return tuple(sorted(dict.fromkeys(found), key=_place))


def _of_agent(agent: str, layers: Sequence[PolicySet], outer: Sequence[Neighbours]) -> Iterator[Lint]:
    inner = [policy for policy in layers if policy.layer not in _OUTER]
    if all(rule.effect is Effect.DENY for policy in inner for rule in policy.rules):
        message = f"no rule grants {quote(agent)} anything"
        yield Lint(Code.NO_GRANT, SEVERITIES[Code.NO_GRANT], None, "", message)
    for policy in inner if outer else ():
        yield from under_other_layers(policy, outer)


def _place(found: Lint) -> tuple[str, int, int, str, str]:
    span = found.span
    return (
        ("", 0, 0, found.code, found.message)
        if span is None
        else (span.file, span.line, span.column, found.code, found.message)
    )
