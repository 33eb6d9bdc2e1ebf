"""What we tell a client before it pushes: the refs it may push to, and what we can do.

The body of ``info/refs?service=git-receive-pack`` in protocol version 0, which git speaks for pushes to this day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from connectors.errors import InvalidParamsError
from connectors.git.names import check_ref
from connectors.git.wire.packets import Mark, render
from connectors.git.wire.push_request import NULL_OID

MEDIA_TYPE: Final = "application/x-git-receive-pack-advertisement"
AGENT: Final = "agent=ostiary"

_CAPABILITIES: Final = (
    "report-status",
    "report-status-v2",
    "delete-refs",
    "side-band-64k",
    "quiet",
    "atomic",
    "ofs-delta",
    "push-options",
    "object-format=sha1",
    AGENT,
)
_NEEDS_UPSTREAM: Final = frozenset(("atomic", "push-options", "delete-refs"))
"""Offered only where the host behind us can do it as well; the rest we do ourselves."""
_OID: Final = re.compile(r"[0-9a-f]{40}")
_HEADER: Final = render(b"# service=git-receive-pack\n") + Mark.FLUSH.value


def push_advertisement(refs: Mapping[str, str], *, upstream: frozenset[str] | None = None) -> bytes:
    """Return the body of the answer to ``info/refs?service=git-receive-pack``.

    Args:
        refs: Full ref name to object id, as the host has them. Names that no push could name are left out, so a client
            does not learn of pull refs and hidden ones here.
        upstream: Capabilities of the host; None to offer all of ours.
    """
    offered = [each for each in _CAPABILITIES if upstream is None or each not in _NEEDS_UPSTREAM - upstream]
    abilities = b"\0" + " ".join(offered).encode() + b"\n"
    lines = [f"{refs[name]} {name}".encode() for name in sorted(refs) if _may_be_named(name, refs[name])]
    first, *others = lines or [f"{NULL_OID} capabilities^{{}}".encode()]
    packets = [render(first + abilities), *(render(line + b"\n") for line in others)]
    return b"".join((_HEADER, *packets, Mark.FLUSH.value))


def _may_be_named(name: str, oid: str) -> bool:
    try:
        check_ref(name)
    except InvalidParamsError:
        return False
    return oid != NULL_OID and _OID.fullmatch(oid) is not None
