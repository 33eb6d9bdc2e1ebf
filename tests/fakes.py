"""Fakes that keep the real protocols: a lease that signs by itself and a transport that answers from a script."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from connectors.base import UpstreamResponse
from vault.errors import LeaseRefusal, LeaseRefusedError
from vault.model import CredentialInfo, CredentialKind, CredentialRef, SecretValue, SigningRequest


class FakeLease:
    """A lease of the `vault.model.Lease` protocol on a credential in memory.

    Args:
        identity: Access key id or user name.
        secret: Secret key, or the ready header value of a basic or bearer credential.
        kind: Kind of the credential.
    """

    def __init__(self, identity: str, secret: str, kind: CredentialKind = CredentialKind.AWS) -> None:
        self._identity = identity
        self._secret = secret
        self._kind = kind
        self.signed: list[SigningRequest] = []

    @property
    def info(self) -> CredentialInfo:
        return CredentialInfo(
            ref=CredentialRef("test/credential"),
            kind=self._kind,
            version=1,
            hosts=("*",),
            identity=self._identity,
            created_at_ns=0,
        )

    async def sign_aws(self, request: SigningRequest) -> str:
        """Sign as Signature Version 4 says, step by step."""
        self.signed.append(request)
        names = sorted(request.headers)
        signed_names = ";".join(names)
        canonical = "\n".join(
            [
                request.method,
                request.path,
                request.query,
                *(f"{name}:{' '.join(request.headers[name].split())}" for name in names),
                "",
                signed_names,
                request.payload_sha256,
            ]
        )
        stamp = request.headers["x-amz-date"]
        scope = f"{stamp[:8]}/{request.region}/{request.service}/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{self._secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
        return (
            f"AWS4-HMAC-SHA256 Credential={self._identity}/{scope}, SignedHeaders={signed_names}, Signature={signature}"
        )

    @property
    def security_token(self) -> SecretValue | None:
        return None

    def header(self) -> SecretValue:
        return SecretValue(self._secret.encode())

    @property
    def ssh_public_key(self) -> bytes:
        raise LeaseRefusedError("this credential has no public key", LeaseRefusal.KIND)

    async def sign_ssh(self, data: bytes, flags: int) -> bytes:
        raise LeaseRefusedError("this credential does not sign for ssh", LeaseRefusal.KIND)


@dataclass(slots=True)
class Sent:
    """One request a `FakeTransport` got."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Answer:
    """One scripted answer; ``cut`` is raised after the chunks."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    chunks: tuple[bytes, ...] = ()
    cut: Exception | None = None


class FakeTransport:
    """A transport of the `connectors.base.Transport` protocol that answers from a script and counts what is open.

    Args:
        script: Answers in order; an exception is raised instead of an answer.
    """

    def __init__(self, *script: Answer | BaseException) -> None:
        self._script = list(script)
        self.sent: list[Sent] = []
        self.open = 0

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes] = b"",
        patience_seconds: float = 0.0,
    ) -> AsyncIterator[UpstreamResponse]:
        whole = body if isinstance(body, bytes) else b"".join([piece async for piece in body])
        self.sent.append(Sent(method, url, dict(headers), whole))
        step = self._script.pop(0)
        if isinstance(step, BaseException):
            raise step
        self.open += 1
        chunks = _chunks(step)
        try:
            yield UpstreamResponse(step.status, {key.lower(): value for key, value in step.headers.items()}, chunks)
        finally:
            await chunks.aclose()
            self.open -= 1


async def _chunks(answer: Answer) -> AsyncGenerator[bytes, None]:
    for chunk in answer.chunks:
        await asyncio.sleep(0)
        yield chunk
    if answer.cut is not None:
        raise answer.cut
