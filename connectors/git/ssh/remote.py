"""A repository over SSH: one connection for each exchange of the pack protocol (gitprotocol-pack(5), "SSH Transport").

Clients of smart HTTP are served from it in protocol version 2 only, whose requests each stand alone: what comes before
an answer over SSH, the host's abilities, is read and left out. Version 0 would need one conversation for both.

Why a session failed is told from how far it came: an agent that was not asked means that the host was not reached or
has another key; one that was asked in vain, that the host does not take ours.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from asyncio import IncompleteReadError
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver

from connectors.base import Body
from connectors.errors import ConnectorError, NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.git.address import permitted_addresses
from connectors.git.advertisement import MAX_ADVERTISEMENT_BYTES, Advertisement, Service, parse_advertisement
from connectors.git.area import Area, make_area, remove_area
from connectors.git.config import local_config
from connectors.git.connection import GitConnection, host_and_port
from connectors.git.remote import FetchAccess, PushBody, Remote
from connectors.git.ssh.agent import Agent, listening
from connectors.git.ssh.host_keys import known_hosts
from connectors.git.ssh.options import Destination, SshFiles, public_key_line, ssh_command, ssh_options
from connectors.git.ssh.session import SshSession, running, told
from connectors.guard import AddressGuard
from connectors.streams import HeldBody
from vault.errors import VaultError
from vault.model import Lease

MAX_ABILITIES_BYTES: Final = 64 << 10
"""Of what a host says before a request of protocol version 2."""
MAX_REPORT_BYTES: Final = 4 << 20
"""Of the host's answer to a push: a line for each ref, and what its hooks say."""

_V2: Final = "version=2"
_V2_LINE: Final = b"000eversion 2\n"
_PATH: Final = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+", re.ASCII)
"""Nothing in it means anything to a shell."""
_FLUSH: Final = b"0000"


@dataclass(frozen=True, slots=True)
class SshReach:
    """How a host is reached.

    Args:
        guard: Which addresses it may have.
        resolver: Who asks the DNS; the system's when None.
        seconds: Longest wait for the next piece of an answer.
        program: Path of ``ssh``; looked for on the PATH when empty.
    """

    guard: AddressGuard
    resolver: AbstractResolver | None = None
    seconds: float = 60.0
    program: str = ""


@asynccontextmanager
async def open_ssh_remote(
    url: str, options: GitConnection, lease: Lease, reach: SshReach
) -> AsyncGenerator[Remote, None]:
    """Open a repository for one attempt; all it has made is gone when the block ends.

    Args:
        url: ``ssh://user@host:port/…/owner/name.git``, of a checked connection.
        options: Of the connection, with its host keys.
        lease: On an SSH key, open for as long as the block.
        reach: How the host is reached.

    Raises:
        NotSentError: there is no ``ssh``, no address, or no working area.
        VaultError: the lease is on no SSH key.
    """
    program = reach.program or shutil.which("ssh") or ""
    if not program:
        raise NotSentError("ssh is not installed on the broker's machine")
    path = urlsplit(url).path
    if not _PATH.fullmatch(path):
        raise NotSentError("the path of the repository cannot be told to a git host over ssh")
    agent = Agent(lease)
    host, port = host_and_port(url)
    address = (await permitted_addresses(host, port, reach.guard, reach.resolver))[0]
    to = Destination(urlsplit(url).username or "", host, port, address, tuple(options.host_keys))
    async with AsyncExitStack() as stack:
        try:
            area = make_area(None)
            stack.callback(remove_area, area)
            files = SshFiles(area.path)
            told_options = ssh_options(to, files)
            files.known_hosts.write_text(known_hosts(host, to.host_keys), "ascii")
            files.public_key.write_text(public_key_line(lease.ssh_public_key), "ascii")
            await stack.enter_async_context(listening(agent, files.agent))
        except OSError as error:
            raise NotSentError("no working area for ssh could be made") from error
        yield SshRemote(url, path, (program, *told_options), to, area, agent, reach.seconds)


