"""A whole drill, from an empty folder to a dated report."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path

from broker.clock import Clock
from broker.config.model import Configuration
from broker.studies.drill.checks import AgentDrill
from broker.studies.drill.report import Check, DrillReport
from broker.studies.drill.scratch import DrillError, audit, open_scratch
from connectors.base import Connector
from policies.errors import did_you_mean, quote


async def run_drill(
    configuration: Configuration,
    connectors: Mapping[str, Connector],
    clock: Clock,
    folder: Path,
    agents: Collection[str] | None = None,
) -> DrillReport:
    """Run the checks of the brief against a configuration, in a store of their own.

    The whole pipeline runs, with the configuration and the connectors' planning as they are. There is no vault, no way
    out and no worker: what would act is refused and noted, and makes the drill fail.

    Args:
        configuration: What to drill.
        connectors: By name.
        clock: Dates the report and everything in it.
        folder: An empty folder for the scratch store; it is left there as evidence.
        agents: Whom to drill; everybody when None.

    Raises:
        DrillError: an agent is not declared, or the folder is in use.
        StoreUnavailableError, LedgerUnavailableError: the scratch store failed.
    """
    at_ns = clock.now_ns()
    names = sorted(configuration.agents if agents is None else set(agents))
    for name in names:
        if name not in configuration.agents:
            raise DrillError(
                f"no agent {quote(name)} in ostiary.yaml {did_you_mean(name, configuration.agents)}".strip()
            )
    checks: list[Check] = []
    async with open_scratch(configuration, connectors, clock, folder) as scratch:
        for name in names:
            checks += await AgentDrill(scratch, configuration, connectors, name).run()
        tried = tuple(scratch.outside.tried)
    found = await asyncio.to_thread(audit, folder)
    return DrillReport(at_ns, configuration.version, tuple(checks), found.events, found.problem, tried)
