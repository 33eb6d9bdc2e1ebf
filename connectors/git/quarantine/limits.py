"""How much a push may cost the broker's machine, and how much room mirrors may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class YardLimits:
    """Bounds of mirrors and quarantines.

    Args:
        pack_bytes: Largest pack that is taken in; hosts take 2 GiB.
        objects: Most objects in a pack; their index is held in memory while it is made, some 100 bytes each.
        blob_bytes: Largest file, inflated.
        memory_bytes: Address space of each git that reads what was sent.
        seconds: From the first byte of a pack to the end of its judgement, the wait for a free place included.
        at_once: Quarantines in one process.
        lock_seconds: How long to wait for another process that fetches the same mirror.
        mirrors_bytes: Room for all mirrors together; those that were not used for longest are dropped above it.
        mirror_packs: Packs in a mirror, one for each fetch, before they are joined.
        commits: New commits of one push that are looked into; of more, only their number is told.
        changes: Changed files over all of them, likewise.
        scan_bytes: Added text that is scanned for secrets; more counts as a finding.
        scan_file_bytes: Largest file that is compared line by line and scanned; a larger one counts as a finding.
    """

    pack_bytes: int = 2 << 30
    objects: int = 1_000_000
    blob_bytes: int = 1 << 30
    memory_bytes: int = 2 << 30
    seconds: float = 600.0
    at_once: int = 8
    lock_seconds: float = 300.0
    mirrors_bytes: int = 20 << 30
    mirror_packs: int = 50
    commits: int = 2_000
    changes: int = 20_000
    scan_bytes: int = 16 << 20
    scan_file_bytes: int = 8 << 20
