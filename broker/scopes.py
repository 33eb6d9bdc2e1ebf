"""Scopes of sessions: whether the rules of one can be read, and whether one is within another.

A scope is a list of rules as they stand in a policy: ``git:read on repos/acme/*``, ``deny git:push on …``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from broker.config.model import Configuration
from broker.model import JsonObject, Session
from broker.outcome import Problem, ProblemKind
from policies.analysis.coverage import Witness, wider
from policies.digest import policy_version
from policies.errors import LoadError, quote
from policies.language.loader import load_scope
from policies.model import Layer, PolicySet
from policies.resources.catalogue import Catalogue

SEARCH_BUDGET: Final = 2_000
"""Steps of one search of `policies.analysis.coverage`, tens of milliseconds: an agent chooses what is searched."""


def faults_of(scope: Sequence[str], configuration: Configuration) -> Problem | None:
    """Tell what is wrong with the rules of a scope; None when nothing is, or there are none.

    Args:
        scope: The rules as given; a finding's line is the place of its rule in the list, from 1.
        configuration: The one in force.
    """
    if not scope:
        return None
    try:
        load_scope(scope, configuration.catalogue)
    except LoadError as error:
        first = error.findings[0]
        found: list[JsonObject] = [
            {"line": each.line, "column": each.column, "detail": each.message, "fix": each.fix}
            for each in error.findings
        ]
        detail = f"rule {first.line} of the scope: {first.message}"
        return Problem(ProblemKind.INVALID_PARAMS, detail, fix=first.fix, extra={"errors": found})
    return None


def too_wide(scope: Sequence[str], parent: Session, configuration: Configuration) -> Problem | None:
    """Tell what a scope would allow that ``parent`` may not do; None when there is nothing.

    Guardrails are left out, as they name what nobody may do and not what somebody may; conditions are left to the time
    the scope is used (`policies.analysis.coverage`). Whatever is found here, every layer decides again at that time.

    Args:
        scope: The rules, which can be read.
        parent: Whose scopes and policy they must be within.
        configuration: The one in force.
    """
    catalogue = configuration.catalogue
    layered = configuration.layers.get(parent.agent)
    within = [each.policy for each in layered.layers if each.policy.layer is not Layer.GUARDRAIL] if layered else []
    try:
        within += [policy_of(rules, parent.agent, catalogue) for rules in parent.scopes]
    except LoadError:
        return Problem(
            ProblemKind.SCOPE_TOO_WIDE,
            "the scope of this session is no valid policy any more, so there is nothing to hand out",
            fix="ask an operator for `ostiary session start`",
        )
    rules = load_scope(scope, catalogue)
    witness = wider(rules, within, catalogue, values=_values_of(parent), budget=SEARCH_BUDGET)
    return _outside(witness) if witness else None


def policy_of(rules: Sequence[str], agent: str, catalogue: Catalogue) -> PolicySet:
    """Return a scope as the layer it is.

    Raises:
        LoadError: the rules cannot be read.
    """
    loaded = load_scope(rules, catalogue)
    return PolicySet(agent, loaded, policy_version(agent, loaded), Layer.SESSION)


def _values_of(session: Session) -> dict[str, str]:
    """Return what variables stand for in every session below ``session``; its own id is not among them."""
    labels = {f"session.{name}": str(value) for name, value in session.labels.items() if name != "id"}
    return {**labels, "session.owner": session.owner, "agent.id": session.agent, "project": session.project}


def _outside(witness: Witness) -> Problem:
    asked = witness.requirement
    shown = f"{quote(asked.action)} on {quote(asked.resource)}"
    detail = (
        f"the scope would allow {shown}, which this session may not"
        if witness.decided
        else f"the scope cannot be compared with what this session may: it is too involved around {shown}"
    )
    return Problem(
        ProblemKind.SCOPE_TOO_WIDE,
        detail,
        reason=f"a session hands out no more than it has; layer `{witness.layer.value}` does not allow it",
        rule=str(witness.rule.span),
        fix="narrow this rule of the scope",
        extra={"witness": {"action": asked.action, "resource": asked.resource}},
    )
