"""What every part of a judgement works with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from connectors.git.process import Finished
from connectors.git.quarantine.limits import YardLimits
from connectors.git.quarantine.local import LocalGit
from connectors.git.quarantine.mirror import Mirror, MirrorState
from connectors.git.quarantine.output import Output


@dataclass(frozen=True, slots=True)
class Case:
    """A push in quarantine.

    Args:
        git: Works in the quarantine.
        mirror: What the quarantine is beside.
        state: What upstream has.
        limits: How much is looked at.
    """

    git: LocalGit
    mirror: Mirror
    state: MirrorState
    limits: YardLimits


def revisions(tips: Iterable[str], known: Iterable[str]) -> bytes:
    """Return what is read by ``--stdin``: everything reached from some objects and not from others."""
    return "".join([*(f"{oid}\n" for oid in tips), *(f"^{oid}\n" for oid in known)]).encode()


async def count_missing(git: LocalGit, names: Iterable[str]) -> tuple[Finished, int]:
    """Return how many objects are not in a repository, and how git ended."""
    asked = "".join(f"{name}\n" for name in names).encode()
    return await git.parse(_missing, "cat-file", "--batch-check", stdin=asked)


def _missing(pieces: Iterator[bytes]) -> int:
    output, count = Output(pieces), 0
    while output.peek(1):
        count += output.until(b"\n").endswith(b" missing")
    return count
