"""The ``aws`` connector: S3 objects, planned from botocore's model and sent with a signature of the vault."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from urllib.parse import urlsplit

from pydantic import BaseModel

from connectors.aws.answer import read_answer
from connectors.aws.connection import AwsConnection
from connectors.aws.operations import BY_ACTION, SPECS, Spec, Target, catalogue_row
from connectors.aws.params import check_params, shown
from connectors.aws.resource_types import RESOURCE_TYPES
from connectors.aws.wire import build_request, sign, target_of
from connectors.base import CallResult, Connection, JsonObject, Operation, Plan, Transport, Usage
from connectors.errors import InvalidParamsError
from policies.model import Requirement, ResourceType
from vault.model import Lease


class AwsConnector:
    """Plans and executes S3 operations.

    Args:
        now_ns: Wall clock for the date of signatures, nanoseconds since the epoch.
    """

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns

    @property
    def name(self) -> str:
        """Name of its folder."""
        return "aws"

    @property
    def services(self) -> frozenset[str]:
        """Action prefixes it serves."""
        return frozenset({"s3"})

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Its catalogue."""
        return _catalogue()

    @property
    def resource_types(self) -> tuple[ResourceType, ...]:
        """Types of AWS resources, those of services nobody serves yet among them."""
        return RESOURCE_TYPES

    @property
    def connection_model(self) -> type[BaseModel]:
        """Model of a connection's options."""
        return AwsConnection

    def plan(self, action: str, params: JsonObject, connection: Connection) -> Plan:
        """Derive request and requirements from the params; pure.

        Args:
            action: ``s3:GetObject`` or ``aws:s3:GetObject``.
            params: As the API names them, ``Body`` in base64, times in RFC 3339; ``Region`` on top.
            connection: Its regions, partition and endpoint.

        Raises:
            InvalidParamsError: unknown action, or params that do not fit it.
        """
        spec = BY_ACTION.get(action.removeprefix("aws:"))
        if spec is None:
            raise InvalidParamsError(f"`{shown(action)}` is not an operation of aws", fix=", ".join(BY_ACTION))
        options = connection.options
        checked = check_params(spec, params, options["regions"])
        origin, path_style = target_of(options, checked.region, checked.params["Bucket"])
        call: JsonObject = {
            "service": "s3",
            "operation": spec.name,
            "params": checked.params,
            "region": checked.region,
            "origin": origin,
            "path_style": path_style,
        }
        payload = checked.payload or b""
        if checked.payload is not None:
            call["payload_sha256"] = hashlib.sha256(payload).hexdigest()
        return Plan(
            connector=self.name,
            action=spec.action,
            connection=connection.name,
            credential=connection.credential,
            call=call,
            requirements=_requirements(spec, checked.params, str(options.get("partition", "aws"))),
            access=spec.access,
            idempotent=spec.idempotent,
            summary=_summary(spec, checked.params, checked.payload, checked.region),
            payload=payload,
            host=urlsplit(origin).netloc,
            estimate=Usage(request_bytes=len(payload)),
        )

    async def execute(
        self,
        plan: Plan,
        connection: Connection,  # noqa: ARG002 - everything is in the plan
        lease: Lease,
        transport: Transport,
    ) -> CallResult:
        """Send the request the plan says, once.

        Raises:
            NotSentError, UpstreamRefusedError, OutcomeUnknownError: as in connectors.errors.
            VaultError: the lease could not serve; nothing was sent.
        """
        request = build_request(plan)
        headers = await sign(request, lease, datetime.fromtimestamp(self._now_ns() // 1_000_000_000, UTC))
        async with AsyncExitStack() as stack:
            response = await stack.enter_async_context(
                transport.request(request.method, request.url, headers=headers, body=request.body)
            )
            return await read_answer(plan, response, stack)


@cache
def _catalogue() -> Mapping[str, Operation]:
    return MappingProxyType({spec.action: catalogue_row(spec) for spec in SPECS})


def _requirements(spec: Spec, params: JsonObject, partition: str) -> tuple[Requirement, ...]:
    needs = (Requirement(n.action, _resource(n.target, params, partition)) for n in spec.needs if n.applies(params))
    return tuple(dict.fromkeys(needs))


def _resource(target: Target, params: JsonObject, partition: str) -> str:
    """Return the ARN; the values are checked already and every character in them is literal."""
    match target:
        case Target.OBJECT:
            return f"arn:{partition}:s3:::{params['Bucket']}/{params['Key']}"
        case Target.BUCKET:
            return f"arn:{partition}:s3:::{params['Bucket']}"
        case Target.SOURCE:
            source = params["CopySource"]
            return f"arn:{partition}:s3:::{source['Bucket']}/{source['Key']}"


def _summary(spec: Spec, params: JsonObject, payload: bytes | None, region: str) -> str:
    place = f"s3://{params['Bucket']}"
    if "Key" in params:
        place += f"/{shown(params['Key'])}"
    elif params.get("Prefix"):
        place += f"/{shown(params['Prefix'])}"
    if "VersionId" in params:
        place += f" version {shown(params['VersionId'])}"
    if payload is not None:
        place = f"{len(payload)} bytes to {place}"
    if "CopySource" in params:
        source = params["CopySource"]
        place = f"s3://{source['Bucket']}/{shown(source['Key'])} to {place}"
    return f"{spec.verb} {place} ({region})"
