"""Rows of the tables: which IAM actions an operation needs, on which resources, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.aws.catalogue.overrides.kinds import Resources, anything
from connectors.aws.catalogue.overrides.values import Test
from connectors.aws.catalogue.place import Params, Place
from connectors.errors import InvalidParamsError
from policies.model import Requirement

Override = Callable[[Params, Place], tuple[Requirement, ...]]
"""From params to exact requirements; raises `InvalidParamsError`."""

Rows = Mapping[str, Override]
"""By ``service:Operation``, the service as botocore names it."""


@dataclass(frozen=True, slots=True)
class Need:
    """One IAM action an operation needs.

    Args:
        action: Canonical IAM action, in IAM's own spelling.
        of: The resources it is needed on.
        when: Whether these params need it; None for always.
    """

    action: str
    of: Resources = anything
    when: Test | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The requirements of one operation; call it with params and place.

    Args:
        needs: In the order they are shown to people.
    """

    needs: tuple[Need, ...]

    def __call__(self, params: Params, place: Place) -> tuple[Requirement, ...]:
        """Return each pair once.

        Raises:
            InvalidParamsError: a param names nothing that could be meant, or all of them name nothing.
        """
        pairs = {
            Requirement(need.action, resource): None
            for need in self.needs
            if need.when is None or need.when(params)
            for resource in need.of(params, place)
        }
        if not pairs:
            raise InvalidParamsError("the params name no resource")
        return tuple(pairs)


@dataclass(frozen=True, slots=True)
class Refused:
    """An operation that is never planned.

    Args:
        reason: Why not, for people.
        fix: What to do instead.
    """

    reason: str
    fix: str = ""

    def __call__(self, _params: Params, _place: Place) -> tuple[Requirement, ...]:
        """Refuse.

        Raises:
            InvalidParamsError: always.
        """
        raise InvalidParamsError(self.reason, fix=self.fix)


@dataclass(frozen=True, slots=True)
class Service:
    """Makes the rows of one service.

    Args:
        folder: As botocore names it.
        prefix: As IAM names it.
    """

    folder: str
    prefix: str

    def each(self, names: str, *resources: Resources, more: tuple[Need, ...] = ()) -> Rows:
        """Return a row for each operation: its action on all of these resources.

        Args:
            names: Operations with blanks between; ``Operation=Action`` where IAM's name is another one.
            resources: ``*`` when there is none.
            more: What each of them needs besides.
        """
        rows: dict[str, Override] = {}
        for name in names.split():
            operation, _, action = name.partition("=")
            own = tuple(Need(f"{self.prefix}:{action or operation}", of) for of in resources or (anything,))
            rows[f"{self.folder}:{operation}"] = Row(own + more)
        return rows

    def row(self, operation: str, *needs: Need) -> Rows:
        """Return the row of one operation whose needs are written out."""
        return {f"{self.folder}:{operation}": Row(needs)}

    def refused(self, names: str, reason: str, fix: str = "") -> Rows:
        """Return rows that refuse."""
        return {f"{self.folder}:{name}": Refused(reason, fix) for name in names.split()}


def merged(*tables: Rows) -> Rows:
    """Return one table of several.

    Raises:
        ValueError: two of them have a row for one operation.
    """
    rows: dict[str, Override] = {}
    for table in tables:
        twice = sorted(rows.keys() & table.keys())
        if twice:
            raise ValueError(f"two rows for {', '.join(twice)}")
        rows.update(table)
    return rows
