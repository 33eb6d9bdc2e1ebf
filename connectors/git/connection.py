"""A git host as the operator names it in ``ostiary.yaml``: one base URL, nothing from the machine."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors.base import Connection

_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_PORTS: Final = {"https": 443, "http": 80}


class GitConnection(BaseModel):
    """Options of a git connection.

    Args:
        url: ``https://host[:port][/prefix]``; ``http`` for loopback hosts only, as a header credential travels with it.
            The address of a repository is ``url/owner/name.git``.
        case_sensitive: True when the host tells ``Acme/App`` from ``acme/app``. The large hosts do not, so by default
            only lower-case repository names are taken.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(max_length=500)
    case_sensitive: bool = False

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        problem = _fault(value)
        if problem:
            raise ValueError(problem)
        return value.rstrip("/")

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
        return "url must start with `https://`"
    if "@" in parts.netloc or "?" in url or "#" in url:
        return "url must hold no user, password, query or fragment; the credential lives in the vault"
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


def _is_address(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (isinstance(address, ipaddress.IPv6Address) and address.scope_id)
