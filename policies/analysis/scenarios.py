"""When conditional rules apply.

The facts of a request are not known here, so each term is taken as free to hold, to fail, or to do neither (a fact is
missing, or is a list of which only a part fits: then no grant applies and every deny does). Terms that are equal go
together wherever they stand, and one that implies another brings it along; others are taken as independent, which may
find more than there is and, as long as no more than `MAX_TERMS` terms meet at one requirement, never less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import permutations, product
from typing import Final

from policies.analysis.terms import ALWAYS, Harmless, Term, Terms, Test, Uses, implied, implies
from policies.conditions.facts import TIME

MAX_TERMS: Final = 6
"""Terms looked at in every combination: 3 to the power of 6 scenarios. Beyond, only the terms of one rule at a time
hold."""


class Holds(IntEnum):
    """What a request can make of a term."""

    YES = 1
    NO = 0
    UNTOLD = 2


Scenario = Mapping[Term, Holds]


def applies(terms: Iterable[Term], scenario: Scenario, *, restricts: bool) -> bool:
    """Tell whether a rule applies: a grant needs every term, what restricts is stopped only by one that fails."""
    if restricts:
        return all(scenario[term] is not Holds.NO for term in terms)
    return all(scenario[term] is Holds.YES for term in terms)


def scenarios(rules: Iterable[Terms]) -> Iterator[Scenario]:
    """Yield the combinations that can be, the one where all terms hold first.

    Args:
        rules: The terms of each rule that is looked at.
    """
    groups = frozenset(rules)
    ordered = sorted(ALWAYS.union(*groups), key=repr)
    if len(ordered) > MAX_TERMS:
        yield from _one_at_a_time(groups, ordered)
        return
    linked = [(one, other) for one, other in permutations(ordered, 2) if implies(one, other)]
    for states in product(Holds, repeat=len(ordered)):
        scenario = dict(zip(ordered, states, strict=True))
        if _can_be(scenario, linked):
            yield scenario


def _one_at_a_time(groups: Iterable[Terms], ordered: Iterable[Term]) -> Iterator[Scenario]:
    terms = tuple(ordered)
    for others in Holds:
        yield dict.fromkeys(terms, others)
    for group, others in product(sorted(groups, key=repr), (Holds.NO, Holds.UNTOLD)):
        yield {term: Holds.YES if implied((term,), group) else others for term in terms}


def _can_be(scenario: Scenario, linked: Sequence[tuple[Term, Term]]) -> bool:
    for one, other in linked:
        if scenario[one] is Holds.YES and scenario[other] is not Holds.YES:
            return False
        if scenario[one] is Holds.UNTOLD and scenario[other] is Holds.NO:
            return False
    # Uses and what a call returns are always known; the time is one number, known to all or to none.
    timed = {state is Holds.UNTOLD for term, state in scenario.items() if isinstance(term, Test) and term.key == TIME}
    sure = (state for term, state in scenario.items() if isinstance(term, (Uses, Harmless)))
    return len(timed) <= 1 and all(state is not Holds.UNTOLD for state in sure)
