"""Checks that a push is whole and nothing but itself: every object is there, and no object is there for nothing.

An object that no new tip reaches would lie on the host unjudged, to be fetched by its id. Objects that upstream has
are let pass: a client that knows little of the repository sends some of them again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from connectors.errors import NotSentError, UpstreamRefusedError
from connectors.git.quarantine.case import Case, count_missing, revisions
from connectors.git.quarantine.local import broken
from connectors.git.quarantine.output import Output
from connectors.git.wire.push_request import NULL_OID, RefUpdate

_HEX_CHARS: Final = 40


async def check_connected(case: Case, updates: tuple[RefUpdate, ...], names: frozenset[bytes]) -> None:
    """Check the objects of a push.

    Args:
        case: The push.
        updates: As sent.
        names: Binary ids of the objects in its pack.

    Raises:
        UpstreamRefusedError: some are missing, code ``missing-objects``, or some are extra, code ``extra-objects``.
        NotSentError: the mirror is damaged, or git failed.
        GitTimeoutError: it took too long.
    """
    wanted = revisions((each.new for each in updates if each.new != NULL_OID), sorted(case.state.tips))
    unseen = set(names)
    listed, _ = await case.git.parse(
        lambda pieces: _strike(pieces, unseen),
        *("rev-list", "--objects", "--no-object-names", "--stdin"),
        stdin=wanted,
    )
    if not listed.ok:
        await _blame_mirror(case)
        raise UpstreamRefusedError(
            "the push builds on objects that neither its pack nor the repository has", code="missing-objects"
        )
    if unseen and (extra := await _unknown_upstream(case, unseen)):
        raise UpstreamRefusedError(
            f"the pack has {extra} objects that nothing in the push needs; nothing was pushed", code="extra-objects"
        )


def _strike(pieces: Iterator[bytes], unseen: set[bytes]) -> None:
    output = Output(pieces)
    while output.peek(1):
        unseen.discard(bytes.fromhex(output.until(b"\n")[:_HEX_CHARS].decode()))


async def _blame_mirror(case: Case) -> None:
    """Raise when the mirror lacks what it says it has."""
    case.mirror.mark_suspect()
    answer, gone = await count_missing(case.git, case.state.tips)
    if gone or not answer.ok:
        raise NotSentError("the mirror of the repository is damaged; it is mended when the push is sent again")


async def _unknown_upstream(case: Case, names: set[bytes]) -> int:
    beside = replace(case.git, area=replace(case.git.area, elsewhere=case.mirror.path))
    answer, extra = await count_missing(beside, (name.hex() for name in sorted(names)))
    if not answer.ok:
        raise broken("looking up objects", answer)
    return extra
