"""A git host as the operator names it in ``ostiary.yaml``: one base URL, nothing from the machine."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.base import Connection
from connectors.git.ssh.host_keys import fault_of

_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_PORTS: Final = {"https": 443, "http": 80, "ssh": 22}


class GitConnection(BaseModel):
    """Options of a git connection.

    Args:
        url: ``https://host[:port][/prefix]``; ``http`` for loopback hosts only, as a header credential travels with it.
            Or ``ssh://user@host[:port][/prefix]``, for a credential that is an SSH key. The address of a repository is
            ``url/owner/name.git``.
        case_sensitive: True when the host tells ``Acme/App`` from ``acme/app``. The large hosts do not, so by default
            only lower-case repository names are taken.
        app_api: API of the host, ``https://api.github.com`` or ``https://HOST/api/v3``, when the credential is a GitHub
            App: a token for the one repository and the plan at hand is minted there. Empty to use the credential
            itself.
        protected_branches: Short names of branches, ``*`` standing for any part, that people are told to be protected
            when they are asked about a push; the host's own protection is asked for besides, where its API can be.
        host_keys: Keys of an SSH host, ``ssh-ed25519 AAAA…``, at least one and none of a host of another scheme; the
            host must have one of them. Take them from the host's own page, not from the network.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(max_length=500)
    case_sensitive: bool = False
    app_api: str = Field(
        "", max_length=500, pattern=r"^(https://[A-Za-z0-9.:/_-]+|http://(127\.0\.0\.1|localhost)[:/0-9A-Za-z._-]*)?$"
    )
    protected_branches: list[str] = Field(default_factory=list, max_length=100)
    host_keys: list[str] = Field(default_factory=list, max_length=16)

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        problem = _fault(value)
        if problem:
            raise ValueError(problem)
        return _with_port(value.rstrip("/"))

    @field_validator("host_keys")
    @classmethod
    def _check_host_keys(cls, value: list[str]) -> list[str]:
        problem = next(filter(None, map(fault_of, value)), "")
        if problem:
            raise ValueError(problem)
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.over_ssh and not self.host_keys:
            raise ValueError("an ssh host needs host_keys: the keys it must have one of")
        if self.host_keys and not self.over_ssh:
            raise ValueError("host_keys are for ssh hosts; the others have certificates")
        if self.over_ssh and self.app_api:
            raise ValueError("app_api mints tokens, which are not taken over ssh: use an https url")
        return self

    @property
    def over_ssh(self) -> bool:
        """Whether the host is spoken to over SSH."""
        return self.url.startswith("ssh://")

    def repository_url(self, repo: str) -> str:
        """Return the URL of a checked ``owner/name``."""
        return f"{self.url}/{repo}.git"


def options_of(connection: Connection) -> GitConnection:
    """Return the typed options of a connection; they were validated when the configuration was loaded."""
    return GitConnection.model_validate(connection.options)


def host_and_port(url: str) -> tuple[str, int]:
    """Return host (an IPv6 address without brackets) and port of a checked URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` names this machine by a literal loopback address or as ``localhost``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _fault(url: str) -> str:
    """What is wrong with a base URL, empty when nothing is; the text holds no part of it, as it may hold a password."""
    try:
        parts = urlsplit(url)
        # Reading the port parses it.
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "url is not a URL"
    if not url.isascii() or url != url.strip() or any(character < "!" for character in url):
        return "url must be plain ASCII without white space"
    if not url.startswith(tuple(f"{scheme}://" for scheme in _PORTS)):
        return "url must start with `https://` or `ssh://`"
    if "?" in url or "#" in url or not _fits_user(parts):
        return (
            "url must hold no password, query or fragment, and a user for ssh only; the credential lives in the vault"
        )
    return _fault_of_place(parts, host)


def _fault_of_place(parts: SplitResult, host: str) -> str:
    if not _is_address(host) and _HOST.fullmatch(host) is None:
        return "url must name a host in lower-case letters, digits, `-` and `.`"
    if parts.netloc != parts.netloc.lower() or parts.netloc.endswith(":") or parts.port == 0:
        return "url must name its host in lower case and a port from 1 to 65535, if any"
    if _PREFIX.fullmatch(parts.path.rstrip("/")) is None:
        return "the path of url must be plain folder names"
    if parts.scheme == "http" and not is_loopback(host):
        return "url must use https; http is for loopback hosts only"
    return ""


def _fits_user(parts: SplitResult) -> bool:
    """Tell whether there is a user, and nothing else, exactly where one is needed: it is a part of an SSH address."""
    user, at, _ = parts.netloc.rpartition("@")
    return _USER.fullmatch(user) is not None if parts.scheme == "ssh" else not at


def _with_port(url: str) -> str:
    """Return an SSH address with its port: a host without one stands for port 443 where credentials are bound."""
    parts = urlsplit(url)
    if parts.scheme != "ssh" or parts.port is not None:
        return url
    return parts._replace(netloc=f"{parts.netloc}:{_PORTS['ssh']}").geturl()


def _is_address(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (isinstance(address, ipaddress.IPv6Address) and address.scope_id)
