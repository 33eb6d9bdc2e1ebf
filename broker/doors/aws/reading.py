"""From a parsed request to the draft of an intent: params as intents have them, the connection, the region.

A client names no connection; the region it signed for does, where only one connection of the project has it. Services
with one endpoint for the whole partition (IAM, Route 53, …) are signed for in a region of AWS's choice, which says
nothing about where the caller wants to act.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from broker.doors.aws import s3
from broker.doors.aws.bodies import IncomingBody
from broker.doors.aws.refusals import Cause, No
from broker.doors.ports import ConfigurationPort
from broker.model import IntentDraft, JsonObject
from connectors.aws.endpoint import endpoint_of
from connectors.aws.model import ApiOperation
from connectors.aws.params import REGION, takes_region
from connectors.aws.wire_in.calls import Call, Parsed
from connectors.aws.wire_in.services import S3
from connectors.base import Connection, Upload
from connectors.errors import InvalidParamsError

CONNECTOR: Final = "aws"
_REGIONS: Final = "regions"


@dataclass(frozen=True, slots=True)
class Body:
    """What came as the body.

    Args:
        whole: All of it; None when it is still to come.
        upload: As it was declared, when it is still to come.
        incoming: The way it comes in, likewise.
    """

    whole: bytes | None
    upload: Upload | None = None
    incoming: IncomingBody | None = None


def likeliest_first(parsed: Parsed, signing_name: str) -> Parsed:
    """Return the readings of a request with the likeliest first; that is the one that is executed and answered.

    Without a hint of the client that is the service the signing name is the name of: RDS, not Neptune, which lends it.

    Args:
        parsed: The readings.
        signing_name: That the request was signed with.
    """
    if parsed.hinted or len(parsed.candidates) == 1:
        return parsed
    return replace(parsed, candidates=tuple(sorted(parsed.candidates, key=lambda call: call.service != signing_name)))


def draft_of(parsed: Parsed, body: Body, api: ApiOperation, *, where: Where, source_ip: str) -> IntentDraft | No:
    """Return what a request asks for, every reading of it.

    Args:
        parsed: The readings.
        body: Of the request.
        api: Operation of the first reading.
        where: Connection and region.
        source_ip: Address the request came from.
    """
    readings: list[tuple[str, JsonObject]] = []
    for call in parsed.candidates:
        params = _params(call, body, api)
        if isinstance(params, No):
            return params
        readings.append((call.action, {**params, **where.region}))
    (action, params), *others = readings
    return IntentDraft(
        action=action,
        params=params,
        connection=where.connection,
        source_ip=source_ip,
        alternatives=tuple(others),
        joins=True,
    )


def _params(call: Call, body: Body, api: ApiOperation) -> JsonObject | No:
    params = s3.as_asked(call, body.whole) if call.service == S3 else call.whole_params
    if isinstance(params, No):
        return params
    if body.upload is not None:
        declared: JsonObject = {"bytes": body.upload.size_bytes}
        if body.upload.sha256:
            declared["sha256"] = body.upload.sha256
        if body.upload.trailer:
            declared["trailer"] = body.upload.trailer
        return {**params, call.payload_member: {"upload": declared}}
    if call.payload_member and call.payload is None and call.payload_member in api.required:
        return {**params, call.payload_member: ""}
    return params


@dataclass(frozen=True, slots=True)
class Where:
    """Where a request is to act.

    Args:
        connection: Name of the connection; empty when the project has one, or when it cannot be told.
        region: The param that names the region; empty when the connection's own is meant.
    """

    connection: str
    region: JsonObject


def where_of(
    configuration: ConfigurationPort, project: str, api: ApiOperation, params: JsonObject, region: str
) -> Where | No:
    """Return where a request is to act; what does not fit is left for planning to refuse.

    Args:
        configuration: In force now.
        project: Of the session.
        api: The operation.
        params: Of the first reading.
        region: That the request was signed for.
    """
    connections = _connections(configuration, project)
    here = [each for each in connections if region in each.options.get(_REGIONS, ())]
    chosen = here or connections
    name = chosen[0].name if len(chosen) == 1 and len(connections) > 1 else ""
    if len(chosen) == 1 and not here and _is_global(api, params, region, chosen[0]):
        return Where(name, {})
    if takes_region(api):
        return Where(name, {REGION: region})
    if len(chosen) == 1 and chosen[0].options.get(_REGIONS, [region])[0] != region:
        return No(f"`{api.action}` is served in the first region of the connection only", Cause.INVALID)
    return Where(name, {})


def _connections(configuration: ConfigurationPort, project: str) -> Sequence[Connection]:
    entry = configuration.projects.get(project)
    named = (configuration.connections.get(name) for name in (entry.connections if entry else ()))
    return [each for each in named if each is not None and each.connector == CONNECTOR]


def _is_global(api: ApiOperation, params: JsonObject, region: str, connection: Connection) -> bool:
    """Tell whether an operation is signed for in ``region`` wherever it is called from."""
    regions = connection.options.get(_REGIONS)
    if not regions:
        return False
    try:
        return endpoint_of(api, params, regions[0], None).signing_region == region
    except InvalidParamsError:
        return False
