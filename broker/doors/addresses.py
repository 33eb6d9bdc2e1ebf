"""Where a request came from: the peer of the connection, or what a trusted proxy says of it.

``X-Forwarded-For`` is a list to which every proxy adds the peer it saw, so it is read from its end: the first address
that is no trusted proxy is the client. What stands before it was written by the client and says nothing. Without
trusted proxies the header is not looked at.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.types import Scope

Address = IPv4Address | IPv6Address

_SCHEMES: Final = ([b"http"], [b"https"])
"""What one header of a proxy may say."""


def client_address(scope: Scope, trusted: tuple[IPv6Network, ...]) -> str:
    """Return the address a request came from in its usual form; empty when it is not known.

    Args:
        scope: Of the request.
        trusted: Networks of proxies whose word is taken.
    """
    peer, is_proxy = _peer((scope.get("client") or ("", 0))[0], trusted)
    if peer is None or not is_proxy:
        return str(peer or "")
    for item in reversed(_forwarded(scope)):
        hop = _address(item)
        if hop is None:
            return ""
        if not _within(hop, trusted):
            return str(hop)
        peer = hop
    return str(peer)


def scheme_of(scope: Scope, trusted: tuple[IPv6Network, ...]) -> str:
    """Return ``http`` or ``https``, as the client spoke: a trusted proxy that ends TLS says so.

    Args:
        scope: Of the request.
        trusted: Networks of proxies whose word is taken.
    """
    _, is_proxy = _peer((scope.get("client") or ("", 0))[0], trusted)
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"] if is_proxy else []
    return said[0].decode() if said in _SCHEMES else str(scope.get("scheme", "http"))


@lru_cache(maxsize=1024)  # a connection asks again and again
def _peer(text: str, trusted: tuple[IPv6Network, ...]) -> tuple[Address | None, bool]:
    found = _address(text)
    return found, found is not None and _within(found, trusted)


def _forwarded(scope: Scope) -> list[str]:
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [item.strip() for value in values for item in value.split(",")] if values else []


def _address(text: str) -> Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _within(address: Address, trusted: tuple[IPv6Network, ...]) -> bool:
    wide = IPv6Address(f"::ffff:{address}") if isinstance(address, IPv4Address) else address
    return any(wide in network for network in trusted)
