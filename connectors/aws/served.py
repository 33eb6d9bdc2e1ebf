"""The part of AWS that is open: all operations of some services. The rest plans and is not offered yet.

Policies are checked against what is offered, and what is offered is held to the contract suite row by row; a service
joins when both are ready for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final

from connectors.aws.catalogue.data import load
from connectors.aws.operations import OperationTable, find, services_by_prefix
from connectors.base import LargeCatalogue, Operation

SERVED: Final = frozenset({"s3"})
"""Services as botocore names them."""


class ServedTable(LargeCatalogue):
    """The operations of some services.

    Args:
        services: Names of the services, as botocore has them.
    """

    def __init__(self, services: frozenset[str]) -> None:
        self._services = services
        self._table = OperationTable()

    def __getitem__(self, action: str) -> Operation:
        """Return the row of an action."""
        if action not in self:
            raise KeyError(action)
        return self._table[action]

    def __contains__(self, action: object) -> bool:
        """Tell whether there is such an operation here."""
        found = find(action) if isinstance(action, str) else None
        return found is not None and found[0] in self._services

    def __iter__(self) -> Iterator[str]:
        """Yield every canonical action in order."""
        return (action for action in self._table if action.partition(":")[0] in self._services)

    def __len__(self) -> int:
        """Return how many operations there are."""
        return sum(1 for _ in self)

    @property
    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """For each operation the actions it asks policy for."""
        asked = self._table.permissions
        return {action: asked[action] for action in self}

    @property
    def other_actions(self) -> frozenset[str]:
        """IAM's actions of every service that these operations touch, but for those they ask for.

        Copying an object can take a key, and registering a job a role: a rule about `kms` or `iam` is then no slip of
        the pen, whichever of their actions it names.
        """
        asked = {name for names in self.permissions.values() for name in names}
        touched = {name.partition(":")[0] for name in asked} | prefixes_of(self._services)
        owners = {service for prefix in touched for service in services_by_prefix().get(prefix, ())}
        return frozenset(chain.from_iterable(map(load().iam_actions, owners))) - asked


def prefixes_of(services: frozenset[str]) -> frozenset[str]:
    """Return every word that can stand before the colon of an action of some services."""
    return services | {prefix for prefix, owners in services_by_prefix().items() if services & set(owners)}
