from __future__ import annotations

import pytest

from policies.analysis.scenarios import MAX_TERMS, Holds, applies, scenarios
from policies.analysis.terms import Uses, implied, implies, terms_of
from policies.conditions.operators import Op
from policies.model import Condition, Layer, Scalar
from tests.unit.policies.analysis.words import NIGHT, OFFICE, rule


def test_one_and_true_are_different_operands_and_the_order_of_values_is_none() -> None:
    one, true = (terms_of(rule("allow a:R on x", Condition("n", Op.IS, (value,)))) for value in (1, True))
    assert one != true
    ab, ba = (terms_of(rule("allow a:R on x", Condition("n", Op.IS, pair))) for pair in (("a", "b"), ("b", "a")))
    assert ab == ba
    days, hours = (Condition("time", Op.TIME_IN, pair) for pair in (("UTC", "mon"), ("mon", "UTC")))
    assert terms_of(rule("allow a:R on x", days)) != terms_of(rule("allow a:R on x", hours))


def test_a_rule_with_fewer_conditions_applies_whenever_one_with_more_does() -> None:
    both, night = terms_of(rule("allow a:R on x", NIGHT, OFFICE)), terms_of(rule("allow a:R on x", NIGHT))
    assert implied(night, both)
    assert not implied(both, night)


@pytest.mark.parametrize(
    ("operator", "narrow", "wide"),
    [
        (Op.IS, ("a",), ("a", "b")),
        (Op.IS_NOT, ("a", "b"), ("a",)),
        (Op.IP_IN, ("10.1.0.0/16", "::ffff:10.2.0.1"), ("10.0.0.0/8",)),
        (Op.IP_NOT_IN, ("10.0.0.0/8",), ("10.1.0.0/16",)),
        (Op.MIN, (5,), (3,)),
        (Op.MAX, (3,), (5,)),
        (Op.BEFORE, (3,), (5,)),
        (Op.AFTER, (5,), (3,)),
    ],
)
def test_a_narrower_condition_implies_the_wider_of_its_kind(
    operator: Op, narrow: tuple[Scalar, ...], wide: tuple[Scalar, ...]
) -> None:
    small, large = (terms_of(rule("allow a:R on x", Condition("k", operator, one))) for one in (narrow, wide))
    assert implied(large, small)
    assert not implied(small, large)
    assert not implied(large, terms_of(rule("allow a:R on x", Condition("other", operator, narrow))))


def test_networks_of_two_families_imply_nothing() -> None:
    four, six = (terms_of(rule("allow a:R on x", Condition("k", Op.IP_IN, (net,)))) for net in ("0.0.0.0/0", "::/0"))
    assert not implied(four, six)
    broken = terms_of(rule("allow a:R on x", Condition("k", Op.IP_IN, ("no network",))))
    assert not implied(four, broken)


def test_windows_of_time_imply_only_themselves() -> None:
    terms = [terms_of(rule("allow a:R on x", Condition("time", Op.TIME_IN, ("UTC", day)))) for day in ("mon", "tue")]
    assert implied(terms[0], terms[0])
    assert not implied(terms[0], terms[1])


def test_an_end_is_a_condition_on_the_time_and_uses_are_counted_for_grants_only() -> None:
    assert terms_of(rule("allow a:R on x", until_ns=5)) == terms_of(
        rule("allow a:R on x", Condition("time", Op.BEFORE, (5,)))
    )
    assert terms_of(rule("allow a:R on x", max_uses=2)) == {Uses("L1", 2)}
    assert terms_of(rule("deny a:R on x", max_uses=2)) == frozenset()
    assert terms_of(rule("ask a:R on x", max_uses=2), Layer.GUARDRAIL) == frozenset()
    assert implies(Uses("r", 2), Uses("r", 3))
    assert not implies(Uses("q", 2), Uses("r", 3))
    assert not implies(Uses("r", 3), next(iter(terms_of(rule("allow a:R on x", NIGHT)))))


def test_a_missing_fact_stops_a_grant_and_nothing_that_restricts() -> None:
    terms = terms_of(rule("allow a:R on x", NIGHT))
    (term,) = terms
    for restricting, expected in ((False, [True, False, False]), (True, [True, False, True])):
        told = [applies(terms, {term: held}, restricts=restricting) for held in (Holds.YES, Holds.NO, Holds.UNTOLD)]
        assert told == expected


def test_ends_in_time_go_together() -> None:
    early, late = (terms_of(rule("allow a:R on x", until_ns=end)) for end in (1, 2))
    (first,), (second,) = early, late
    found = {(one[first], one[second]) for one in scenarios([early, late])}
    assert found == {
        (Holds.NO, Holds.NO),
        (Holds.NO, Holds.YES),
        (Holds.YES, Holds.YES),
        (Holds.UNTOLD, Holds.UNTOLD),
    }


def test_a_list_may_fit_a_longer_one_whole_and_a_shorter_in_part() -> None:
    few, many = (terms_of(rule("allow a:R on x", Condition("k", Op.IS, one))) for one in (("a",), ("a", "b")))
    (short,), (longer,) = few, many
    found = {(one[short], one[longer]) for one in scenarios([few, many])}
    assert (Holds.UNTOLD, Holds.YES) in found
    assert not {(Holds.YES, Holds.NO), (Holds.YES, Holds.UNTOLD), (Holds.UNTOLD, Holds.NO)} & found


def test_how_often_a_rule_was_used_is_always_known() -> None:
    (uses,) = terms = frozenset({Uses("r", 1)})
    assert {one[uses] for one in scenarios([terms])} == {Holds.YES, Holds.NO}


def test_many_terms_are_tried_rule_by_rule() -> None:
    groups = [terms_of(rule("allow a:R on x", Condition(f"k{n}", Op.IS, (1,)))) for n in range(MAX_TERMS + 1)]
    found = list(scenarios(groups))
    assert len(found) == len(Holds) + 2 * len(groups)
    assert {term for term, held in found[-1].items() if held is Holds.YES} == groups[-1]
