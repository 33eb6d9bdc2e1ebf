"""Reads the history that is new to the refs of a push, range by range."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from connectors.errors import NotSentError
from connectors.git.quarantine.case import Case, revisions
from connectors.git.quarantine.history import LOG, PATCHES, History, read_history
from connectors.git.quarantine.local import broken
from connectors.git.quarantine.mirror import MirrorState
from connectors.git.quarantine.output import GitOutputError
from connectors.git.wire.push_request import NULL_OID, RefUpdate

_HOPELESS: Final = 4
"""A pack so many times as large as the text that is scanned is not compared line by line at all."""


def ranges(updates: Iterable[RefUpdate], state: MirrorState) -> dict[frozenset[str], list[str]]:
    """Return which commits are new to their refs: for each set of revisions to leave out, the tips to begin from.

    A ref's own old value and the default branch are left out; of a ref that is created, the default branch alone. Other
    refs are not: what is on one branch is new to another. Updates that leave out different things stay apart, or the
    old value of one would hide commits of the other.

    Args:
        updates: As sent; deletions bring nothing.
        state: What upstream has.
    """
    found: dict[frozenset[str], list[str]] = {}
    for update in updates:
        if update.new == NULL_OID:
            continue
        known = {update.old, state.trunk} - {NULL_OID, ""}
        found.setdefault(frozenset(known or state.tips), []).append(update.new)
    return found


async def read_ranges(case: Case, updates: tuple[RefUpdate, ...], pack_bytes: int) -> History | NotSentError:
    """Return the new history of all refs together, or why there is none: objects may be missing.

    Args:
        case: The push.
        updates: As sent.
        pack_bytes: Length of its pack.

    Raises:
        GitTimeoutError: it took too long.
    """
    limits, history = case.limits, History()
    for known, tips in ranges(updates, case.state).items():
        # All ranges together have to keep to the limits, so what one has used up the next is not given again.
        hopeless = pack_bytes > _HOPELESS * limits.scan_bytes or history.counted > limits.scan_bytes
        found = await _log(case, revisions(tips, sorted(known)), patches=not hopeless)
        if isinstance(found, NotSentError):
            return found
        history.join(found)
        if len(history.commits) > limits.commits or len(history.changes) > limits.changes:
            history.overflow = True
        if history.overflow:
            break
    return history


async def count_commits(case: Case, updates: tuple[RefUpdate, ...]) -> int:
    """Return how many commits are new to the refs, for a history that is too long to be read.

    Raises:
        NotSentError, GitTimeoutError: they cannot be counted.
    """
    total = 0
    for known, tips in ranges(updates, case.state).items():
        counted = await case.git.run("rev-list", "--count", "--stdin", stdin=revisions(tips, sorted(known)))
        if not counted.ok:
            raise broken("counting commits", counted)
        total += int(counted.stdout)
    return total


async def _log(case: Case, lines: bytes, *, patches: bool) -> History | NotSentError:
    options = (f"--max-count={case.limits.commits + 1}", *(PATCHES if patches else ()))
    try:
        ended, found = await case.git.parse(
            lambda pieces: read_history(pieces, case.limits), *LOG, *options, stdin=lines
        )
    except GitOutputError:
        return NotSentError("the history of the push cannot be read")
    if found.unscanned:  # then files are missing too, and they can be had without their lines
        whole = await _log(case, lines, patches=False)
        return whole if isinstance(whole, NotSentError) else replace(whole, added=found.added, counted=found.counted)
    if not ended.ok and not found.overflow:
        return broken("reading the history of the push", ended)
    return found if patches else replace(found, unscanned=True)
