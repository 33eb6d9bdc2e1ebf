"""Pins a host name to the addresses the guard permits, so that git cannot be led elsewhere by a second DNS answer."""

from __future__ import annotations

import ipaddress

from aiohttp.abc import AbstractResolver

from connectors.errors import NotSentError
from connectors.git.connection import host_and_port
from connectors.guard import AddressGuard, AddressRefusedError, GuardedResolver


async def pinned(url: str, guard: AddressGuard, resolver: AbstractResolver | None = None) -> str:
    """Return ``host:port:address,…`` for ``http.curloptResolve``, empty when the host is a numeric address.

    Args:
        url: URL of a checked connection. A numeric host is permitted as the operator wrote it, ``localhost`` is
            permitted to be this machine.
        guard: Who judges the addresses of any other name.
        resolver: Who asks the DNS; the system's when None.

    Raises:
        NotSentError: the host does not resolve or none of its addresses is permitted.
    """
    host, port = host_and_port(url)
    if _is_numeric(host):
        return ""
    judge = AddressGuard([host]) if host == "localhost" else guard
    try:
        found = await GuardedResolver(judge, resolver).resolve(host, port)
    except AddressRefusedError as error:
        raise NotSentError("the address of the git host is refused by the address guard") from error
    except OSError as error:
        raise NotSentError("the name of the git host does not resolve") from error
    addresses = sorted({entry["host"] for entry in found})
    return f"{host}:{port}:" + ",".join(f"[{address}]" if ":" in address else address for address in addresses)


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
