from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from policies.conditions.facts import MAX_FACT_CHARS
from policies.conditions.guards import MAX_ELEMENTS, MAX_KNOWN, compile_guard, failing_condition, has_ended, why_not
from policies.conditions.moments import parse_moment
from policies.conditions.operators import MAX_ADDRESS_CHARS, OPERATORS, ConditionError, Op
from policies.conditions.windows import DAYS
from policies.model import AccessRequest, Condition, Effect, Fact, KnownItems, Requirement, Rule, Scalar, Span

GRANTS = (Effect.ALLOW, Effect.REQUIRE_APPROVAL)
NOON = parse_moment("2026-11-20T12:00:00Z") or 0
HOUR = 3_600_000_000_000


def rule_of(*conditions: Condition, effect: Effect = Effect.ALLOW, until_ns: int = 0) -> Rule:
    return Rule("r", effect, ("a:B",), ("x",), Span("bot.yaml", 2), conditions=conditions, until_ns=until_ns)


def request_of(context: Mapping[str, Fact] | None = None, now_ns: int | None = NOON) -> AccessRequest:
    return AccessRequest("bot", "web", (Requirement("a:B", "x"),), context or {}, now_ns)


def applies(rule: Rule, request: AccessRequest) -> bool:
    guard = compile_guard(rule)
    assert guard is not None
    answer = guard(request)
    assert (why_not(rule, request) == "") is answer
    assert (failing_condition(rule, request) is None and not has_ended(rule, request)) is answer
    return answer


def answers(operator: Op, operands: tuple[Scalar, ...], fact: Fact | None, key: str = "k") -> str:
    """Tell how a condition reads one fact: what a grant and a denial make of it tell the three answers apart."""
    request = request_of() if fact is None else request_of({key: fact})
    condition = Condition(key, operator, operands)
    granted, denied = (applies(rule_of(condition, effect=effect), request) for effect in (Effect.ALLOW, Effect.DENY))
    assert applies(rule_of(condition, effect=Effect.REQUIRE_APPROVAL), request) is granted
    return {(True, True): "yes", (False, False): "no", (False, True): "cannot tell"}[granted, denied]


def test_a_rule_without_conditions_has_no_guard() -> None:
    assert compile_guard(rule_of()) is None
    assert why_not(rule_of(), request_of()) == ""


@pytest.mark.parametrize(
    ("networks", "address", "expected"),
    [
        (("10.0.0.0/8",), "10.255.0.1", "yes"),
        (("10.0.0.0/8",), "11.0.0.1", "no"),
        (("10.0.0.0/8", "192.0.2.7"), "192.0.2.7", "yes"),
        (("192.0.2.7",), "192.0.2.8", "no"),
        (("0.0.0.0/0",), "192.0.2.8", "yes"),
        (("2001:db8::/32",), "2001:db8:1::1", "yes"),
        (("2001:db8::/32",), "2001:db9::1", "no"),
        (("::/0",), "192.0.2.8", "no"),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", "yes"),
        (("::ffff:10.0.0.0/104",), "10.1.2.3", "yes"),
        (("::ffff:10.0.0.0/104",), "::ffff:10.1.2.3", "yes"),
        (("::/0",), "::ffff:10.1.2.3", "no"),
        (("fe80::/10",), "fe80::1%eth0", "yes"),
        (("fe80::/10",), f"fe80::1%{'e' * (MAX_ADDRESS_CHARS - 8)}", "yes"),
        (("fe80::/10",), f"fe80::1%{'e' * (MAX_ADDRESS_CHARS - 7)}", "cannot tell"),
        (("10.0.0.0/8",), "010.0.0.1", "cannot tell"),
        (("10.0.0.0/8",), "10.0.0.1 ", "cannot tell"),
        (("10.0.0.0/8",), "10.0.0.0/8", "cannot tell"),
        (("10.0.0.0/8",), "", "cannot tell"),
        (("10.0.0.0/8",), "1" * 100, "cannot tell"),
        (("10.0.0.0/8",), 167772161, "cannot tell"),
        (("10.0.0.0/8",), None, "cannot tell"),
    ],
)
def test_addresses_are_compared_as_numbers(networks: tuple[str, ...], address: Fact | None, expected: str) -> None:
    assert answers(Op.IP_IN, networks, address) == expected
    opposite = {"yes": "no", "no": "yes", "cannot tell": "cannot tell"}[expected]
    assert answers(Op.IP_NOT_IN, networks, address) == opposite


