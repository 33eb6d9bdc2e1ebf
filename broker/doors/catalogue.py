"""``/v1/actions``: what can be asked for, page by page, and one operation with its schema and an example that plans.

There are twenty thousand operations, so an agent that names no filter gets those its own policy may let it do; every
other one is denied anyway. An agent is told what the rules about itself say of an operation, and nothing about others;
`POST /v1/explain` answers for one resource.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from broker.doors.documents import problems
from broker.doors.ports import BrokerPort
from broker.doors.principals import READERS, Broker, Principal, require
from broker.doors.problems import refused
from broker.doors.views import ActionLine, ActionsView, ActionView
from broker.model import Operator, Session
from broker.outcome import ProblemKind
from connectors.base import Operation, asked_by, outline_of
from policies.answers.speaking import Grants, rules_about
from policies.layers import LayeredPolicy

MAX_LIMIT: Final = 200
_NAME: Final = r"^[!-~]*$"

router = APIRouter(tags=["actions"])

Offer = tuple[Mapping[str, Operation], list[str]]
"""The catalogue of a connector, and the connections that serve it."""


class ActionsQuery(BaseModel):
    """Which operations, and where a page begins; an empty filter does not filter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str = Field("", max_length=64, pattern=_NAME, description="as actions begin, or as IAM calls it")
    q: str = Field("", max_length=128, pattern=_NAME, description="part of the name, in any case")
    all: bool = Field(default=False, description="for agents: also what no rule of its policy lets it do")
    cursor: str = Field("", max_length=128, pattern=_NAME, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=MAX_LIMIT)


@router.get("/v1/actions", responses=problems())
async def list_actions(broker: Broker, principal: Principal, wanted: Annotated[ActionsQuery, Query()]) -> ActionsView:
    """List the operations of the connectors an agent's project has; an operator sees those of every connection."""
    policy = _policy(broker, principal)
    # Going through all of AWS takes a moment; nobody else waits for that.
    return await asyncio.to_thread(_page, _offers(broker, principal), wanted, None if wanted.all else policy)


@router.get("/v1/actions/{action}", responses=problems(ProblemKind.NOT_FOUND))
async def show_action(
    broker: Broker, principal: Principal, action: Annotated[str, Path(min_length=1, max_length=128)]
) -> ActionView:
    """Show one operation: schema, example, resources, and for an agent what the rules about it say."""
    policy, offers = _policy(broker, principal), _offers(broker, principal)
    found = await asyncio.to_thread(_one, offers, action, policy)
    if found is None:
        raise refused(ProblemKind.NOT_FOUND, "no connector of yours serves this action", fix="GET /v1/actions?q=")
    return found


def _policy(broker: BrokerPort, principal: Session | Operator) -> LayeredPolicy | None:
    if isinstance(principal, Operator):
        require(principal, *READERS)
        return None
    return broker.policy_of(principal)


def _offers(broker: BrokerPort, principal: Session | Operator) -> list[Offer]:
    configuration = broker.configuration()
    if isinstance(principal, Operator):
        names: Iterable[str] = configuration.connections
    else:
        project = configuration.projects.get(principal.project)
        names = project.connections if project is not None else ()
    by_connector: dict[str, list[str]] = {}
    for name in sorted(names):
        connection = configuration.connections.get(name)
        if connection is not None and connection.connector in broker.connectors:
            by_connector.setdefault(connection.connector, []).append(name)
    return [(broker.connectors[name].operations, connections) for name, connections in by_connector.items()]


def _page(offers: Iterable[Offer], wanted: ActionsQuery, policy: LayeredPolicy | None) -> ActionsView:
    found = {action: offer for offer in offers for action in _matching(offer[0], wanted, policy)}
    rest = sorted(action for action in found if action > wanted.cursor)
    shown = rest[: wanted.limit]
    services = {} if wanted.cursor else Counter(action.partition(":")[0] for action in found)
    return ActionsView(
        actions=[ActionLine.of(outline_of(found[action][0], action), found[action][1]) for action in shown],
        total=len(found),
        services=dict(sorted(services.items())),
        next=shown[-1] if len(rest) > len(shown) else None,
    )


def _matching(operations: Mapping[str, Operation], wanted: ActionsQuery, policy: LayeredPolicy | None) -> Iterator[str]:
    part, grants = wanted.q.lower(), Grants(policy) if policy is not None else None
    asked = asked_by(operations)
    for action in operations:
        # The first action an operation asks for is its own, under the name IAM gives it; others can be of any service.
        own = asked[action][0]
        services = {name.partition(":")[0] for name in (action, own)}
        if (
            (not wanted.service or wanted.service in services)
            and part in action.lower()
            and (grants is None or grants.speak_of(own))
        ):
            yield action


def _one(offers: Iterable[Offer], action: str, policy: LayeredPolicy | None) -> ActionView | None:
    for operations, connections in offers:
        if action in operations:
            operation = operations[action]
            asked = operation.permissions or (operation.action,)
            return ActionView.of(operation, connections, rules_about(policy, asked) if policy is not None else ())
    return None
