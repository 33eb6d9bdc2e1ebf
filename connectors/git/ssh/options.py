"""How ``ssh`` is told where to go, and to look at nothing of the machine: no file, no agent, no user to ask.

Every option that could run a program, forward something, read a file or take another key is set, so that neither the
defaults of a version nor its compiled-in files matter. The names are those of ssh_config(5).
"""

from __future__ import annotations

import base64
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.errors import NotSentError
from connectors.git.ssh.host_keys import algorithms_of

CONNECT_SECONDS: Final = 10
ALIVE_SECONDS: Final = 15
"""Between two signs of life of a host that says nothing; after three it is gone."""

_FIXED: Final = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": "none",
    "KnownHostsCommand": "none",
    "UpdateHostKeys": "no",
    "VerifyHostKeyDNS": "no",
    "CheckHostIP": "no",
    "IdentitiesOnly": "yes",
    "CertificateFile": "none",
    "PKCS11Provider": "none",
    "AddKeysToAgent": "no",
    "PreferredAuthentications": "publickey",
    "PubkeyAuthentication": "yes",
    "PasswordAuthentication": "no",
    "KbdInteractiveAuthentication": "no",
    "GSSAPIAuthentication": "no",
    "HostbasedAuthentication": "no",
    "NumberOfPasswordPrompts": "0",
    "ProxyCommand": "none",
    "ProxyJump": "none",
    "CanonicalizeHostname": "no",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "Tunnel": "no",
    "PermitLocalCommand": "no",
    "ControlMaster": "no",
    "ControlPath": "none",
    "RequestTTY": "no",
    "EscapeChar": "none",
    "Compression": "no",
    "ConnectTimeout": str(CONNECT_SECONDS),
    "ConnectionAttempts": "1",
    "ServerAliveInterval": str(ALIVE_SECONDS),
    "ServerAliveCountMax": "3",
    "LogLevel": "ERROR",
}
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./-]{1,90}")
"""Of a folder: nothing that ``ssh`` expands (``%``, ``~``, ``$``) or takes for two names; short enough for a socket."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where ``ssh`` goes.

    Args:
        user: Whom it logs in as.
        host: Name of the host, whose keys are known under it.
        port: Its port.
        address: The one address it has for this attempt.
        host_keys: Checked keys of the host, at least one.
    """

    user: str
    host: str
    port: int
    address: str
    host_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SshFiles:
    """The files of an attempt, in a folder of mode 0700.

    Args:
        folder: The folder.
    """

    folder: Path

    @property
    def agent(self) -> Path:
        """Socket of the agent."""
        return self.folder / "agent"

    @property
    def known_hosts(self) -> Path:
        """Keys of the host."""
        return self.folder / "known_hosts"

    @property
    def public_key(self) -> Path:
        """The one key that is offered."""
        return self.folder / "key.pub"


def ssh_options(to: Destination, files: SshFiles) -> list[str]:
    """Return the arguments of ``ssh`` up to the destination.

    Args:
        to: Where to.
        files: The files of the attempt.

    Raises:
        NotSentError: the folder has a name that cannot be told to ``ssh``.
    """
    if not _PLAIN.fullmatch(str(files.folder)):
        raise NotSentError("the folder of working areas has a name that is too long or too strange for ssh")
    chosen = {
        "HostName": to.address,
        "HostKeyAlias": to.host,
        "HostKeyAlgorithms": algorithms_of(to.host_keys),
        "UserKnownHostsFile": str(files.known_hosts),
        "IdentityFile": str(files.public_key),
        "IdentityAgent": str(files.agent),
    }
    told = [f"{name}={value}" for name, value in (_FIXED | chosen).items()]
    return ["-F", "none", "-T", "-x", "-a", *(word for each in told for word in ("-o", each))]


def ssh_command(program: str, options: list[str]) -> str:
    """Return ``program`` and its options as git's ``GIT_SSH_COMMAND``, for a shell."""
    return shlex.join([program, *options])


def public_key_line(key: bytes) -> str:
    """Return a public key as its file holds it."""
    size = int.from_bytes(key[:4], "big")
    return f"{key[4 : 4 + size].decode('ascii', 'replace')} {base64.b64encode(key).decode()}\n"