@pytest.mark.parametrize(
    ("values", "fact", "expected"),
    [
        (("t3.micro",), "t3.micro", "yes"),
        (("t3.micro",), "t3.small", "no"),
        (("t3.micro",), "t3.micros", "no"),
        (("*b*",), "bc", "yes"),
        (("*bc*bc*",), "abcd", "no"),
        (("*bc*bc*",), "abcbcd", "yes"),
        (("t3.*",), "t3.micro", "yes"),
        (("t3.*",), "t3.", "yes"),
        (("t3.*",), "at3.micro", "no"),
        (("t3.*", "t4g.*"), "t4g.nano", "yes"),
        (("*",), "", "yes"),
        (("*.micro",), "t3.micro", "yes"),
        (("*.micro",), "t3.micros", "no"),
        (("**.micro",), ".micro", "yes"),
        (("*",), "x", "yes"),
        (("a*b",), "ab", "yes"),
        (("a*a",), "a", "no"),
        (("ab*ba",), "aba", "no"),
        (("a*b*c",), "a/b:/c", "yes"),
        (("a*b*c",), "acb", "no"),
        (("a**c",), "a\n/c", "yes"),
        (("*a*b*",), "b/a", "no"),
        (("a.c",), "abc", "no"),
        (("",), "", "yes"),
        (("a*",), "A", "no"),
        ((5,), 5, "yes"),
        ((5,), 6, "no"),
        ((5,), "5", "cannot tell"),
        (("5",), 5, "cannot tell"),
        ((1,), True, "cannot tell"),
        ((True,), 1, "cannot tell"),
        ((True,), True, "yes"),
        ((False,), True, "no"),
        ((1, True), False, "no"),
        (("a", 5), 5, "yes"),
        (("a", 5), "a", "yes"),
        (("a", 5), True, "cannot tell"),
        (("*",), "x" * (MAX_FACT_CHARS + 1), "cannot tell"),
        (("*",), "x" * MAX_FACT_CHARS, "yes"),
        (("a",), None, "cannot tell"),
    ],
)
def test_values_meet_values_of_their_own_kind(values: tuple[Scalar, ...], fact: Fact | None, expected: str) -> None:
    assert answers(Op.IS, values, fact) == expected
    opposite = {"yes": "no", "no": "yes", "cannot tell": "cannot tell"}[expected]
    assert answers(Op.IS_NOT, values, fact) == opposite


@pytest.mark.parametrize(
    ("operator", "fact", "expected"),
    [
        (Op.MIN, 10, "yes"),
        (Op.MIN, 9, "no"),
        (Op.MAX, 10, "yes"),
        (Op.MAX, 11, "no"),
        (Op.MIN, True, "cannot tell"),
        (Op.MAX, True, "cannot tell"),
        (Op.MIN, "10", "cannot tell"),
        (Op.MAX, None, "cannot tell"),
        (Op.MIN, 10**400, "yes"),
    ],
)
def test_bounds_are_part_of_what_they_bound(operator: Op, fact: Fact | None, expected: str) -> None:
    assert answers(operator, (10,), fact) == expected


