"""What can be asked of a git host: the table and the params of its operations."""

from __future__ import annotations

import base64
import binascii
import hashlib
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from connectors.base import Access, JsonObject, Operation
from connectors.errors import InvalidParamsError
from connectors.git.bundle import MAX_BUNDLE_BYTES, MAX_REFS
from connectors.git.wire.fetch_request import MAX_REQUEST_BYTES, check_fetch
from connectors.git.wire.push_request import MAX_OPTION_BYTES, MAX_OPTIONS, MAX_UPDATES, RefUpdate, checked_updates

READ: Final = "git:read"
PUSH: Final = "git:push"
FORCE_PUSH: Final = "git:force-push"
DELETE_REF: Final = "git:delete-ref"

_Repo = Annotated[str, Field(max_length=201, description="owner/name")]
_Ref = Annotated[str, Field(max_length=200, description="full name, refs/heads/… or refs/tags/…")]
_Oid = Annotated[str, Field(pattern="^[0-9a-f]{40}$", description="full object id")]
_Option = Annotated[str, Field(pattern="^[ -~]+$", max_length=MAX_OPTION_BYTES, description="printable ASCII")]
_BASE64_CHARS: Final = 4 * (MAX_BUNDLE_BYTES // 3 + 1)
_MAX_READ_REFS: Final = 100
_REQUEST_CHARS: Final = 4 * (MAX_REQUEST_BYTES // 3 + 1)


class What(StrEnum):
    """What a read returns."""

    REFS = "refs"
    """The list of refs, as data."""
    BUNDLE = "bundle"
    """The history of refs, as a git bundle."""
    MIRROR = "mirror"
    """Nothing but the refs asked for; the broker's own copy of the repository is brought up to date."""
    PUSH_REFS = "push-refs"
    """The refs as ``git-receive-pack`` advertises them to a client that is about to push."""
    ADVERTISEMENT = "advertisement"
    """The host's answer to ``info/refs?service=git-upload-pack``."""
    FETCH = "fetch"
    """The host's answer to a request of a fetch, ``git-upload-pack``."""


SPOKEN: Final = frozenset((What.ADVERTISEMENT, What.FETCH))
"""What is answered in the host's own words, in the version of the protocol that is asked for."""
_WHOLE: Final = SPOKEN | {What.PUSH_REFS}


class ReadParams(BaseModel):
    """Params of ``git:read``.

    Args:
        repo: ``owner/name``.
        what: What to return.
        refs: Full names of the refs wanted, for ``refs``, ``bundle`` and ``mirror``; empty for all.
        protocol: Value of ``Git-Protocol``, for ``advertisement`` and ``fetch``.
        request: For ``fetch``: what a git client would send, in base64.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    repo: _Repo
    what: Annotated[What, Field(strict=False)] = What.REFS
    refs: list[_Ref] = Field(default_factory=list, max_length=_MAX_READ_REFS)
    protocol: Literal["", "version=1", "version=2"] = ""
    request: str = Field("", max_length=_REQUEST_CHARS, description="body of POST git-upload-pack in base64")

    @model_validator(mode="after")
    def _fits_what(self) -> Self:
        if self.refs and self.what in _WHOLE:
            raise PydanticCustomError("form", "`refs` is for `what: refs`, `bundle` and `mirror` only")
        if self.protocol and self.what not in SPOKEN:
            raise PydanticCustomError("form", "`protocol` is for `what: advertisement` and `fetch` only")
        if self.request and self.what is not What.FETCH:
            raise PydanticCustomError("form", "`request` is for `what: fetch` only")
        return self

    def request_bytes(self) -> bytes:
        """Return the request of a fetch, checked; empty for every other read.

        Raises:
            InvalidParamsError: it is no such request.
        """
        if self.what is not What.FETCH:
            return b""
        request = _decoded(self.request, "request")
        check_fetch(request, self.protocol)
        return request


class UpdateParams(BaseModel):
    """One ref that is pushed.

    Args:
        ref: Full name.
        old: Object id it must have now, 40 zeros for a ref that must not exist.
        new: Object id it is to have, 40 zeros to delete it.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    ref: _Ref
    old: _Oid
    new: _Oid


class UploadParams(BaseModel):
    """A pack that comes in beside the params.

    Args:
        bytes: Its size, -1 while it is not known.
        sha256: Hex digest; empty while it is not known.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    bytes: int = Field(-1, ge=-1, le=1 << 40)
    sha256: str = Field("", pattern="^([0-9a-f]{64})?$")


class PackParams(BaseModel):
    """Where the pack of a push is."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    upload: UploadParams


class PushParams(BaseModel):
    """Params of ``git:push``: a bundle, or what a git client sends.

    Args:
        repo: ``owner/name``.
        bundle: A git bundle in base64; the refs in it are the refs that are pushed.
        expected: With a bundle: full ref name to the object id it must have now, 40 zeros for one that must not exist.
        updates: Which refs move, from where to where.
        pack: With updates: the pack, as an upload; None when nothing but deletions is asked.
        options: Push options for the host.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    repo: _Repo
    bundle: str = Field("", max_length=_BASE64_CHARS, description="a git bundle in base64")
    expected: dict[_Ref, str] = Field(default_factory=dict, max_length=MAX_REFS)
    updates: list[UpdateParams] = Field(default_factory=list, max_length=MAX_UPDATES)
    pack: PackParams | None = None
    options: list[_Option] = Field(default_factory=list, max_length=MAX_OPTIONS)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if bool(self.bundle) == bool(self.updates):
            raise PydanticCustomError("form", "expected either `bundle` or `updates`")
        if self.bundle and self.pack:
            raise PydanticCustomError("form", "`pack` goes with `updates`")
        if self.updates and self.expected:
            raise PydanticCustomError("form", "`expected` goes with `bundle`; updates name the old object ids")
        return self

    def bundle_bytes(self) -> bytes:
        """Return the bundle.

        Raises:
            InvalidParamsError: it is not base64.
        """
        return _decoded(self.bundle, "bundle")

    def ref_updates(self) -> tuple[RefUpdate, ...]:
        """Return the updates, checked as those of a git client.

        Raises:
            InvalidParamsError: a name or an object id is not one, or two of them do not go together.
        """
        return checked_updates(RefUpdate(each.ref, each.old, each.new) for each in self.updates)


def read_params(params: JsonObject) -> ReadParams:
    """Return typed params of ``git:read``.

    Raises:
        InvalidParamsError: they do not fit.
    """
    try:
        return ReadParams.model_validate(params)
    except ValidationError as error:
        raise _misfit(error) from None


def push_params(params: JsonObject) -> PushParams:
    """Return typed params of ``git:push``.

    Raises:
        InvalidParamsError: they do not fit.
    """
    try:
        return PushParams.model_validate(params)
    except ValidationError as error:
        raise _misfit(error) from None


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidParamsError(f"`{name}` is not base64", "encode it as standard base64") from None


def _misfit(error: ValidationError) -> InvalidParamsError:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    # Keys come from the agent as well, so they are cut and put into ASCII like any other input.
    place = ascii(".".join(str(part) for part in first["loc"])[:80])[1:-1]
    what = f"`{place}` does not fit" if place else "the params do not go together"
    return InvalidParamsError(f"{what}: {first['msg'].lower()}", "see the schema of the action")


def _example_bundle() -> str:
    """A whole bundle without objects: it makes a branch at a commit the repository already has."""
    oid = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    pack = b"PACK" + (2).to_bytes(4, "big") + (0).to_bytes(4, "big")
    pack += hashlib.sha1(pack, usedforsecurity=False).digest()  # the pack format's checksum
    return base64.b64encode(f"# v2 git bundle\n-{oid}\n{oid} refs/heads/feature/x\n\n".encode() + pack).decode()


OPERATIONS: Final = {
    READ: Operation(
        action=READ,
        access=Access.READ,
        idempotent=True,
        summary="list the refs of a repository, or read its history as a git bundle",
        resources=("repos/{repo}",),
        params_schema=ReadParams.model_json_schema(),
        example={"repo": "acme/app", "what": "refs"},
    ),
    PUSH: Operation(
        action=PUSH,
        access=Access.WRITE,
        idempotent=True,
        summary="create, move and delete branches and tags; what each ref needs follows from what happens to it",
        resources=("repos/{repo}/branches/{branch}", "repos/{repo}/tags/{tag}"),
        params_schema=PushParams.model_json_schema(),
        example={"repo": "acme/app", "bundle": _example_bundle()},
        permissions=(PUSH, FORCE_PUSH, DELETE_REF),
    ),
}
