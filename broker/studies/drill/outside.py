"""The world as a drill sees it: nothing is lent, nothing is sent, and every try is noted.

A drill asks for what must be denied or must wait for a person. Should the broker go further all the same, it ends here,
and the report says how far it came.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final, NoReturn

from broker.ids import IntentId
from broker.redaction import StreamScanner
from connectors.base import UpstreamResponse
from connectors.errors import NotSentError
from vault.errors import SealedError
from vault.model import CredentialRef, Lease, Mint, Revoked, SecretValue

_REFUSED: Final = "a drill has no outside"


class _Closed(AbstractAsyncContextManager[Any]):
    """A context nobody can enter.

    Args:
        error: Raised to whoever tries.
    """

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def __aenter__(self) -> NoReturn:
        raise self._error

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: it was never entered."""


class Outside:
    """Stands for the vault, the way out and the queue; refuses all that would act.

    Attributes:
        tried: What the broker wanted of the outside, in order: a word and what it was for.
    """

    def __init__(self) -> None:
        self.tried: list[str] = []

    def lease(
        self,
        credential: CredentialRef,
        *,
        host: str,
        purpose: str,
        mint: Mint | None = None,  # noqa: ARG002 - nothing is minted
        holder: str = "",  # noqa: ARG002 - nobody holds it
    ) -> AbstractAsyncContextManager[Lease]:
        """Refuse to lend a credential; see `broker.ports.Leases`."""
        self.tried.append(f"lease {credential} for {host or 'no host'} ({purpose})")
        return _Closed(SealedError(_REFUSED))

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes] = b"",
        patience_seconds: float = 0.0,  # noqa: ARG002 - nothing is waited for
    ) -> AbstractAsyncContextManager[UpstreamResponse]:
        """Refuse to send; see `connectors.base.Transport`."""
        size = f"{len(body)} bytes" if isinstance(body, bytes) else "a stream"
        self.tried.append(f"{method} {url} ({len(headers)} headers, {size})")
        return _Closed(NotSentError(_REFUSED))

    async def scrub(self, data: bytes) -> tuple[bytes, int]:
        """Refuse to scan: there is no result whose secrets could be masked; see `broker.redaction.Scrubber`."""
        self.tried.append(f"scrub {len(data)} bytes")
        raise SealedError(_REFUSED)

    def scanner(self) -> StreamScanner:
        """Refuse likewise."""
        self.tried.append("scan a stream")
        raise SealedError(_REFUSED)

    async def keep(self, name: str, values: Mapping[str, str]) -> CredentialRef:
        """Refuse to seal; see `broker.ports.Keeper`."""
        self.tried.append(f"seal {len(values)} values of {name}")
        raise SealedError(_REFUSED)

    async def revoke(self, session: str) -> Revoked:  # noqa: ARG002 - no session has any
        """Take nothing back: nothing was minted, and to end a session is no try to act; see `broker.ports.Minted`."""
        return Revoked(0, 0)

    async def enclose(self, name: str, part: str, index: int, plain: bytes) -> bytes:  # noqa: ARG002 - refuses
        """Refuse: nothing is kept."""
        raise SealedError(_REFUSED)

    async def disclose(self, name: str, part: str, index: int, sealed: bytes) -> bytes:  # noqa: ARG002 - refuses
        """Refuse: nothing was kept."""
        raise SealedError(_REFUSED)

    async def derive(self, label: str, subject: str) -> SecretValue:
        """Refuse to derive; see `broker.ports.Deriver`."""
        self.tried.append(f"derive {label} for {subject}")
        raise SealedError(_REFUSED)

    async def health(self) -> bool | str:
        """Return what the vault is: not there."""
        return _REFUSED

    async def send(self, intent_id: IntentId, fence: int) -> bool:
        """Note that approved work was to be done; see `broker.ports.WorkQueue`."""
        self.tried.append(f"queue {intent_id} at fence {fence}")
        return False

    async def post(self, delivery_id: str, attempt: int) -> bool:
        """Note that an alert was to be delivered; see `broker.ports.WorkQueue`."""
        self.tried.append(f"queue {delivery_id} at try {attempt}")
        return False

    async def alive(self) -> bool:
        """Return that nothing waits for work."""
        return False
