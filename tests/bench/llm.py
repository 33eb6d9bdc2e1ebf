"""The LLM door against no proxy at all, nginx and LiteLLM's proxy: one upstream, one run, in turns.

Whatever stands in between has one processor to itself, client and upstream share the other. Every request of the door
has an `executing` event and an outcome on a durable ledger. Figures are medians of rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final

from tests.bench.llm_house import LARGE_BYTES, STREAMS, Asker, House, house
from tests.bench.llm_native import Load, LoadError, Native, aside, cpu_micros, native
from tests.bench.llm_rivals import MissingError, litellm, nginx
from tests.bench.memory import Memory
from tests.bench.timing import Result, median, ratio

_ROUNDS, _SECONDS, _CONNECTIONS = 3, 2.0, 32
_EVENT_MILLIS, _SPREAD_SECONDS, _PACED_SECONDS = 100, 5.0, 60.0
_P50_MS, _P99_MS, _EVENT_MS, _STREAM_KIB = 0.6, 5.0, 20.0, 200.0
_TIMES_LITELLM, _TIMES_LITELLM_STREAMS, _OF_NGINX = 50.0, 20.0, 0.06
_DIRECT: Final = "direct"
_NO_RIVALS: Final = "installed only with --rivals"


def measure(*, rivals: bool = False) -> list[Result]:
    """Return what the door adds, what gets through beside others, and how many streams it holds.

    Args:
        rivals: Install LiteLLM where it is not, and measure it, too.
    """
    with aside(), native() as programs, ExitStack() as stack:
        upstream = stack.enter_context(programs.upstream(_EVENT_MILLIS))
        running = stack.enter_context(house(upstream))
        direct = Asker(_DIRECT, upstream, ("x-api-key", "none"))
        askers = {_DIRECT: direct, "door": running.free, "door, budgets": running.bound}
        missing: dict[str, str] = {} if rivals else {"LiteLLM": _NO_RIVALS}
        for name, run in (("nginx", nginx), *((("LiteLLM", litellm),) if rivals else ())):
            try:
                askers[name] = stack.enter_context(run(upstream))
            except MissingError as error:
                missing[name] = str(error)
        bench = _Bench(programs, running, askers, missing)
        # Memory comes first: what earlier load left behind would hide what streams take.
        return [*bench.paced(), *bench.alone(), *bench.crowd()]


class _Bench:
    """What runs, and what is asked of it.

    Args:
        programs: The client.
        running: Ostiary.
        askers: Ways to the model, by name.
        missing: Why others are not there, by name.
    """

    def __init__(
        self, programs: Native, running: House, askers: Mapping[str, Asker], missing: Mapping[str, str]
    ) -> None:
        self._programs = programs
        self._running = running
        self._askers = askers
        self._missing = dict(missing)

    def alone(self) -> list[Result]:
        """Return what each way adds to one request at a time."""
        loads = self._in_turns({name: partial(self._drive, asker, 1, size=LARGE_BYTES) for name, asker in self._all()})
        p50, p99 = ({name: _median_of(each, share) for name, each in loads.items()} for share in (0.5, 0.99))
        what = f"{LARGE_BYTES // 1000} KB, one at a time"
        results = [
            Result(f"{what}: direct, p50", p50[_DIRECT], "ms"),
            Result(f"{what}: direct, p99", p99[_DIRECT], "ms"),
        ]
        for name in loads:
            if name != _DIRECT:
                barred = name.startswith("door")
                for share, figures, most in (("p50", p50, _P50_MS), ("p99", p99, _P99_MS)):
                    added = figures[name] - figures[_DIRECT]
                    goal = (f"<= {most:g}", added <= most) if barred else ("", None)
                    results.append(Result(f"{what}: {name} adds, {share}", added, "ms", *goal))
        return [*results, *self._absent(what)]

    def crowd(self) -> list[Result]:
        """Return what gets through at many connections, and what that costs."""
        return [
            *self._crowd("small requests", _TIMES_LITELLM, _OF_NGINX),
            *self._crowd(f"{LARGE_BYTES // 1000} KB requests", _TIMES_LITELLM, _OF_NGINX, size=LARGE_BYTES),
            *self._crowd("200-event streams", _TIMES_LITELLM_STREAMS, None, stream=True),
        ]

    def _crowd(
        self, asked: str, of_litellm: float, of_nginx: float | None, *, size: int = 0, stream: bool = False
    ) -> list[Result]:
        what = f"{asked}, {_CONNECTIONS} connections"
        used: dict[str, list[float]] = {name: [] for name in self._running.pids}
        drives: dict[str, Callable[[], Load]] = {
            name: partial(self._drive, asker, _CONNECTIONS, size=size, stream=stream) for name, asker in self._all()
        }
        drives["door"] = partial(self._counted, drives["door"], used)
        rates = {name: median([each.per_second for each in taken]) for name, taken in self._in_turns(drives).items()}
        bars = (("LiteLLM", of_litellm), ("nginx", of_nginx))
        return [
            *(Result(f"{what}: {name}", rate, "per second") for name, rate in rates.items()),
            *(Result(f"{what}: CPU of {name}", median(each), "us each") for name, each in used.items()),
            *(
                ratio(f"{what}: {name} versus {rival}", rates[name] / rates[rival], at_least=bar)
                for name in ("door", "door, budgets")
                for rival, bar in bars
                if rival in rates
            ),
            *self._absent(what),
        ]

    def paced(self) -> list[Result]:
        """Return how late events of many slow streams come, and what memory each stream takes."""
        direct, door = self._askers[_DIRECT], self._askers["door"]
        self._drive(door, 1, stream=True)
        bare = self._slow(direct)
        memory = Memory(self._running.pids["api"])
        before = memory.reset()
        what = f"{STREAMS} streams, an event each {_EVENT_MILLIS} ms"
        try:
            loads = self._slow(door)
        except LoadError as error:
            return [Result(f"{what}: {error}", 0.0, "", f"<= {_EVENT_MS:g} ms", met=False)]
        each_kib = (memory.peak() - before) / STREAMS / 1024
        late = loads.delay_millis(0.99)
        return [
            Result(f"{what}: delay of an event, direct, p99", bare.delay_millis(0.99), "ms"),
            Result(f"{what}: delay of an event, door, p50", loads.delay_millis(0.5), "ms"),
            Result(f"{what}: delay of an event, door, p99", late, "ms", f"<= {_EVENT_MS:g}", late <= _EVENT_MS),
            Result(f"{what}: memory of the api", each_kib, "KiB each", f"<= {_STREAM_KIB:g}", each_kib <= _STREAM_KIB),
        ]

    def _slow(self, asker: Asker) -> Load:
        return self._programs.once(
            asker.port,
            asker.request(stream=True, paced=True),
            connections=STREAMS,
            spread_seconds=_SPREAD_SECONDS,
            seconds=_PACED_SECONDS,
        )

    def _drive(self, asker: Asker, connections: int, *, size: int = 0, stream: bool = False) -> Load:
        request = asker.request(size=size, stream=stream)
        return self._programs.drive(asker.port, request, connections=connections, seconds=_SECONDS)

    def _counted(self, drive: Callable[[], Load], used: Mapping[str, list[float]]) -> Load:
        """Note what an answer costs each process."""
        pids = self._running.pids
        before = {name: cpu_micros(pid) for name, pid in pids.items()}
        load = drive()
        for name, pid in pids.items():
            used[name].append((cpu_micros(pid) - before[name]) / len(load.micros))
        return load

    def _in_turns(self, drives: Mapping[str, Callable[[], Load]]) -> dict[str, list[Load]]:
        """Let each way take its turn in every round; one that fails is out, unless it is ours."""
        taken: dict[str, list[Load]] = {name: [] for name in drives}
        for _ in range(_ROUNDS):
            for name, drive in drives.items():
                if name in taken:
                    try:
                        taken[name].append(drive())
                    except LoadError as error:
                        if name not in {"nginx", "LiteLLM"}:
                            raise
                        self._missing[name] = str(error)
                        del taken[name]
        return taken

    def _all(self) -> list[tuple[str, Asker]]:
        return [(name, asker) for name, asker in self._askers.items() if name not in self._missing]

    def _absent(self, what: str) -> list[Result]:
        return [Result(f"{what}: {name} not measured ({why})", 0.0, "") for name, why in self._missing.items()]


def _median_of(loads: Sequence[Load], share: float) -> float:
    return median([each.millis(share) for each in loads])
