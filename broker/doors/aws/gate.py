"""From an access key and a signature to a living session.

1. The access key id names the session; the secret that belongs to it is derived in the vault.
2. The signature is checked with that secret.
3. The session lives, now.

Every access key id in our form costs the same work up to the signature, whether there is such a session or not, and
only who signed rightly learns whether its session lives. An id that is not in our form is refused at once: that it is
not ours is no secret.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from broker.access_keys import session_of
from broker.clock import NS_PER_SECOND
from broker.doors.aws.refusals import Cause, No, of_problem, of_refusal
from broker.doors.ports import BrokerPort
from broker.ids import SessionId
from broker.model import Session
from broker.outcome import Problem
from connectors.aws.wire_in.refusal import Refusal
from connectors.aws.wire_in.request import WireRequest
from connectors.aws.wire_in.sigv4 import Claim, Verified, check
from vault.model import SecretValue

MAX_SECRETS: Final = 4096
"""Secrets remembered, of sessions that signed rightly; one that is forgotten is derived again."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who asks, and the signature that proves it."""

    session: Session
    verified: Verified


class Gate:
    """Tells who signed a request.

    Args:
        broker: Knows sessions and derives their secrets.
    """

    def __init__(self, broker: BrokerPort) -> None:
        self._broker = broker
        self._secrets: OrderedDict[SessionId, SecretValue] = OrderedDict()

    async def admit(self, claim: Claim, request: WireRequest) -> Admitted | No:
        """Return who signed a request, or why it is not accepted.

        Args:
            claim: Of the request.
            request: With its body, where the claim has no digest of it.

        Raises:
            VaultError: the secret cannot be derived.
            StoreUnavailableError: the session cannot be looked up.
        """
        session_id = session_of(claim.access_key_id)  # 1
        if session_id is None:
            return _unknown_key()
        secret = self._secrets.get(session_id) or await self._broker.aws_secret(session_id)
        now_seconds = self._broker.clock.now_ns() / NS_PER_SECOND
        verified = check(claim, request, secret, now_seconds=now_seconds)  # 2
        if isinstance(verified, Refusal):
            return of_refusal(verified)
        self._remember(session_id, secret)
        session = await self._broker.sessions.authenticate_id(session_id)  # 3
        return of_problem(session) if isinstance(session, Problem) else Admitted(session, verified)

    async def refuse_stranger(self, claim: Claim) -> No | None:
        """Return why a claim cannot be right, before a large body is read only to check its signature.

        Raises:
            StoreUnavailableError: the session cannot be looked up.
        """
        session_id = session_of(claim.access_key_id)
        if session_id is None:
            return _unknown_key()
        session = await self._broker.sessions.authenticate_id(session_id)
        return of_problem(session) if isinstance(session, Problem) else None

    def _remember(self, session_id: SessionId, secret: SecretValue) -> None:
        # Only after the signature held, so that nobody without a secret pushes those of others out.
        self._secrets[session_id] = secret
        self._secrets.move_to_end(session_id)
        if len(self._secrets) > MAX_SECRETS:
            self._secrets.popitem(last=False)


def _unknown_key() -> No:
    return No("the access key is none of ours: ask `ostiary session env --aws` for one", Cause.UNKNOWN_KEY)
