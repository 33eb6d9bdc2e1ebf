"""``python3 deploy/bootstrap.py tour [--json]``: watch an agent that holds no keys, on real parts of this machine."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict

from deploy.tour.stage import open_stage
from deploy.tour.step import Step
from deploy.tour.story import Story

_GREEN, _RED, _BOLD, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[1m", "\x1b[0m"


def main(arguments: list[str]) -> int:
    """Play the tour; return 0 when every step went as expected."""
    parser = argparse.ArgumentParser(prog="bootstrap.py tour", description="watch an agent without keys at work")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the story")
    wanted = parser.parse_args(arguments)
    started = time.monotonic()
    steps: list[Step] = []
    if not wanted.json:
        print(
            "starting S3 (moto), git (http-backend), a GitHub emulator, scripted models and Ostiary on loopback …",
            flush=True,
        )
    with open_stage() as stage:
        for step in Story(stage).play():
            steps.append(step)
            if not wanted.json:
                _tell(len(steps), step)
    ok = bool(steps) and all(step.ok for step in steps)
    took_seconds = round(time.monotonic() - started, 1)
    if wanted.json:
        print(json.dumps({"ok": ok, "seconds": took_seconds, "steps": [asdict(step) for step in steps]}, indent=2))
    else:
        print(f"\n{'all went as expected' if ok else 'a step did not go as expected'}; "
              f"{took_seconds} s, everything stopped and removed")  # fmt: skip
    return 0 if ok else 1


def _tell(number: int, step: Step) -> None:
    colour = sys.stdout.isatty()
    mark = "ok" if step.ok else "FAILED"
    if colour:
        mark = f"{_GREEN if step.ok else _RED}{mark}{_PLAIN}"
    title = f"{_BOLD}{step.title}{_PLAIN}" if colour else step.title
    print(f"\n{number:>2}. {title} [{mark}]")
    for line in step.lines:
        print(f"    {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
