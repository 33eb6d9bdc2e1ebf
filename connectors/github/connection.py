"""GitHub, or a GitHub Enterprise Server, as the operator names it in ``ostiary.yaml``."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from connectors.base import Connection

GITHUB_API: Final = "https://api.github.com"
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_PATHS: Final = frozenset({"", "/api/v3"})
_PATTERN: Final = r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]{1,5})?$|^(localhost|127\.0\.0\.1):[0-9]{1,5}$"
_ACCOUNT: Final = r"^([A-Za-z0-9][A-Za-z0-9_-]{0,99})?$"
_DOWNLOADS: Final = (
    "codeload.github.com",
    "*.githubusercontent.com",
    "*.blob.core.windows.net",
    "github-cloud.s3.amazonaws.com",
)


class GitHubConnection(BaseModel):
    """Options of a github connection.

    Args:
        url: The API: ``https://api.github.com`` or ``https://HOST[:port]/api/v3``; ``http`` for loopback hosts only.
        web_url: Where people look at it, ``https://github.com``; made of ``url`` when not given.
        app: The credential is a GitHub App; each plan gets a token for one repository with what it needs.
        account: Account the App is installed on, where ids of GraphQL are looked up: of an id nobody knows the account.
        download_hosts: Hosts archives and logs may be fetched from, without any credential; ``*.suffix`` is any below.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(max_length=500)
    web_url: str = Field(default="", max_length=500)
    app: bool = False
    account: Annotated[str, StringConstraints(pattern=_ACCOUNT)] = ""
    download_hosts: Annotated[list[Annotated[str, StringConstraints(pattern=_PATTERN)]], Field(max_length=32)] = list(
        _DOWNLOADS
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        url = value.rstrip("/")
        if _fault(url) or urlsplit(url).path not in _PATHS:
            raise ValueError("expected `https://api.github.com` or `https://host[:port]/api/v3`")
        return url

    @field_validator("web_url")
    @classmethod
    def _check_web_url(cls, value: str) -> str:
        url = value.rstrip("/")
        if url and (_fault(url) or urlsplit(url).path):
            raise ValueError("expected `https://host[:port]`")
        return url

    @property
    def host(self) -> str:
        """``host`` or ``host:port`` of the API."""
        return urlsplit(self.url).netloc

    @property
    def web(self) -> str:
        """Where people look at it, without a slash at its end."""
        if self.web_url:
            return self.web_url
        return "https://github.com" if self.url == GITHUB_API else self.url.removesuffix("/api/v3")

    def may_download(self, host: str) -> bool:
        """Tell whether files may be fetched from ``host`` or ``host:port``."""
        exact = {each for each in self.download_hosts if not each.startswith("*")}
        ends = tuple(each[1:] for each in self.download_hosts if each.startswith("*"))
        return host in exact or host == self.host or (bool(ends) and host.endswith(ends))


def options_of(connection: Connection) -> GitHubConnection:
    """Return the typed options of a connection; they were validated when the configuration was loaded."""
    return GitHubConnection.model_validate(connection.options)


def _fault(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return True
    plain = url.isascii() and url.isprintable() and not set("?#@\\ %").intersection(url) and url == url.lower()
    allowed = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))
    return not (plain and allowed and (_HOST.fullmatch(host) or _is_loopback(host)))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
