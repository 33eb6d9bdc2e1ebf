"""The ``github`` connector: every REST operation of GitHub, planned from the compiled catalogue, sent once.

What a plan rests on besides its params (the head of a pull request, the default branch, where a ref points) is found
out before; see `connectors.github.findings`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import orjson
from pydantic import BaseModel

from connectors.base import Access, CallResult, Connection, JsonObject, Operation, Plan, Transport
from connectors.errors import InvalidParamsError
from connectors.github import findings, previews, settling
from connectors.github.catalogue import Entry, actions
from connectors.github.connection import GitHubConnection, options_of
from connectors.github.graphql.operations import GRAPHQL_OPERATIONS, INSPECTED
from connectors.github.operations import OperationTable
from connectors.github.params import Checked, body_of, check_params, target_of
from connectors.github.permissions import token_request
from connectors.github.requirements import requirements_of
from connectors.github.resource_types import RESOURCE_TYPES
from connectors.github.routes import match
from connectors.github.sending import send
from connectors.github.verbs import SECRETS, access_of, why_unserved
from connectors.inspection import Ask, Evidence, Inquiry, Settlement
from connectors.usage import Estimate
from policies.model import Requirement, ResourceType
from vault.model import Lease

if TYPE_CHECKING:
    from connectors.github.graphql.handler import GraphQLHandler

MAX_BODY_BYTES: Final = 8 << 20
"""Of a request, as JSON."""
_SHOWN: Final = 80
_DOWNLOADS: Final = frozenset({"github:orgs.check-membership-for-user"})
"""Their 302 is an answer and no place of a file."""


class GitHubConnector:
    """`connectors.inspection.Inspector` and `Settler` for GitHub and GitHub Enterprise Server."""

    name = "github"
    services = frozenset({"github"})
    resource_types: tuple[ResourceType, ...] = RESOURCE_TYPES
    connection_model: type[BaseModel] = GitHubConnection

    def __init__(self) -> None:
        self._operations = OperationTable()

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Its catalogue."""
        return self._operations

    def plan(self, action: str, params: JsonObject, connection: Connection) -> Plan:
        """Derive what will be sent; see `connectors.base.Connector.plan`."""
        return self.plan_on(action, params, connection, {})

    def inspects(self, action: str) -> bool:
        """Tell whether something must be found out first; see `connectors.inspection.Inspector`."""
        return action in INSPECTED or (action in actions() and findings.is_inspected(action, actions()[action]))

    def asks(self, action: str, params: JsonObject, connection: Connection) -> tuple[Ask, ...]:  # noqa: ARG002 - Protocol
        """Return what must be read first."""
        if action in GRAPHQL_OPERATIONS:
            return _graphql().asks(action, params)
        entry, checked = _checked(action, params)
        return findings.asks_of(action, entry, checked)

    @asynccontextmanager
    async def inspect(
        self,
        action: str,
        params: JsonObject,
        connection: Connection,  # noqa: ARG002 - Protocol
        inquiry: Inquiry,
    ) -> AsyncGenerator[Evidence, None]:
        """Find out what the action rests on, from what was read."""
        if action in GRAPHQL_OPERATIONS:
            yield _graphql().evidence(action, params, inquiry.answers)
            return
        entry, checked = _checked(action, params)
        found = findings.found_in(action, entry, checked, inquiry.answers)
        facts = findings.facts_of(action, entry, checked, found)
        yield Evidence(found=found, facts=facts, preview=found)

    def plan_on(self, action: str, params: JsonObject, connection: Connection, found: JsonObject) -> Plan:
        """Derive what will be sent from params and evidence."""
        if action in GRAPHQL_OPERATIONS:
            return _graphql().plan(action, params, connection, found)
        entry, given = _checked(action, params)
        checked = _completed(action, entry, given, found)
        options = options_of(connection)
        requirements = requirements_of(action, entry, checked, found)
        call = _call(action, entry, checked, options, found)
        is_pull = bool(found.get("is_pull"))
        access = access_of(action, entry)
        mint = token_request(action, entry, checked, options.url, is_pull=is_pull) if options.app else None
        return Plan(
            connector=self.name,
            action=action,
            connection=connection.name,
            credential=connection.credential,
            call=call,
            requirements=requirements,
            access=access,
            idempotent=access is Access.READ,
            summary=_summary(entry, requirements),
            host=options.host,
            estimate=Estimate(request_bytes=_size(call)),
            mint=mint,
            trace=_trace(action, entry, checked, found, options),
        )

    async def execute(self, plan: Plan, connection: Connection, lease: Lease, transport: Transport) -> CallResult:
        """Send what the plan says, once; see `connectors.base.Connector.execute`."""
        if plan.action in GRAPHQL_OPERATIONS:
            return await _graphql().execute(plan, options_of(connection), lease, transport)
        return await send(plan, options_of(connection), lease, transport)

    def preview_asks(self, plan: Plan) -> tuple[Ask, ...]:
        """Return what is read before people are asked about a plan."""
        return (_graphql() if plan.action in GRAPHQL_OPERATIONS else previews).preview_asks(plan)

    def preview(self, plan: Plan, seen: JsonObject, answers: tuple[JsonObject | None, ...]) -> JsonObject:
        """Return what people are shown of a plan."""
        if plan.action in GRAPHQL_OPERATIONS:
            return _graphql().preview(plan, seen, answers)
        return previews.preview_of(plan, seen, answers)

    def look(self, action: str, trace: JsonObject, connection: Connection) -> Plan | None:
        """Return the read that would tell what became of a write; see `connectors.inspection.Settler`."""
        if action in GRAPHQL_OPERATIONS:
            ask = _graphql().look(trace)
        elif trace.get("repo") and trace.get("host") != options_of(connection).host:
            raise InvalidParamsError("the attempt went to another upstream than the connection names now")
        else:
            ask = settling.look_of(action, trace)
        return None if ask is None else self.plan(ask.action, ask.params, connection)

    def settle(self, action: str, trace: JsonObject, data: JsonObject) -> Settlement | None:
        """Return what an answer to `look` proves."""
        return _graphql().settle(trace, data) if action in GRAPHQL_OPERATIONS else settling.settled(action, trace, data)


