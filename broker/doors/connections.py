"""``/v1/sessions/connections``: where a session's project can go, for who sets up its clients."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from pydantic import Field

from broker.doors.documents import problems
from broker.doors.principals import Agent, Broker
from broker.doors.views import View

PATH: Final = "/v1/sessions/connections"

_ADDRESSES: Final = {"git": "url"}
"""The option of a connection that holds its address, by connector; no other option leaves by this door."""

router = APIRouter(tags=["sessions"])


class ConnectionView(View):
    """One connection of a project."""

    name: str
    connector: str
    url: str = Field(description="where it goes, as clients name it; empty where that is not one place")


class ConnectionsView(View):
    """Connections of a project, in its order."""

    connections: list[ConnectionView]


@router.get(PATH, responses=problems())
async def list_connections(broker: Broker, session: Agent) -> ConnectionsView:
    """List the connections of the session's project; which of them policy lets it use is decided per intent."""
    configuration = broker.configuration()
    project = configuration.projects.get(session.project)
    named = project.connections if project is not None else ()
    known = (configuration.connections[name] for name in named if name in configuration.connections)
    return ConnectionsView(
        connections=[
            ConnectionView(
                name=each.name,
                connector=each.connector,
                url=str(each.options.get(_ADDRESSES.get(each.connector, ""), "")),
            )
            for each in known
        ]
    )
