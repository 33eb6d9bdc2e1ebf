"""The commands of a push as we send them to the host: made again from what was judged, not copied from the client.

The old object id of each command is the host's precondition: a ref that has moved since makes the command fail there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from connectors.errors import UpstreamRefusedError
from connectors.git.wire.advertisement_out import AGENT
from connectors.git.wire.packets import Mark, render
from connectors.git.wire.push_request import RefUpdate

REPORT: Final = "report-status"
SIDEBAND: Final = "side-band-64k"
ATOMIC: Final = "atomic"
PUSH_OPTIONS: Final = "push-options"
DELETE_REFS: Final = "delete-refs"
_OBJECT_FORMAT: Final = "object-format=sha1"

_LACKS: Final = {
    REPORT: "does not report what becomes of a push",
    ATOMIC: "cannot move several refs at once or none of them; push them one by one",
    PUSH_OPTIONS: "takes no push options",
    DELETE_REFS: "lets nobody delete refs",
}


def render_push(
    updates: Sequence[RefUpdate], capabilities: frozenset[str], *, atomic: bool, options: Iterable[str] = ()
) -> bytes:
    """Return everything that is sent before the pack, which follows at once where any command needs one.

    Args:
        updates: Commands to send, at least one.
        capabilities: What the host can do, from its advertisement for pushing.
        atomic: All refs are to move or none; of one alone that is true without it.
        options: Checked push options.

    Raises:
        UpstreamRefusedError: the host lacks what the push needs; ``no-…`` with the name of the capability.
        ValueError: there is no update; a fault of ours.
    """
    if not updates:
        raise ValueError("a push has at least one update")
    said = tuple(options)
    needed = [REPORT]
    needed += [ATOMIC] if atomic and len(updates) > 1 else []
    needed += [PUSH_OPTIONS] if said else []
    for each in [*needed, *([DELETE_REFS] if any(update.deletes for update in updates) else [])]:
        if each not in capabilities:
            raise UpstreamRefusedError(f"nothing was pushed: the git host {_LACKS[each]}", code=f"no-{each}")
    # Asking for what was not advertised is an error there; `delete-refs` is only ever advertised.
    asked = [*needed, *(each for each in (SIDEBAND, _OBJECT_FORMAT) if each in capabilities)]
    asked += [AGENT] if any(each.startswith("agent=") for each in capabilities) else []
    first, *others = (f"{update.old} {update.new} {update.ref}" for update in updates)
    lines = [render(f"{first}\0 {' '.join(asked)}".encode()), *(render(each.encode()) for each in others)]
    sections = [b"".join(lines)] + ([b"".join(render(each.encode()) for each in said)] if said else [])
    return b"".join(section + Mark.FLUSH.value for section in sections)
