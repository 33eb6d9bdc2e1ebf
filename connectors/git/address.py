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
    addresses = sorted(set(await permitted_addresses(host, port, guard, resolver)))
    return f"{host}:{port}:" + ",".join(f"[{address}]" if ":" in address else address for address in addresses)


async def permitted_addresses(
    host: str, port: int, guard: AddressGuard, resolver: AbstractResolver | None = None
) -> list[str]:
    """Return the addresses of a host that the guard permits, the resolver's first choice first.

    Args:
        host: Of a checked connection; a numeric address is its own, permitted as the operator wrote it.
        port: Of the connection.
        guard: As `pinned`.
        resolver: As `pinned`.

    Raises:
        NotSentError: the host does not resolve or none of its addresses is permitted.
    """
    if _is_numeric(host):
        return [host]
    judge = AddressGuard([host]) if host == "localhost" else guard
    try:
        found = await GuardedResolver(judge, resolver).resolve(host, port)
    except AddressRefusedError as error:
        raise NotSentError("the address of the git host is refused by the address guard") from error
    except OSError as error:
        raise NotSentError("the name of the git host does not resolve") from error
    return [entry["host"] for entry in found]


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
