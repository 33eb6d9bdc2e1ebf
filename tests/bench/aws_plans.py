"""Every operation of AWS held to the contract of connectors: the example of each plans, or it says why not.

``python -m tests.bench.aws_plans``
"""

from __future__ import annotations

import sys
from itertools import islice
from time import perf_counter

from tests.bench.timing import Result
from tests.contract.test_connector import CONNECTORS
from tests.contract.whole import faults

SHARE = 0.9995
"""Of all operations; what is left names things whose parts are those of an ARN in its example."""
_SHOWN = 20


def measure() -> list[Result]:
    """Return the share of operations that keep the contract, and what one of them costs."""
    names = list(CONNECTORS["aws"].operations)
    started = perf_counter()
    found = list(faults(names))
    seconds = perf_counter() - started
    for each in islice(found, _SHOWN):
        sys.stderr.write(f"{each}\n")
    share = 1 - len(found) / len(names)
    return [
        Result("aws: operations that keep the contract", share, "share", f">= {SHARE}", met=share >= SHARE),
        Result("aws: checking one operation", 1_000 * seconds / len(names), "ms"),
    ]


if __name__ == "__main__":
    for result in measure():
        sys.stdout.write(f"{result.name}: {result.value:.4f} {result.unit}\n")
