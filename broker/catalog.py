"""From what an agent names to what will be sent: action, connection, plan, digest. Pure.

The agent names an action and params; the connection comes from its project. Resources come out of the plan, never from
the agent: a resource it names is compared and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Final

from broker.canonical import NotCanonicalError, canonical_bytes, digest
from broker.config.model import Configuration
from broker.ids import Digest
from broker.model import IntentDraft
from broker.outcome import Problem, ProblemKind
from connectors.base import Access, Connection, Connector, LargeCatalogue, Plan, outline_of
from connectors.errors import InvalidParamsError
from connectors.inspection import Inspector
from vault.model import Mint

PLAN_DOMAIN: Final = "ostiary/plan/v1"
REQUEST_DOMAIN: Final = "ostiary/intent/v1"

_SHOWN: Final = 120
"""Characters of an agent's words that a message repeats."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A plan, what it is bound to, and who can execute it."""

    plan: Plan
    digest: Digest
    connection: Connection
    connector: Connector


class Catalog:
    """Every operation of every connector, and how a draft becomes a plan.

    Args:
        connectors: By name.
        configuration: Returns the configuration in force.
    """

    def __init__(self, connectors: Mapping[str, Connector], configuration: Callable[[], Configuration]) -> None:
        self._configuration = configuration
        self._by_service = {service: each for each in connectors.values() for service in each.services}
        self._inspectors = {name: each for name, each in self._by_service.items() if isinstance(each, Inspector)}

    def offers(self, project: str) -> list[tuple[Connector, list[str]]]:
        """Return the connectors a project has connections for, each with the names of those."""
        found = []
        for connector in dict.fromkeys(self._by_service.values()):
            names = [each.name for each in self._connections(project, connector)]
            if names:
                found.append((connector, names))
        return sorted(found, key=lambda each: each[0].name)

    async def ready(self, draft: IntentDraft) -> None:
        """Read what planning a draft needs where it is not in memory, in a thread: a model of megabytes takes a while.

        Nothing is judged; `resolve` says what is wrong with the draft.
        """
        for action, _ in ((draft.action, draft.params), *draft.alternatives):
            connector = self._by_service.get(bare_action(action).partition(":")[0])
            operations = connector.operations if connector else None
            load = operations.loading(bare_action(action)) if isinstance(operations, LargeCatalogue) else None
            if load is not None:
                await asyncio.to_thread(load)

    def resolve(self, project: str, draft: IntentDraft) -> Resolved | Problem:
        """Return the plan of a draft, or why there is none. Same input, same digest."""
        action = bare_action(draft.action)
        connector = self._by_service.get(action.partition(":")[0])
        if connector is None or action not in connector.operations:
            return Problem(
                ProblemKind.UNKNOWN_ACTION,
                f"no connector serves `{draft.action[:_SHOWN]}`",
                fix="GET /v1/actions lists what can be asked",
            )
        connection = self._choose(project, connector, draft.connection)
        if isinstance(connection, Problem):
            return connection
        try:
            plan = self._planned(connector, action, draft, connection)
            plan = self._with_alternatives(plan, connector, connection, draft)
            plan_digest = plan_digest_of(plan)
        except InvalidParamsError as error:
            return Problem(ProblemKind.INVALID_PARAMS, str(error), fix=error.fix)
        except NotCanonicalError as error:
            return Problem(ProblemKind.INVALID_PARAMS, str(error))
        if draft.resource and draft.resource not in {each.resource for each in plan.requirements}:
            return Problem(
                ProblemKind.RESOURCE_MISMATCH,
                "the resource named in the intent is not the one its params address",
                reason=f"params address `{plan.requirements[0].resource[:_SHOWN]}`" if plan.requirements else "",
                fix="leave `resource` out, or mend the params",
            )
        return Resolved(plan, plan_digest, connection, connector)

    def inspector(self, project: str, draft: IntentDraft) -> tuple[Inspector, Connection] | None:
        """Return who looks into a draft before it is planned; None when nobody does, or `resolve` would refuse it."""
        action = bare_action(draft.action)
        connector = self._inspectors.get(action.partition(":")[0])
        if connector is None or action not in connector.operations or not connector.inspects(action):
            return None
        connection = self._choose(project, connector, draft.connection)
        return None if isinstance(connection, Problem) else (connector, connection)

    def access_of(self, project: str, action: str) -> Access | None:
        """Return what an action does upstream, without making its row; None when the project does not have it."""
        connector = self._by_service.get(action.partition(":")[0])
        if connector is None or action not in connector.operations or not self._connections(project, connector):
            return None
        return outline_of(connector.operations, action).access

    def _planned(self, connector: Connector, action: str, draft: IntentDraft, connection: Connection) -> Plan:
        if draft.evidence and isinstance(connector, Inspector):
            return connector.plan_on(action, draft.params, connection, draft.evidence["found"])
        return connector.plan(action, draft.params, connection)

    def _with_alternatives(self, plan: Plan, connector: Connector, connection: Connection, draft: IntentDraft) -> Plan:
        """Add what the other readings of the same request require; one that does not plan is no reading."""
        requirements, access = dict.fromkeys(plan.requirements), plan.access
        for action, params in draft.alternatives:
            with contextlib.suppress(InvalidParamsError):
                other = connector.plan(action, params, connection)
                requirements |= dict.fromkeys(other.requirements)
                access = Access.SECRET if other.access is Access.SECRET else access
        return replace(plan, requirements=tuple(requirements), access=access) if draft.alternatives else plan

    def _connections(self, project: str, connector: Connector) -> list[Connection]:
        configuration = self._configuration()
        entry = configuration.projects.get(project)
        names = entry.connections if entry else ()
        known = (configuration.connections[name] for name in names if name in configuration.connections)
        return [each for each in known if each.connector == connector.name]

    def _choose(self, project: str, connector: Connector, wanted: str) -> Connection | Problem:
        found = self._connections(project, connector)
        if wanted:
            found = [each for each in found if each.name == wanted]
        if len(found) == 1:
            return found[0]
        if not found:
            what = f"connection `{wanted[:_SHOWN]}`" if wanted else f"connection of kind `{connector.name}`"
            return Problem(
                ProblemKind.DENIED,
                f"the project has no {what}",
                reason="deny by default",
                fix="ask for it under `projects:` in ostiary.yaml",
            )
        return Problem(
            ProblemKind.AMBIGUOUS_CONNECTION,
            f"the project has several connections of kind `{connector.name}`",
            reason=", ".join(each.name for each in found),
            fix="name one of them in `connection`",
        )