@pytest.mark.parametrize(
    ("fact", "grants", "denies"),
    [
        (("a",), True, True),
        (("a", "a"), True, True),
        (("a", "b"), False, True),
        (("b",), False, False),
        (("b", "b"), False, False),
        (("b",) * MAX_ELEMENTS, False, False),
        (KnownItems(), False, False),
        (KnownItems(("a", "b")), False, True),
        (KnownItems(("a",) * MAX_KNOWN), True, True),
        (KnownItems(("b",) * MAX_KNOWN), False, False),
        (KnownItems(("b",) * (MAX_KNOWN + 1)), False, True),
        (("a", 5), False, True),
        (("b", 5), False, True),
        ((), False, True),
        (("a",) * MAX_ELEMENTS, True, True),
        (("a",) * (MAX_ELEMENTS + 1), False, True),
        (("b",) * (MAX_ELEMENTS + 1), False, True),
    ],
)
def test_a_grant_needs_every_element_and_a_denial_any(fact: Fact, grants: object, denies: object) -> None:
    condition = Condition("k", Op.IS, ("a",))
    for effect in GRANTS:
        assert applies(rule_of(condition, effect=effect), request_of({"k": fact})) is grants
    assert applies(rule_of(condition, effect=Effect.DENY), request_of({"k": fact})) is denies


def test_elements_are_looked_at_one_by_one_below_a_not() -> None:
    condition = Condition("k", Op.IS_NOT, ("a",))
    mixed = request_of({"k": ("a", "b")})
    assert applies(rule_of(condition), mixed) is False
    assert applies(rule_of(condition, effect=Effect.DENY), mixed) is True


@pytest.mark.parametrize("hostile", [1.5, None, ["a"], {"a": 1}, b"a", object()])
@pytest.mark.parametrize("operator", list(Op))
def test_a_fact_that_is_none_cannot_be_told(operator: Op, hostile: Fact) -> None:
    operands: tuple[Scalar, ...] = {
        Op.IP_IN: ("10.0.0.0/8",),
        Op.IP_NOT_IN: ("10.0.0.0/8",),
        Op.TIME_IN: ("UTC", "mon", "00:00-24:00"),
        Op.TIME_NOT_IN: ("UTC", "mon", "00:00-24:00"),
        Op.IS: ("a", 1, True),
        Op.IS_NOT: ("a", 1, True),
    }.get(operator, (5,))
    assert answers(operator, operands, hostile) == "cannot tell"
    assert answers(operator, operands, (hostile,)) == "cannot tell"  # type: ignore[arg-type]  # a fault of the caller


@pytest.mark.parametrize(
    ("operator", "shift", "grants", "denies"),
    [
        (Op.BEFORE, -1, True, True),
        (Op.BEFORE, 0, False, False),
        (Op.AFTER, 0, True, True),
        (Op.AFTER, -1, False, False),
        (Op.BEFORE, None, False, True),
        (Op.AFTER, None, False, True),
    ],
)
def test_a_moment_splits_time_in_two(operator: Op, shift: int | None, grants: object, denies: object) -> None:
    condition = Condition("time", operator, (NOON,))
    request = request_of(now_ns=None if shift is None else NOON + shift)
    assert applies(rule_of(condition), request) is grants
    assert applies(rule_of(condition, effect=Effect.DENY), request) is denies


@pytest.mark.parametrize(
    ("operator", "now_ns", "grants", "denies"),
    [
        (Op.TIME_IN, NOON, True, True),
        (Op.TIME_IN, NOON + 5 * HOUR, False, False),
        (Op.TIME_NOT_IN, NOON, False, False),
        (Op.TIME_NOT_IN, NOON + 5 * HOUR, True, True),
        (Op.TIME_IN, None, False, True),
        (Op.TIME_NOT_IN, None, False, True),
        (Op.TIME_IN, -1, False, True),
        (Op.TIME_NOT_IN, 10**30, False, True),
    ],
)
def test_a_window_of_time_is_asked_with_the_moment_of_the_request(
    operator: Op, now_ns: int | None, grants: object, denies: object
) -> None:
    condition = Condition("time", operator, ("Europe/Berlin", "mon,tue,wed,thu,fri", "09:00-12:00", "13:00-17:00"))
    assert applies(rule_of(condition), request_of(now_ns=now_ns)) is grants
    assert applies(rule_of(condition, effect=Effect.DENY), request_of(now_ns=now_ns)) is denies


