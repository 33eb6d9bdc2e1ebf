"""The git connector: reads and pushes, one requirement per repository read and per ref pushed.

It keeps nothing between calls but mirrors of repositories, which it can make anew, and the threads git is waited for
in. Requests go out through the transport where they are HTTP; git itself opens its own connections when a mirror is
fetched, so the address guard is asked here and git is pinned to the addresses it permitted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from aiohttp.abc import AbstractResolver
from pydantic import BaseModel

from connectors.base import CallResult, Connection, JsonObject, Operation, Plan, Transport
from connectors.errors import NotSentError
from connectors.git.area import sweep_areas
from connectors.git.connection import GitConnection, options_of
from connectors.git.inspecting import asks_of, inspected
from connectors.git.lfs.operations import LFS_OPERATIONS
from connectors.git.lfs.plans import plan_lfs
from connectors.git.lfs.transfer import execute_lfs
from connectors.git.operations import OPERATIONS, PUSH, READ
from connectors.git.plans import plan_push, plan_push_unseen, plan_read
from connectors.git.preview import preview_asks_of, preview_of
from connectors.git.process import GitMissingError, GitPrograms, GitTimeoutError, ProcessLimits
from connectors.git.pushing import Push
from connectors.git.quarantine.yard import Yard
from connectors.git.reading import Reading, settled_push
from connectors.git.remote import Remote
from connectors.git.resource_types import RESOURCE_TYPES
from connectors.git.smart_http import HttpReach, HttpRemote
from connectors.git.ssh.remote import SshReach, open_ssh_remote
from connectors.git.workshop import Cleaner, open_workshop
from connectors.guard import AddressGuard
from connectors.inspection import Ask, Evidence, Inquiry, Settlement
from policies.model import ResourceType
from vault.model import Lease


@dataclass(frozen=True, slots=True)
class Machine:
    """What the connector uses of the machine it runs on.

    Args:
        folder: For mirrors, quarantines and working areas, its own; None where nothing is executed, and then nothing
            that needs one can be.
        ca_file: Certificates git trusts; None for the system's.
        git: Path of git; looked for on the PATH when empty.
        limits: What each git process may use.
        resolver: Who asks the DNS; the system's when None. The guard judges its answers.
    """

    folder: Path | None = None
    ca_file: Path | None = None
    git: str = ""
    limits: ProcessLimits | None = None
    resolver: AbstractResolver | None = None


def machine_at(folder: Path | None) -> Machine:
    """Return the machine as it is; git trusts what OpenSSL, and so the transport, trusts (``SSL_CERT_FILE``).

    Args:
        folder: Where all connectors may keep things.
    """
    ca_file = os.environ.get("SSL_CERT_FILE", "")
    machine = Machine(ca_file=Path(ca_file) if ca_file else None)
    return machine if folder is None else replace(machine, folder=folder / "git")


class GitConnector:
    """`connectors.base.Connector` for git hosts, `connectors.inspection.Inspector` and `Settler` for pushes.

    Args:
        guard: Which addresses a host name may lead git to, best the transport's own; public ones when None. A numeric
            address (or ``localhost``) in the connection's own URL is always permitted: the operator wrote it.
        machine: What to use of the machine; as it is, without a folder, when None.
    """

    name = "git"
    services = frozenset({"git"})
    operations: Mapping[str, Operation] = OPERATIONS | LFS_OPERATIONS
    resource_types: tuple[ResourceType, ...] = RESOURCE_TYPES
    connection_model: type[BaseModel] = GitConnection

    def __init__(self, guard: AddressGuard | None = None, machine: Machine | None = None) -> None:
        self._guard = guard or AddressGuard()
        self._machine = machine or machine_at(None)
        self._programs = GitPrograms(self._machine.git, self._machine.limits)
        self._kept: Yard | None = None
        self._swept = False

    @property
    def _yard(self) -> Yard:
        """Mirrors and quarantines.

        Raises:
            NotSentError: there is no folder for them.
        """
        if self._machine.folder is None:
            raise NotSentError("this process has no folder for mirrors of repositories")
        if self._kept is None:
            self._kept = Yard(self._machine.folder, self._programs)
        return self._kept

    def plan(self, action: str, params: JsonObject, connection: Connection) -> Plan:
        """Derive what will be sent; see `connectors.base.Connector.plan`."""
        if action == READ:
            return plan_read(params, connection)
        if action == PUSH:
            return plan_push_unseen(params, connection)
        return plan_lfs(action, params, connection)

    def inspects(self, action: str) -> bool:
        """Tell that pushes are looked into; see `connectors.inspection.Inspector`."""
        return action == PUSH

    def asks(self, action: str, params: JsonObject, connection: Connection) -> tuple[Ask, ...]:
        """Return the read a push rests on; see `connectors.inspection.Inspector`."""
        return asks_of(params, connection) if action == PUSH else ()

    def inspect(
        self,
        action: str,  # noqa: ARG002 - pushes only, `inspects` says so
        params: JsonObject,
        connection: Connection,
        inquiry: Inquiry,
    ) -> AbstractAsyncContextManager[Evidence]:
        """Look into a push, in quarantine; see `connectors.inspection.Inspector`."""
        return inspected(self._yard, params, connection, inquiry)

    def plan_on(self, action: str, params: JsonObject, connection: Connection, found: JsonObject) -> Plan:
        """Derive what will be sent from what was seen; see `connectors.inspection.Inspector`."""
        return plan_push(params, connection, found) if action == PUSH else self.plan(action, params, connection)

    def preview_asks(self, plan: Plan) -> tuple[Ask, ...]:
        """Return what is asked of the host's API first; see `connectors.inspection.Inspector`."""
        return preview_asks_of(plan)

    def preview(self, plan: Plan, seen: JsonObject, answers: tuple[JsonObject | None, ...]) -> JsonObject:
        """Return what people are shown of a push; see `connectors.inspection.Inspector`."""
        return preview_of(plan, seen, answers)

    def look(self, action: str, trace: JsonObject, connection: Connection) -> Plan | None:
        """Return the read that tells whether refs moved; see `connectors.inspection.Settler`."""
        if action != PUSH or not trace.get("refs"):
            return None
        return plan_read({"repo": trace["repo"], "refs": list(trace["refs"])}, connection)

    def settle(self, action: str, trace: JsonObject, data: JsonObject) -> Settlement | None:
        """Return what the refs prove; see `connectors.inspection.Settler`."""
        return settled_push(trace, data) if action == PUSH else None

    async def execute(self, plan: Plan, connection: Connection, lease: Lease, transport: Transport) -> CallResult:
        """Send what the plan says, once; see `connectors.base.Connector.execute`."""
        options = options_of(connection)
        if plan.call["url"] != options.repository_url(plan.call["repo"]):
            raise NotSentError("the plan is for another upstream than the connection")
        try:
            await self._sweep()
            async with AsyncExitStack() as lifetime:
                remote, clean = await self._remote(plan, options, lease, transport, lifetime)
                match plan.action:
                    case "git:push":
                        return await _push(plan, remote, clean)
                    case "git:read":
                        shop = partial(open_workshop, self._programs, self._machine.folder, remote, clean)
                        return await Reading(plan, remote, lambda: self._yard, shop, lifetime).run()
                    case _:
                        return await execute_lfs(plan, _authorization(lease), transport)
        except (GitMissingError, GitTimeoutError, OSError) as error:
            raise NotSentError(f"nothing was changed: {_words(error)}") from error

    async def _remote(
        self, plan: Plan, options: GitConnection, lease: Lease, transport: Transport, lifetime: AsyncExitStack
    ) -> tuple[Remote, Cleaner]:
        """Return the repository upstream, and what takes the credential out of its words."""
        url = plan.call["url"]
        if options.over_ssh:
            reach = SshReach(self._guard, self._machine.resolver, self._programs.limits.timeout_seconds)
            return await lifetime.enter_async_context(open_ssh_remote(url, options, lease, reach)), Cleaner("")
        authorization = _authorization(lease)
        http = HttpReach(
            self._guard, self._machine.resolver, self._machine.ca_file, self._programs.limits.stall_seconds
        )
        return HttpRemote(url, authorization, transport, http), Cleaner(authorization)

    async def _sweep(self) -> None:
        # Once per process, and only in a folder that is ours: what a killed process left is removed.
        swept, self._swept = self._swept, True
        if not swept and self._machine.folder is not None:
            await self._programs.to_the_end(partial(sweep_areas, self._machine.folder))


async def _push(plan: Plan, remote: Remote, clean: Cleaner) -> CallResult:
    if "changes" not in plan.call:
        raise NotSentError("the push was not looked into, so nothing was sent")
    return await Push(plan, remote, clean).run()


def _authorization(lease: Lease) -> str:
    # Latin-1 takes every byte: an exception about a foreign byte would quote the secret. Transport and configuration
    # refuse what is not printable.
    return lease.header().reveal().decode("latin-1")


def _words(error: Exception) -> str:
    return "the disk of the broker's machine failed" if isinstance(error, OSError) else str(error)
