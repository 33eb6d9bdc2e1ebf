"""What crosses the vault's door: values that do not print, names of credentials, leases.

A lease is the right to use one credential for one plan. For AWS credentials and SSH keys the vault itself signs, so a
lease never carries the key; for header credentials it carries the ready header as a `SecretValue` for as long as it is
open.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, NoReturn, Protocol

CredentialRef = NewType("CredentialRef", str)
"""Name of a credential, ``folder/name``: ``aws/prod``, ``git/acme``; lower case, digits, ``-``, ``_``, ``.``."""


class SecretValue:
    """A secret that has no text form: no repr, str, format, pickle, JSON, equality or length.

    `reveal` is the one way to the bytes; a test lists the places that may call it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """Return the secret itself; call it at the last moment and keep no copy."""
        return self._value

    def __repr__(self) -> str:
        return "SecretValue(…)"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "a SecretValue cannot be pickled or copied"
        raise TypeError(msg)

    def __getstate__(self) -> NoReturn:
        msg = "a SecretValue has no state to take out"
        raise TypeError(msg)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


class CredentialKind(StrEnum):
    """What a credential is and therefore what a lease on it can do."""

    AWS = "aws"
    """Access key id and secret key; the vault signs canonical requests, the key stays inside."""
    BASIC = "basic"
    """User name and password, lent as an ``Authorization: Basic`` header value."""
    BEARER = "bearer"
    """A token, lent as an ``Authorization: Bearer`` header value."""
    GITHUB_APP = "github-app"
    """Id and private key of a GitHub App; the vault mints installation tokens with it, the key stays inside."""
    SSH = "ssh"
    """A private key; the vault signs user authentications of SSH with it, the key stays inside."""
    SEALED = "sealed"
    """A secret that came back from an upstream; it is kept and looked for in results, and no lease can be had on it."""


class VaultState(StrEnum):
    """Whether the vault can open anything."""

    UNINITIALISED = "uninitialised"
    SEALED = "sealed"
    UNSEALED = "unsealed"


@dataclass(frozen=True, slots=True)
class CredentialInfo:
    """What may be shown of a credential: never its value.

    Args:
        ref: Its name.
        kind: Its kind.
        version: Current version, from 1; `rotate` adds one.
        hosts: Upstream hosts the credential may be used with, as ``host``, ``host:port`` or ``*.suffix``.
        identity: The part that is no secret: access key id, user name, id of the app, fingerprint of the public key;
            empty for bearer tokens.
        created_at_ns: When the current version was put, nanoseconds since the epoch, UTC.
        last_used_at_ns: When a lease last used it in this vault process; 0 for never.
    """

    ref: CredentialRef
    kind: CredentialKind
    version: int
    hosts: tuple[str, ...]
    identity: str
    created_at_ns: int
    last_used_at_ns: int = 0


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """One AWS request to be signed, before its signature (SigV4, canonical request form).

    Args:
        method: HTTP method, upper case.
        path: Canonical URI, already encoded as the service wants it.
        query: Canonical query string.
        headers: Lower-case name to value of every header to be signed; must hold ``host``, ``x-amz-date`` and
            ``x-amz-content-sha256`` where the service wants it.
        payload_sha256: Hex digest of the body; for an upload to S3 that streams in, ``UNSIGNED-PAYLOAD`` or
            ``STREAMING-UNSIGNED-PAYLOAD-TRAILER``, see `vault.sigv4`.
        region: Region of the credential scope.
        service: Signing name of the credential scope.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    payload_sha256: str
    region: str
    service: str


@dataclass(frozen=True, slots=True)
class MintRequest:
    """A short-lived AWS credential to be minted for one plan: AssumeRole with a session policy (STS API, 2011-06-15).

    Args:
        role: ARN of the role.
        policy: Session policy, JSON; allows what the plan requires and nothing else.
        duration_seconds: Validity, 900 to 43200.
        endpoint: Origin of STS, ``https://sts.eu-west-1.amazonaws.com``; its host must be bound to the credential.
        region: Region the request to STS is signed for.
        external_id: External id of the role's trust policy; empty for none.
    """

    role: str
    policy: str
    duration_seconds: int
    endpoint: str
    region: str
    external_id: str = ""


class TokenScheme(StrEnum):
    """As which ``Authorization`` a minted token is lent."""

    BASIC = "basic"
    """User ``x-access-token`` with the token as password, as git over HTTPS wants it."""
    BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class GitHubTokenRequest:
    """A GitHub App installation token to be minted for one plan (REST API, "create an installation access token").

    Args:
        owner: Account the app is installed on.
        repositories: Names, without the owner, of the repositories it is good for, 1 to 500; empty only when every
            permission is one of an organisation, or when ``everywhere``.
        permissions: ``(permission, access)`` pairs, at least one, sorted: ``(("contents", "write"),)``; access is
            ``read``, ``write`` or ``admin``.
        endpoint: Origin of the API with its path, ``https://api.github.com`` or ``https://ghe.example/api/v3``; its
            host must be bound to the credential.
        scheme: How the token is lent.
        everywhere: It is good for every repository of the installation, to look up what an id names before anybody can
            know of which it is. It reads then, and no more than ``metadata``, ``issues`` and ``pull_requests``; said
            on its own, so that a list that came out empty is never all of them.
    """

    owner: str
    repositories: tuple[str, ...]
    permissions: tuple[tuple[str, str], ...]
    endpoint: str
    scheme: TokenScheme = TokenScheme.BEARER
    everywhere: bool = False


Mint = MintRequest | GitHubTokenRequest
"""What can be minted from a stored credential and lent in its stead."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """What became of the minted tokens of a session that ended.

    Args:
        revoked: How many the upstream does not take any more.
        failed: How many it could not be told to forget; they end by themselves, within the hour.
    """

    revoked: int
    failed: int


class Lease(Protocol):
    """An open right to use one credential; closed by the pipeline when the attempt ends, however it ends."""

    @property
    def info(self) -> CredentialInfo:
        """The credential this lease is on."""

    async def sign_aws(self, request: SigningRequest) -> str:
        """Return the ``Authorization`` header value for ``request``; AWS credentials only.

        Raises:
            VaultError: the kind does not fit, the host is not bound to the credential, the lease is closed, or the
                vault is sealed or gone.
        """

    @property
    def security_token(self) -> SecretValue | None:
        """Value of the ``x-amz-security-token`` header that goes with the last signature; None when it needs none."""

    def header(self) -> SecretValue:
        """Return the value of the ``Authorization`` header; basic and bearer credentials and minted tokens only.

        Raises:
            VaultError: the kind does not fit or the lease is closed.
        """

    @property
    def ssh_public_key(self) -> bytes:
        """Public key in the form it has on the wire (RFC 4253 section 6.6); SSH credentials only.

        Raises:
            VaultError: the kind does not fit or the lease is closed.
        """

    async def sign_ssh(self, data: bytes, flags: int) -> bytes:
        """Return the signature of an SSH user authentication, as an agent answers it; SSH credentials only.

        Args:
            data: What the client of SSH gives its agent to sign (RFC 4252 section 7).
            flags: Of the agent's request: 2 for rsa-sha2-256, 4 for rsa-sha2-512, 0 for keys that are not RSA.

        Raises:
            VaultError: it is no user authentication with this key, the kind does not fit, the key was rotated, the
                lease is closed, or the vault is sealed or gone.
        """
