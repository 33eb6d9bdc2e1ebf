"""Intents to try, made of what the connectors show as examples.

An example plans, and its plan says which resource its params address. Taken apart by the resource's type, the parts are
found again in the params, also inside what travels in base64, and swapped for others: for words nobody uses, or for
what a rule of the policy names. Whether that worked is not judged here: every draft is planned and decided by the
broker itself, and one that came out as something else is not what was looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from broker.catalog import Catalog
from broker.config.model import Configuration
from broker.model import IntentDraft
from broker.outcome import Problem
from broker.studies.drill.picking import picked
from broker.studies.drill.swapping import swapped
from connectors.base import Access, Connector
from policies.layers import LayeredPolicy
from policies.model import AccessRequest, Requirement, Rule
from policies.patterns.pattern import compile_pattern

WORD: Final = "ostiary-drill"
"""A name nobody gives to anything."""

_SEPARATOR: Final = re.compile(r"([/:])")
_VARIABLE: Final = re.compile(r"\$\{([^}=]+)(?:=[^}]*)?\}")
_TEMPLATE_VARIABLE: Final = re.compile(r"\{([^}=]+)(?:=([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class _Example:
    """A draft and one of the requirements of its plan."""

    draft: IntentDraft
    requirement: Requirement


class Drafts:
    """Makes drafts for one project.

    Args:
        configuration: What is drilled.
        connectors: By name.
        project: Name of the project.
    """

    def __init__(self, configuration: Configuration, connectors: Mapping[str, Connector], project: str) -> None:
        self._configuration = configuration
        self._connectors = connectors
        self._project = project
        self._catalog = Catalog(connectors, lambda: configuration)
        self._chosen: dict[str, list[str]] = {}
        self._examples = tuple(self._planned())

    def examples(self) -> Iterator[IntentDraft]:
        """Yield the examples of the operations the project has a connection for, as far as a drill looks."""
        for connector, connections in self._catalog.offers(self._project):
            for action in self._picked(connector):
                operation = connector.operations[action]
                yield IntentDraft(operation.action, operation.example, connection=connections[0])

    def elsewhere(self) -> Iterator[IntentDraft]:
        """Yield the examples about things nobody has."""
        for example in self._examples:
            template, values = self._parts(example.requirement)
            shapes = {name: shape for name, shape in _TEMPLATE_VARIABLE.findall(template) if shape}
            yield _about(example.draft, values, {name: f"{WORD}/{WORD}" if name in shapes else WORD for name in values})

    def under(self, rules: Iterable[Rule], agent: str) -> Iterator[IntentDraft]:
        """Yield the examples about what rules name.

        Args:
            rules: Of the policy.
            agent: Who will ask; stands for ``${agent.id}``.
        """
        variables = {"agent.id": agent, "project": self._project}
        for rule in rules:
            actions = [compile_pattern(action) for action in rule.actions]
            for example in self._examples:
                requirement = example.requirement
                if not any(action.matches(requirement.action) for action in actions):
                    continue
                template, values = self._parts(requirement)
                for resource in _instances(rule.resources, requirement.resource, variables):
                    named, wanted = self._parts(replace(requirement, resource=resource))
                    if named == template and wanted.keys() == values.keys():
                        yield _about(example.draft, values, wanted)

    def calls(self, policy: LayeredPolicy | None, agent: str) -> Iterator[IntentDraft]:
        """Yield the examples of metered calls, those about what the agent's rules name first.

        Args:
            policy: Of the agent.
            agent: Who will ask.
        """
        rules = [rule for layer in (policy.layers if policy else ()) for rule in layer.policy.rules]
        for draft in (*self.under(rules, agent), *self.examples()):
            resolved = self._catalog.resolve(self._project, draft)
            if not isinstance(resolved, Problem) and resolved.plan.estimate.metered:
                yield draft

    def through(self, connection: str) -> Iterator[IntentDraft]:
        """Yield the examples of a connection's operations, whoever may use it."""
        connector = self._connectors.get(self._configuration.connections[connection].connector)
        if connector is None:
            return
        for action in self._picked(connector):
            yield IntentDraft(action, connector.operations[action].example, connection=connection)

    def request(self, draft: IntentDraft, agent: str, project: str) -> AccessRequest:
        """Return what policy is asked about a draft when some agent sends it.

        Args:
            draft: Planned for this project, whoever asks.
            agent: Name of the agent.
            project: Name of its project.
        """
        resolved = self._catalog.resolve(self._project, draft)
        if isinstance(resolved, Problem):
            return AccessRequest(agent, project, ())
        plan = resolved.plan
        return AccessRequest(agent, project, plan.requirements, returns_secrets=plan.access is Access.SECRET)

    def requirements(self, draft: IntentDraft) -> tuple[Requirement, ...]:
        """Return what the plan of a draft requires; nothing when it has no plan."""
        resolved = self._catalog.resolve(self._project, draft)
        return () if isinstance(resolved, Problem) else resolved.plan.requirements

    def _picked(self, connector: Connector) -> list[str]:
        if connector.name not in self._chosen:
            self._chosen[connector.name] = picked(connector, self._configuration, self._project)
        return self._chosen[connector.name]

    def _planned(self) -> Iterator[_Example]:
        for draft in self.examples():
            for requirement in self.requirements(draft):
                yield _Example(draft, requirement)

    def _parts(self, requirement: Requirement) -> tuple[str, Mapping[str, str]]:
        """Return a resource taken apart: what it fits, and its values."""
        found = self._configuration.catalogue.type_of(requirement.action, requirement.resource)
        if found is not None:
            return found[0].template, found[1]
        pieces = _SEPARATOR.split(requirement.resource)
        return "".join(pieces[1::2]), {str(index): piece for index, piece in enumerate(pieces[::2])}


def _about(draft: IntentDraft, values: Mapping[str, str], wanted: Mapping[str, str]) -> IntentDraft:
    swaps = {values[name]: wanted[name] for name in values if values[name] != wanted[name]}
    return replace(draft, params=swapped(draft.params, swaps))


def _instances(patterns: Iterable[str], example: str, variables: Mapping[str, str]) -> Iterator[str]:
    """Yield resources that patterns may cover: with the example's own words for the wildcards, and with ours."""
    for pattern in patterns:
        text = _VARIABLE.sub(lambda found: variables.get(found[1], found[0]), pattern)
        if "${" not in text:
            yield from dict.fromkeys((_filled(text, example), text.replace("**", "*").replace("*", WORD)))


def _filled(pattern: str, example: str) -> str:
    """Return a pattern with a whole segment of the example for each star that stands for one."""
    wanted, shown = _SEPARATOR.split(pattern), _SEPARATOR.split(example)
    filled = []
    for index, piece in enumerate(wanted):
        known = index < len(shown)
        if index == len(wanted) - 1 and known and set(piece) == {"*"}:
            filled.append("".join(shown[index:]))
        elif known and "*" in piece and compile_pattern(piece).matches(shown[index]):
            filled.append(shown[index])
        else:
            filled.append(piece.replace("**", "*").replace("*", WORD))
    return "".join(filled)
