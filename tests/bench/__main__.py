"""``python3 deploy/bootstrap.py bench [--rivals] [NAME ...]``: measure, print a table, write ``bench-results.json``."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import aws_door, aws_large, aws_plans, aws_resolve, aws_roundtrip, git, ledger, llm, policy
from tests.bench.timing import Result

_SUITES = {
    "policy": policy.measure,
    "ledger": ledger.measure,
    "aws_door": aws_door.measure,
    "aws_large": aws_large.measure,
    "aws_plans": aws_plans.measure,
    "aws_resolve": aws_resolve.measure,
    "aws_roundtrip": aws_roundtrip.measure,
    "git": git.measure,
    "llm": llm.measure,
}
_RIVALS = "--rivals"
_RESULTS = Path("bench-results.json")


def main(names: list[str]) -> int:
    """Run the named suites, all when none is named; a missed goal is shown and is no error.

    ``--rivals`` lets them install what they are compared with where that is large.
    """
    suites: dict[str, Callable[[], list[Result]]] = dict(_SUITES)
    if _RIVALS in names:
        names = [name for name in names if name != _RIVALS]
        suites["llm"] = partial(llm.measure, rivals=True)
    unknown = [name for name in names if name not in _SUITES]
    if unknown:
        sys.stderr.write(f"no benchmark `{unknown[0]}`; there are: {', '.join(_SUITES)}\n")
        return 2
    results: list[Result] = []
    for name in names or list(_SUITES):
        sys.stderr.write(f"measuring {name} …\n")
        results += suites[name]()
    table = Table("what", "figure", "unit", "goal", "met")
    for each in results:
        met = "" if each.met is None else "yes" if each.met else "NO"
        table.add_row(each.name, f"{each.value:,.2f}", each.unit, each.goal, met)
    Console(width=110).print(table)
    machine = {"python": platform.python_version(), "cpus": os.cpu_count(), "load": os.getloadavg()}
    _RESULTS.write_text(json.dumps({"machine": machine, "results": [asdict(each) for each in results]}, indent=2))
    sys.stderr.write(f"written: {_RESULTS}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
