"""Connectors as a drill uses them: they plan from params alone, since a drill reads nothing.

What is looked into before it is planned (`connectors.inspection`) is planned here as if it were what its params say:
a push creates or fast-forwards. So a drill shows that people are asked about a push, not that a forced one is seen.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from connectors.base import CallResult, Connection, Connector, JsonObject, Operation, Plan, Transport
from policies.model import ResourceType
from vault.model import Lease


class Planner:
    """Implements `connectors.base.Connector` by another one, and nothing beyond.

    Args:
        connector: The other one.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    @property
    def name(self) -> str:
        """Its name."""
        return self._connector.name

    @property
    def services(self) -> frozenset[str]:
        """Its action prefixes."""
        return self._connector.services

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Its catalogue."""
        return self._connector.operations

    @property
    def resource_types(self) -> tuple[ResourceType, ...]:
        """Its kinds of resources."""
        return self._connector.resource_types

    @property
    def connection_model(self) -> type[BaseModel]:
        """The model of its connections."""
        return self._connector.connection_model

    def plan(self, action: str, params: JsonObject, connection: Connection) -> Plan:
        """Derive what would be sent."""
        return self._connector.plan(action, params, connection)

    async def execute(self, plan: Plan, connection: Connection, lease: Lease, transport: Transport) -> CallResult:
        """Hand on; the lease of a drill is refused before."""
        return await self._connector.execute(plan, connection, lease, transport)
