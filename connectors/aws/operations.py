"""Every operation of AWS as a mapping: names come from the compiled catalogue, rows are made when they are looked at.

Looking at one row reads the model of its service; iterating, counting and asking whether a name is there reads none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from types import MappingProxyType
from typing import Final

from connectors.aws.catalogue.data import load
from connectors.aws.catalogue.model import AccessClass, Entry
from connectors.aws.catalogue.overrides import OVERRIDES
from connectors.aws.catalogue.overrides.table import Row
from connectors.aws.endpoint import load_rules
from connectors.aws.example import example_of
from connectors.aws.model import ApiOperation, is_in_memory, operation, service
from connectors.aws.model_files import give_back_memory
from connectors.aws.resource_names import resource_names
from connectors.aws.schema import params_schema
from connectors.aws.unserved import why_unserved
from connectors.aws.words import camel_words
from connectors.base import Access, LargeCatalogue, Operation

_loading = threading.Lock()
_PASS_ROLE: Final = "iam:PassRole"  # noqa: S105 - an action
_FOUND: Final = 4096
"""Names looked up lately, of any text an agent sends."""
_ROWS: Final = 1024
"""Rows kept; a row with its schema takes about 20 KB."""
ACCESS: Final[Mapping[AccessClass, Access]] = MappingProxyType(
    {
        AccessClass.READ: Access.READ,
        AccessClass.WRITE: Access.WRITE,
        AccessClass.DESTROY: Access.DESTROY,
        AccessClass.SECRET: Access.SECRET,
        AccessClass.ESCALATION: Access.WRITE,
    }
)
"""Escalation is a write to whoever retries or counts; policy looks at the actions."""


class OperationTable(LargeCatalogue):
    """The operations by canonical action, ``stepfunctions:StartExecution``.

    An action under the name IAM gives its service (``states:StartExecution``) is found too when exactly one service
    has it; iteration yields canonical names only.
    """

    def __getitem__(self, action: str) -> Operation:
        """Return the row of an action."""
        found = find(action)
        if found is None:
            raise KeyError(action)
        return _row(*found)

    def __contains__(self, action: object) -> bool:
        """Tell whether there is such an operation."""
        return isinstance(action, str) and find(action) is not None

    def __iter__(self) -> Iterator[str]:
        """Yield every canonical action in order."""
        return iter(_survey().permissions)

    def __len__(self) -> int:
        """Return how many operations there are."""
        return _count()

    @property
    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """For each operation the actions it asks policy for; reads the compiled catalogue and no model."""
        return _survey().permissions

    @property
    def other_actions(self) -> frozenset[str]:
        """IAM actions no operation asks for: permissions that other calls need besides, and those of consoles."""
        return _survey().others

    def outline(self, action: str) -> Operation:
        """Return what the compiled catalogue says of an operation; the summary is its name in words.

        Raises:
            KeyError: there is no such operation.
        """
        found = find(action)
        entry = None if found is None else load().entry(*found)
        if entry is None:
            raise KeyError(action)
        return Operation(
            action=f"{entry.service}:{entry.operation}",
            access=ACCESS[entry.access],
            idempotent=entry.idempotent or bool(entry.token_member),
            summary=f"{camel_words(entry.operation)} of {entry.service}",
            resources=(),
            params_schema={},
            example={},
            permissions=asked_actions(entry),
        )

    @property
    def secret_operations(self) -> frozenset[str]:
        """The operations whose answer holds secrets; reads the compiled catalogue and no model."""
        return _secret_operations()

    def loading(self, action: str) -> Callable[[], None] | None:
        """Return what reads the model of an action's service; None when it is in memory, or there is no such action."""
        found = find(action)
        return None if found is None or is_in_memory(found[0]) else partial(_load, *found)


