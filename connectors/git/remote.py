"""A repository on a git host, as the connector speaks to it: over smart HTTP, or over SSH.

Everything here is one exchange of the pack protocol (gitprotocol-pack(5), gitprotocol-v2(5), gitprotocol-http(5)).
`connectors.git.smart_http` and `connectors.git.ssh.remote` implement it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from connectors.base import Body
from connectors.git.advertisement import Advertisement, Service
from connectors.git.config import ConfigFile


@dataclass(frozen=True, slots=True)
class PushBody:
    """What is sent to ``git-receive-pack``: commands, push options, then the pack, byte for byte.

    Args:
        head: Packets up to the pack, their flush packets included.
        pack: Pieces of the pack; None when every command deletes.
        pack_bytes: Its length, 0 without one.
    """

    head: bytes
    pack: AsyncIterator[bytes] | None
    pack_bytes: int


@dataclass(frozen=True, slots=True)
class FetchAccess:
    """How ``git fetch`` reaches the repository.

    Args:
        url: What git is given.
        config: Configuration of git, credentials and pinned addresses included.
        environment: More variables for git, as ``GIT_SSH_COMMAND``; no secrets.
        pinned: Git must be able to hold on to the address that was permitted; see
            `connectors.git.workshop.require_pinning`.
    """

    url: str
    config: ConfigFile
    environment: dict[str, str]
    pinned: bool = False


class Remote(Protocol):
    """One repository upstream, for one attempt, with an open lease."""

    async def refs(self, service: Service) -> Advertisement:
        """Return what the host has, as for reading or for pushing.

        Raises:
            NotSentError, UpstreamRefusedError, OutcomeUnknownError: as the transport.
        """

    async def advertise(self, protocol: str) -> Body:
        """Return the host's answer to ``info/refs?service=git-upload-pack``, as it goes to a client of smart HTTP.

        Args:
            protocol: Value of ``Git-Protocol``: ``version=2``, ``version=1`` or empty.

        Raises:
            NotSentError, UpstreamRefusedError, OutcomeUnknownError: as the transport.
        """

    async def upload_pack(self, request: bytes, protocol: str) -> Body:
        """Return the host's answer to one request of a fetch, as it goes to a client of smart HTTP.

        Args:
            request: Body of ``POST git-upload-pack``, checked and not compressed.
            protocol: As `advertise`.

        Raises:
            NotSentError, UpstreamRefusedError, OutcomeUnknownError: as the transport.
        """

    async def receive_pack(self, body: PushBody) -> bytes:
        """Send a push, once, and return the host's report: bare packets of report-status, or side-band packets.

        Raises:
            NotSentError: nothing was sent.
            UpstreamRefusedError: the host said no before it took anything.
            UploadBrokenError: the pack could not be read to its end; the host got no whole push.
            OutcomeUnknownError: something was sent and no complete report came.
        """

    def fetch_access(self, home: Path) -> AbstractAsyncContextManager[FetchAccess]:
        """Open what ``git fetch`` needs to reach the repository.

        Args:
            home: A folder of the attempt, mode 0700, for files that git must be given by name.

        Raises:
            NotSentError: it cannot be reached, or this machine lacks what is needed.
        """
