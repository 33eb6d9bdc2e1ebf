"""The list of connectors: one line each. Everything else about a connector derives from the connector itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from connectors.base import Connector
from connectors.errors import ConnectorError

if TYPE_CHECKING:
    from connectors.guard import AddressGuard


class RegistryError(ConnectorError):
    """Two connectors claim the same name, service or action: a fault of the build, found at start."""


@dataclass(frozen=True, slots=True)
class Premises:
    """What a connector is given of the machine.

    Args:
        guard: Which addresses may be connected to, best the transport's own; each connector's default when None. It is
            for what does not go out through the transport.
        folder: Where it may keep what it can make anew at any time; None where nothing is executed.
    """

    guard: AddressGuard | None = None
    folder: Path | None = None


def _aws(_premises: Premises) -> Connector:
    from connectors.aws.connector import AwsConnector

    return AwsConnector()


def _git(premises: Premises) -> Connector:
    from connectors.git.connector import GitConnector, machine_at

    return GitConnector(premises.guard, machine_at(premises.folder))


def _github(_premises: Premises) -> Connector:
    from connectors.github.connector import GitHubConnector

    return GitHubConnector()


def _llm(_premises: Premises) -> Connector:
    from connectors.llm.connector import LlmConnector

    return LlmConnector()


Maker = Callable[[Premises], Connector]
"""Makes a connector."""

REGISTRY: Final[Mapping[str, Maker]] = MappingProxyType({"aws": _aws, "git": _git, "github": _github, "llm": _llm})
"""Name to maker; a maker imports its connector when called, so that the command line starts fast."""


def build_connectors(
    premises: Premises = Premises(), *, registry: Mapping[str, Maker] = REGISTRY
) -> dict[str, Connector]:
    """Return a new instance of every connector by name.

    Args:
        premises: What they are given of the machine.
        registry: Name to maker.

    Raises:
        RegistryError: a connector has another name than its line, serves a service of another, or has an action
            outside its services.
    """
    built: dict[str, Connector] = {}
    owners: dict[str, str] = {}
    for name, make in registry.items():
        connector = make(premises)
        if connector.name != name:
            raise RegistryError(f"the connector registered as `{name}` is called `{connector.name}`")
        for service in sorted(connector.services):
            if service in owners:
                raise RegistryError(f"`{name}` and `{owners[service]}` both serve `{service}`")
            owners[service] = name
        # Names only: the rows of a large catalogue cost, and the contract suite looks at those.
        services = connector.services
        for action in connector.operations:
            if action.partition(":")[0] not in services:
                raise RegistryError(f"`{name}` has `{action}`, which is not an action of its services")
        built[name] = connector
    return built


def connector_for(service: str, connectors: Mapping[str, Connector] | None = None) -> Connector | None:
    """Return the connector that serves an action prefix, None when none does.

    Args:
        service: As ``s3``.
        connectors: Where to look; one shared set of all connectors when not given.
    """
    for connector in (_shared() if connectors is None else connectors).values():
        if service in connector.services:
            return connector
    return None


@cache
def _shared() -> dict[str, Connector]:
    return build_connectors()
