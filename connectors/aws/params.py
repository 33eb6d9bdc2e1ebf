"""From the params of an intent to checked JSON: exact types, closed names, nothing a name or a header could hide in.

The general rules are in `connectors.aws.shapes` (types) and `connectors.aws.places` (where a value travels); what is
special about a service is in `connectors.aws.s3` and `connectors.aws.quirks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from connectors.aws import quirks, s3
from connectors.aws.model import ApiOperation
from connectors.aws.places import refuse_misplaced
from connectors.aws.repeated import extra_params
from connectors.aws.routes import refuse_other_route
from connectors.aws.shapes import canonical, decoded
from connectors.aws.upload import check_together, declared
from connectors.aws.words import json_type, shown
from connectors.base import JsonObject, Upload
from connectors.errors import InvalidParamsError

REGION: Final = "Region"
"""Param that names one of the connection's regions, unless the operation has a member of that name."""
_NAMED: Final = 5
"""Unknown params that a message names."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Params that fit.

    Args:
        params: JSON form for the plan, times in UTC, without the body and the region.
        region: Region the call goes to.
        payload: The decoded body; None when the operation has none.
        upload: The body that streams in while the request is sent; its payload is empty then.
    """

    params: JsonObject
    region: str
    payload: bytes | None
    upload: Upload | None = None


def takes_region(api: ApiOperation) -> bool:
    """Tell whether the param `REGION` is ours; three operations of AWS Glue have a member of that name."""
    return REGION not in api.members


def accepted(api: ApiOperation) -> list[str]:
    """Return the names of all params an operation takes here."""
    names = {*api.members, *extra_params(api)} | ({REGION} if takes_region(api) else set())
    return sorted(names - s3.REFUSED_MEMBERS if api.service == s3.NAME else names)


def check_params(api: ApiOperation, params: JsonObject, regions: list[str]) -> Checked:
    """Return the params in their one canonical form.

    Args:
        api: The operation.
        params: As received.
        regions: The connection's regions, at least one.

    Raises:
        InvalidParamsError: an unknown or missing param, or a value that does not fit.
    """
    given, region = params, regions[0]
    if REGION in params and takes_region(api):
        region = _region(params[REGION], regions)
        given = {name: value for name, value in params.items() if name != REGION}
    payload, upload = None, None
    if api.payload:
        body = _body(api, given)
        payload, upload = (b"", body) if isinstance(body, Upload) else (body, None)
        given = {name: value for name, value in given.items() if name != api.payload}
    checked = check_members(api, given, payload=payload)
    if upload is not None:
        check_together(checked, upload)
    return Checked(checked, region, payload, upload)


def check_members(api: ApiOperation, params: JsonObject, *, payload: bytes | None) -> JsonObject:
    """Return input members in canonical form; what this returned before passes unchanged.

    Args:
        api: The operation.
        params: Members without the body.
        payload: The body; None when the operation has none.

    Raises:
        InvalidParamsError: an unknown or missing member, or a value that does not fit.
    """
    members, is_s3 = api.members, api.service == s3.NAME
    unknown = [name for name in params if name not in members or (is_s3 and name in s3.REFUSED_MEMBERS)]
    if unknown:
        names = ", ".join(f"`{shown(name)}`" for name in sorted(unknown)[:_NAMED])
        raise InvalidParamsError(
            f"`{api.action}` does not take {names}", fix=f"it takes {', '.join(accepted(api)) or 'nothing'}"
        )
    missing = [
        name for name in api.required if name not in params and not (name == api.payload and payload is not None)
    ]
    if missing:
        raise InvalidParamsError(f"`{api.action}` needs `{'`, `'.join(missing)}`")
    checked = {name: _member(api, name, params[name]) for name in sorted(params)}
    if is_s3:
        s3.check_together(checked)
    else:
        refuse_other_route(api, checked)
    return checked


def _member(api: ApiOperation, name: str, value: Any) -> Any:  # noqa: ANN401 - JSON in, JSON out
    if name == "CopySource" and s3.is_copy(api):
        return s3.check_copy_source(api, value)
    checked = quirks.spelled(api, name, canonical(api.members[name], value, name))
    refuse_misplaced(api, name, checked)
    if api.service == s3.NAME:
        s3.check_member(api, name, checked)
    return checked


def _body(api: ApiOperation, params: JsonObject) -> bytes | Upload | None:
    """Return the body or its declaration; nothing given is no bytes, and a body that must be given is missed later."""
    value = params.get(api.payload)
    if api.payload not in params:
        return None if api.payload in api.required else b""
    if type(value) is dict:
        return declared(api, value)
    if type(value) is not str:
        raise InvalidParamsError(f"`{api.payload}` must be a string in base64, found {json_type(value)}")
    return decoded(value, api.payload)


def _region(value: Any, regions: list[str]) -> str:  # noqa: ANN401 - JSON as received
    for region in regions:
        if value == region:
            return region
    found = f"`{shown(value)}`" if isinstance(value, str) else json_type(value)
    raise InvalidParamsError(f"`{REGION}` must be one of the connection's, found {found}", fix=", ".join(regions))
