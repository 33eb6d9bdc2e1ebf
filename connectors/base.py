"""The connector protocol: a pure `plan`, an async `execute`, and a table of operations everything else derives from.

A connector never sees a session, an intent or an approval. `plan` turns params into data (what will be sent) and the
requirements policy must allow; `execute` sends what the plan says with a lease and a transport, and nothing else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from connectors.usage import Estimate, Usage
from policies.model import Requirement, ResourceType
from vault.model import CredentialRef, Lease, Mint

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

    @property
    @abstractmethod
    def secret_operations(self) -> frozenset[str]:
        """The operations whose answer holds secrets; as cheap as the names."""

    @abstractmethod
    def outline(self, action: str) -> Operation:
        """Return a row as far as it is known without reading a file: no schema, no example, no resources.

        Raises:
            KeyError: there is no such action.
        """

    @abstractmethod
    def loading(self, action: str) -> Callable[[], None] | None:
        """Return what to call, best in a thread, before the row or a plan of an action is asked for.

        None when all of it is in memory, as it is nearly always, and for an action that is not there.
        """


def secret_operations_of(operations: Mapping[str, Operation]) -> frozenset[str]:
    """Return the operations whose answer holds secrets, without making rows.

    Args:
        operations: Catalogue of a connector.
    """
    if isinstance(operations, LargeCatalogue):
        return operations.secret_operations
    return frozenset(action for action, row in operations.items() if row.access is Access.SECRET)


def asked_by(operations: Mapping[str, Operation]) -> Mapping[str, tuple[str, ...]]:
    """Return for each operation every action its requirements can name, at least one, without making rows.

    Args:
        operations: Catalogue of a connector.
    """
    if isinstance(operations, LargeCatalogue):
        return operations.permissions
    return {action: row.permissions or (row.action,) for action, row in operations.items()}


def permissions_of(operations: Mapping[str, Operation]) -> Mapping[str, tuple[str, ...]]:
    """Return what `asked_by` does, and each action no operation asks for and a policy may name, for itself.

    Args:
        operations: Catalogue of a connector.
    """
    others = operations.other_actions if isinstance(operations, LargeCatalogue) else ()
    return {action: (action,) for action in others} | dict(asked_by(operations))


def outline_of(operations: Mapping[str, Operation], action: str) -> Operation:
    """Return what a list says of an operation; of a large catalogue without schema, example and resources.

    Raises:
        KeyError: there is no such action.
    """
    return operations.outline(action) if isinstance(operations, LargeCatalogue) else operations[action]


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


class UploadStream(Protocol):
    """The bytes of a body that comes in while the plan is executed; read once, from its beginning to its end.

    Reading it raises `connectors.errors.UploadBrokenError` when the bytes are not those that were declared. The last
    piece is held back until all of them have been looked at, so an upstream never gets a whole body that is not right.
    """

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the pieces, none of them empty."""

    @property
    def trailers(self) -> Mapping[str, str]:
        """What was said about the body after its end, lower-case names; empty before it."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that is not in the plan: declared in the params, handed over while the plan is executed.

    In params it stands where the body would: ``{"Body": {"upload": {"bytes": 5, "sha256": "…"}}}``.

    Args:
        size_bytes: Exact length.
        sha256: Hex digest its sender declared; empty when it declared none.
        trailer: Name of the header with a checksum that its sender says after the body; empty when there is none.
        trailing: Value of that header, once it was said; empty before.
    """

    size_bytes: int
    sha256: str = ""
    trailer: str = ""
    trailing: str = ""


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
        estimate: What it may come to, for budgets.
        upload: A body that comes in while the plan is executed, as it was declared; ``call`` holds it too.
        stream: That body, set by whoever executes; no part of what was planned.
        mint: A short-lived credential that is minted for this plan; None to use the stored one.
        fresh: Names in ``call["params"]`` that clients fill anew each time they ask for the same.
        trace: What the ledger keeps of the call, so that its outcome can be found later (`Settler`); no secrets, small.
        patience_seconds: How long the head of its answer may take; 0 for as long as any call.
        fallbacks: What is sent in its place when an upstream gives no answer worth having, in order; each a plan of its
            own, for the same upload, without fallbacks. Only an operation that changes nothing upstream has any. Their
            requirements are not in ``requirements``: one that asks for more than those is sent only when policy allows
            all it asks for, without asking a person.
        attempt: Name of this attempt, set by whoever executes, for marks upstream; no part of what was planned.
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
    estimate: Estimate = field(default_factory=Estimate)
    upload: Upload | None = None
    stream: UploadStream | None = field(default=None, repr=False, compare=False)
    mint: Mint | None = None
    fresh: tuple[str, ...] = ()
    trace: JsonObject = field(default_factory=dict)
    attempt: str = field(default="", compare=False)
    patience_seconds: int = 0
    fallbacks: tuple[Plan, ...] = ()


Body = AsyncGenerator[bytes, None]
"""Chunks of a streamed result; closing it closes the upstream connection. It raises OutcomeUnknownError when cut.

A body that is live (`CallResult.live`) says with one empty chunk that what follows is its end: that part is kept back
until the outcome is durable, all before it is handed on as it comes.
"""


@dataclass(slots=True)
class CallResult:
    """A definite yes from upstream.

    Args:
        data: Parsed result as JSON (blobs in base64), without the streamed body.
        body: The streamed body, None when the operation has none.
        media_type: Of the body.
        upstream_request_id: The upstream's id of the call.
        usage: Measured units; those of a streamed body are there when it has ended, whatever ended it.
        live: Somebody follows the body as it comes: each chunk is handed on at once, however small.
        facts: More for the ledger's event of the outcome: names, sizes, digests; no content.
        secrets: Where in ``data`` secrets stand, as paths of names and indices; they are sealed and never released.
    """

    data: JsonObject
    body: Body | None = None
    media_type: str = "application/octet-stream"
    upstream_request_id: str = ""
    usage: Usage = field(default_factory=Usage)
    secrets: tuple[tuple[str | int, ...], ...] = ()
    live: bool = False
    facts: JsonObject = field(default_factory=dict)


@dataclass(slots=True)
class UpstreamResponse:
    """An HTTP answer whose body has not been read yet."""

    status: int
    headers: Mapping[str, str]
    body: AsyncGenerator[bytes, None]


class Transport(Protocol):
    """The one way out for HTTP: timeouts, size caps, no redirects, no retries, no proxy from the environment."""

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes] = b"",
        patience_seconds: float = 0.0,
    ) -> AbstractAsyncContextManager[UpstreamResponse]:
        """Send one request and yield its answer; header names of the answer are lower case.

        Args:
            method: HTTP method.
            url: Absolute URL, sent byte for byte as given.
            headers: Sent as given; ``Host`` and ``Content-Length`` are derived when absent.
            body: Whole body, or its pieces; then ``headers`` must hold ``content-length``.
            patience_seconds: How long the head of the answer, and each pause in its body, may take; 0 for as long as
                any other's.

        Raises:
            NotSentError: no byte was sent.
            UploadBrokenError: the pieces ended in an error; the upstream got no whole request.
            OutcomeUnknownError: something was sent and no complete answer came.
        """


@runtime_checkable
class Warmable(Protocol):
    """A connector that reads something large before it can plan."""

    def warm(self) -> None:
        """Read it now, best in a thread; otherwise the first plan does, and everybody waits for that."""


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
