"""The operators against slow, obvious references, and their totality on whatever a request may hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from policies.conditions.guards import compile_guard, failing_condition, flatten_params, has_ended, why_not
from policies.conditions.moments import parse_moment, written
from policies.conditions.operators import Op
from policies.conditions.windows import DAYS
from policies.conditions.zones import load_zone
from policies.model import AccessRequest, Condition, Effect, Fact, Requirement, Rule, Scalar, Span

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000_000

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
MINUTES = st.integers(0, 24 * 60 - 1)
DAY_SETS = st.sets(st.sampled_from(DAYS), min_size=1).map(lambda days: tuple(day for day in DAYS if day in days))
# Around a change of the clocks of every zone above, and anywhere in seventy years.
MOMENTS = st.datetimes(datetime(1970, 1, 1, 1), datetime(2040, 1, 1)) | st.datetimes(  # noqa: DTZ001 - made aware below
    datetime(2026, 3, 28),  # noqa: DTZ001 - likewise
    datetime(2026, 4, 6),  # noqa: DTZ001 - likewise
)
V4 = st.integers(0, 2**32 - 1).map(lambda number: str(ip_address(number)))
V6 = st.integers(2**32, 2**128 - 1).map(lambda number: str(ip_address(number)))
NEAR_V4 = st.integers(0, 255).map(lambda last: f"10.0.0.{last}")
MAPPED = (V4 | NEAR_V4).map(lambda text: f"::ffff:{text}")
ADDRESSES = V4 | NEAR_V4 | V6 | MAPPED
NETWORKS = st.one_of(
    st.builds(lambda text, size: str(ip_network(f"{text}/{size}", strict=False)), V4 | NEAR_V4, st.integers(0, 32)),
    st.builds(lambda text, size: str(ip_network(f"{text}/{size}", strict=False)), V6, st.integers(0, 128)),
    st.builds(lambda text, size: str(ip_network(f"{text}/{size}", strict=False)), MAPPED, st.integers(96, 128)),
)
TEXTS = st.text(alphabet="ab*/", max_size=7)
SCALARS: st.SearchStrategy[Scalar] = st.one_of(
    st.text(max_size=6), TEXTS, st.integers(-3, 3), st.booleans(), ADDRESSES, st.integers()
)
FACTS: st.SearchStrategy[Fact] = SCALARS | st.lists(SCALARS, max_size=4).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False) | st.sampled_from("ab"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a.b", ""]), inner, max_size=3)
    ),
    max_leaves=12,
)


def clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


@st.composite
def windows(draw: st.DrawFn) -> tuple[str, tuple[str, ...], int, int]:
    start, end = draw(MINUTES), draw(MINUTES | st.just(24 * 60))
    return draw(ZONES), draw(DAY_SETS), start, end + (1 if start == end and end < 24 * 60 else 0)


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    operator = draw(st.sampled_from(list(Op)))
    if operator in {Op.IP_IN, Op.IP_NOT_IN}:
        return Condition("k", operator, tuple(draw(st.lists(NETWORKS, min_size=1, max_size=3))))
    if operator in {Op.TIME_IN, Op.TIME_NOT_IN}:
        zone, days, start, end = draw(windows())
        return Condition("time", operator, (zone, ",".join(days), f"{clock(start)}-{clock(end)}"))
    if operator in {Op.IS, Op.IS_NOT}:
        values = st.lists(SCALARS | st.sampled_from(["${project}", "${session.x}*"]), min_size=1, max_size=4)
        return Condition("k", operator, tuple(draw(values)))
    key = draw(st.sampled_from(["k", "time"]))
    return Condition(key, operator, (draw(st.integers(-3, 3)),))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    made = tuple(draw(st.lists(conditions(), max_size=3)))
    until = draw(st.integers(1, 5) | st.just(0))
    effect = draw(st.sampled_from(list(Effect)))
    return Rule("r", effect, ("a:B",), ("x",), Span("x.yaml", 1), conditions=made, until_ns=until)


REQUESTS = st.builds(
    AccessRequest,
    st.sampled_from(["bot", ""]),
    st.sampled_from(["web", "a*", ""]),
    st.just((Requirement("a:B", "x"),)),
    st.dictionaries(st.sampled_from(["k", "session.x"]), FACTS),
    st.none() | st.integers(-5, 5) | st.integers(),
)


def holds(condition: Condition, fact: Fact, now_ns: int | None = None) -> bool:
    rule = Rule("r", Effect.ALLOW, ("a:B",), ("x",), Span("x.yaml", 1), conditions=(condition,))
    guard = compile_guard(rule)
    assert guard is not None
    return guard(AccessRequest("bot", "web", (), {"k": fact}, now_ns))


def unmapped(number: IPv6Address) -> str:
    return str(number.ipv4_mapped or number)


@given(st.lists(NETWORKS, min_size=1, max_size=4), ADDRESSES)
def test_networks_agree_with_the_reference(networks: list[str], text: str) -> None:
    found = ip_address(text)
    address = ip_address(unmapped(found)) if isinstance(found, IPv6Address) else found
    inside = False
    for network in map(ip_network, networks):
        ends = (network[0], network[-1])
        # Two ends that are both mapped are a network of IPv4; other networks of IPv6 hold no address of IPv4.
        first, last = (ip_address(unmapped(end)) if isinstance(end, IPv6Address) else end for end in ends)
        if first.version != last.version:
            first, last = ends
        inside |= address.version == first.version and int(first) <= int(address) <= int(last)
    assert holds(Condition("k", Op.IP_IN, tuple(networks)), text) is inside
    assert holds(Condition("k", Op.IP_NOT_IN, tuple(networks)), text) is not inside


@given(windows(), MOMENTS)
def test_windows_agree_with_the_reference(window: tuple[str, tuple[str, ...], int, int], moment: datetime) -> None:
    zone_name, days, start, end = window
    aware = moment.replace(tzinfo=UTC, microsecond=0)
    local = aware.astimezone(ZoneInfo(zone_name)).replace(tzinfo=None)
    inside = False
    for back in (0, 1):
        begins = datetime(local.year, local.month, local.day) - timedelta(days=back)  # noqa: DTZ001 - the wall clock
        first = begins + timedelta(minutes=start)
        last = begins + timedelta(days=1 if end <= start else 0, minutes=end)
        inside |= DAYS[begins.weekday()] in days and first <= local < last
    condition = Condition("time", Op.TIME_IN, (zone_name, ",".join(days), f"{clock(start)}-{clock(end)}"))
    now_ns = int((aware - EPOCH).total_seconds()) * SECOND
    assert holds(condition, "", now_ns) is inside


@given(TEXTS, TEXTS)
def test_globs_agree_with_the_reference(pattern: str, text: str) -> None:
    @cache
    def at(p: int, t: int) -> bool:
        if p == len(pattern):
            return t == len(text)
        if pattern[p] == "*":
            return at(p + 1, t) or (t < len(text) and at(p, t + 1))
        return t < len(text) and text[t] == pattern[p] and at(p + 1, t + 1)

    assert holds(Condition("k", Op.IS, (pattern,)), text) is at(0, 0)
    assert holds(Condition("k", Op.IS_NOT, (pattern,)), text) is not at(0, 0)
    assert holds(Condition("k", Op.IS, ("${session.x}b", pattern)), text) is at(0, 0)


@given(rules(), REQUESTS)
def test_no_request_breaks_a_guard_and_the_reason_agrees_with_it(rule: Rule, request: AccessRequest) -> None:
    guard = compile_guard(rule)
    applies = guard is None or guard(request)
    assert (why_not(rule, request) == "") is applies
    assert (failing_condition(rule, request) is None and not has_ended(rule, request)) is applies
    assert (guard is None) is (not rule.conditions and not rule.until_ns)


@given(conditions(), FACTS, st.none() | st.integers(0, 10**19))
def test_knowing_less_never_makes_a_grant_apply_nor_a_denial_not(
    condition: Condition, fact: Fact, now_ns: int | None
) -> None:
    known = AccessRequest("bot", "web", (), {"k": fact}, now_ns)
    unknown = AccessRequest("bot", "web", ())
    for effect in Effect:
        rule = Rule("r", effect, ("a:B",), ("x",), Span("x.yaml", 1), conditions=(condition,))
        guard = compile_guard(rule)
        assert guard is not None
        assert guard(unknown) is (effect is Effect.DENY)
        assert guard(known) in {True, False}


@given(conditions(), FACTS, st.integers(0, 10**19))
def test_a_grant_that_applies_would_deny_as_well(condition: Condition, fact: Fact, now_ns: int) -> None:
    request = AccessRequest("bot", "web", (), {"k": fact}, now_ns)
    rule = Rule("r", Effect.ALLOW, ("a:B",), ("x",), Span("x.yaml", 1), conditions=(condition,))
    if why_not(rule, request) == "":
        denial = Rule("r", Effect.DENY, ("a:B",), ("x",), Span("x.yaml", 1), conditions=(condition,))
        assert why_not(denial, request) == ""


def paths(value: object, path: str) -> list[tuple[str, object]]:
    """List every leaf with its path, however often and of whatever kind."""
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() if key and "." not in key for leaf in paths(item, f"{path}.{key}")]
    if isinstance(value, list) and value:
        return [leaf for item in value for leaf in paths(item, path)]
    return [(path, value)]


@given(st.dictionaries(st.sampled_from(["a", "b", "a.b"]), JSON, max_size=3))
def test_a_fact_of_the_params_is_all_there_is_at_its_path(params: dict[str, object]) -> None:
    leaves = paths(params, "params")
    for path, fact in flatten_params(params).items():
        there = [value for name, value in leaves if name == path and value != []]
        assert (list(fact) if isinstance(fact, tuple) else [fact]) == there
        assert all(isinstance(value, (str, int)) for value in there)


@given(st.datetimes(datetime(1971, 1, 1), datetime(9999, 1, 1)), st.integers(-1439, 1439))  # noqa: DTZ001 - made aware below
def test_moments_agree_with_the_reference(moment: datetime, offset: int) -> None:
    sign, size = "-" if offset < 0 else "+", abs(offset)
    text = f"{moment.isoformat(timespec='microseconds')}{sign}{clock(size)}"
    aware = datetime.fromisoformat(text)
    ns = parse_moment(text)
    assert ns == (aware - EPOCH) // timedelta(microseconds=1) * 1000
    assert ns is not None
    assert parse_moment(written(ns)) == ns


def test_the_zones_of_the_references_are_known() -> None:
    assert load_zone("Australia/Lord_Howe") is not None
