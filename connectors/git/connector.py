"""The git connector: reads and pushes over smart HTTP, one requirement per repository read and per ref pushed.

It keeps nothing between calls but the threads git is waited for in. Refs are read through the transport; git itself
opens its own connections, so the address guard is asked here and git is pinned to the addresses it permitted.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver
from pydantic import BaseModel

from connectors.base import CallResult, Connection, JsonObject, Operation, Plan, Transport, Usage
from connectors.errors import InvalidParamsError, NotSentError
from connectors.git.address import pinned
from connectors.git.advertisement import Advertisement, Service, read_advertisement
from connectors.git.area import sweep_areas
from connectors.git.bundle import parse_bundle
from connectors.git.config import Upstream
from connectors.git.connection import GitConnection, options_of
from connectors.git.names import check_oid, check_ref, check_repo, ref_resource, repo_resource
from connectors.git.operations import OPERATIONS, PUSH, READ, push_params, read_params
from connectors.git.process import GitMissingError, GitPrograms, GitTimeoutError, ProcessLimits
from connectors.git.push import ABSENT, Push, PushOrder
from connectors.git.read import listing, read_bundle
from connectors.git.resource_types import RESOURCE_TYPES
from connectors.git.workshop import Workshop, open_workshop
from connectors.guard import AddressGuard
from policies.model import Requirement, ResourceType
from vault.model import Lease

_NAMED_REFS: Final = 5
"""How many refs the one line of a summary names; the resources name them all."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the connector uses of the machine it runs on.

    Args:
        areas: Folder for working areas, its own; None for the system's temporary folder.
        ca_file: Certificates git trusts; None for the system's.
        git: Path of git; looked for on the PATH when empty.
        limits: What each git process may use.
        resolver: Who asks the DNS; the system's when None. The guard judges its answers.
    """

    areas: Path | None = None
    ca_file: Path | None = None
    git: str = ""
    limits: ProcessLimits | None = None
    resolver: AbstractResolver | None = None


def default_machine() -> Machine:
    """Return the machine as it is; git trusts what OpenSSL, and so the transport, trusts (``SSL_CERT_FILE``)."""
    ca_file = os.environ.get("SSL_CERT_FILE", "")
    return Machine(ca_file=Path(ca_file) if ca_file else None)


class GitConnector:
    """`connectors.base.Connector` for git hosts.

    Args:
        guard: Which addresses a host name may lead git to, best the transport's own; public ones when None. A numeric
            address (or ``localhost``) in the connection's own URL is always permitted: the operator wrote it.
        machine: What to use of the machine; `default_machine` when None.
    """

    name = "git"
    services = frozenset({"git"})
    operations: Mapping[str, Operation] = OPERATIONS
    resource_types: tuple[ResourceType, ...] = RESOURCE_TYPES
    connection_model: type[BaseModel] = GitConnection

    def __init__(self, guard: AddressGuard | None = None, machine: Machine | None = None) -> None:
        self._guard = guard or AddressGuard()
        self._machine = machine or default_machine()
        self._programs = GitPrograms(self._machine.git, self._machine.limits)
        self._swept = False

    def plan(self, action: str, params: JsonObject, connection: Connection) -> Plan:
        """Derive what will be sent; see `connectors.base.Connector.plan`."""
        match action:
            case "git:read":
                return self._plan_read(params, connection)
            case "git:push":
                return self._plan_push(params, connection)
            case _:
                raise InvalidParamsError("the git connector has no such action", "use `git:read` or `git:push`")

    async def execute(self, plan: Plan, connection: Connection, lease: Lease, transport: Transport) -> CallResult:
        """Send what the plan says, once; see `connectors.base.Connector.execute`."""
        if plan.call["url"] != options_of(connection).repository_url(plan.call["repo"]):
            raise NotSentError("the plan is for another upstream than the connection")
        # Latin-1 takes every byte: an exception about a foreign byte would quote the secret. Transport and
        # configuration refuse what is not printable.
        call = _Call(plan, lease.header().reveal().decode("latin-1"), transport)
        self._sweep()
        try:
            return await (self._push(call) if plan.action == PUSH else self._read(call))
        except (GitMissingError, GitTimeoutError, OSError) as error:
            raise NotSentError(f"nothing was changed: {_words(error)}") from error

    def _plan_read(self, params: JsonObject, connection: Connection) -> Plan:
        asked, options = read_params(params), options_of(connection)
        repo = check_repo(asked.repo, case_sensitive=options.case_sensitive)
        refs = list(dict.fromkeys(check_ref(ref) for ref in asked.refs))
        what = "list the refs of" if asked.what == "refs" else "read the history of"
        return self._planned(
            READ,
            connection,
            call={"url": options.repository_url(repo), "repo": repo, "what": asked.what, "refs": refs},
            requirements=(Requirement(READ, repo_resource(repo)),),
            summary=f"{what} {repo}" + (f": {_named(refs)}" if refs else ""),
        )

    def _plan_push(self, params: JsonObject, connection: Connection) -> Plan:
        asked, options = push_params(params), options_of(connection)
        repo = check_repo(asked.repo, case_sensitive=options.case_sensitive)
        payload = asked.bundle_bytes()
        bundle = parse_bundle(payload)
        call = {
            "url": options.repository_url(repo),
            "repo": repo,
            "refs": bundle.refs,
            "expected": _expected(asked.expected, bundle.refs),
            "prerequisites": list(bundle.prerequisites),
            "payload_sha256": hashlib.sha256(payload).hexdigest(),
        }
        count = f"{len(bundle.refs)} ref" + ("" if len(bundle.refs) == 1 else "s")
        return self._planned(
            PUSH,
            connection,
            call=call,
            requirements=tuple(Requirement(PUSH, ref_resource(repo, ref)) for ref in bundle.refs),
            summary=f"push {count} to {repo}: {_named(list(bundle.refs))}",
            payload=payload,
        )

    def _planned(
        self,
        action: str,
        connection: Connection,
        *,
        call: JsonObject,
        requirements: tuple[Requirement, ...],
        summary: str,
        payload: bytes = b"",
    ) -> Plan:
        operation = OPERATIONS[action]
        return Plan(
            connector=self.name,
            action=action,
            connection=connection.name,
            credential=connection.credential,
            call=call,
            requirements=requirements,
            access=operation.access,
            idempotent=operation.idempotent,
            summary=summary,
            host=urlsplit(options_of(connection).url).netloc,
            payload=payload,
            estimate=Usage(request_bytes=len(payload)),
        )

    async def _read(self, call: _Call) -> CallResult:
        wanted = tuple(call.plan.call["refs"])
        if call.plan.call["what"] == "refs":
            seen = await call.ask(Service.FETCH)
            return CallResult(listing(seen, wanted), upstream_request_id=seen.request_id)
        resolve = await self._resolve(call)
        seen = await call.ask(Service.FETCH)
        async with AsyncExitStack() as lifetime:
            shop = await lifetime.enter_async_context(self._workshop(call, resolve))
            return await read_bundle(seen, wanted, shop, lifetime)

    async def _push(self, call: _Call) -> CallResult:
        order = _order(call.plan)
        resolve = await self._resolve(call)
        push = Push(order, lambda: call.ask(Service.PUSH), lambda: self._workshop(call, resolve))
        return await push.run()

    async def _resolve(self, call: _Call) -> str:
        return await pinned(call.url, self._guard, self._machine.resolver)

    def _workshop(self, call: _Call, resolve: str) -> AbstractAsyncContextManager[Workshop]:
        upstream = Upstream(call.url, resolve, self._machine.ca_file, self._programs.limits.stall_seconds)
        return open_workshop(self._programs, self._machine.areas, upstream, call.authorization)

    def _sweep(self) -> None:
        # Once per process, and only in a folder that is ours: what a killed process left is removed.
        if not self._swept and self._machine.areas is not None:
            sweep_areas(self._machine.areas)
        self._swept = True


@dataclass(frozen=True, slots=True)
class _Call:
    """What one execution works with."""

    plan: Plan
    authorization: str = field(repr=False)
    transport: Transport

    @property
    def url(self) -> str:
        return str(self.plan.call["url"])

    async def ask(self, service: Service) -> Advertisement:
        return await read_advertisement(self.transport, self.url, service, authorization=self.authorization)


def _order(plan: Plan) -> PushOrder:
    """The push as planned; the payload must be the very bytes that were judged."""
    call = plan.call
    if hashlib.sha256(plan.payload).hexdigest() != call["payload_sha256"]:
        raise NotSentError("the payload is not the one that was planned")
    bundle = parse_bundle(plan.payload)
    if bundle.refs != call["refs"] or list(bundle.prerequisites) != call["prerequisites"]:
        raise NotSentError("the payload does not say what was planned")
    return PushOrder(bundle.refs, call["expected"], bundle.prerequisites, plan.payload[bundle.pack_offset :])


def _expected(expected: Mapping[str, str], refs: Mapping[str, str]) -> dict[str, str]:
    for ref, oid in expected.items():
        if ref not in refs:
            raise InvalidParamsError("`expected` names a ref that is not in the bundle", "name refs of the bundle only")
        if oid != ABSENT:
            check_oid(oid)
    return dict(expected)


def _named(refs: list[str]) -> str:
    more = len(refs) - _NAMED_REFS
    return ", ".join(refs[:_NAMED_REFS]) + (f" and {more} more" if more > 0 else "")


def _words(error: Exception) -> str:
    return "the disk of the broker's machine failed" if isinstance(error, OSError) else str(error)
