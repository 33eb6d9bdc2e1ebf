"""Credentials in use: every right the vault lends, judged in one place.

Two things are lent: a stored credential, and one that was minted from it. Minting waits for an upstream; what it was
based on is looked at again when it returns, because the vault may have been sealed or the credential changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from vault.credential import Credential, check_ref
from vault.errors import LeaseRefusal, LeaseRefusedError
from vault.hosts import MAX_HOST_CHARS, host_is_bound
from vault.index import SecretIndex
from vault.issuers.aws_sts import check_mint
from vault.issuers.static import header_value
from vault.keeping import is_kept
from vault.minting import Issuer, Minter, MintKey
from vault.model import CredentialInfo, CredentialKind, CredentialRef, MintRequest, SecretValue, SigningRequest
from vault.registry import Registry
from vault.sigv4 import Signature, SigningKeys, sign


class Lender:
    """Lends credentials and signs with them.

    Args:
        registry: Gives what the vault holds; raises SealedError.
        clock: Nanoseconds since the epoch, UTC.
        issuer: Mints short-lived AWS credentials.
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

    def lease(self, ref: str, host: str) -> tuple[CredentialInfo, SecretValue | None]:
        """Open a lease: what may be shown of the credential, and its header value when it has one.

        Args:
            ref: Name of the credential.
            host: Upstream ``host`` or ``host:port`` it will be used with.

        Raises:
            CredentialMissingError: there is none of that name.
            LeaseRefusedError: the host is not bound to the credential.
            SealedError: the vault is sealed.
        """
        credential = self._lendable(ref, host)
        value = None if credential.kind is CredentialKind.AWS else header_value(credential)
        self._last_used_at_ns[credential.ref] = self._clock()
        return self.info(credential), value

    def lease_minted(
        self, ref: str, host: str, request: MintRequest, holder: str
    ) -> CredentialInfo | Callable[[], Coroutine[Any, Any, CredentialInfo]]:
        """Open a lease on a credential minted from another one: what may be shown of it, or what waits for that.

        Args:
            ref: Name of the credential to mint from.
            host: Upstream ``host`` or ``host:port`` it will be used with.
            request: What to mint.
            holder: ``agent/session``; another one gets another credential.

        Raises:
            BadRequestError: as `vault.issuers.aws_sts.check_mint`.
            CredentialMissingError: there is none of that name.
            LeaseRefusedError: a host is not bound to the credential, or the issuer says no.
            IssuerUnavailableError: the issuer does not say anything.
            SealedError: the vault is, or was, sealed.
        """
        credential = self._lendable(ref, host)
        check_mint(request, credential)
        key = MintKey(credential.ref, credential.version, request, holder)
        found = self._minter.find(key)
        return self.info(found.credential) if found is not None else partial(self._mint, key, credential)

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

    async def _mint(self, key: MintKey, credential: Credential) -> CredentialInfo:
        for _ in range(2):
            minted = await self._minter.mint(key, credential)
            current = self._registry().get(key.ref)
            if current is credential:
                self._last_used_at_ns[key.ref] = self._clock()
                return self.info(minted.credential)
            # Rotated meanwhile: what came back is of a key that may be on its way out.
            check_mint(key.request, current)
            credential, key = current, replace(key, version=current.version)
        raise LeaseRefusedError(f"credential `{key.ref}` keeps changing", LeaseRefusal.STALE)

    def _lendable(self, ref: str, host: str) -> Credential:
        credential = self._registry().get(check_ref(ref))
        # A kept one is bound to no host: its kind is what to say.
        if not host_is_bound(host, credential.hosts) and not is_kept(credential):
            shown = host.encode("unicode_escape").decode()[:MAX_HOST_CHARS]
            raise LeaseRefusedError(f"credential `{ref}` is not bound to host `{shown}`", LeaseRefusal.HOST)
        return credential
