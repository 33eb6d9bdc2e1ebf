"""From what an agent names to what will be sent: action, connection, plan, digest. Pure.

The agent names an action and params; the connection comes from its project. Resources come out of the plan, never from
the agent: a resource it names is compared and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from broker.canonical import NotCanonicalError, canonical_bytes, digest
from broker.config.model import Configuration
from broker.ids import Digest
from broker.model import IntentDraft
from broker.outcome import Problem, ProblemKind
from connectors.base import Connection, Connector, Operation, Plan
from connectors.errors import InvalidParamsError

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

    def operations(self, project: str) -> list[tuple[Operation, list[str]]]:
        """Return the operations a project has connections for, each with the names of those."""
        found = []
        for connector in dict.fromkeys(self._by_service.values()):
            names = [each.name for each in self._connections(project, connector)]
            if names:
                found += [(operation, names) for operation in connector.operations.values()]
        return sorted(found, key=lambda each: each[0].action)

    def resolve(self, project: str, draft: IntentDraft) -> Resolved | Problem:
        """Return the plan of a draft, or why there is none. Same input, same digest."""
        action = draft.action.removeprefix("aws:") if draft.action.count(":") == 2 else draft.action  # noqa: PLR2004
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
            plan = connector.plan(action, draft.params, connection)
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
                "requirements": [asdict(each) for each in plan.requirements],
                "access": plan.access.value,
                "idempotent": plan.idempotent,
                "summary": plan.summary,
            }
        ),
    )


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
        }
    )


def request_digest(draft: IntentDraft) -> Digest:
    """Return what an idempotency key is bound to.

    Raises:
        NotCanonicalError: the params cannot be written canonically.
    """
    return digest(REQUEST_DOMAIN, draft_bytes(draft))
