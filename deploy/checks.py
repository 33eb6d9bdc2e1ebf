"""The whole test run: static checks side by side, then the suite in two parts, pytest's summary line last.

What is not there to cover lines (generated input, corpora, round trips, rules about the code, whole houses in processes
of their own) runs without coverage, which would double its time and find nothing; the rest runs with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final

from deploy.environment import Checkout

_COVERAGE_PERCENT: Final = 95
_MOST_WORKERS: Final = 4
"""One more than there are cores, as tests wait for the servers they start; each more would only wait for the disk."""
_UNMEASURED: Final = (
    "tests/integration", "tests/security", "tests/contract", "tests/property", "tests/conformance",
    "tests/requirements", "tests/architecture",
)  # fmt: skip
"""In this order: files that take minutes come first, so that no worker is left with one of them at the end."""
_ROOMS: Final = ("broker", "connectors", "policies", "vault")
_STATIC: Final = (
    ("ruff check", ("ruff", "check", "--output-format=concise", ".")),
    ("ruff format", ("ruff", "format", "--check", ".")),
    ("mypy", ("mypy",)),
    ("import contracts", ("lint-imports",)),
)


@dataclass
class _Check:
    title: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    started: float


def run_all(checkout: Checkout) -> int:
    """Run everything CI runs; a static check that fails does not hide what the tests have to say.

    Returns:
        pytest's exit status, or 1 when only a static check failed.
    """
    failed = run_static(checkout)
    if failed:
        _heading(f"FAILED: {', '.join(failed)} (above); the tests run all the same")
    _heading("tests")
    coverage = ["--cov", "--cov-branch", "--cov-report=term", f"--cov-fail-under={_COVERAGE_PERCENT}"]
    # A file's tests stay together, as they share real servers.
    side_by_side = ["-n", str(min((os.cpu_count() or 1) + 1, _MOST_WORKERS)), "--dist", "loadfile"]
    unmeasured = run_pytest(checkout, [*side_by_side, "--no-loadscope-reorder", *_UNMEASURED])
    _heading("tests, measured")
    measured = [*side_by_side, *coverage, *(f"--ignore={folder}" for folder in _UNMEASURED)]
    status = run_pytest(checkout, measured) or unmeasured or int(bool(failed))
    # Silent when all is well, so that pytest's summary stays the last line.
    thin = [] if status else thin_rooms(checkout)
    if thin:
        _heading(f"FAILED: branch coverage below {_COVERAGE_PERCENT} % in {', '.join(thin)}")
    return status or int(bool(thin))


def thin_rooms(checkout: Checkout) -> list[str]:
    """Return the rooms whose own branch coverage, as just measured, is below the bar, with their figures."""
    thin = []
    for room in _ROOMS:
        command = [str(checkout.python), "-m", "coverage", "report", f"--include={room}/*", "--format=total"]
        done = subprocess.run(command, cwd=checkout.root, capture_output=True, text=True, check=False)
        total = done.stdout.strip()
        if not total.isdigit() or int(total) < _COVERAGE_PERCENT:
            thin.append(f"{room} ({total or 'not measured'})")
    return thin


def run_static(checkout: Checkout) -> list[str]:
    """Run the static checks at the same time, show each one's words in a fixed order; return the titles that failed."""
    checks = [_start(checkout, title, command) for title, command in _STATIC]
    failed = []
    for check in checks:
        _heading(check.title)
        status = check.process.wait()
        check.output.seek(0)
        sys.stdout.write(check.output.read().decode(errors="replace"))
        check.output.close()
        verdict = "ok" if status == 0 else f"exit status {status}"
        sys.stdout.write(f"{verdict} ({time.monotonic() - check.started:.1f} s)\n")
        if status != 0:
            failed.append(check.title)
    return failed


def run_pytest(checkout: Checkout, arguments: Sequence[str]) -> int:
    """Run pytest in the checkout and pass its exit status on."""
    sys.stdout.flush()
    return subprocess.call(
        [checkout.python, "-m", "pytest", *arguments], cwd=checkout.root, env=job_environment(checkout)
    )


def job_environment(checkout: Checkout) -> dict[str, str]:
    """Return the environment of a job in the virtual environment: its programs first, nothing of another Python."""
    kept = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    path = os.pathsep.join([str(checkout.venv / "bin"), kept.get("PATH", os.defpath)])
    return kept | {"PATH": path, "VIRTUAL_ENV": str(checkout.venv)}


def _start(checkout: Checkout, title: str, command: tuple[str, ...]) -> _Check:
    output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by run_static, which reads it
    program = checkout.venv / "bin" / command[0]
    process = subprocess.Popen(
        [program, *command[1:]],
        cwd=checkout.root,
        env=job_environment(checkout),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    return _Check(title, process, output, time.monotonic())


def _heading(text: str) -> None:
    sys.stdout.write(f"\n== {text} ==\n")
    sys.stdout.flush()
