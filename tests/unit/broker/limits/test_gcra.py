from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.limits.gcra import MAX_PATIENCE_NS, Allowed, Claim, Short, Taken, Wait, decide, decide_all, interval_of

NS = 10**9

PAUSES = st.lists(st.integers(0, 40), max_size=60)


def test_a_burst_comes_at_once_and_then_one_an_interval() -> None:
    tat_ns, seen = 0, []
    for now_ns in (0, 0, 0, 5, 10, 10, 19, 20):
        decided = decide(tat_ns, now_ns, 10, 3)
        seen.append(decided)
        if isinstance(decided, Allowed):
            tat_ns = decided.tat_ns
    assert seen == [Allowed(10), Allowed(20), Allowed(30), Wait(5), Allowed(40), Wait(10), Wait(1), Allowed(50)]


def test_a_pause_saves_no_more_than_the_burst() -> None:
    assert decide(0, 10**6, 10, 3) == Allowed(10**6 + 10)


@pytest.mark.parametrize(("per_minute", "interval_ns"), [(1, 60 * NS), (7, 8571428572), (60 * NS, 1)])
def test_an_interval_is_rounded_so_that_the_rate_is_never_exceeded(per_minute: int, interval_ns: int) -> None:
    assert interval_of(per_minute) == interval_ns
    assert interval_ns * per_minute >= 60 * NS


def test_a_moment_that_no_rate_of_ours_made_is_not_believed() -> None:
    waiting = decide(10**18, 0, NS, 2)
    assert waiting == Wait(MAX_PATIENCE_NS + NS)


@given(PAUSES, st.integers(1, 20), st.integers(1, 6))
@settings(max_examples=200)
def test_no_stretch_of_time_has_more_than_its_length_over_the_interval_and_a_burst(
    pauses: list[int], interval_ns: int, burst: int
) -> None:
    now_ns, tat_ns, admitted = 0, 0, []
    for pause in pauses:
        now_ns += pause
        decided = decide(tat_ns, now_ns, interval_ns, burst)
        if isinstance(decided, Allowed):
            tat_ns = decided.tat_ns
            admitted.append(now_ns)
    _conforms(admitted, interval_ns, burst)


@given(PAUSES, st.integers(1, 20), st.integers(1, 6))
@settings(max_examples=100)
def test_nobody_waits_who_could_have_come(pauses: list[int], interval_ns: int, burst: int) -> None:
    now_ns, tat_ns, admitted = 0, 0, []
    for pause in pauses:
        now_ns += pause
        decided = decide(tat_ns, now_ns, interval_ns, burst)
        if isinstance(decided, Allowed):
            tat_ns = decided.tat_ns
            admitted.append(now_ns)
        else:
            # One nanosecond less, and some stretch would have had too many.
            with pytest.raises(AssertionError):
                _conforms([*admitted, now_ns + decided.ns - 1], interval_ns, burst)


CLAIMS = st.lists(
    st.builds(Claim, st.sampled_from("abc"), st.integers(0, 20), st.integers(1, 4), patience_ns=st.integers(0, 60)),
    min_size=1,
    max_size=3,
    unique_by=lambda claim: claim.key,
)


@given(st.lists(st.tuples(st.integers(0, 30), CLAIMS), max_size=40))
@settings(max_examples=200)
def test_slots_that_are_waited_for_exceed_no_limit_that_counts_them(asked: list[tuple[int, list[Claim]]]) -> None:
    terms = {each.key: each for _, claims in asked for each in claims}
    now_ns, tats = 0, dict[str, int]()
    begun: dict[str, list[int]] = {key: [] for key in terms}
    for pause, wanted in asked:
        now_ns += pause
        claims = [terms[each.key] for each in wanted]
        before = dict(tats)
        answer = decide_all(claims, tats, now_ns)
        if isinstance(answer, Short):
            assert answer.wait_ns > terms[answer.key].patience_ns
            assert tats == before
            continue
        assert answer.wait_ns <= max(each.patience_ns for each in claims)
        for each in claims:
            if each.interval_ns:
                tats[each.key] = max(tats.get(each.key, now_ns), now_ns + answer.wait_ns) + each.interval_ns
                begun[each.key].append(now_ns + answer.wait_ns)
    for key, moments in begun.items():
        _conforms(sorted(moments), terms[key].interval_ns, terms[key].burst)


def test_a_limit_that_is_not_met_does_not_refuse_what_another_one_delays() -> None:
    strict, patient = Claim("strict", 10, 1), Claim("patient", 10, 1, patience_ns=50)
    assert decide_all([strict, patient], {"patient": 30}, 0) == Taken(30)
    assert decide_all([strict, patient], {"patient": 30, "strict": 1}, 0) == Short("strict", 1)
    for claims in ([strict, patient], [patient, strict]):
        assert decide_all(claims, {"patient": 51, "strict": 1}, 0) == Short("patient", 51)


def _conforms(moments: list[int], interval_ns: int, burst: int) -> None:
    for first, began in enumerate(moments):
        for last in range(first, len(moments)):
            assert (last - first + 1 - burst) * interval_ns <= moments[last] - began
