"""What a supervised Python process runs: ``python -m broker.supervisor.child api|worker``.

Its settings are the ``OSTIARY_*`` variables the supervisor gave it. The vault is not among the roles: its process
imports nothing of the broker, so that little code shares memory with the keys.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from broker.errors import BrokerError
from broker.settings import Settings, load_settings

FAILED: Final = 1
"""Exit code when the process could not do its work; the message is on standard error."""


class Role(StrEnum):
    """A process of the broker."""

    API = "api"
    WORKER = "worker"


def run(role: Role, settings: Settings) -> None:
    """Run a role in this process until a signal ends it."""
    match role:
        case Role.API:
            from broker.serve import main as api_main

            api_main(settings)
        case Role.WORKER:
            from broker.worker import main as worker_main

            worker_main(settings)


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the role the arguments name; return the exit code."""
    os.umask(0o077)
    try:
        run(Role(arguments[0]), load_settings(environment))
    except BrokerError as error:
        print(error, file=sys.stderr)  # noqa: T201 - it becomes the end of the log that the supervisor shows
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
