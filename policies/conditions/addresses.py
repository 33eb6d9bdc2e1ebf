"""Network addresses against networks, IPv4 and IPv6.

An IPv4-mapped IPv6 address (``::ffff:192.0.2.1``) is the IPv4 address inside it, in the request and in a rule alike:
which of the two forms a socket shows depends on how it was opened, not on who called.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network
Address = tuple[int, int]
"""IP version and the address as a number."""

_CIDR: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


def parse_network(text: str) -> Network | None:
    """Read a network in CIDR form or a single address.

    Returns:
        The network, an IPv4 one for an IPv4-mapped one. None for any other text: a mask spelled out, a zone id, or
        host bits that are set (see `widened`).
    """
    if _CIDR.fullmatch(text) is None:
        return None
    try:
        network = ip_network(text)
    except ValueError:
        return None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = int(network.network_address) & 0xFFFF_FFFF
        return IPv4Network((mapped, network.prefixlen - _MAPPED.prefixlen))
    return network


def widened(text: str) -> str:
    """Return the network around an address whose host bits are set, as ``10.0.0.0/8`` of ``10.1.2.3/8``; else empty."""
    try:
        return str(ip_network(text, strict=False)) if _CIDR.fullmatch(text) else ""
    except ValueError:
        return ""


@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address | None:
    """Read one address as a number; None when it is none. Callers repeat themselves, so the last ones are kept."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.version, int(address)


def mask_of(network: Network) -> tuple[int, int, int]:
    """Return a network as version, mask and masked address, for a test of two integer operations."""
    return network.version, int(network.netmask), int(network.network_address)
