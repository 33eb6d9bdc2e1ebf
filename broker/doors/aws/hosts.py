"""The names the door answers to. What precedes one of them in the host of a request to S3 is a bucket.

A host that is none of ours and holds a dot could be ``bucket.name`` of a name nobody told us about; reading its path as
``/bucket/key`` would act on another object than the client meant, so such a request is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

_LOCAL: Final = "localhost"


class Hosts:
    """Names of the door.

    Args:
        names: As set, lower case, without ports.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset((*names, _LOCAL))
        self._below = tuple(f".{name}" for name in self.names)

    def knows(self, host: str) -> bool:
        """Tell whether it is certain what of a host is a bucket.

        Args:
            host: Lower case, without port.
        """
        # A name without a dot and an address have no room for a bucket.
        return host in self.names or host.endswith(self._below) or "." not in host or _is_address(host)

    def own(self, host: str) -> str:
        """Return a host without what a client put before one of our names."""
        if host in self.names:
            return host
        return max((name for name in self.names if host.endswith(f".{name}")), key=len, default=host)


@lru_cache(maxsize=256)  # clients send the same few hosts
def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