def test_a_window_of_every_day_holds_on_each_of_them() -> None:
    always = rule_of(Condition("time", Op.TIME_IN, ("UTC", ",".join(DAYS), "00:00-24:00")))
    assert all(applies(always, request_of(now_ns=NOON + day * 24 * HOUR)) for day in range(7))


@pytest.mark.parametrize(
    ("now_ns", "grants", "denies"), [(NOON - 1, True, True), (NOON, False, False), (None, False, True)]
)
def test_a_rule_ends_at_its_until_and_an_unknown_time_leans_to_no(
    now_ns: int | None, grants: object, denies: object
) -> None:
    for effect in GRANTS:
        assert applies(rule_of(effect=effect, until_ns=NOON), request_of(now_ns=now_ns)) is grants
    assert applies(rule_of(effect=Effect.DENY, until_ns=NOON), request_of(now_ns=now_ns)) is denies


@pytest.mark.parametrize("effect", list(Effect))
def test_all_conditions_must_hold(effect: Effect) -> None:
    both = (Condition("agent.id", Op.IS, ("bot",)), Condition("k", Op.IS, ("a",)))
    assert applies(rule_of(*both, effect=effect), request_of({"k": "a"})) is True
    assert applies(rule_of(*both, effect=effect), request_of({"k": "b"})) is False
    assert applies(rule_of(*both, effect=effect, until_ns=NOON), request_of({"k": "a"})) is False


def test_a_condition_that_surely_fails_stops_a_denial_whatever_is_unknown() -> None:
    unknown, fails = Condition("gone", Op.IS, ("a",)), Condition("agent.id", Op.IS, ("other",))
    for pair in ((unknown, fails), (fails, unknown)):
        assert applies(rule_of(*pair, effect=Effect.DENY), request_of()) is False


@pytest.mark.parametrize(
    ("operand", "fact", "expected"),
    [
        ("${agent.id}/*", "bot/x", "yes"),
        ("${agent.id}/*", "web/x", "no"),
        ("${project}-${agent.id}", "web-bot", "yes"),
        ("${session.star}", "*", "yes"),
        ("${session.star}", "anything", "no"),
        ("${session.star}*", "*x", "yes"),
        ("${session.dollar}", "${agent.id}", "yes"),
        ("${session.gone}", "x", "cannot tell"),
        ("${session.empty}", "", "cannot tell"),
        ("${session.number}", "5", "cannot tell"),
        ("${nothing}", "${nothing}", "yes"),
        ("$5", "$5", "yes"),
    ],
)
def test_a_variable_is_the_literal_text_it_stands_for(operand: str, fact: str, expected: str) -> None:
    context: dict[str, Fact] = {
        "session.star": "*",
        "session.dollar": "${agent.id}",
        "session.empty": "",
        "session.number": 5,
        "k": fact,
    }
    request = request_of(context)
    condition = Condition("k", Op.IS, (operand,))
    found = tuple(applies(rule_of(condition, effect=effect), request) for effect in (Effect.ALLOW, Effect.DENY))
    assert found == {"yes": (True, True), "no": (False, False), "cannot tell": (False, True)}[expected]


def test_a_variable_nobody_knows_does_not_hide_a_value_that_fits() -> None:
    condition = Condition("k", Op.IS, ("${session.gone}", "a*c*"))
    assert applies(rule_of(condition), request_of({"k": "abc"})) is True