def bare_action(action: str) -> str:
    """Return an action without the ``aws:`` that may stand in front of it."""
    return action.removeprefix("aws:") if action.count(":") == 2 else action  # noqa: PLR2004


def plan_digest_of(plan: Plan) -> Digest:
    """Return what an approval is bound to: the digest over everything the plan says but its payload.

    The payload is bound through ``call["payload_sha256"]``; a plan with a payload and without that has no digest.

    Raises:
        NotCanonicalError: the plan cannot be written canonically.
    """
    if plan.payload and "payload_sha256" not in plan.call:
        raise NotCanonicalError("the plan's payload is not bound to its call")
    return digest(
        PLAN_DOMAIN,
        canonical_bytes(
            {
                "connector": plan.connector,
                "action": plan.action,
                "connection": plan.connection,
                "credential": plan.credential,
                "host": plan.host,
                "call": plan.call,
                "requirements": [{"action": each.action, "resource": each.resource} for each in plan.requirements],
                "access": plan.access.value,
                "idempotent": plan.idempotent,
                "summary": plan.summary,
                **({"mint": _mint_data(plan.mint)} if plan.mint else {}),
                **({"fallbacks": [plan_digest_of(each) for each in plan.fallbacks]} if plan.fallbacks else {}),
            }
        ),
    )


def _mint_data(mint: Mint) -> dict[str, object]:
    """Return what is to be minted as plain JSON: the words of a closed set are texts there."""
    return {name: value.value if isinstance(value, Enum) else value for name, value in asdict(mint).items()}


def draft_bytes(draft: IntentDraft) -> bytes:
    """Return the canonical bytes of a draft, from which a parked intent is planned again.

    Raises:
        NotCanonicalError: the params cannot be written canonically.
    """
    return canonical_bytes(
        {
            "action": draft.action,
            "params": draft.params,
            "resource": draft.resource,
            "connection": draft.connection,
            "reason": draft.reason,
            **({"alternatives": draft.alternatives} if draft.alternatives else {}),
            **({"evidence": draft.evidence} if draft.evidence else {}),
        }
    )


def request_digest(draft: IntentDraft) -> Digest:
    """Return what an idempotency key is bound to.

    Raises:
        NotCanonicalError: the params cannot be written canonically.
    """
    return digest(REQUEST_DOMAIN, draft_bytes(draft))
