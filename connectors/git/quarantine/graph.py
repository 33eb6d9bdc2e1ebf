"""The shape of a history: what an update does to a ref, and from where its changes are to be shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connectors.errors import UpstreamRefusedError
from connectors.git.quarantine.history import Commit
from connectors.git.quarantine.local import EMPTY_TREE
from connectors.git.quarantine.mirror import MirrorState
from connectors.git.wire.push_request import NULL_OID, RefUpdate


def check_current(updates: Iterable[RefUpdate], state: MirrorState) -> None:
    """Refuse updates that do not begin where upstream's refs are.

    Args:
        updates: As the client sent them.
        state: What upstream has.

    Raises:
        UpstreamRefusedError: a ref is elsewhere; code ``stale``.
    """
    for update in updates:
        if state.refs.get(update.ref, NULL_OID) != update.old:
            raise UpstreamRefusedError(f"`{update.ref}` is not at the commit it was expected at", code="stale")


def builds_on(commits: Mapping[str, Commit], new: str, old: str) -> bool:
    """Tell whether ``old`` is reached from ``new`` by way of the commits given; if not, it may be by way of others."""
    waiting, seen = [new], set[str]()
    while waiting:
        oid = waiting.pop()
        if oid == old:
            return True
        if oid in commits and oid not in seen:
            seen.add(oid)
            waiting += commits[oid].parents
    return False


def reached(commits: Mapping[str, Commit], new: str) -> list[Commit]:
    """Return those of the commits that are reached from ``new``, in the order given."""
    waiting, seen = [new], set[str]()
    while waiting:
        oid = waiting.pop()
        if oid in commits and oid not in seen:
            seen.add(oid)
            waiting += commits[oid].parents
    return [commit for oid, commit in commits.items() if oid in seen]


def base_of(commits: Mapping[str, Commit], old: str, tip: str, *, beyond: str = "") -> str:
    """Return what the changes of a ref are shown against: what it had, or where a new one branched off.

    Args:
        commits: Those that are new.
        old: What the ref had, `NULL_OID` for none.
        tip: The commit it ends at.
        beyond: What a new ref is compared with when not all of its commits were read; empty when they were.

    Returns:
        A commit or a tag, or the empty tree for a history of its own.
    """
    if old != NULL_OID:
        return old
    if beyond:
        return beyond
    oid = tip
    while oid in commits:
        parents = commits[oid].parents
        oid = parents[0] if parents else EMPTY_TREE
    return oid
