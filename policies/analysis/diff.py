"""What a change of policies changes: for each changed rule a shortest requirement that is now decided differently.

Only the languages of changed rules are searched, since nothing else can be decided differently. Conditions are free to
hold or fail, the same on both sides, so a condition that was loosened shows as a widening. Whoever compares must hold
out against a search that gave up: it is reported as `Kind.UNDECIDED` and counts as widening.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from policies.analysis.changes import ChangedRule, changed_rules, changed_terms, loosens
from policies.analysis.comparison import Change, Comparison, Found
from policies.analysis.languages import NO_VALUES
from policies.analysis.levels import Level
from policies.analysis.readable import example_of, in_words
from policies.analysis.scenarios import Holds
from policies.analysis.terms import Harmless
from policies.analysis.walk import BUDGET
from policies.model import Effect, PolicySet, Requirement, Rule
from policies.resources.catalogue import UNCHECKED, Catalogue


class Kind(StrEnum):
    """What became of a requirement."""

    NEWLY_ALLOWED = "newly allowed"
    NEWLY_ASKS = "newly possible with approval"
    WITHOUT_APPROVAL = "newly without approval"
    ASKS_INSTEAD = "asks instead of allowing"
    NEWLY_DENIED = "newly denied"
    TERMS_CHANGED = "terms changed"
    UNDECIDED = "could not be decided"


_KINDS: Final[Mapping[Change, Kind]] = MappingProxyType(
    {
        (Level.DENY, Level.ALLOW): Kind.NEWLY_ALLOWED,
        (Level.DENY, Level.APPROVAL): Kind.NEWLY_ASKS,
        (Level.APPROVAL, Level.ALLOW): Kind.WITHOUT_APPROVAL,
        (Level.ALLOW, Level.APPROVAL): Kind.ASKS_INSTEAD,
        (Level.APPROVAL, Level.DENY): Kind.NEWLY_DENIED,
        (Level.ALLOW, Level.DENY): Kind.NEWLY_DENIED,
    }
)
_WIDENING: Final = frozenset({Kind.NEWLY_ALLOWED, Kind.NEWLY_ASKS, Kind.WITHOUT_APPROVAL, Kind.UNDECIDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One change of what an agent may do.

    Args:
        agent: Whose.
        kind: What became of it.
        requirement: A shortest one that shows it; for `Kind.TERMS_CHANGED` and `Kind.UNDECIDED` an example.
        old: How it was decided; for those two kinds the rule's effect.
        new: How it is to be decided.
        rule: The changed rule that makes it; None when a whole layer came or went.
        added: Whether that rule is there now; False for one that is gone.
        widens: Whether the agent may do more, or with less asking.
        conditional: Whether it takes conditions to hold or fail.
        returns_secrets: Whether it is so for requests that return secrets only.
        values: Values of variables that the example takes.
    """

    agent: str
    kind: Kind
    requirement: Requirement
    old: Effect
    new: Effect
    rule: Rule | None
    added: bool
    widens: bool
    conditional: bool = False
    returns_secrets: bool = False
    values: Mapping[str, str] = field(default_factory=lambda: NO_VALUES)


def diff(
    old: Mapping[str, Sequence[PolicySet]],
    new: Mapping[str, Sequence[PolicySet]],
    catalogue: Catalogue = UNCHECKED,
    *,
    budget: int = BUDGET,
) -> tuple[Difference, ...]:
    """Return every difference between two configurations.

    Args:
        old: For each agent its layers as they were; an agent that is missing could do nothing.
        new: Likewise as they are to be.
        catalogue: Known actions and types; it makes witnesses readable and leaves out actions nobody can ask for.
        budget: Steps of the search for each action and resource of a changed rule.

    Returns:
        By agent, in the order of the changed rules in their files.
    """
    found: list[Difference] = []
    for agent in sorted(old.keys() | new.keys()):
        sides = old.get(agent, ()), new.get(agent, ())
        changed = changed_rules(*sides)
        if changed:
            comparison = Comparison(*sides, known=catalogue.actions, values={"agent.id": agent}, secrets=None)
            found.extend(each for one in changed for each in _of_rule(agent, one, comparison, catalogue, budget))
        found.extend(_of_terms(agent, *pair, catalogue) for pair in changed_terms(*sides))
    return tuple(found)


def _of_terms(agent: str, before: Rule, after: Rule, catalogue: Catalogue) -> Difference:
    return Difference(
        agent=agent,
        kind=Kind.TERMS_CHANGED,
        requirement=example_of(after, catalogue),
        old=before.effect,
        new=after.effect,
        rule=after,
        added=True,
        widens=loosens(before, after),
    )


def _of_rule(
    agent: str, changed: ChangedRule, comparison: Comparison, catalogue: Catalogue, budget: int
) -> Iterator[Difference]:
    findings = comparison.search(changed.lead, changed.possible, budget=budget)
    for found in sorted(findings.found.values(), key=_widening_first):
        shown = in_words(comparison, changed.lead, found, catalogue)
        old, new = found.change
        kind = _KINDS[found.change]
        yield Difference(
            agent=agent,
            kind=kind,
            requirement=shown.requirement,
            old=old.effect,
            new=new.effect,
            rule=changed.rule,
            added=changed.added,
            widens=kind in _WIDENING,
            conditional=bool(shown.scenario.keys() - {Harmless()}),
            returns_secrets=shown.scenario.get(Harmless()) is Holds.NO,
            values=shown.values,
        )
    if not findings.decided and not findings.found:
        yield Difference(
            agent=agent,
            kind=Kind.UNDECIDED,
            requirement=example_of(changed.lead, catalogue),
            old=changed.lead.effect,
            new=changed.lead.effect,
            rule=changed.rule,
            added=changed.added,
            widens=True,
        )


def _widening_first(found: Found) -> tuple[bool, Change]:
    return found.change[1] < found.change[0], found.change
