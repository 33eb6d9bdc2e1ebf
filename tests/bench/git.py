"""Stock git through the door against the same git going to the host directly: one host, one machine, in turns.

Both ways the client is a fresh process and the host starts git for each request, as `git http-backend` does.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench.memory import MIB, Memory, bounded
from tests.bench.timing import Result, median, ratio
from tests.parts.git_house import Coder, GitHouse, git_house

_LARGE_MIB: Final = 100
_FILES: Final = 200
_ROUNDS: Final = 3
_SMALL_ROUNDS: Final = 15
_COMMITS: Final = 10
_THROUGHPUT: Final = 0.8
_GROWTH_MIB: Final = 40.0
_LISTING: Final = 1.5
_PUSH_MILLIS: Final = 150.0
_BIG: Final = "acme/big"


@dataclass
class _Way:
    """One way to the host.

    Args:
        name: For the table.
        base: URL that repositories stand below.
        token: What opens it.
    """

    name: str
    base: str
    token: str

    def coder(self, folder: Path, repo: str) -> Coder:
        return Coder(folder, f"{self.base}/{repo}.git", self.token)


def measure() -> list[Result]:
    """Return throughputs and latencies of both ways, their ratios, and how much the api's memory grew at most."""
    with tempfile.TemporaryDirectory(prefix="ost-bench-") as name, git_house(Path(name)) as house:
        folder = Path(name)
        _, token = house.begin("coder")
        ways = [_Way("direct", house.host.url, house.host.rw_token), _Way("door", f"{house.url}/git/forge", token)]
        source = _large_repository(folder / "source", house)
        memory = Memory(house.up.pid_of("api"))
        return [
            *_listing(folder, ways),
            *_large("clone", memory, ways, lambda way: _clone(folder, way)),
            *_large("push", memory, ways, lambda way: _push_large(house, source, way)),
            *_ten_commits(folder, ways),
        ]


def _listing(folder: Path, ways: list[_Way]) -> list[Result]:
    taken: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(_SMALL_ROUNDS):
        for way in ways:
            coder = way.coder(folder, "acme/app")
            taken[way.name].append(_seconds(partial(_must, coder, "ls-remote", coder.url)))
    direct, door = (median(taken[way.name]) for way in ways)
    return [
        Result("ls-remote, direct", direct * 1e3, "ms"),
        Result("ls-remote, through the door", door * 1e3, "ms"),
        Result("ls-remote: door over direct", door / direct, "x", f"<= {_LISTING:g}", door / direct <= _LISTING),
    ]


def _large(name: str, memory: Memory, ways: list[_Way], act: Callable[[_Way], float]) -> list[Result]:
    taken: dict[str, list[float]] = {way.name: [] for way in ways}
    growth = 0
    for _ in range(_ROUNDS):
        for way in ways:
            before = memory.reset()
            taken[way.name].append(act(way))
            growth = max(growth, memory.peak() - before)
    direct, door = (median(taken[way.name]) for way in ways)
    return [
        Result(f"{name} of {_LARGE_MIB} MiB, direct", _LARGE_MIB / direct, "MiB/s"),
        Result(f"{name} of {_LARGE_MIB} MiB, through the door", _LARGE_MIB / door, "MiB/s"),
        ratio(f"{name} of {_LARGE_MIB} MiB: door versus direct", direct / door, at_least=_THROUGHPUT),
        bounded(f"{name} of {_LARGE_MIB} MiB: memory of the api, more", growth / MIB, _GROWTH_MIB),
    ]


def _ten_commits(folder: Path, ways: list[_Way]) -> list[Result]:
    taken: dict[str, list[float]] = {way.name: [] for way in ways}
    coders = [way.coder(folder / f"small-{way.name}", "acme/app") for way in ways]
    for coder in coders:
        coder.clone()
    for number in range(_SMALL_ROUNDS):
        for way, coder in zip(ways, coders, strict=True):
            branch = f"feature/{way.name}-{number}"
            coder.git("checkout", "--quiet", "-B", branch, "origin/main")
            for commit in range(_COMMITS):
                (coder.folder / f"file-{commit}.txt").write_text(f"{branch} {commit}\n" * 20)
                coder.git("add", "--all")
                coder.git("commit", "--quiet", "--message", f"commit {commit}")
            taken[way.name].append(_seconds(partial(_must, coder, "push", "--quiet", "origin", branch)))
    direct, door = (statistics.median(taken[way.name]) * 1e3 for way in ways)
    return [
        Result(f"push of {_COMMITS} commits, direct", direct, "ms"),
        Result(f"push of {_COMMITS} commits, through the door", door, "ms"),
        Result(
            f"push of {_COMMITS} commits: door less direct",
            door - direct,
            "ms",
            f"<= {_PUSH_MILLIS:g}",
            door - direct <= _PUSH_MILLIS,
        ),
    ]


def _large_repository(folder: Path, house: GitHouse) -> Coder:
    """Make a repository that does not compress, put it on the host, and return the clone it was made in."""
    coder = Coder(folder, "", "")
    folder.mkdir()
    coder.git("init", "--quiet", "--initial-branch=main")
    for number in range(_FILES):
        (folder / f"blob-{number}.bin").write_bytes(os.urandom(_LARGE_MIB * MIB // _FILES))
    coder.git("add", "--all")
    coder.git("commit", "--quiet", "--message", "large")
    coder.git("repack", "-a", "-d", "--quiet")
    house.host.create_repo(_BIG)
    coder.git("push", "--quiet", str(house.host.path(_BIG)), "main")
    return coder


def _clone(folder: Path, way: _Way) -> float:
    coder = way.coder(folder / "cloned", _BIG)
    try:
        return _seconds(lambda: coder.clone("--bare"))
    finally:
        shutil.rmtree(coder.folder, ignore_errors=True)


def _push_large(house: GitHouse, source: Coder, way: _Way) -> float:
    """Push all of it into a repository that is empty each time."""
    repo = "acme/void"
    shutil.rmtree(house.host.path(repo), ignore_errors=True)
    house.host.create_repo(repo)
    pushing = way.coder(source.folder, repo)
    return _seconds(lambda: _must(pushing, "push", "--quiet", pushing.url, "main:refs/heads/large"))


def _must(coder: Coder, *arguments: str) -> None:
    done = coder.run(*arguments, cwd=coder.folder if coder.folder.exists() else coder.folder.parent)
    if done.returncode:
        raise RuntimeError(done.stderr)


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started
