"""Uploads: the body that comes in with an intent, as the second part of a form.

1. It stays in the connection until policy has allowed the intent. Then it is read piece by piece, at the pace of
   whoever takes it, and never whole.
2. Its last piece is held back until the form has ended and length and digest are those that the params declare, so an
   upstream never gets a whole body that is not right.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker.doors.forms import MEDIA_TYPE, FormRequest
from broker.doors.problems import refused
from broker.model import JsonObject
from broker.outcome import ProblemKind
from broker.uploads import declared
from connectors.errors import UploadBrokenError

MAX_UPLOAD_BYTES: Final = 5 << 40
"""Largest body that can be declared: the largest object of S3."""


class Declaration(BaseModel):
    """What an intent says about the body that comes with it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    bytes: int = Field(ge=0, le=MAX_UPLOAD_BYTES)
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")


def declaration_in(params: JsonObject) -> JsonObject | None:
    """Return what params say about a body that comes apart from them; None when they hold all there is.

    An attribute of DynamoDB may be called ``upload`` as well; what stands in it never has a number of bytes.
    """
    found = declared(params)
    return found[1] if found is not None and isinstance(found[1].get("bytes"), int) else None


class Body:
    """The part ``body``, held to its declaration; implements `connectors.base.UploadStream`.

    Args:
        request: Where it comes from.
        declaration: What it should be.
    """

    trailers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, request: FormRequest, declaration: Declaration) -> None:
        self._request = request
        self._declared = declaration

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces; see the module about the last one.

        Raises:
            UploadBrokenError: it is not what was declared, or not whole.
        """
        wanted, digest, size, held = self._declared, hashlib.sha256(), 0, b""
        async for piece in self._request.pieces():
            size += len(piece)
            if size > wanted.bytes:
                raise UploadBrokenError(f"the body has more than the {wanted.bytes} bytes that were declared")
            if wanted.sha256:
                digest.update(piece)
            if held:
                yield held
            held = piece
        if size != wanted.bytes:
            raise UploadBrokenError(f"the body has {size} bytes, and {wanted.bytes} were declared")
        if wanted.sha256 and not hmac.compare_digest(digest.hexdigest(), wanted.sha256):
            raise UploadBrokenError("the SHA-256 digest of the body is not the one that was declared")
        if held:
            yield held


class UploadExchange:
    """The exchange of an intent whose body comes in with it; its results are kept as of any other intent.

    Args:
        upload: The body.
    """

    def __init__(self, upload: Body) -> None:
        self.upload = upload
        self.outlet = None


async def exchange_of(form: FormRequest, params: JsonObject) -> UploadExchange:
    """Return the exchange of an intent that came in a form.

    Raises:
        RefusedError: the params declare no body, or not as they should.
    """
    said = declaration_in(params)
    if said is None:
        raise refused(
            ProblemKind.MALFORMED_REQUEST,
            "the params declare no body",
            fix='put `{"upload": {"bytes": N}}` where the body would stand',
        )
    try:
        body = Body(form, Declaration.model_validate(said))
    except ValidationError:
        raise refused(
            ProblemKind.MALFORMED_REQUEST, "an upload is declared by `bytes` and, if wanted, `sha256` in lower-case hex"
        ) from None
    await _check_empty(body, said["bytes"])
    return UploadExchange(body)


async def _check_empty(body: Body, size: int) -> None:
    # A body of no bytes has no last piece to hold back: its upstream would act before its end was looked at.
    if size == 0:
        try:
            async for _ in body:
                pass
        except UploadBrokenError as error:
            raise refused(ProblemKind.UPLOAD_BROKEN, str(error)) from None


def refuse_missing_body(params: JsonObject) -> None:
    """Refuse params that declare a body which cannot come any more.

    Raises:
        RefusedError: they do.
    """
    if declaration_in(params) is not None:
        raise refused(
            ProblemKind.MALFORMED_REQUEST,
            "the params declare a body, and none came with the intent",
            fix=f"send `{MEDIA_TYPE}`, its part `intent` first and its part `body` second",
        )
