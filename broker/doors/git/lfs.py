"""Git LFS through the git door: what git-lfs asks below ``<repo>.git/info/lfs/``.

    POST objects/batch             git:lfs-read or git:lfs-write, what: batch
    GET  objects/<oid>?size=<n>    git:lfs-read, what: download    streamed
    PUT  objects/<oid>?size=<n>    git:lfs-write, what: upload     streamed
    …    locks…                    404, which git-lfs takes for "this server has no locks"

The batch answer names addresses of this door, so what the host hands out for its objects stays here. Transfers are
``basic``. A "no" is the API's own document, whose message git-lfs shows:
https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md.
"""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker.doors.git.bodies import RequestBody, read_bounded
from broker.doors.git.exchange import PackExchange
from broker.doors.git.lfs_request import LfsRefusedError, LfsRequest, send_document, send_no, submit
from broker.doors.git.lfs_transfer import download, upload
from broker.doors.ports import BrokerPort
from broker.doors.strict_json import MalformedJsonError, parse_object
from broker.model import JsonObject
from connectors.errors import InvalidParamsError, UploadBrokenError
from connectors.git.lfs.operations import LFS_READ, LFS_WRITE, MAX_OBJECTS, What

MAX_BATCH_BYTES: Final = 256 << 10

_OBJECT: Final = re.compile(r"objects/([0-9a-f]{64})")
_SIZE: Final = re.compile(rb"size=([0-9]{1,15})")
_ACTIONS: Final = {"download": LFS_READ, "upload": LFS_WRITE}


class _Object(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    oid: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class _Asked(BaseModel):
    # What git-lfs adds in later versions is for servers that know it.
    model_config = ConfigDict(strict=True, extra="ignore")

    operation: str
    transfers: list[str] = Field(default_factory=lambda: ["basic"])
    objects: list[_Object] = Field(min_length=1)
    hash_algo: str = "sha256"


async def serve_lfs(broker: BrokerPort, request: LfsRequest) -> None:
    """Serve one request.

    Args:
        broker: Takes the intents.
        request: The request.

    Raises:
        ClientGoneError: nobody is left to be answered.
    """
    try:
        await _serve(broker, request)
    except LfsRefusedError as no:
        retry = {"Retry-After": str(no.retry_after_seconds)} if no.retry_after_seconds else {}
        await send_no(request.send, no.status, str(no), intent_id=no.intent_id, headers=retry)
    except (InvalidParamsError, UploadBrokenError) as error:
        await send_no(request.send, 400, f"ostiary: {error}")


async def _serve(broker: BrokerPort, request: LfsRequest) -> None:
    method, rest = request.scope["method"], request.place.rest
    found = _OBJECT.fullmatch(rest)
    if rest == "objects/batch":
        _check_method(method, "POST")
        await _batch(broker, request)
    elif found is not None:
        _check_method(method, "GET", "PUT")
        size = _SIZE.fullmatch(request.scope["query_string"])
        if size is None:
            raise LfsRefusedError(422, "ostiary: expected `?size=` and the size of the object in bytes")
        transfer = download if method == "GET" else upload
        await transfer(broker, request, found[1], int(size[1]))
    elif rest.startswith("locks"):
        raise LfsRefusedError(404, "ostiary: there are no locks here")
    else:
        raise LfsRefusedError(404, "ostiary: there is nothing at this path")


def _check_method(method: str, *expected: str) -> None:
    if method not in expected:
        raise LfsRefusedError(405, "ostiary: this path does not take that method")


async def _batch(broker: BrokerPort, request: LfsRequest) -> None:
    asked = _read_batch(await read_bounded(RequestBody(request.scope, request.receive).pieces(), MAX_BATCH_BYTES))
    params: JsonObject = {
        "repo": request.place.repo,
        "what": What.BATCH.value,
        "objects": [each.model_dump() for each in asked.objects],
    }
    outcome = await submit(broker, request, _ACTIONS[asked.operation], params, PackExchange(None))
    found = outcome.result.get("objects")
    objects = [_offered(each, asked.operation, request.url) for each in found or ()]
    await send_document(request.send, 200, {"transfer": "basic", "objects": objects})


def _read_batch(body: bytes) -> _Asked:
    try:
        asked = _Asked.model_validate(parse_object(body))
    except MalformedJsonError as error:
        raise LfsRefusedError(400, f"ostiary: the body cannot be read: {error}") from None
    except ValidationError:
        raise LfsRefusedError(422, "ostiary: the body is no request of the LFS batch API") from None
    if asked.operation not in _ACTIONS or "basic" not in asked.transfers:
        raise LfsRefusedError(422, "ostiary: expected `download` or `upload` by `basic` transfers")
    if asked.hash_algo != "sha256":
        raise LfsRefusedError(409, "ostiary: objects are named by sha256 only")
    if len(asked.objects) > MAX_OBJECTS:
        raise LfsRefusedError(413, f"ostiary: a batch has at most {MAX_OBJECTS} objects")
    return asked


def _offered(found: JsonObject, operation: str, url: str) -> JsonObject:
    """Return what git-lfs is told of one object: where it gets or puts it, or why not."""
    said = {name: found[name] for name in ("oid", "size")}
    if "error" in found:
        return {**said, "error": found["error"]}
    if operation == "download" and not found["present"]:
        return {**said, "error": {"code": 404, "message": "the git host does not have the object"}}
    if operation == "upload" and found["present"]:
        return said  # no action means that there is nothing to be done
    return {**said, "actions": {operation: {"href": f"{url}/{found['oid']}?size={found['size']}"}}}
