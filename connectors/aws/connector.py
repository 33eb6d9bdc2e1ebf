"""The ``aws`` connector: any operation of botocore's models, planned without a client and signed by the vault."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel

from connectors.aws import repeated, s3, upload
from connectors.aws.answer import read_answer
from connectors.aws.catalogue.data import load
from connectors.aws.catalogue.model import Entry
from connectors.aws.catalogue.place import UNKNOWN, Place
from connectors.aws.catalogue.resolve import resolve
from connectors.aws.connection import AwsConnection
from connectors.aws.endpoint import Endpoint, endpoint_of
from connectors.aws.minting import mint_of
from connectors.aws.model import ApiOperation
from connectors.aws.operations import ACCESS, OperationTable, is_idempotent, known, prefixes
from connectors.aws.params import Checked, check_params
from connectors.aws.resource_types import RESOURCE_TYPES
from connectors.aws.summary import summary_of
from connectors.aws.tokens import fill_tokens
from connectors.aws.unserved import why_unserved
from connectors.aws.waiters import Pause
from connectors.aws.wire import build_request, operation_of, sign
from connectors.aws.wire_out.secret_paths import secret_paths
from connectors.aws.words import control_in, shown
from connectors.base import Access, CallResult, Connection, JsonObject, Operation, Plan, Transport
from connectors.errors import InvalidParamsError
from connectors.usage import Estimate
from policies.model import Requirement, ResourceType
from vault.model import Lease

MAX_RESOURCE_CHARS: Final = 2048
"""What policy reads at most, as `policies.patterns.pattern.MAX_RESOURCE_CHARS`."""


class AwsConnector:
    """Plans and executes operations of AWS.

    Args:
        now_ns: Wall clock for the date of signatures, nanoseconds since the epoch.
        pause: Waits for some seconds, between two looks of a waiter.
    """

    def __init__(self, now_ns: Callable[[], int] = time.time_ns, *, pause: Pause = asyncio.sleep) -> None:
        self._now_ns = now_ns
        self._pause = pause

    @property
    def name(self) -> str:
        """Name of its folder."""
        return "aws"

    @property
    def services(self) -> frozenset[str]:
        """Action prefixes it serves: the services as botocore names them, and as IAM does."""
        return prefixes()

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Its catalogue; looking at a row reads the model of its service, counting and naming read none."""
        return OperationTable()

    @property
    def resource_types(self) -> tuple[ResourceType, ...]:
        """Types of AWS resources that people write short; every other resource is written as its ARN."""
        return RESOURCE_TYPES

    @property
    def connection_model(self) -> type[BaseModel]:
        """Model of a connection's options."""
        return AwsConnection

    def plan(self, action: str, params: JsonObject, connection: Connection) -> Plan:
        """Derive request and requirements from the params; pure, once the model of the service is read.

        Args:
            action: ``ecs:UpdateService`` or ``aws:ecs:UpdateService``.
            params: As the API names them, blobs in base64, times in RFC 3339; ``Region`` on top.
            connection: Its account, regions, partition and endpoint.

        Raises:
            InvalidParamsError: unknown or unserved action, or params that do not fit it.
        """
        api, entry = _found(action)
        options = connection.options
        given, again = repeated.take_out(api, params)
        checked = _complete(api, check_params(api, given, options["regions"]), connection)
        requirements = _requirements(entry, checked, options)
        payload = checked.payload or b""
        endpoint, call = _call(api, checked, options)
        if checked.upload is not None:
            call["upload"] = upload.call_of(checked.upload)
        elif checked.payload is not None:
            call["payload_sha256"] = hashlib.sha256(payload).hexdigest()
        plan = Plan(
            connector=self.name,
            action=api.action,
            connection=connection.name,
            credential=connection.credential,
            call=call,
            requirements=requirements,
            access=ACCESS[entry.access],
            idempotent=is_idempotent(api, entry),
            summary=summary_of(api, checked, requirements),
            payload=payload,
            host=urlsplit(endpoint.origin).netloc,
            estimate=Estimate(request_bytes=len(payload) if checked.upload is None else checked.upload.size_bytes),
            upload=checked.upload,
            mint=mint_of(options, checked.region, requirements),
            fresh=api.tokens,
        )
        return repeated.extended(plan, again)

    async def execute(
        self,
        plan: Plan,
        connection: Connection,  # noqa: ARG002 - everything is in the plan
        lease: Lease,
        transport: Transport,
    ) -> CallResult:
        """Send the request the plan says, once, or a read as often as it says.

        Raises:
            NotSentError, UpstreamRefusedError, OutcomeUnknownError: as in connectors.errors.
            VaultError: the lease could not serve; nothing was sent.
        """
        api = operation_of(plan)
        return await repeated.run(plan, api, lambda each: self._send(each, api, lease, transport), self._pause)

    async def _send(self, plan: Plan, api: ApiOperation, lease: Lease, transport: Transport) -> CallResult:
        request = build_request(plan)
        headers = await sign(request, lease, datetime.fromtimestamp(self._now_ns() // 1_000_000_000, UTC))
        body = request.body if plan.upload is None else await upload.body_of(plan)
        async with AsyncExitStack() as stack:
            response = await stack.enter_async_context(
                transport.request(request.method, request.url, headers=headers, body=body)
            )
            result = await read_answer(plan, api, response, stack)
        if plan.access is Access.SECRET:
            entry = load().entry(api.service, api.name)
            result.secrets = secret_paths(api, entry, result.data) if entry else ()
        return result


def _found(action: str) -> tuple[ApiOperation, Entry]:
    found = known(action)
    if found is None:
        raise InvalidParamsError(
            f"`{shown(action)}` is not an operation of aws",
            fix="write `service:Operation` as botocore names them, as in `ecs:UpdateService`",
        )
    reason = why_unserved(*found)
    if reason:
        raise InvalidParamsError(f"`{found[0].action}` is not served: {reason}")
    return found


def _complete(api: ApiOperation, checked: Checked, connection: Connection) -> Checked:
    """Return the params with everything that is set for the caller, so that policy and people see it."""
    params = {**s3.set_members(api), **checked.params} if api.service == s3.NAME else checked.params
    return dataclasses.replace(checked, params=fill_tokens(api, params, connection.name, checked.payload))


def _requirements(entry: Entry, checked: Checked, options: JsonObject) -> tuple[Requirement, ...]:
    place = Place(str(options.get("partition", "aws")), checked.region, str(options["account"]))
    requirements = resolve(entry, checked.params, place)
    if not requirements:
        raise InvalidParamsError(f"`{entry.service}:{entry.operation}` asks for nothing policy could allow")
    for need in requirements:
        found = control_in(need.resource.replace(UNKNOWN, ""))
        if found or len(need.resource) > MAX_RESOURCE_CHARS:
            raise InvalidParamsError(
                f"a name holds the control character {found}" if found else "a name is too long for any rule"
            )
    return requirements


def _call(api: ApiOperation, checked: Checked, options: JsonObject) -> tuple[Endpoint, JsonObject]:
    """Return where the call goes, and all that `execute` needs but the body."""
    path_style = True
    if api.service == s3.NAME:
        bucket = str(checked.params.get("Bucket", ""))
        origin, path_style = s3.target_of(options, checked.region, bucket)
        endpoint = Endpoint(origin, s3.NAME, checked.region)
    else:
        endpoint = endpoint_of(api, checked.params, checked.region, options.get("endpoint"))
    return endpoint, {
        "service": api.service,
        "operation": api.name,
        "params": checked.params,
        "region": checked.region,
        "origin": endpoint.origin,
        "path_style": path_style,
        "signing_name": endpoint.signing_name,
        "signing_region": endpoint.signing_region,
    }
