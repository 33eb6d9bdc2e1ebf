"""What an issuer of short-lived credentials gives, and what it is known by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vault.credential import Credential
from vault.model import CredentialRef, Mint


@dataclass(frozen=True, slots=True)
class MintKey:
    """What makes two asks the same: both may be given the same credential.

    Args:
        ref: The credential it is minted from.
        version: Its version.
        request: What is minted.
        holder: Who for, ``agent/session``.
    """

    ref: CredentialRef
    version: int
    request: Mint
    holder: str

    @property
    def session(self) -> str:
        """The session it is for."""
        return self.holder.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Minted:
    """A short-lived credential, in the memory of the vault process and nowhere else.

    Args:
        credential: The key or token, under name, version and hosts of the one it was minted from.
        expires_at_ns: When it ends, nanoseconds since the epoch, UTC.
        revoke: Tells the upstream to take it no more, and whether it will not; blocks and raises nothing. None when
            there is no such thing, as for keys of STS.
    """

    credential: Credential
    expires_at_ns: int
    revoke: Callable[[], bool] | None = field(default=None, repr=False, compare=False)
