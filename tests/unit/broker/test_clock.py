from __future__ import annotations

import os
from itertools import pairwise

from broker.clock import SystemClock, fresh_id, rfc3339


def test_entropy_is_as_long_as_asked_and_never_given_twice() -> None:
    clock = SystemClock()
    drawn = [clock.entropy(10) for _ in range(1000)]
    assert {len(each) for each in drawn} == {10}
    assert len(set(drawn)) == 1000
    assert len(clock.entropy(5000)) == 5000


def test_a_forked_child_draws_other_bytes_than_its_parent() -> None:
    clock = SystemClock()
    clock.entropy(8)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, clock.entropy(32))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    theirs = os.read(read, 32)
    os.close(read)
    assert theirs != clock.entropy(32)


def test_ids_sort_by_time_and_times_are_written_in_utc() -> None:
    clock = SystemClock()
    ids = [fresh_id(clock, "int") for _ in range(3)]
    assert all(one[:14] <= other[:14] for one, other in pairwise(ids))
    assert rfc3339(1_772_625_600_123_456_789) == "2026-03-04T12:00:00.123Z"
