"""What can be asked about large files: the table and the params of its operations."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from connectors.base import Access, JsonObject, Operation
from connectors.errors import InvalidParamsError

LFS_READ: Final = "git:lfs-read"
LFS_WRITE: Final = "git:lfs-write"

MAX_OBJECTS: Final = 100
"""Of one batch; git-lfs asks about no more at a time."""
MAX_OBJECT_BYTES: Final = 5 << 30
"""What the transport lets through in one answer, and what object stores take in one request."""

_Repo = Annotated[str, Field(max_length=201, description="owner/name")]
_Oid = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the object's bytes, lower-case hex")]
_Size = Annotated[int, Field(ge=0, le=MAX_OBJECT_BYTES, description="of the object, in bytes")]
_STRICT: Final = ConfigDict(strict=True, extra="forbid", frozen=True)


class What(StrEnum):
    """What is done."""

    BATCH = "batch"
    """The host is asked which of some objects it has."""
    DOWNLOAD = "download"
    UPLOAD = "upload"


class LfsObject(BaseModel):
    """One object: what stands in a pointer file."""

    model_config = _STRICT

    oid: _Oid
    size: _Size


_Objects = Annotated[list[LfsObject], Field(max_length=MAX_OBJECTS, description="for `batch`")]


class ReadParams(BaseModel):
    """Params of ``git:lfs-read``.

    Args:
        repo: ``owner/name``.
        what: `What.BATCH` with ``objects``, or `What.DOWNLOAD` with ``oid`` and ``size``.
    """

    model_config = _STRICT

    repo: _Repo
    what: Annotated[What, Field(strict=False)] = What.DOWNLOAD
    objects: _Objects = Field(default_factory=list)
    oid: _Oid | None = None
    size: _Size | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.what is What.UPLOAD:
            raise _misfit("`what` is `batch` or `download`")
        _check_form(self.what, self.objects, (self.oid, self.size))
        return self

    def asked(self) -> tuple[LfsObject, ...]:
        """Return the objects it is about."""
        return _asked(self.objects, self.oid, self.size)


class Declaration(BaseModel):
    """What is said of a body that comes in while the plan is executed."""

    model_config = _STRICT

    bytes: _Size
    sha256: _Oid


class Body(BaseModel):
    """Stands where the object would."""

    model_config = _STRICT

    upload: Declaration


class WriteParams(BaseModel):
    """Params of ``git:lfs-write``.

    Args:
        repo: ``owner/name``.
        what: `What.BATCH` with ``objects``, or `What.UPLOAD` with ``oid``, ``size`` and ``body``.
        body: Declares the object with its size and its name as digest.
    """

    model_config = _STRICT

    repo: _Repo
    what: Annotated[What, Field(strict=False)] = What.UPLOAD
    objects: _Objects = Field(default_factory=list)
    oid: _Oid | None = None
    size: _Size | None = None
    body: Body | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.what is What.DOWNLOAD:
            raise _misfit("`what` is `batch` or `upload`")
        _check_form(self.what, self.objects, (self.oid, self.size, self.body))
        said = self.body.upload if self.body else None
        if said is not None and (said.bytes, said.sha256) != (self.size, self.oid):
            raise _misfit("`body` declares another object than `oid` and `size` name")
        return self

    def asked(self) -> tuple[LfsObject, ...]:
        """Return the objects it is about."""
        return _asked(self.objects, self.oid, self.size)


Params = TypeVar("Params", ReadParams, WriteParams)


def typed(model: type[Params], params: JsonObject) -> Params:
    """Return params as ``model``.

    Raises:
        InvalidParamsError: they do not fit.
    """
    try:
        return model.model_validate(params)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        # Keys come from the agent as well, so they are cut and put into ASCII like any other input.
        place = ascii(".".join(str(part) for part in first["loc"])[:80])[1:-1]
        said = f"`{place}` does not fit: {first['msg'].lower()}" if place else first["msg"]
    raise InvalidParamsError(said, "see the schema of the action")


def _check_form(what: What, objects: list[LfsObject], one: tuple[object, ...]) -> None:
    wants_batch = what is What.BATCH
    if wants_batch != bool(objects) or any((each is None) != wants_batch for each in one):
        raise _misfit("a `batch` has `objects`, and nothing else has; every other member is for one object")
    if len({each.oid for each in objects}) != len(objects):
        raise _misfit("an object stands twice in `objects`")


def _asked(objects: list[LfsObject], oid: str | None, size: int | None) -> tuple[LfsObject, ...]:
    if oid is None or size is None:
        return tuple(objects)
    return (LfsObject(oid=oid, size=size),)


def _misfit(message: str) -> PydanticCustomError:
    return PydanticCustomError("lfs", "{message}", {"message": message})


_OID: Final = "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4"
_EXAMPLE: Final = {"repo": "acme/app", "oid": _OID, "size": 5}

LFS_OPERATIONS: Final = {
    LFS_READ: Operation(
        action=LFS_READ,
        access=Access.READ,
        idempotent=True,
        summary="read a large file of a repository, or ask which ones there are, by Git LFS",
        resources=("repos/{repo}",),
        params_schema=ReadParams.model_json_schema(),
        example=_EXAMPLE,
    ),
    LFS_WRITE: Operation(
        action=LFS_WRITE,
        access=Access.WRITE,
        idempotent=True,
        summary="store a large file for a repository, or ask which ones are to be stored, by Git LFS",
        resources=("repos/{repo}",),
        params_schema=WriteParams.model_json_schema(),
        example={**_EXAMPLE, "body": {"upload": {"bytes": 5, "sha256": _OID}}},
    ),
}