@lru_cache(maxsize=_FOUND)
def find(action: str) -> tuple[str, str] | None:
    """Return service and name of an action; None when there is none, or more than one under that name.

    Args:
        action: ``service:Operation``, perhaps with ``aws:`` in front; the service as botocore or as IAM names it.
    """
    prefix, _, name = action.removeprefix("aws:").partition(":")
    catalogue = load()
    if prefix in catalogue.services() and catalogue.entry(prefix, name) is not None:
        return prefix, name
    owners = [each for each in services_by_prefix().get(prefix, ()) if catalogue.entry(each, name) is not None]
    return (owners[0], name) if len(owners) == 1 else None


def known(action: str) -> tuple[ApiOperation, Entry] | None:
    """Return an operation and its row of the catalogue; None when there is none."""
    found = find(action)
    if found is None:
        return None
    api, entry = operation(*found), load().entry(*found)
    return None if api is None or entry is None else (api, entry)


@cache
def services_by_prefix() -> Mapping[str, tuple[str, ...]]:
    """Return for each IAM prefix the services it covers."""
    return load().iam_prefixes()


@cache
def prefixes() -> frozenset[str]:
    """Return every word that can stand before the colon of an action or of a requirement."""
    return frozenset(load().services()) | frozenset(services_by_prefix())


@cache
def _secret_operations() -> frozenset[str]:
    catalogue = load()
    return frozenset(f"{name}:{each}" for name in catalogue.services() for each in catalogue.secret_operations(name))


def _load(service_name: str, name: str) -> None:
    with _loading:
        if is_in_memory(service_name):
            return  # another thread was first
        operation(service_name, name)
        load_rules(service_name)
        give_back_memory()


@dataclass(frozen=True, slots=True)
class _Survey:
    """All of AWS gone through once: names and what they ask for, without a row and without a model.

    Args:
        permissions: For each operation the actions it asks for, in order.
        others: As `OperationTable.other_actions`.
    """

    permissions: Mapping[str, tuple[str, ...]]
    others: frozenset[str]


@cache
def _survey() -> _Survey:
    catalogue = load()
    permissions: dict[str, tuple[str, ...]] = {}
    known: set[str] = set()
    for name in sorted(catalogue.services()):
        known |= catalogue.other_actions(name)
        for each, (actions, passes_roles) in catalogue.asked(name).items():
            known.update(actions)
            permissions[f"{name}:{each}"] = _asked(f"{name}:{each}", actions, passes_roles=passes_roles)
    return _Survey(MappingProxyType(permissions), frozenset(known.difference(*permissions.values())))


@cache
def _count() -> int:
    catalogue = load()
    return sum(map(catalogue.count, catalogue.services()))


@lru_cache(maxsize=_ROWS)
def _row(service_name: str, name: str) -> Operation:
    api, entry = service(service_name).operation(name), load().entry(service_name, name)
    if api is None or entry is None:  # botocore is pinned to what the catalogue was built from
        raise KeyError(f"{service_name}:{name}")
    reason, example = why_unserved(api, entry), example_of(api, entry)
    summary = api.model.documentation or f"{camel_words(name)} of {service_name}"
    return Operation(
        action=api.action,
        access=ACCESS[entry.access],
        idempotent=is_idempotent(api, entry),
        summary=f"{summary} (not served: {reason})" if reason else summary,
        resources=resource_names(entry, example),
        params_schema=params_schema(api),
        example=example,
        permissions=asked_actions(entry),
    )


def asked_actions(entry: Entry) -> tuple[str, ...]:
    """Return every action the requirements of an operation can name, without reading its model."""
    mechanical = tuple(pair.action for pair in entry.pairs)
    return _asked(f"{entry.service}:{entry.operation}", mechanical, passes_roles=bool(entry.role_members))


def _asked(action: str, mechanical: Iterable[str], *, passes_roles: bool) -> tuple[str, ...]:
    override = OVERRIDES.get(action)
    own = [need.action for need in override.needs] if isinstance(override, Row) else mechanical
    return tuple(dict.fromkeys((*own, *[_PASS_ROLE] * passes_roles)))


def is_idempotent(api: ApiOperation, entry: Entry) -> bool:
    """Tell whether sending a plan twice does it once: by nature, or because the plan holds a token."""
    return entry.idempotent or bool(api.tokens)
