"""Decision time at 10, 100, 1 000 and 10 000 rules, on requests never seen before."""

from __future__ import annotations

import time

from policies.engine import compile_policy
from policies.loader import load_policy
from policies.model import AccessRequest, Requirement
from tests.bench.timing import Result, median, ratio

_SIZES = (10, 100, 1_000, 10_000)
_REQUESTS = 2_000


def measure() -> list[Result]:
    """Return CPU microseconds per decision at each size, and how they grow."""
    taken = {size: _decide_micros(size) for size in _SIZES}
    results = [Result(f"decide() at {size:,} rules", micros, "us") for size, micros in taken.items()]
    return [*results, ratio("decide() at 10,000 rules versus 10", taken[10_000] / taken[10])]


def _decide_micros(size: int) -> float:
    rules = "".join(f"  - s3:GetObject on bucket-{number}/raw/*\n" for number in range(size - 1))
    text = f"version: 1\nagent: bench\npolicies:\n{rules}  - deny s3:DeleteObject on bucket-0/*\n"
    policy = compile_policy(load_policy(text.encode(), file="policies/bench.yaml").policy)
    rounds = []
    for round_number in range(5):
        requests = [
            AccessRequest(
                "bench",
                "p",
                (Requirement("s3:GetObject", f"arn:aws:s3:::bucket-{(n * 7919) % size}/raw/{round_number}/{n}"),),
            )
            for n in range(_REQUESTS)
        ]
        started = time.thread_time()
        for request in requests:
            policy.decide(request)
        rounds.append((time.thread_time() - started) / _REQUESTS * 1e6)
    return median(rounds)