@dataclass(frozen=True, slots=True)
class SshRemote:
    """Implements `connectors.git.remote.Remote`; made by `open_ssh_remote`.

    Args:
        url: URL of the repository.
        path: Its path, checked.
        command: ``ssh`` and its options.
        to: Where it goes.
        area: Files of the attempt.
        agent: Has requests signed.
        seconds: Longest wait for the next piece of an answer.
    """

    url: str
    path: str
    command: tuple[str, ...]
    to: Destination
    area: Area
    agent: Agent
    seconds: float

    async def refs(self, service: Service) -> Advertisement:
        """Return what the host has; see `Remote.refs`."""
        async with self._session(service) as session:
            listed = await self._first(session, MAX_ADVERTISEMENT_BYTES)
            await _end_politely(session)
        return parse_advertisement(_framed(service, listed), service, "")

    async def advertise(self, protocol: str) -> Body:
        """Return the host's abilities, as smart HTTP frames them; see `Remote.advertise`."""
        _require_v2(protocol)
        async with self._session(Service.FETCH, _V2) as session:
            abilities = await self._abilities(session)
            await _end_politely(session)
        return _whole(_framed(Service.FETCH, abilities))

    async def upload_pack(self, request: bytes, protocol: str) -> Body:
        """Return the host's answer to one request; see `Remote.upload_pack`."""
        _require_v2(protocol)
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(self._session(Service.FETCH, _V2))
            await self._abilities(session)
            writing = asyncio.create_task(told(session, _whole(request)))
            stack.push_async_callback(_given_up, writing)
            return HeldBody(session.pieces(), stack.pop_all())

    async def receive_pack(self, body: PushBody) -> bytes:
        """Send a push and return the report; see `Remote.receive_pack`."""
        async with self._session(Service.PUSH) as session:
            try:
                await self._first(session, MAX_ADVERTISEMENT_BYTES)
            except OutcomeUnknownError as error:
                raise NotSentError(str(error)) from error
            reading = asyncio.create_task(_report(session))
            try:
                await told(session, _push(body))
                return await reading
            except TimeoutError:
                raise OutcomeUnknownError("the git host did not take the push for too long") from None
            finally:
                await _given_up(reading)

    @asynccontextmanager
    async def fetch_access(self, home: Path) -> AsyncGenerator[FetchAccess, None]:
        """Open what ``git fetch`` needs; see `Remote.fetch_access`."""
        try:
            config = local_config(home / "config")
        except OSError as error:
            raise NotSentError("no configuration for git could be made") from error
        program, *options = self.command
        environment = {"GIT_SSH_COMMAND": ssh_command(program, options), "GIT_SSH_VARIANT": "ssh"}
        try:
            yield FetchAccess(self.url, replace(config, protocol="ssh"), environment)
        finally:
            (home / "config").unlink(missing_ok=True)

    @asynccontextmanager
    async def _session(self, service: Service, protocol: str = "") -> AsyncGenerator[SshSession, None]:
        said = ["-o", f"SetEnv=GIT_PROTOCOL={protocol}"] if protocol else []
        where = ["-p", str(self.to.port), "-l", self.to.user, "--", self.to.host]
        arguments = [*self.command, *said, *where, f"{service} '{self.path}'"]
        async with running(arguments, self.area.home, self.seconds) as session:
            yield session

    async def _first(self, session: SshSession, limit_bytes: int) -> bytes:
        """Return what a command says first; nothing was told to it before."""
        try:
            return await session.until_flush(limit_bytes)
        except IncompleteReadError:
            raise await self._failure(session) from None

    async def _abilities(self, session: SshSession) -> bytes:
        said = await self._first(session, MAX_ABILITIES_BYTES)
        if not said.startswith(_V2_LINE):
            raise UpstreamRefusedError(
                "the git host does not speak protocol version 2 over ssh, and nothing else is served from it",
                code="bad-answer",
            )
        return said

    async def _failure(self, session: SshSession) -> ConnectorError | VaultError:
        own = await session.is_own_fault()
        if self.agent.fault is not None:
            return self.agent.fault
        if not own:
            return UpstreamRefusedError(
                "the git host has no such repository, or hides it from the key", code="not-found"
            )
        if self.agent.was_asked:
            return UpstreamRefusedError("the git host does not accept the key", code="unauthorized")
        return NotSentError("the git host cannot be reached over ssh, or does not have one of the host keys it must")


def _require_v2(protocol: str) -> None:
    if protocol != _V2:
        raise UpstreamRefusedError(
            "this repository is reached over ssh and served in git's protocol version 2 only: "
            "use git 2.26 or newer, or `git -c protocol.version=2`",
            code="protocol-version",
        )


def _framed(service: Service, listed: bytes) -> bytes:
    line = f"# service={service}\n".encode()
    return b"%04x%b" % (len(line) + 4, line) + _FLUSH + listed


async def _end_politely(session: SshSession) -> None:
    """Tell a command that nothing is wanted; without it, it complains of a client that hung up."""
    await told(session, _whole(_FLUSH))


async def _whole(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data


async def _push(body: PushBody) -> AsyncIterator[bytes]:
    yield body.head
    if body.pack is not None:
        async for piece in body.pack:
            yield piece


async def _report(session: SshSession) -> bytes:
    report = bytearray()
    try:
        async for piece in session.pieces():
            report += piece
            if len(report) > MAX_REPORT_BYTES:
                break
    except OutcomeUnknownError:
        # Some hosts fail after a report of refusals; whether it is whole is for its reader to judge.
        if not report:
            raise
    if not 0 < len(report) <= MAX_REPORT_BYTES:
        raise OutcomeUnknownError(f"the report of the git host has not 1 to {MAX_REPORT_BYTES} bytes")
    return bytes(report)


async def _given_up(task: asyncio.Task[None] | asyncio.Task[bytes]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
