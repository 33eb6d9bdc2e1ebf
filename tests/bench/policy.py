"""Decisions: CPU time at 10 to 10,000 rules on requests never seen before, the rivals, loading, and the worst case."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

from policies.engine import compile_policy
from policies.language.loader import load_policy
from policies.layers import LayeredPolicy
from policies.model import AccessRequest, Effect, Layer
from tests.bench import policy_rivals, policy_traps, policy_workload
from tests.bench.timing import Result, median, ratio

_SIZES = (10, 100, 1_000, 10_000)
_LARGEST = _SIZES[-1]
_ROUNDS = 7
_REQUESTS = 2_000
_RIVAL_REQUESTS = 20


def measure() -> list[Result]:
    """Return CPU microseconds per decision, ratios to the rivals, seconds to load, milliseconds of the worst case."""
    loading = _loading()  # first, while no other policy burdens the collector
    policies = {size: compile_policy(policy_workload.policy(size)) for size in _SIZES}
    taken = {size: _decide_micros(policy.decide, size) for size, policy in policies.items()}
    goals = {10: 5.0, _LARGEST: 10.0}
    results = [_at_most(f"decide() at {size:,} rules", micros, "us", goals.get(size)) for size, micros in taken.items()]
    results.append(ratio(f"decide() at {_LARGEST:,} rules versus 10", taken[_LARGEST] / taken[10]))
    layers = [Layer.GUARDRAIL, Layer.BOUNDARY, Layer.AGENT, Layer.SESSION]
    layered = LayeredPolicy(
        tuple(compile_policy(policy_workload.policy(_LARGEST, layer)) for layer in layers), policy_workload.AGENT
    )
    results.append(
        Result(f"decide() in 4 layers of {_LARGEST:,} rules", _decide_micros(layered.decide, _LARGEST), "us")
    )
    return results + _rivals() + loading + _worst()


def _rivals() -> list[Result]:
    """Time all on the same requests, in turns."""
    rules = policy_workload.rules(_LARGEST)
    ours = compile_policy(policy_workload.policy(_LARGEST)).decide
    asks: dict[str, Callable[[AccessRequest], object]] = {
        "ostiary": lambda request: ours(request).effect is Effect.ALLOW,
        "cedarpy": policy_rivals.cedar(rules),
        "pycasbin": policy_rivals.pycasbin(rules),
    }
    rounds: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(3):
        requests = policy_workload.requests(_LARGEST, _RIVAL_REQUESTS, salt=1_000 + number)
        for name, ask in asks.items():
            repeated = requests if name != "ostiary" else policy_workload.requests(_LARGEST, _REQUESTS, 2_000 + number)
            rounds[name].append(_micros(ask, repeated))
    micros = {name: median(values) for name, values in rounds.items()}
    return [
        result
        for rival in ("cedarpy", "pycasbin")
        for result in (
            Result(f"{rival} at {_LARGEST:,} rules", micros[rival], "us"),
            ratio(f"{rival} versus decide(), {_LARGEST:,} rules", micros[rival] / micros["ostiary"], at_least=1_000),
        )
    ]


def _loading() -> list[Result]:
    data = policy_workload.text(_LARGEST)
    loads, compiles = [], []
    for _ in range(5):
        # What earlier rounds left is not of this one; what this one makes the collector do is.
        gc.collect()
        started = time.thread_time()
        loaded = load_policy(data, file=f"policies/{policy_workload.AGENT}.yaml")
        between = time.thread_time()
        compile_policy(loaded.policy)
        loads.append(between - started)
        compiles.append(time.thread_time() - between)
    return [
        Result(f"read {_LARGEST:,} rules", median(loads), "s"),
        Result(f"index {_LARGEST:,} rules", median(compiles), "s"),
        _at_most(f"load {_LARGEST:,} rules", median(loads) + median(compiles), "s", 0.5),
    ]


def _worst() -> list[Result]:
    results = []
    for name, size, policy, request in policy_traps.worst_accepted():
        micros = min(_micros(policy.decide, [request]) for _ in range(9))
        results.append(_at_most(f"trap: {name}, {size:,} rules", micros / 1_000, "ms", 1.0))
    return results


def _decide_micros(decide: Callable[[AccessRequest], object], size: int) -> float:
    return median([_micros(decide, policy_workload.requests(size, _REQUESTS, salt)) for salt in range(_ROUNDS)])


def _micros(ask: Callable[[AccessRequest], object], requests: Sequence[AccessRequest]) -> float:
    """Return CPU microseconds per request; the collector is held, as what it collects is not of this work."""
    gc.collect()
    gc.disable()
    try:
        started = time.thread_time()
        for request in requests:
            ask(request)
        return (time.thread_time() - started) / len(requests) * 1e6
    finally:
        gc.enable()


def _at_most(name: str, value: float, unit: str, goal: float | None) -> Result:
    if goal is None:
        return Result(name, value, unit)
    return Result(name, value, unit, f"<= {goal:g}", value <= goal)
