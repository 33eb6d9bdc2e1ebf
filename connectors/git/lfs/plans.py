"""From params about large files to plans; pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from connectors.base import Connection, JsonObject, Plan, Upload
from connectors.errors import InvalidParamsError
from connectors.git.connection import options_of
from connectors.git.lfs.operations import (
    LFS_OPERATIONS,
    LFS_READ,
    LFS_WRITE,
    LfsObject,
    ReadParams,
    What,
    WriteParams,
    typed,
)
from connectors.git.minting import mint_for
from connectors.git.names import check_repo, repo_resource
from connectors.usage import Estimate
from policies.model import Requirement

_NAMED_CHARS: Final = 12
_VERBS: Final = {
    (LFS_READ, What.BATCH): "look up",
    (LFS_READ, What.DOWNLOAD): "read",
    (LFS_WRITE, What.BATCH): "prepare to store",
    (LFS_WRITE, What.UPLOAD): "store",
}


def plan_lfs(action: str, params: JsonObject, connection: Connection) -> Plan:
    """Return the plan of an action on large files.

    Args:
        action: ``git:lfs-read`` or ``git:lfs-write``.
        params: See `connectors.git.lfs.operations`.
        connection: Where to.

    Raises:
        InvalidParamsError: there is no such action, the params do not fit, or the host is reached over SSH.
    """
    if action not in LFS_OPERATIONS:
        raise InvalidParamsError("the git connector has no such action", "`GET /v1/actions` lists what can be asked")
    operation, options = LFS_OPERATIONS[action], options_of(connection)
    asked = typed(WriteParams, params) if action == LFS_WRITE else typed(ReadParams, params)
    repo = check_repo(asked.repo, case_sensitive=options.case_sensitive)
    url = options.repository_url(repo)
    if not url.startswith(("https://", "http://")):
        raise InvalidParamsError("large files are served over https only", "use a connection with an `https` url")
    objects = asked.asked()
    size = sum(each.size for each in objects) if asked.what is not What.BATCH else 0
    upload = Upload(objects[0].size, sha256=objects[0].oid) if asked.what is What.UPLOAD else None
    return Plan(
        connector="git",
        action=action,
        connection=connection.name,
        credential=connection.credential,
        call={"url": url, "repo": repo, "what": asked.what.value, "objects": [each.model_dump() for each in objects]},
        requirements=(Requirement(action, repo_resource(repo)),),
        access=operation.access,
        idempotent=operation.idempotent,
        summary=f"{_VERBS[action, asked.what]} {_named(objects)} of {repo}",
        host=urlsplit(url).netloc,
        estimate=Estimate(request_bytes=size if upload else 0, response_bytes=0 if upload else size),
        upload=upload,
        mint=mint_for(options, repo, pushes=action == LFS_WRITE, workflows=False),
    )


def _named(objects: tuple[LfsObject, ...]) -> str:
    if len(objects) > 1:
        return f"{len(objects)} large files ({sum(each.size for each in objects)} bytes)"
    return f"large file {objects[0].oid[:_NAMED_CHARS]} ({objects[0].size} bytes)"