def _graphql() -> GraphQLHandler:
    """Return what serves GraphQL; loading its library takes a while."""
    from connectors.github.graphql.handler import GraphQLHandler

    return GraphQLHandler()


def _checked(action: str, params: JsonObject) -> tuple[Entry, Checked]:
    entry = actions().get(action)
    if entry is None:
        raise InvalidParamsError("the github connector has no such action", "`ostiary action list` names them")
    reason = why_unserved(action, entry)
    if reason:
        raise InvalidParamsError(f"`{action}` is not served: {reason}")
    return entry, check_params(action, entry, params, secret=action in SECRETS)


def _completed(action: str, entry: Entry, checked: Checked, found: JsonObject) -> Checked:
    """Return the params with what was found out in place: the head a merge is held to, the branch a file goes to.

    Raises:
        InvalidParamsError: the action was not inspected, or is held to another state than the one that was found.
    """
    if findings.asks_of(action, entry, checked) and not found:
        raise InvalidParamsError(f"`{action}` is planned from what is found out about it first")
    body = dict(checked.body)
    if action in findings.HEADS:
        param, sha = findings.HEADS[action], found["pull"]["head_sha"]
        if body.setdefault(param, sha) != sha:
            raise InvalidParamsError(f"`{param}` is not the head of the pull request")
    if action in findings.FILES and "branch" not in checked.query and "branch" not in body:
        body["branch"] = findings.needed(found, "default_branch")
    return Checked(checked.path, checked.query, checked.headers, body)


def _call(action: str, entry: Entry, checked: Checked, options: GitHubConnection, found: JsonObject) -> JsonObject:
    """Return the request as data."""
    path = target_of(entry, checked)
    if match(entry.method, path.partition("?")[0]) != (action, dict(checked.path)):
        raise InvalidParamsError("a value makes the path of another operation")
    call: JsonObject = {"method": entry.method, "path": path, "url": f"{options.url}{path}"}
    call["headers"] = dict(checked.headers)
    body = body_of(entry, checked)
    if body is not None:
        call["body"] = body
    if entry.sends:
        call["sends"] = entry.sends
    if entry.redirects and action not in _DOWNLOADS:
        call["downloads"] = True
    before = findings.before(action, path, found)
    if before:
        call["before"] = {**before, "url": f"{options.url}{before['path']}"}
    if _size(call) > MAX_BODY_BYTES:
        raise InvalidParamsError(f"the params are larger than {MAX_BODY_BYTES} bytes")
    return call


def _trace(action: str, entry: Entry, checked: Checked, found: JsonObject, options: GitHubConnection) -> JsonObject:
    trace = settling.trace_of(action, entry, checked, found)
    return {**trace, "host": options.host} if trace else {}


def _size(call: JsonObject) -> int:
    return len(orjson.dumps(call["body"])) if "body" in call else 0


def _summary(entry: Entry, requirements: tuple[Requirement, ...]) -> str:
    resource = requirements[0].resource.replace("\x00", "?")
    shown = resource if len(resource) <= _SHOWN else f"{resource[:_SHOWN]}…"
    return f"{entry.summary}: {shown}"
