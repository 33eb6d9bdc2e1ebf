"""Credentials in use: every right the vault lends, judged in one place.

Two things are lent: a stored credential, and one that was minted from it. Keys of AWS and SSH sign here and never
leave; of an app only what is minted is lent. Minting waits for an upstream; what it was based on is looked at again
when it returns, because the vault may have been sealed or the credential changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from vault.credential import Credential, check_ref
from vault.errors import LeaseRefusal, LeaseRefusedError
from vault.hosts import MAX_HOST_CHARS, host_is_bound
from vault.index import SecretIndex
from vault.issuers.github_app import lent_as, same_for_all
from vault.issuers.mint import check_mint
from vault.issuers.minted import Minted, MintKey
from vault.issuers.static import header_value
from vault.keeping import is_kept
from vault.minting import Issuer, Minter
from vault.model import (
    CredentialInfo,
    CredentialKind,
    CredentialRef,
    GitHubTokenRequest,
    Mint,
    Revoked,
    SecretValue,
    SigningRequest,
)
from vault.registry import Registry
from vault.sigv4 import Signature, SigningKeys, sign
from vault.ssh import public_key, sign_ssh

SETTLE_SECONDS: Final = 3.0
"""How long a vault that ends waits for tokens to be taken back."""


@dataclass(frozen=True, slots=True)
class Lent:
    """What a lease carries.

    Args:
        info: What may be shown of the credential.
        header: Its ``Authorization`` header value; None for one that signs.
        public_key: Of an SSH key, in its form on the wire; empty for others.
    """

    info: CredentialInfo
    header: SecretValue | None = None
    public_key: bytes = b""


class Lender:
    """Lends credentials and signs with them.

    Args:
        registry: Gives what the vault holds; raises SealedError.
        clock: Nanoseconds since the epoch, UTC.
        issuer: Mints short-lived credentials.
    """

    def __init__(self, registry: Callable[[], Registry], clock: Callable[[], int], issuer: Issuer) -> None:
        self._registry = registry
        self._clock = clock
        self._keys = SigningKeys()
        self._minter = Minter(clock, issuer)
        self._last_used_at_ns: dict[CredentialRef, int] = {}

    def info(self, credential: Credential) -> CredentialInfo:
        """Return what may be shown of a credential, and when it was used last."""
        return credential.info(self._last_used_at_ns.get(credential.ref, 0))

    def minted_index(self) -> SecretIndex:
        """Return the index of all minted secrets that have not ended."""
        self._minter.index.expire(self._clock())
        return self._minter.index

    def changed(self) -> None:
        """Forget what belongs to credentials that are gone or have another value now."""
        current = self._registry().credentials
        self._keys.clear()
        self._minter.retain(current)
        for ref in self._last_used_at_ns.keys() - current.keys():
            del self._last_used_at_ns[ref]

    def forget(self) -> None:
        """Forget every secret: the vault is sealed."""
        self._keys.clear()
        self._minter.clear()

    def lease(self, ref: str, host: str) -> Lent:
        """Open a lease on a stored credential.

        Args:
            ref: Name of the credential.
            host: Upstream ``host`` or ``host:port`` it will be used with.

        Raises:
            CredentialMissingError: there is none of that name.
            LeaseRefusedError: the host is not bound to the credential, or it is not one that is lent.
            SealedError: the vault is sealed.
        """
        credential = self._lendable(ref, host)
        key = public_key(credential) if credential.kind is CredentialKind.SSH else b""
        signs = credential.kind in {CredentialKind.AWS, CredentialKind.SSH}
        value = None if signs else header_value(credential)
        self._last_used_at_ns[credential.ref] = self._clock()
        return Lent(self.info(credential), value, key)

    def lease_minted(
        self, ref: str, host: str, request: Mint, holder: str
    ) -> Lent | Callable[[], Coroutine[Any, Any, Lent]]:
        """Open a lease on a credential minted from another one, or return what waits for that.

        Args:
            ref: Name of the credential to mint from.
            host: Upstream ``host`` or ``host:port`` it will be used with.
            request: What to mint.
            holder: ``agent/session``; another one gets another credential.

        Raises:
            BadRequestError: as `vault.issuers.mint.check_mint`.
            CredentialMissingError: there is none of that name.
            LeaseRefusedError: a host is not bound to the credential, the issuer says no, or the session was killed.
            IssuerUnavailableError: the issuer does not say anything.
            SealedError: the vault is, or was, sealed.
        """
        credential = self._lendable(ref, host)
        check_mint(request, credential)
        same = same_for_all(request) if isinstance(request, GitHubTokenRequest) else request
        key = MintKey(credential.ref, credential.version, same, holder)
        found = self._minter.find(key)
        return self._lent(found, request) if found is not None else partial(self._mint, key, credential, request)

    async def revoke(self, session: str) -> Revoked:
        """Take back what was minted for a session that was killed, and mint nothing more for it."""
        return await self._minter.revoke(session)

    async def settled(self) -> None:
        """Wait, not for long, until what is being taken back is."""
        await self._minter.revocations.settled(SETTLE_SECONDS)

    def sign_ssh(self, ref: str, version: int, host: str, data: bytes, flags: int) -> bytes:
        """Sign a user authentication of SSH with the version of the key whose public key the caller has shown.

        Args:
            ref: Name of the credential.
            version: The one that was lent.
            host: Upstream ``host`` or ``host:port`` it is used with.
            data: What is to be signed.
            flags: Of the agent's request.

        Raises:
            BadRequestError: as `vault.ssh.sign_ssh`.
            CredentialMissingError: there is none of that name.
            LeaseRefusedError: it has another version now, is no SSH key, or is not bound to the host.
            SealedError: the vault is sealed.
        """
        credential = self._lendable(ref, host)
        if credential.version != version:
            raise LeaseRefusedError(f"credential `{ref}` has another key now", LeaseRefusal.STALE)
        signature = sign_ssh(credential, data, flags)
        self._last_used_at_ns[credential.ref] = self._clock()
        return signature

    def sign_minted(self, ref: str, identity: str, request: SigningRequest) -> Signature | None:
        """Sign a request with a minted credential; None when there is none, or it ends soon.

        Args:
            ref: Name of the credential it was minted from.
            identity: Its access key id.
            request: What is to be signed.

        Raises:
            BadRequestError, LeaseRefusedError: as `vault.sigv4.sign`.
            SealedError: the vault is sealed.
        """
        self._registry()
        found = self._minter.named(check_ref(ref), identity)
        if found is None:
            return None
        now_ns = self._clock()
        signature = sign(request, found.credential, self._keys, now_ns=now_ns)
        self._last_used_at_ns[found.credential.ref] = now_ns
        return signature

    def sign_aws(self, ref: str, version: int, request: SigningRequest) -> Signature | CredentialInfo:
        """Sign a request with the version of the credential the caller knows.

        Returns:
            The signature; or, when the credential has another version now, what may be shown of that one.

        Raises:
            BadRequestError, LeaseRefusedError: as `vault.sigv4.sign`.
            CredentialMissingError: there is none of that name.
            SealedError: the vault is sealed.
        """
        credential = self._registry().get(check_ref(ref))
        if credential.version != version:
            return self.info(credential)
        now_ns = self._clock()
        signature = sign(request, credential, self._keys, now_ns=now_ns)
        self._last_used_at_ns[credential.ref] = now_ns
        return signature

    async def _mint(self, key: MintKey, credential: Credential, request: Mint) -> Lent:
        for _ in range(2):
            minted = await self._minter.mint(key, credential)
            current = self._registry().get(key.ref)
            if current is credential:
                self._last_used_at_ns[key.ref] = self._clock()
                return self._lent(minted, request)
            # Rotated meanwhile: what came back is of a key that may be on its way out.
            check_mint(request, current)
            credential, key = current, replace(key, version=current.version)
        raise LeaseRefusedError(f"credential `{key.ref}` keeps changing", LeaseRefusal.STALE)

    def _lent(self, minted: Minted, request: Mint) -> Lent:
        if not isinstance(request, GitHubTokenRequest):
            return Lent(self.info(minted.credential))
        token = lent_as(minted.credential, request.scheme)
        return Lent(self.info(token), header_value(token))

    def _lendable(self, ref: str, host: str) -> Credential:
        credential = self._registry().get(check_ref(ref))
        # A kept one is bound to no host: its kind is what to say.
        if not host_is_bound(host, credential.hosts) and not is_kept(credential):
            shown = host.encode("unicode_escape").decode()[:MAX_HOST_CHARS]
            raise LeaseRefusedError(f"credential `{ref}` is not bound to host `{shown}`", LeaseRefusal.HOST)
        return credential
