"""Minted credentials: made once for many who ask at once, used until shortly before they end, never written down.

What is kept is bounded: the credential that was not used for longest goes first. One that goes, for whatever reason, is
still valid upstream, so it stays in the leak scan's index until it ends; only sealing the vault forgets that too.

Of a session token only the last `PIECE_BYTES` are looked for. Without them it is none, it opens nothing without the
secret key anyway, and all of its kilobyte would be most of the index.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from vault.credential import Credential
from vault.errors import IssuerUnavailableError
from vault.index import SecretIndex
from vault.issuers.aws_sts import Minted, assume_role
from vault.later import in_thread
from vault.model import CredentialRef, MintRequest
from vault.variants import PIECE_BYTES

MAX_MINTED: Final = 512
MAX_WAITING: Final = 512
"""Different credentials asked for at once."""
MAX_THREADS: Final = 8
"""Calls of the issuer at once; the others wait their turn."""
ANSWER_SECONDS: Final = 25.0
"""Longest wait for one; shorter than that of the vault's client, so that it gets an answer."""
_LEAST_REST_NS: Final = 60 * 1_000_000_000
"""A credential is not lent when less than this, or less than a quarter of its validity, is left of it."""


class Issuer(Protocol):
    """Mints one credential; may block. `assume_role` is the one in use."""

    def __call__(self, credential: Credential, request: MintRequest, holder: str, *, now_ns: int) -> Minted:
        """Return a minted credential.

        Raises:
            LeaseRefusedError: the issuer says no.
            IssuerUnavailableError: it does not say anything.
        """


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
    request: MintRequest
    holder: str


class Minter:
    """Mints credentials and remembers them.

    Args:
        clock: Nanoseconds since the epoch, UTC.
        issuer: Mints one.
        answer_seconds: Longest wait for it.
    """

    def __init__(
        self, clock: Callable[[], int], issuer: Issuer = assume_role, *, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._clock = clock
        self._issuer = issuer
        self._answer_seconds = answer_seconds
        self._minted: OrderedDict[MintKey, tuple[Minted, int]] = OrderedDict()
        self._keys: dict[tuple[CredentialRef, str], MintKey] = {}
        self._waiting: dict[MintKey, asyncio.Task[Minted]] = {}
        self._threads = asyncio.Semaphore(MAX_THREADS)
        self._seals = 0
        self.index = SecretIndex()

    def find(self, key: MintKey) -> Minted | None:
        """Return the credential that was minted for the same before, None when there is none or it ends soon."""
        found = self._minted.get(key)
        if found is None:
            return None
        if found[1] <= self._clock():
            self._forget(key)
            return None
        self._minted.move_to_end(key)
        return found[0]

    def named(self, ref: CredentialRef, identity: str) -> Minted | None:
        """Return a credential by its access key id; None as `find`."""
        key = self._keys.get((ref, identity))
        return self.find(key) if key is not None else None

    async def mint(self, key: MintKey, credential: Credential) -> Minted:
        """Return a new credential; all who ask for the same meanwhile get the same.

        Whether ``credential`` is still what it was when this returns is for the caller to see.

        Raises:
            LeaseRefusedError: the issuer says no.
            IssuerUnavailableError: it does not say anything in time, or too much is asked of it.
        """
        task = self._waiting.get(key)
        if task is None:
            if len(self._waiting) >= MAX_WAITING:
                raise IssuerUnavailableError(f"{MAX_WAITING} credentials are being minted; try again")
            task = asyncio.create_task(self._issue(key, credential))
            self._waiting[key] = task
            task.add_done_callback(lambda done: self._settled(key, done))
        # Shielded: whoever gives up must not take it from the others.
        return await asyncio.shield(task)

    def retain(self, current: Mapping[CredentialRef, Credential]) -> None:
        """Forget all that was minted from credentials that are gone or have another version now."""

        def is_stale(key: MintKey) -> bool:
            return key.ref not in current or current[key.ref].version != key.version

        for key in filter(is_stale, list(self._minted)):
            self._forget(key)
        for key in filter(is_stale, list(self._waiting)):
            del self._waiting[key]

    def clear(self) -> None:
        """Forget everything, and what is on its way."""
        self._seals += 1
        self._minted.clear()
        self._keys.clear()
        self._waiting.clear()
        self.index = SecretIndex()

    async def _issue(self, key: MintKey, credential: Credential) -> Minted:
        seals = self._seals
        try:
            async with asyncio.timeout(self._answer_seconds), self._threads:
                asked_ns = self._clock()
                minted = await in_thread(lambda: self._issuer(credential, key.request, key.holder, now_ns=asked_ns))
        except TimeoutError:
            raise IssuerUnavailableError("sts did not answer in time") from None
        now_ns = self._clock()
        rest_ns = max(_LEAST_REST_NS, (minted.expires_at_ns - asked_ns) // 4)
        if minted.expires_at_ns - rest_ns <= now_ns:
            raise IssuerUnavailableError("sts gave a key that ends too soon; do the clocks agree?")
        if seals == self._seals:
            self.index.add(_telling(minted.credential), until_ns=minted.expires_at_ns)
        if self._waiting.get(key) is asyncio.current_task():
            self._remember(key, minted, minted.expires_at_ns - rest_ns)
        return minted

    def _remember(self, key: MintKey, minted: Minted, until_ns: int) -> None:
        self._minted[key] = (minted, until_ns)
        self._keys[key.ref, minted.credential.identity] = key
        if len(self._minted) > MAX_MINTED:
            self._forget(next(iter(self._minted)))

    def _forget(self, key: MintKey) -> None:
        minted, _ = self._minted.pop(key)
        self._keys.pop((key.ref, minted.credential.identity), None)

    def _settled(self, key: MintKey, task: asyncio.Task[Minted]) -> None:
        if self._waiting.get(key) is task:
            del self._waiting[key]
        if not task.cancelled():
            # Looked at, so that one nobody waits for any more does not complain.
            task.exception()


def _telling(credential: Credential) -> list[bytes]:
    return [secret[-PIECE_BYTES:] for secret in credential.secrets()]
