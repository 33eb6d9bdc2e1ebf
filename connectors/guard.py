"""The address guard: which addresses the broker may connect to, decided at connect time, so that DNS cannot lie later.

Public unicast addresses are always allowed. Loopback and private addresses are allowed for the hosts of connections
with an explicit endpoint, or for all when the operator says so. Link-local (the cloud metadata service), multicast and
unspecified addresses are allowed only when that very address is written as an endpoint: a name may never lead there.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

_MAX_JUDGED: Final = 4096
"""Hosts whose answer is remembered until the configuration changes; over it all are forgotten."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ssh": 22}
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address a gateway connects to."""
_V4_COMPATIBLE: Final = IPv6Network("::/96")
"""RFC 4291 2.5.5.1, deprecated: some stacks still connect to the IPv4 address inside."""


class AddressRefusedError(OSError):
    """The guard refused every address of a host."""


def endpoint_of(url: str) -> str:
    """Return ``host:port`` of an absolute http, https or ssh URL, as the guard and the vault compare it.

    Raises:
        ValueError: the URL has no host, a wrong port or another scheme.
    """
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("expected an absolute http, https or ssh URL")
    return _joined(parts.hostname, _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port)


class AddressGuard:
    """Says no to addresses inside the operator's network.

    Args:
        allowed: Hosts of explicit endpoints, as ``host`` (any port) or ``host:port``; an IPv6 address without a port is
            written bare, with a port in brackets.
        allow_private: Allow loopback and private addresses for every host.
    """

    def __init__(self, allowed: Iterable[str] = (), *, allow_private: bool = False) -> None:
        self._allowed = frozenset(map(_normal, allowed))
        self._allow_private = allow_private
        self._judged: dict[tuple[str, int], bool] = {}

    def replace_allowed(self, allowed: Iterable[str]) -> None:
        """Take the endpoints of a new configuration; kept-alive connections of the old one end with their idle time."""
        self._allowed = frozenset(map(_normal, allowed))
        self._judged.clear()

    def permits(self, host: str, port: int, address: str) -> bool:
        """Return whether a connection to ``host`` and ``port`` may go to ``address``.

        Args:
            host: As in the URL.
            port: As in the URL.
            address: Numeric IPv4 or IPv6 address; anything else is refused.
        """
        try:
            target = _effective(address)
        except ValueError:
            return False
        if _is_public(target):
            return True
        literal = _normal(address) == _normal(host) or _joined(str(target), port) == _joined(host, port)
        explicit = _normal(host) in self._allowed or _joined(host, port) in self._allowed
        if target.is_link_local or target.is_multicast or target.is_unspecified:
            return literal and explicit
        return explicit or self._allow_private

    def permits_literal(self, host: str, port: int) -> bool:
        """Return False when ``host`` is a numeric address that is not permitted; names are judged once resolved."""
        judged = self._judged.get((host, port))
        if judged is None:
            if len(self._judged) >= _MAX_JUDGED:
                self._judged.clear()
            judged = self._judged[host, port] = self._judge_literal(host, port)
        return judged

    def _judge_literal(self, host: str, port: int) -> bool:
        # Every numeric IPv4 form ends in a digit (or is hexadecimal, which no parser here takes), IPv6 has colons.
        bare = host.rstrip(".")
        if ":" not in bare and not bare[-1:].isdigit():
            return True
        try:
            ip_address(bare.partition("%")[0])
        except ValueError:
            return True
        return self.permits(bare, port, bare)


class GuardedResolver(AbstractResolver):
    """Resolves names and keeps only the addresses the guard permits.

    Args:
        guard: Who decides.
        resolver: Who asks the DNS; the system's when not given.
    """

    def __init__(self, guard: AddressGuard, resolver: AbstractResolver | None = None) -> None:
        self._guard = guard
        self._resolver = ThreadedResolver() if resolver is None else resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the permitted addresses of ``host``.

        Raises:
            AddressRefusedError: there is none.
            OSError: the name does not resolve.
        """
        found = await self._resolver.resolve(host, port, family)
        kept = [entry for entry in found if self._guard.permits(host, port, entry["host"])]
        if not kept:
            raise AddressRefusedError("every address of the host is refused by the address guard")
        return kept

    async def close(self) -> None:
        """Close the resolver underneath."""
        await self._resolver.close()


@lru_cache(maxsize=1024)
def _effective(address: str) -> IPv4Address | IPv6Address:
    """Return the address a packet really goes to: the IPv4 address inside an IPv6 one, where there is one."""
    if "%" in address:
        raise ValueError("an address with a zone is link-local")
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        return parsed
    embedded = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
    if embedded is not None:
        return embedded
    if parsed in _NAT64 or (parsed in _V4_COMPATIBLE and int(parsed) > 1):
        return IPv4Address(int(parsed) & 0xFFFF_FFFF)
    return parsed


@lru_cache(maxsize=1024)
def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _normal(host: str) -> str:
    return host.lower().rstrip(".")


def _joined(host: str, port: int) -> str:
    normal = _normal(host)
    return f"[{normal}]:{port}" if ":" in normal else f"{normal}:{port}"
