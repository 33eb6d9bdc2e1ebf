"""Minted credentials: made once for many who ask at once, used until shortly before they end, never written down.

What is kept is bounded: the credential that was not used for longest goes first. One that goes, for whatever reason, is
still valid upstream, so it stays in the leak scan's index until it ends; only sealing the vault forgets that too.

A token that can be taken back is, when its session was killed, its source has another value or is gone, or the vault is
sealed; also one that came too late for whoever asked. A session that was killed gets nothing more.

Of a session token only the last `PIECE_BYTES` are looked for. Without them it is none, it opens nothing without the
secret key anyway, and all of its kilobyte would be most of the index.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from vault.credential import Credential
from vault.errors import IssuerUnavailableError, LeaseRefusal, LeaseRefusedError
from vault.index import SecretIndex
from vault.issuers.minted import Minted, MintKey
from vault.later import in_thread
from vault.model import CredentialKind, CredentialRef, Mint, MintRequest, Revoked
from vault.revocations import Revocations, counted
from vault.variants import PIECE_BYTES

MAX_MINTED: Final = 512
MAX_WAITING: Final = 512
"""Different credentials asked for at once."""
MAX_THREADS: Final = 8
"""Calls of the issuer at once; the others wait their turn."""
ANSWER_SECONDS: Final = 25.0
"""Longest wait for one; shorter than that of the vault's client, so that it gets an answer."""
_LEAST_REST_NS: Final = 60 * 1_000_000_000
"""A credential is not lent when less than this is left of it, or, of a key that signs on, a quarter of its validity."""
MAX_ENDED: Final = 4096
"""Killed sessions that are remembered, so that what was on its way for one is not lent."""


class Issuer(Protocol):
    """Mints one credential; may block. `vault.issuers.mint.Issuers` is the one in use."""

    def __call__(self, credential: Credential, request: Mint, holder: str, *, now_ns: int) -> Minted:
        """Return a minted credential.

        Raises:
            LeaseRefusedError: the issuer says no.
            IssuerUnavailableError: it does not say anything.
        """


class Minter:
    """Mints credentials and remembers them.

    Args:
        clock: Nanoseconds since the epoch, UTC.
        issuer: Mints one.
        answer_seconds: Longest wait for it.
    """

    def __init__(self, clock: Callable[[], int], issuer: Issuer, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._clock = clock
        self._issuer = issuer
        self._answer_seconds = answer_seconds
        self._minted: OrderedDict[MintKey, tuple[Minted, int]] = OrderedDict()
        self._keys: dict[tuple[CredentialRef, str], MintKey] = {}
        self._waiting: dict[MintKey, asyncio.Task[Minted]] = {}
        self._threads = asyncio.Semaphore(MAX_THREADS)
        self._seals = 0
        self._ended: OrderedDict[str, None] = OrderedDict()
        self.revocations = Revocations(clock)
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
        """Return a credential that signs by its access key id; None as `find`."""
        key = self._keys.get((ref, identity))
        return self.find(key) if key is not None else None

    async def mint(self, key: MintKey, credential: Credential) -> Minted:
        """Return a new credential; all who ask for the same meanwhile get the same.

        Whether ``credential`` is still what it was when this returns is for the caller to see.

        Raises:
            LeaseRefusedError: the issuer says no, or the session was killed.
            IssuerUnavailableError: it does not say anything in time, or too much is asked of it.
        """
        self._refuse_ended(key)
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
        """Give up all that was minted from credentials that are gone or have another version now."""
        self._give_up(lambda key: key.ref not in current or current[key.ref].version != key.version)

    async def revoke(self, session: str) -> Revoked:
        """Give up all that was minted for a session, now and from now on; return what became of the tokens."""
        self._ended[session] = None
        if len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)
        return await counted(self._give_up(lambda key: key.session == session))

    def clear(self) -> None:
        """Give up everything, and what is on its way."""
        self._seals += 1
        self._give_up(lambda _key: True)
        self.index = SecretIndex()

    def _give_up(self, is_over: Callable[[MintKey], bool]) -> list[asyncio.Task[bool]]:
        for key in filter(is_over, list(self._minted)):
            self._forget(key)
        for key in filter(is_over, list(self._waiting)):
            del self._waiting[key]
        return self.revocations.revoke(is_over)

    async def _issue(self, key: MintKey, credential: Credential) -> Minted:
        seals, asking = self._seals, _Asking(self._issuer, credential, key)
        try:
            async with asyncio.timeout(self._answer_seconds), self._threads:
                asked_ns = self._clock()
                minted = await in_thread(lambda: asking.run(asked_ns))
        except TimeoutError:
            asking.give_up()
            raise IssuerUnavailableError("the issuer did not answer in time") from None
        rest_ns = _rest_ns(key.request, minted.expires_at_ns - asked_ns)
        if minted.expires_at_ns - rest_ns <= self._clock():
            self.revocations.take_back(minted)
            raise IssuerUnavailableError("the issuer gave a key that ends too soon; do the clocks agree?")
        if seals == self._seals:
            self.index.add(_telling(minted.credential), until_ns=minted.expires_at_ns)
        if self._waiting.get(key) is asyncio.current_task():
            self._remember(key, minted, minted.expires_at_ns - rest_ns)
        else:
            # Given up while it was on its way.
            self.revocations.take_back(minted)
            self._refuse_ended(key)
        return minted

    def _refuse_ended(self, key: MintKey) -> None:
        if key.session in self._ended:
            raise LeaseRefusedError(f"nothing is minted from `{key.ref}` for a killed session", LeaseRefusal.CLOSED)

    def _remember(self, key: MintKey, minted: Minted, until_ns: int) -> None:
        self._minted[key] = (minted, until_ns)
        self.revocations.add(key, minted)
        if minted.credential.kind is CredentialKind.AWS:
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


class _Asking:
    """One question to an issuer, in a thread; what comes once nobody waits for it is taken back there."""

    def __init__(self, issuer: Issuer, credential: Credential, key: MintKey) -> None:
        self._issuer = issuer
        self._credential = credential
        self._key = key
        self._got: list[Minted] = []
        self._given_up = threading.Event()

    def run(self, asked_ns: int) -> Minted:
        minted = self._issuer(self._credential, self._key.request, self._key.holder, now_ns=asked_ns)
        self._got.append(minted)
        if self._given_up.is_set() and minted.revoke is not None:
            minted.revoke()
        return minted

    def give_up(self) -> None:
        self._given_up.set()
        # It may have come in this very moment; to take it back twice does no harm.
        for minted in self._got:
            if minted.revoke is not None:
                threading.Thread(target=minted.revoke, daemon=True, name="vault-late").start()


def _rest_ns(request: Mint, validity_ns: int) -> int:
    return max(_LEAST_REST_NS, validity_ns // 4) if isinstance(request, MintRequest) else _LEAST_REST_NS


def _telling(credential: Credential) -> list[bytes]:
    return [secret[-PIECE_BYTES:] for secret in credential.secrets()]
