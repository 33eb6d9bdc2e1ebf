"""The connector protocol: a pure `plan`, an async `execute`, and a table of operations everything else derives from.

A connector never sees a session, an intent or an approval. `plan` turns params into data (what will be sent) and the
requirements policy must allow; `execute` sends what the plan says with a lease and a transport, and nothing else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from pydantic import BaseModel

from policies.model import Requirement, ResourceType
from vault.model import CredentialRef, Lease

Json = None | bool | int | float | str | list[Any] | dict[str, Any]
JsonObject = dict[str, Any]
"""A JSON object as parsed: str keys, JSON values. Any, because JSON has no useful static type in Python."""


class Access(StrEnum):
    """What an operation does upstream; the ledger and the retry rules look at it."""

    READ = "read"
    WRITE = "write"
    DESTROY = "destroy"
    SECRET = "secret"  # noqa: S105 - a class of operations


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of a connector's catalogue.

    Args:
        action: Canonical action, ``service:Operation``.
        access: What it does upstream.
        idempotent: True when sending it twice has the effect of sending it once.
        summary: One line for people.
        resources: Templates of the resources it touches, as ``arn:aws:s3:::{Bucket}/{Key}``.
        params_schema: JSON Schema of the params; closed (``additionalProperties: false``).
        example: Params that plan; shown in help and planned by the contract suite.
        permissions: Every action its requirements can name (``s3:HeadObject`` asks for ``s3:GetObject``); empty when
            that is ``action`` alone. Policies are checked against these names.
    """

    action: str
    access: Access
    idempotent: bool
    summary: str
    resources: tuple[str, ...]
    params_schema: JsonObject
    example: JsonObject
    permissions: tuple[str, ...] = ()


class LargeCatalogue(Mapping[str, Operation]):
    """A catalogue whose names are at hand and whose rows are made when they are looked at.

    Iterating, counting and asking for a name is cheap; a row may cost reading a file of megabytes, and all of them
    together cost seconds and hundreds of megabytes. `permissions_of` is for whoever goes through all of it.
    """

    @property
    @abstractmethod
    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """For each operation every action its requirements can name; as cheap as the names."""

    @property
    @abstractmethod
    def other_actions(self) -> frozenset[str]:
        """Actions the upstream checks and no operation asks for; a policy may name them, most of all to forbid them."""


def permissions_of(operations: Mapping[str, Operation]) -> Mapping[str, tuple[str, ...]]:
    """Return for each operation every action its requirements can name, at least one, without making rows.

    An action no operation asks for and a policy may name stands for itself.

    Args:
        operations: Catalogue of a connector.
    """
    if isinstance(operations, LargeCatalogue):
        return {action: (action,) for action in operations.other_actions} | dict(operations.permissions)
    return {action: row.permissions or (row.action,) for action, row in operations.items()}


@dataclass(frozen=True, slots=True)
class Connection:
    """A named upstream from ``ostiary.yaml``, already validated by its connector's `connection_model`.

    Args:
        name: Name in the configuration.
        connector: Name of the connector that serves it.
        credential: The credential used with it.
        options: The rest of the entry as validated JSON (account, regions, endpoint, …).
    """

    name: str
    connector: str
    credential: CredentialRef
    options: JsonObject


@dataclass(frozen=True, slots=True)
class Usage:
    """Units of one call, estimated (plan) or measured (result)."""

    calls: int = 1
    request_bytes: int = 0
    response_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be sent, as data, and what must be allowed for it. Same input, same plan, same digest.

    Args:
        connector: Name of the connector that made it and can execute it.
        action: Canonical action.
        connection: Name of the connection.
        credential: What the lease will be on.
        call: Canonical JSON with all that `execute` needs but the payload; ``payload_sha256`` when there is one.
        requirements: Every (action, resource) pair, at least one.
        access: As in the operation.
        idempotent: As in the operation.
        summary: One verb-first line a person can approve: ``push 1 ref to acme/app: refs/heads/main``.
        host: Upstream ``host`` or ``host:port`` the call goes to; the vault refuses a credential not bound to it.
        payload: Bytes to upload, outside ``call`` so that the plan stays small; bound by its digest in ``call``.
        estimate: Upper estimate of the usage.
    """

    connector: str
    action: str
    connection: str
    credential: CredentialRef
    call: JsonObject
    requirements: tuple[Requirement, ...]
    access: Access
    idempotent: bool
    summary: str
    host: str = ""
    payload: bytes = b""
    estimate: Usage = field(default_factory=Usage)


Body = AsyncGenerator[bytes, None]
"""Chunks of a streamed result; closing it closes the upstream connection. It raises OutcomeUnknownError when cut."""


@dataclass(slots=True)
class CallResult:
    """A definite yes from upstream.

    Args:
        data: Parsed result as JSON (blobs in base64), without the streamed body.
        body: The streamed body, None when the operation has none.
        media_type: Of the body.
        upstream_request_id: The upstream's id of the call.
        usage: Measured units.
    """

    data: JsonObject
    body: Body | None = None
    media_type: str = "application/octet-stream"
    upstream_request_id: str = ""
    usage: Usage = field(default_factory=Usage)


@dataclass(slots=True)
class UpstreamResponse:
    """An HTTP answer whose body has not been read yet."""

    status: int
    headers: Mapping[str, str]
    body: AsyncGenerator[bytes, None]


class Transport(Protocol):
    """The one way out for HTTP: timeouts, size caps, no redirects, no retries, no proxy from the environment."""

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> AbstractAsyncContextManager[UpstreamResponse]:
        """Send one request and yield its answer; header names of the answer are lower case.

        Args:
            method: HTTP method.
            url: Absolute URL, sent byte for byte as given.
            headers: Sent as given; ``Host`` and ``Content-Length`` are derived when absent.
            body: Whole body.

        Raises:
            NotSentError: no byte was sent.
            OutcomeUnknownError: something was sent and no complete answer came.
        """


class Connector(Protocol):
    """One kind of upstream."""

    @property
    def name(self) -> str:
        """Name of its folder and of its entries in ``ostiary.yaml``."""

    @property
    def services(self) -> frozenset[str]:
        """Action prefixes it serves: ``{"s3"}``, ``{"git"}``."""

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Its catalogue, keyed by canonical action."""

    @property
    def resource_types(self) -> tuple[ResourceType, ...]:
        """The kinds of resources its requirements name, each of one type; policies are read against them."""

    @property
    def connection_model(self) -> type[BaseModel]:
        """Strict pydantic model (extra forbidden) of a connection's own options."""

    def plan(self, action: str, params: JsonObject, connection: Connection) -> Plan:
        """Derive what will be sent and what must be allowed; pure.

        Raises:
            InvalidParamsError: unknown action, or params that do not fit it.
        """

    async def execute(self, plan: Plan, connection: Connection, lease: Lease, transport: Transport) -> CallResult:
        """Send what ``plan`` says, once, with no retry.

        Raises:
            NotSentError, UpstreamRefusedError, OutcomeUnknownError: as in connectors.errors.
            VaultError: the lease could not serve; nothing was sent.
        """
