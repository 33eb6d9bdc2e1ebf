"""``/v1/actions``: what can be asked for, with the schema of its params and an example that plans."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter

from broker.doors.documents import problems
from broker.doors.ports import ConfigurationPort
from broker.doors.principals import READERS, Broker, Principal, require
from broker.doors.views import ActionsView, ActionView
from broker.model import Operator, Session

router = APIRouter(tags=["actions"])


@router.get("/v1/actions", responses=problems())
async def list_actions(broker: Broker, principal: Principal) -> ActionsView:
    """List the operations of the connectors an agent's project has; an operator sees those of every connection."""
    if isinstance(principal, Operator):
        require(principal, *READERS)
    configuration = broker.configuration()
    by_connector: dict[str, list[str]] = {}
    for name in sorted(_connections(configuration, principal)):
        connection = configuration.connections.get(name)
        if connection is not None:
            by_connector.setdefault(connection.connector, []).append(name)
    found = [
        ActionView.of(operation, connections)
        for connector, connections in by_connector.items()
        if connector in broker.connectors
        for operation in broker.connectors[connector].operations.values()
    ]
    return ActionsView(actions=sorted(found, key=lambda item: item.action))


def _connections(configuration: ConfigurationPort, principal: Session | Operator) -> Iterable[str]:
    if isinstance(principal, Operator):
        return configuration.connections
    project = configuration.projects.get(principal.project)
    return project.connections if project is not None else ()
