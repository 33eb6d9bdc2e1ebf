"""Durations on the command line: ``90s``, ``15m``, ``8h``, ``7d``."""

from __future__ import annotations

import re
from typing import Final

from broker.cli.output import ExitCode, fail

_DURATION: Final = re.compile(r"([0-9]{1,9})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> int:
    """Return a duration in seconds; ends the command when it is none."""
    found = _DURATION.fullmatch(text)
    if found is None or int(found[1]) == 0:
        fail(f"`{text}` is no duration", ExitCode.USAGE, fix="write `90s`, `15m`, `8h` or `7d`")
    return int(found[1]) * _SECONDS[found[2]]
