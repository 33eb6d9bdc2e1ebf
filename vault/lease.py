"""An open lease, on the client's side.

A lease on an AWS credential costs no round trip of its own: `sign_aws` is the one that counts, and the vault judges
there. What the client remembers of a credential only saves asking; when the vault has another version, it says so, and
the lease signs once more with that one. So it is with a minted credential that the vault has forgotten: the lease has
it minted again, once. A lease on an SSH key has told its public key already, so another version ends it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol

from vault.errors import LeaseRefusal, LeaseRefusedError, VaultError
from vault.hosts import host_is_bound
from vault.model import CredentialInfo, CredentialKind, CredentialRef, Mint, SecretValue, SigningRequest
from vault.protocol import Frame, JsonObject, decode_info


class Ask(Protocol):
    """Sends a request to the vault and returns its answer."""

    def __call__(self, header: JsonObject, raw: bytes = b"") -> Awaitable[Frame]:
        """Raise VaultError when the vault says no or nothing."""


MAX_KNOWN: Final = 2048
"""Each may be known by a session policy of two kilobytes."""


@dataclass(frozen=True, slots=True)
class MintTerms:
    """What a minted credential is known by.

    Args:
        ref: The credential it is minted from.
        request: What is minted.
        holder: ``agent/session``.
    """

    ref: CredentialRef
    request: Mint
    holder: str


class Known:
    """What a client remembers of credentials, stored and minted; what it forgets is asked for again."""

    def __init__(self) -> None:
        self._infos: OrderedDict[CredentialRef | MintTerms, CredentialInfo] = OrderedDict()

    def get(self, name: CredentialRef | MintTerms) -> CredentialInfo | None:
        """Return what is remembered of a credential."""
        return self._infos.get(name)

    def put(self, name: CredentialRef | MintTerms, info: CredentialInfo) -> None:
        """Remember a credential; the one that was put first goes when there are too many."""
        self._infos[name] = info
        if len(self._infos) > MAX_KNOWN:
            self._infos.popitem(last=False)

    def forget(self, name: CredentialRef | MintTerms) -> None:
        """Forget a credential."""
        self._infos.pop(name, None)


@dataclass(frozen=True, slots=True)
class Minting:
    """How a lease's credential came to be.

    Args:
        terms: What it is known by.
        again: Has it minted again.
    """

    terms: MintTerms
    again: Callable[[], Awaitable[CredentialInfo]]


@dataclass(frozen=True, slots=True)
class LentParts:
    """What is lent with a lease.

    Args:
        header: Ready header value; None when there is none.
        public_key: Of an SSH key, in its form on the wire; empty for others.
        host: Upstream it was lent for.
    """

    header: SecretValue | None = None
    public_key: bytes = b""
    host: str = ""


class VaultLease:
    """The right to use one credential for one plan; implements `vault.model.Lease`.

    Args:
        ask: Reaches the vault.
        known: What the client remembers; kept up to date.
        info: The credential.
        purpose: What the lease is for, told to the vault with each use.
        lent: What is lent with it; nothing for AWS credentials.
        minting: How it came to be; None for a stored credential.
    """

    def __init__(
        self,
        ask: Ask,
        known: Known,
        info: CredentialInfo,
        *,
        purpose: str,
        lent: LentParts | None = None,
        minting: Minting | None = None,
    ) -> None:
        self._ask = ask
        self._known = known
        self._info = info
        self._purpose = purpose
        self._lent = lent or LentParts()
        self._minting = minting
        self._token: SecretValue | None = None
        self._open = True

    @property
    def info(self) -> CredentialInfo:
        """The credential this lease is on; its version is the one that was used last."""
        return self._info

    @property
    def security_token(self) -> SecretValue | None:
        """Value of the ``X-Amz-Security-Token`` header of the request signed last; None when it needs none."""
        return self._token

    async def sign_aws(self, request: SigningRequest) -> str:
        """Return the ``Authorization`` header value for ``request``; AWS credentials only.

        A temporary credential's session token is signed too: send it as `security_token` says.

        Raises:
            LeaseRefusedError: the kind does not fit, the host is not bound, or the lease is closed.
            BadRequestError: the request is not one the vault signs.
            VaultError: the vault is sealed or gone, or the credential is.
        """
        self._check(CredentialKind.AWS)
        wanted = {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": request.headers,
            "payload_sha256": request.payload_sha256,
            "region": request.region,
            "service": request.service,
        }
        for _ in range(2):
            ask = {"op": "sign", "ref": self._info.ref, **self._which(), "purpose": self._purpose, "req": wanted}
            try:
                answer, raw = await self._ask(ask)
            except VaultError:
                self._known.forget(self._name)
                raise
            if "stale" not in answer:
                self._check(CredentialKind.AWS)
                self._token = SecretValue(raw) if answer["token"] else None
                return str(answer["a"])
            self._info = await self._renewed(answer["stale"])
            self._known.put(self._name, self._info)
            self._check(CredentialKind.AWS)
        raise LeaseRefusedError(f"credential `{self._info.ref}` keeps changing", LeaseRefusal.STALE)

    def header(self) -> SecretValue:
        """Return the value of the ``Authorization`` header; basic and bearer credentials and minted tokens only.

        Raises:
            LeaseRefusedError: the kind does not fit or the lease is closed.
        """
        self._check(CredentialKind.BASIC, CredentialKind.BEARER)
        if self._lent.header is None:
            raise LeaseRefusedError(f"credential `{self._info.ref}` has no header", LeaseRefusal.KIND)
        return self._lent.header

    @property
    def ssh_public_key(self) -> bytes:
        """Public key in the form it has on the wire; SSH credentials only.

        Raises:
            LeaseRefusedError: the kind does not fit or the lease is closed.
        """
        self._check(CredentialKind.SSH)
        return self._lent.public_key

    async def sign_ssh(self, data: bytes, flags: int) -> bytes:
        """Return the signature of an SSH user authentication; SSH credentials only.

        Args:
            data: What the client of SSH gives its agent to sign.
            flags: Of the agent's request.

        Raises:
            LeaseRefusedError: the kind or host does not fit, the key was rotated, or the lease is closed.
            BadRequestError: the data are no user authentication with this key.
            VaultError: the vault is sealed or gone, or the credential is.
        """
        self._check(CredentialKind.SSH)
        ask = {"op": "sign-ssh", "ref": self._info.ref, "v": self._info.version, "host": self._lent.host}
        _, signature = await self._ask({**ask, "purpose": self._purpose, "flags": flags}, data)
        self._check(CredentialKind.SSH)
        return signature

    def close(self) -> None:
        """End the right; a header that was lent is not called back."""
        self._open = False
        self._lent = LentParts()
        self._token = None

    @property
    def _name(self) -> CredentialRef | MintTerms:
        return self._info.ref if self._minting is None else self._minting.terms

    def _which(self) -> JsonObject:
        return {"v": self._info.version} if self._minting is None else {"minted": self._info.identity}

    async def _renewed(self, stale: JsonObject) -> CredentialInfo:
        return decode_info(stale) if self._minting is None else await self._minting.again()

    def _check(self, *kinds: CredentialKind) -> None:
        if not self._open:
            raise LeaseRefusedError(f"the lease on `{self._info.ref}` is closed", LeaseRefusal.CLOSED)
        if self._info.kind not in kinds:
            wanted = " or ".join(kinds)
            message = f"credential `{self._info.ref}` is of kind `{self._info.kind}`, not {wanted}"
            raise LeaseRefusedError(message, LeaseRefusal.KIND)


class LeaseOpening:
    """Opens a lease on entry and closes it on exit, however that comes.

    Args:
        open_lease: Gives the lease.
    """

    def __init__(self, open_lease: Callable[[], Awaitable[VaultLease]]) -> None:
        self._open_lease = open_lease
        self._lease: VaultLease | None = None

    async def __aenter__(self) -> VaultLease:
        self._lease = await self._open_lease()
        return self._lease

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lease is not None:
            self._lease.close()


def needs_asking(info: CredentialInfo | None, host: str) -> bool:
    """Tell whether a lease on what is remembered must ask the vault first.

    A header or public key is always asked for; so is a host that is not known to be bound, as that may have changed.
    """
    return info is None or info.kind is not CredentialKind.AWS or not host_is_bound(host, info.hosts)
