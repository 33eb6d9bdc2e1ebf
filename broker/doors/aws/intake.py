"""Who asks, and the body of what is asked: stages 2 and 3 of a request.

Where the head says the digest of the body, or that it is not signed, the signature is checked before a byte of the body
is read. Clients of other services than S3 say neither, so their bodies are read first, within bounds; a large one only
when its access key names a living session.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from broker.doors.aws.bodies import IncomingBody, decoded, length_of, read_whole
from broker.doors.aws.gate import Admitted, Gate
from broker.doors.aws.hashing import BackgroundDigest
from broker.doors.aws.reading import Body
from broker.doors.aws.refusals import Cause, No, of_refusal
from broker.doors.aws.turn import Models, Turn
from broker.errors import StoreUnavailableError
from connectors.aws.wire_in.calls import Scope
from connectors.aws.wire_in.parse import takes_stream
from connectors.aws.wire_in.payload import decoder_for
from connectors.aws.wire_in.refusal import Reason, Refusal
from connectors.aws.wire_in.sigv4 import Claim, PayloadMode, Verified, read_claim
from connectors.base import Upload
from vault.errors import VaultError

SMALL_BODY_BYTES: Final = 64 << 10
"""A body up to this size is read before it is known whether the session lives; the server has it in memory anyway."""
RETRY_SECONDS: Final = 5
"""After which something that is away may be back."""
_CHUNKED: Final = frozenset(
    {PayloadMode.CHUNKS_SIGNED, PayloadMode.CHUNKS_SIGNED_TRAILER, PayloadMode.CHUNKS_UNSIGNED_TRAILER}
)


class Intake:
    """Takes requests in.

    Args:
        gate: Tells who signed.
        models: Of the services.
    """

    def __init__(self, gate: Gate, models: Models) -> None:
        self._gate = gate
        self._models = models

    async def admit(self, turn: Turn) -> Admitted | No:
        """Return who asks, or why the request is not accepted.

        Raises:
            ClientGoneError: the client went away.
        """
        claim = read_claim(turn.request)
        if isinstance(claim, Refusal):
            return of_refusal(claim)
        turn.signing_name = claim.service
        try:
            no = await self._read_first(turn, claim)
            return no or await self._gate.admit(claim, turn.request)
        except VaultError:
            return No("the vault does not serve now", Cause.AWAY, retry_after_seconds=RETRY_SECONDS)
        except StoreUnavailableError:
            return No("the database cannot be read now", Cause.AWAY, retry_after_seconds=RETRY_SECONDS)

    async def body(self, turn: Turn, verified: Verified, scope: Scope) -> Body | No:
        """Return the body of a request: whole, decoded and checked, or as it will come in.

        Raises:
            ClientGoneError: the client went away.
        """
        request = turn.request
        if request.body is not None:
            return Body(request.body)
        decoder = decoder_for(verified, request, BackgroundDigest)
        if isinstance(decoder, Refusal):
            return of_refusal(decoder)
        if await self._models.using(scope.service, lambda: takes_stream(request, scope)):
            upload = _declared(turn, verified.claim)
            if isinstance(upload, No):
                return upload
            if upload.size_bytes:
                return Body(None, upload, IncomingBody(turn.receive, decoder))
        sent = await read_whole(turn.receive, turn.hold, length_of(request.headers.get("content-length", "")))
        if isinstance(sent, No):
            return sent
        plain = decoded(decoder, sent)
        if isinstance(plain, Refusal):
            return of_refusal(plain)
        turn.request = replace(request, body=plain)
        return Body(plain)

    async def _read_first(self, turn: Turn, claim: Claim) -> No | None:
        """Read the body when the signature cannot be checked without it."""
        if turn.request.body is not None or claim.payload or claim.mode is PayloadMode.UNSIGNED:
            return None
        length = length_of(turn.request.headers.get("content-length", ""))
        if length is None or length > SMALL_BODY_BYTES:
            stranger = await self._gate.refuse_stranger(claim)
            if stranger is not None:
                return stranger
        whole = await read_whole(turn.receive, turn.hold, length)
        if isinstance(whole, No):
            return whole
        turn.request = replace(turn.request, body=whole)
        return None


def _declared(turn: Turn, claim: Claim) -> Upload | No:
    """Return what the head says about a body that streams in."""
    headers = turn.request.headers
    name = "x-amz-decoded-content-length" if claim.mode in _CHUNKED else "content-length"
    size = length_of(headers.get(name, ""))
    if size is None:
        return No("the length of the body must be said beforehand", Cause.NO_LENGTH)
    trailers = [each.strip().lower() for each in headers.get("x-amz-trailer", "").split(",") if each.strip()]
    if len(trailers) > 1:
        return of_refusal(Refusal(Reason.UNSUPPORTED, "at most one trailer is taken"))
    sha256 = claim.payload if claim.mode is PayloadMode.DIGEST else ""
    return Upload(size, sha256=sha256, trailer=trailers[0] if trailers else "")
