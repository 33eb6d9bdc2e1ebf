"""The commands of the bootstrap: what each one sets up, and the job it then turns into."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final, NoReturn

from deploy.checks import job_environment, run_all, run_pytest
from deploy.console import Console, StepError
from deploy.environment import Checkout, Profile, ensure
from deploy.github_cli import ensure_gh
from deploy.lockfile import lock
from deploy.node import ensure_npm_parts, try_npm_parts

_USAGE: Final = """usage: python3 deploy/bootstrap.py COMMAND [ARGUMENTS]

  tour [--json]        watch an agent without keys at work, on real parts of this machine
  test [PYTEST ARGS]   lint, types, import contracts, the whole suite; with arguments: only pytest with them
  up [--data DIR ...]  start Ostiary for real use, in ./ostiary-data unless told otherwise
  bench [ARGUMENTS]    measure, print a table, write JSON
  setup [--dev]        make .venv (with --dev: what tour, test and bench need) and stop
  catalogue [--check]  build the catalogue of AWS operations again and tell what changed
  github-catalogue [--check]  build the catalogue of GitHub's REST operations again, with npm
  lock [--upgrade]     write deploy/requirements/*.txt again from pyproject.toml
"""
_JOB_MODULES: Final = {
    "tour": "deploy.tour",
    "bench": "tests.bench",
    "catalogue": "deploy.catalogue",
    "github-catalogue": "deploy.github_catalogue",
}
_NAMES: Final = frozenset({*_JOB_MODULES, "test", "up", "setup", "lock"})
_USAGE_STATUS: Final = 2
_SETUP_FAILED_STATUS: Final = 4
_SIGNAL_STATUS: Final = 128
"""A shell's way to say that a signal ended a command: this and the signal's number."""


def main(arguments: list[str]) -> int:
    """Run one command and return its exit status; `up` and `_JOB_MODULES` turn into their job and never return."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        (sys.stdout if arguments else sys.stderr).write(_USAGE)
        return 0 if arguments else _USAGE_STATUS
    if arguments[0] not in _NAMES:
        sys.stderr.write(f"unknown command `{arguments[0]}`\n\n{_USAGE}")
        return _USAGE_STATUS
    signal.signal(signal.SIGTERM, _leave)
    console = Console()
    try:
        return _run(Checkout(Path(__file__).resolve().parent.parent), arguments[0], arguments[1:], console)
    except StepError as error:
        console.line(f"\n{error.title} failed:\n{error.cause}")
        if error.fix:
            console.line(f"next: {error.fix}")
        console.line("run the same command again to go on from here")
        return _SETUP_FAILED_STATUS
    except KeyboardInterrupt:
        return _SIGNAL_STATUS + signal.SIGINT


def _run(checkout: Checkout, name: str, arguments: list[str], console: Console) -> int:
    if name == "lock":
        lock(checkout, console, arguments)
        return 0
    lean = name == "up" or (name == "setup" and "--dev" not in arguments)
    ensure(checkout, Profile.RUNTIME if lean else Profile.DEV, console)
    if name == "tour":
        try_npm_parts(checkout, console, "the tour leaves GitHub out")
    elif not lean and name not in {"catalogue", "github-catalogue"}:
        ensure_npm_parts(checkout, console)
    if name == "test" or (name == "setup" and not lean):
        ensure_gh(checkout, console)
    if name == "setup":
        sys.stdout.write(f"{checkout.venv / 'bin' / 'ostiary'}\n")
        return 0
    if name == "up":
        _become(checkout, ["ostiary", "up", *arguments])
    if name in _JOB_MODULES:
        os.chdir(checkout.root)
        _become(checkout, ["python", "-m", _JOB_MODULES[name], *arguments])
    return run_pytest(checkout, arguments) if arguments else run_all(checkout)


def _become(checkout: Checkout, command: list[str]) -> NoReturn:
    """Turn into the job, so that signals and the exit status are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    program = str(checkout.venv / "bin" / command[0])
    os.execve(program, [program, *command[1:]], job_environment(checkout))  # noqa: S606 - no shell is wanted


def _leave(number: int, _frame: object) -> NoReturn:
    """End as if interrupted, so that the step's child is ended with us."""
    sys.exit(_SIGNAL_STATUS + number)
