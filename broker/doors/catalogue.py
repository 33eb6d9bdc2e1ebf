"""``/v1/actions``: what can be asked for, with the schema of its params and an example that plans.

An agent is told what the rules about itself say of each operation, and nothing about others; `POST /v1/explain` answers
for one resource.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from fastapi import APIRouter

from broker.doors.documents import problems
from broker.doors.ports import ConfigurationPort
from broker.doors.principals import READERS, Broker, Principal, require
from broker.doors.views import ActionsView, ActionView
from broker.model import Operator, Session
from connectors.base import Operation
from policies.answers.speaking import rules_about
from policies.layers import LayeredPolicy

router = APIRouter(tags=["actions"])


@router.get("/v1/actions", responses=problems())
async def list_actions(broker: Broker, principal: Principal) -> ActionsView:
    """List the operations of the connectors an agent's project has; an operator sees those of every connection."""
    if isinstance(principal, Operator):
        require(principal, *READERS)
    policy = None if isinstance(principal, Operator) else broker.policy_of(principal)
    configuration = broker.configuration()
    by_connector: dict[str, list[str]] = {}
    for name in sorted(_connections(configuration, principal)):
        connection = configuration.connections.get(name)
        if connection is not None:
            by_connector.setdefault(connection.connector, []).append(name)
    offered = [
        (operation, connections)
        for connector, connections in by_connector.items()
        if connector in broker.connectors
        for operation in broker.connectors[connector].operations.values()
    ]
    # A large policy takes a while to look through; nobody else waits for that.
    return await asyncio.to_thread(_listed, offered, policy)


def _listed(offered: Iterable[tuple[Operation, list[str]]], policy: LayeredPolicy | None) -> ActionsView:
    found = []
    for operation, connections in offered:
        spoken = rules_about(policy, operation.permissions or (operation.action,)) if policy is not None else []
        found.append(ActionView.of(operation, connections, spoken))
    return ActionsView(actions=sorted(found, key=lambda item: item.action))


def _connections(configuration: ConfigurationPort, principal: Session | Operator) -> Iterable[str]:
    if isinstance(principal, Operator):
        return configuration.connections
    project = configuration.projects.get(principal.project)
    return project.connections if project is not None else ()
