"""Rotations as the vault's client asks for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from vault.model import CredentialRef
from vault.protocol import Frame
from vault.rotation.model import Milestone, RotationTerms
from vault.rotation.status import RotationStatus, decode_status, encode_terms


class RotationClient:
    """Asks the vault's process about rotations; every call answers at once.

    Args:
        ask: Sends one request and returns its answer.
    """

    def __init__(self, ask: Callable[[dict[str, Any]], Awaitable[Frame]]) -> None:
        self._ask = ask

    async def begin(self, ref: CredentialRef, terms: RotationTerms) -> None:
        """Begin to rotate a credential's key, or go on; see `status` for how it goes.

        Raises:
            VaultError: as `vault.rotation.rotations.Rotations.begin`.
        """
        await self._ask({"op": "rotation-begin", "ref": ref, "terms": encode_terms(terms)})

    async def abort(self, ref: CredentialRef) -> None:
        """Give a rotation up; see `status` for how it goes.

        Raises:
            VaultError: as `vault.rotation.rotations.Rotations.abort`.
        """
        await self._ask({"op": "rotation-abort", "ref": ref})

    async def tell(self, ref: CredentialRef, milestone: Milestone) -> None:
        """Say that the ledger has a milestone; a rotation at its end is forgotten with that.

        Raises:
            VaultError: the vault is sealed or gone.
        """
        await self._ask({"op": "rotation-tell", "ref": ref, "milestone": milestone.value})

    async def status(self, ref: CredentialRef) -> RotationStatus:
        """Return where the rotation of a credential's key stands.

        Raises:
            VaultError: the vault is sealed or gone.
        """
        answer, _ = await self._ask({"op": "rotation", "ref": ref})
        return decode_status(answer["rotation"])

    async def list(self) -> list[RotationStatus]:
        """Return every rotation that is not at its end or not told of.

        Raises:
            VaultError: the vault is sealed or gone.
        """
        found: list[RotationStatus] = []
        while True:
            answer, _ = await self._ask({"op": "rotations", "start": len(found)})
            if not answer["rotations"]:
                return found
            found += [decode_status(status) for status in answer["rotations"]]
