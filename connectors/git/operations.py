"""What can be asked of a git host: the table and the params of its operations."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.base import Access, JsonObject, Operation
from connectors.errors import InvalidParamsError
from connectors.git.bundle import MAX_BUNDLE_BYTES, MAX_REFS

READ: Final = "git:read"
PUSH: Final = "git:push"

_Repo = Annotated[str, Field(max_length=201, description="owner/name")]
_Ref = Annotated[str, Field(max_length=200, description="full name, refs/heads/… or refs/tags/…")]
_BASE64_CHARS: Final = 4 * (MAX_BUNDLE_BYTES // 3 + 1)
_MAX_READ_REFS: Final = 100


class ReadParams(BaseModel):
    """Params of ``git:read``.

    Args:
        repo: ``owner/name``.
        what: ``refs`` for the list of refs, ``bundle`` for their whole history as a bundle.
        refs: Full names of the refs wanted; empty for all.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    repo: _Repo
    what: Literal["refs", "bundle"] = "refs"
    refs: list[_Ref] = Field(default_factory=list, max_length=_MAX_READ_REFS)


class PushParams(BaseModel):
    """Params of ``git:push``.

    Args:
        repo: ``owner/name``.
        bundle: A git bundle in base64; the refs in it are the refs that are pushed.
        expected: Full ref name to the object id it must have now, 40 zeros for a ref that must not exist.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    repo: _Repo
    bundle: str = Field(max_length=_BASE64_CHARS, description="a git bundle in base64")
    expected: dict[_Ref, str] = Field(default_factory=dict, max_length=MAX_REFS)

    def bundle_bytes(self) -> bytes:
        """Return the bundle.

        Raises:
            InvalidParamsError: it is not base64.
        """
        try:
            return base64.b64decode(self.bundle, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidParamsError("`bundle` is not base64", "encode the file as standard base64") from None


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


def _misfit(error: ValidationError) -> InvalidParamsError:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    # Keys come from the agent as well, so they are cut and put into ASCII like any other input.
    place = ascii(".".join(str(part) for part in first["loc"])[:80])[1:-1]
    return InvalidParamsError(f"`{place}` does not fit: {first['msg'].lower()}", "see the schema of the action")


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
        summary="create branches and tags or fast-forward branches with the commits of a git bundle; never by force",
        resources=("repos/{repo}/branches/{branch}", "repos/{repo}/tags/{tag}"),
        params_schema=PushParams.model_json_schema(),
        example={"repo": "acme/app", "bundle": _example_bundle()},
    ),
}