@pytest.mark.parametrize(
    "condition",
    [
        Condition("k", "like", ("a",)),
        Condition("k", Op.IS, ()),
        Condition("k", Op.IP_IN, ("10.0.0.1/8",)),
        Condition("k", Op.IP_IN, (5,)),
        Condition("k", Op.IP_IN, ()),
        Condition("k", Op.MIN, ("5",)),
        Condition("k", Op.MAX, (True,)),
        Condition("k", Op.MIN, (1, 2)),
        Condition("time", Op.BEFORE, ()),
        Condition("time", Op.TIME_IN, ("UTC",)),
        Condition("time", Op.TIME_IN, ("UTC", "mon")),
        Condition("time", Op.TIME_IN, ("UTC", "mon,", "09:00-10:00")),
        Condition("time", Op.TIME_IN, ("Mars/Base", "mon", "09:00-10:00")),
        Condition("time", Op.TIME_NOT_IN, ("UTC", "mon", "later")),
    ],
)
def test_a_condition_no_loader_made_does_not_compile(condition: Condition) -> None:
    with pytest.raises(ConditionError):
        compile_guard(rule_of(condition))


def test_every_operator_is_registered() -> None:
    assert set(OPERATORS) == set(Op)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Condition("source_ip", Op.IP_IN, ("10.0.0.0/8",)), ("source_ip", "10.0.0.0/8", "192.0.2.1")),
        (Condition("source_ip", Op.IP_NOT_IN, ("192.0.2.0/24",)), ("not", "192.0.2.0/24", "192.0.2.1")),
        (Condition("gone", Op.IS, (True, 5, "x")), ("gone", "`true`", "`5`", "`x`", "nothing")),
        (Condition("list", Op.IS_NOT, ("x",)), ("list", "not `x`", "list of 2")),
        (Condition("gone", Op.IS, tuple("abcdefg")), ("`a` or `b` or `c` or `d` or `e`", "2 more")),
        (Condition("gone", Op.IS, tuple("abcdef")), ("`a` or `b` or `c` or `d` or `e` or one of 1 more",)),
        (Condition("gone", Op.IS, tuple("abcde")), ("`a` or `b` or `c` or `d` or `e`, found",)),
        (Condition("time", Op.BEFORE, (NOON - HOUR,)), ("2026-11-20T11:00:00Z", "2026-11-20T12:00:00Z")),
        (Condition("time", Op.AFTER, (NOON + HOUR,)), ("2026-11-20T13:00:00Z", "2026-11-20T12:00:00Z")),
        (Condition("time", Op.TIME_IN, ("UTC", "mon", "09:00-10:00")), ("mon 09:00-10:00 UTC",)),
        (Condition("time", Op.TIME_NOT_IN, ("UTC", "fri", "09:00-17:00")), ("not fri 09:00-17:00 UTC",)),
        (Condition("params.n", Op.MIN, (10,)), ("at least 10",)),
        (Condition("params.n", Op.MAX, (1,)), ("at most 1",)),
    ],
)
def test_what_keeps_a_rule_from_applying_names_expected_and_found(condition: Condition, words: tuple[str, ...]) -> None:
    request = request_of({"source_ip": "192.0.2.1", "list": ("x", "y"), "params.n": 5})
    assert failing_condition(rule_of(condition), request) is condition
    assert [word for word in words if word not in why_not(rule_of(condition), request)] == []


def test_the_first_condition_as_written_is_the_one_that_is_named() -> None:
    first, second = Condition("b", Op.IS, ("x",)), Condition("a", Op.IS, ("x",))
    assert failing_condition(rule_of(first, second, until_ns=1), request_of()) is first
    assert failing_condition(rule_of(first, second), request_of({"b": "x"})) is second


def test_a_rule_that_ended_says_when() -> None:
    ended = rule_of(until_ns=NOON)
    assert "2026-11-20T12:00:00Z" in why_not(ended, request_of())
    assert why_not(ended, request_of(now_ns=None)).startswith("until")


def test_the_value_of_a_param_is_never_shown() -> None:
    rule = rule_of(Condition("params.Secret", Op.IS, ("x",)))
    assert "hunter2" not in why_not(rule, request_of({"params.Secret": "hunter2"}))


def test_a_deny_that_may_apply_has_nothing_against_it() -> None:
    rule = rule_of(Condition("gone", Op.IS, ("x",)), effect=Effect.DENY)
    assert why_not(rule, request_of()) == ""
    assert why_not(replace(rule, effect=Effect.ALLOW), request_of()) != ""
