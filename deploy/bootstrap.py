#!/usr/bin/env python3
"""One command from a fresh checkout to a running job: `python3 deploy/bootstrap.py tour`, or `test`, or `up`.

Needs Python 3.11 and nothing else; the standard library only, no root. Each command does all the set-up it needs, says
so on standard error, and is quick when it is done already. The job's exit status is passed on.

This file stays readable for older Pythons, so that they get as far as the message about it; the rest is in `commands`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
NEWEST_TRIED_MINOR = 20


def newer_python() -> str:
    """Return a Python of this machine that is new enough, for when the running one is not; empty when there is none."""
    for minor in range(OLDEST[1], NEWEST_TRIED_MINOR):
        found = shutil.which(f"python3.{minor}")
        if found and subprocess.call([found, "-c", ""]) == 0:
            return found
    return ""


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        newer = newer_python()
        if not newer:
            sys.exit(f"this is Python {sys.version.split()[0]} and Ostiary needs 3.11 or newer: install one")
        os.execv(newer, [newer, *sys.argv])  # noqa: S606 - the same command under another Python
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from deploy.commands import main

    sys.exit(main(sys.argv[1:]))
