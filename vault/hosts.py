"""Which upstream hosts a credential may be used with.

A host is ``name`` or ``name:port``: lower-case ASCII labels, an IPv4 address, or an IPv6 address in brackets. No
Unicode, no user part, no trailing dot: a look-alike is refused, not folded. Port 443 is the default and is dropped, so
``h`` and ``h:443`` are one host and ``h:80`` is another. A pattern is a host, or ``*.`` and a suffix of at least two
labels (or ``localhost``); it matches every name below the suffix and not the suffix itself.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final

from vault.errors import BadRequestError

MAX_HOSTS: Final = 64
MAX_HOST_CHARS: Final = 255
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_PARTS: Final = re.compile(r"(?P<name>\[[0-9a-f:.]{2,45}\]|[^:\[\]]+)(?::(?P<port>[1-9][0-9]{0,4}))?", re.ASCII)
_DEFAULT_PORT: Final = "443"
_MAX_PORT: Final = 65535
_WILDCARD: Final = "*."


def normalise_host(host: str) -> str:
    """Return a host in its one form: lower case, default port dropped, IPv6 compressed.

    Raises:
        BadRequestError: it is no host.
    """
    name, port = _split(host)
    return name if port in ("", _DEFAULT_PORT) else f"{name}:{port}"


def normalise_patterns(patterns: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Return host patterns in their one form, without repetitions, in the order given.

    Raises:
        BadRequestError: there is none, there are too many, or one is no pattern; empty is not "all".
    """
    if not 1 <= len(patterns) <= MAX_HOSTS:
        raise BadRequestError(f"a credential is bound to 1 to {MAX_HOSTS} hosts")
    return tuple(dict.fromkeys(_normalise_pattern(pattern) for pattern in patterns))


@lru_cache(maxsize=4096)
def host_is_bound(host: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a host, as sent, is one of the normalised ``patterns``; what is no host is False."""
    try:
        wanted = normalise_host(host)
    except BadRequestError:
        return False
    return any(_matches(wanted, pattern) for pattern in patterns)


def _matches(host: str, pattern: str) -> bool:
    if not pattern.startswith(_WILDCARD):
        return host == pattern
    suffix = pattern.removeprefix("*")
    return host.endswith(suffix) and len(host) > len(suffix)


def _normalise_pattern(pattern: str) -> str:
    if not pattern.startswith(_WILDCARD):
        return normalise_host(pattern)
    suffix = normalise_host(pattern.removeprefix(_WILDCARD))
    labels = suffix.partition(":")[0].split(".")
    # `*.com` would bind a whole registry, `*.0.0.1` is no name below anything.
    if suffix.startswith("[") or labels[-1].isdigit() or (len(labels) == 1 and labels != ["localhost"]):
        raise BadRequestError(f"`{pattern[:MAX_HOST_CHARS]}` is too wide: a wildcard needs a suffix of two labels")
    return _WILDCARD + suffix


def _split(host: str) -> tuple[str, str]:
    lowered = host.lower() if host.isascii() else ""
    parts = _PARTS.fullmatch(lowered) if len(host) <= MAX_HOST_CHARS else None
    if parts is None:
        raise _no_host(host)
    name, port = parts["name"], parts["port"] or ""
    if port and int(port) > _MAX_PORT:
        raise _no_host(host)
    if name.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(name[1:-1]).compressed}]", port
        except ValueError:
            raise _no_host(host) from None
    if not _NAME.fullmatch(name):
        raise _no_host(host)
    return name, port


def _no_host(host: str) -> BadRequestError:
    shown = host.encode("unicode_escape").decode()[:MAX_HOST_CHARS]
    return BadRequestError(f"`{shown}` is no host: expected `name` or `name:port`")
