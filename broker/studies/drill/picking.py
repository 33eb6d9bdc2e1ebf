"""Which operations of a connector a drill looks at: all of a small catalogue, some of a large one.

A large catalogue has twenty thousand operations, and looking at one reads the model of its service. A drill asks for
what the rules speak of and for a few things beside, so the services the rules name come first, then those whose
resources have types; of each service come the operations rules speak of, then others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Final

from broker.config.model import Configuration
from connectors.base import Connector, LargeCatalogue
from policies.model import Layer
from policies.patterns.pattern import compile_pattern

MAX_SERVICES: Final = 6
"""Services of a large catalogue; each takes up to a tenth of a second to read."""
MAX_OPERATIONS: Final = 30
"""Operations of one service, at most three quarters of them spoken of by rules."""


def picked(connector: Connector, configuration: Configuration, project: str) -> list[str]:
    """Return the actions of a connector that a drill of one project's agents looks at, in order.

    Args:
        connector: Whose.
        configuration: Whose policies tell what matters.
        project: Its agents' rules come first.
    """
    operations = connector.operations
    if not isinstance(operations, LargeCatalogue):
        return sorted(operations)
    patterns = tuple(dict.fromkeys(_patterns(configuration, project)))
    typed = (action for each in connector.resource_types for action in each.actions)
    by_service = _by_service(operations.permissions)
    wanted = dict.fromkeys(action.partition(":")[0] for action in chain(patterns, typed))
    services = islice((service for service in wanted if service in by_service), MAX_SERVICES)
    return sorted(chain.from_iterable(_some(service, by_service[service], patterns) for service in services))


def _patterns(configuration: Configuration, project: str) -> Iterator[str]:
    """Yield the actions of all rules: of the project's agents, of other agents, of what holds them."""
    of_project = sorted(configuration.layers, key=lambda name: configuration.agents[name].project != project)
    layers = [layer.policy for name in of_project for layer in configuration.layers[name].layers]
    for policy in sorted(layers, key=lambda each: each.layer is not Layer.AGENT):
        for rule in policy.rules:
            yield from rule.actions


def _by_service(permissions: Mapping[str, tuple[str, ...]]) -> Mapping[str, Mapping[str, str]]:
    """Return the first action each operation asks for, which is its own, by the service of that action."""
    found: dict[str, dict[str, str]] = {}
    for action, (own, *_) in permissions.items():
        found.setdefault(own.partition(":")[0], {})[action] = own
    return found


def _some(service: str, operations: Mapping[str, str], patterns: Iterable[str]) -> Iterator[str]:
    speaking = [compile_pattern(each) for each in patterns if each.partition(":")[0] in {service, "*"}]
    spoken = (action for action, own in operations.items() if any(each.matches(own) for each in speaking))
    first = dict.fromkeys(islice(spoken, MAX_OPERATIONS * 3 // 4))
    yield from first
    yield from islice((action for action in operations if action not in first), MAX_OPERATIONS - len(first))
