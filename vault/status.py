"""What anybody who reaches the vault may know of it."""

from __future__ import annotations

from dataclasses import dataclass

from vault.model import VaultState


@dataclass(frozen=True, slots=True)
class VaultStatus:
    """The vault's state, and counts when it is unsealed.

    Args:
        state: Whether it can open anything.
        credentials: How many there are; 0 unless unsealed.
        keyring_version: Term of the keyring; 0 unless unsealed.
        generation: Counts the changes of the storage; 0 unless unsealed. Less than before means it was put back.
        reason: Why it is still sealed although KMS was asked; empty when nothing went wrong.
    """

    state: VaultState
    credentials: int = 0
    keyring_version: int = 0
    generation: int = 0
    reason: str = ""
