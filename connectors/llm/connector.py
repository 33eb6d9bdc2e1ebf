"""The ``llm`` connector: models of Anthropic, of OpenAI and whoever speaks like it, at Azure and at Amazon Bedrock.

A plan is for one upstream and has a plan for each other one that may be asked in its place. Planning needs no more of
a body than `connectors.llm.bodies.Peeked`; that these facts are those of the bytes is proved before anything is sent.

What plans and sends is loaded when it is first needed, so that a process without models pays nothing for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import BaseModel

from connectors.base import CallResult, Connection, JsonObject, Operation, Plan, Transport
from connectors.errors import InvalidParamsError
from connectors.llm.connection import LlmConnection, options_of
from connectors.llm.operations import OPERATIONS
from connectors.llm.resource_types import RESOURCE_TYPES
from policies.model import ResourceType
from vault.model import Lease

if TYPE_CHECKING:
    from connectors.llm.writing import Desk


class LlmConnector:
    """`connectors.base.Connector` for models.

    Args:
        now_ns: Wall clock for the date of signatures, nanoseconds since the epoch.
    """

    name = "llm"
    services = frozenset({"llm"})
    operations: Mapping[str, Operation] = OPERATIONS
    resource_types: tuple[ResourceType, ...] = RESOURCE_TYPES
    connection_model: type[BaseModel] = LlmConnection

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns

    @cached_property
    def _desk(self) -> Desk:
        from connectors.llm.streaming import Drains
        from connectors.llm.writing import Desk

        return Desk(self._now_ns, Drains())

    def warm(self) -> None:
        """Read the list of prices; see `connectors.base.Warmable`."""
        from connectors.llm import planning, prices, sending

        del planning, sending  # reading them is what takes a moment
        prices.load()

    def plan(self, action: str, params: JsonObject, connection: Connection) -> Plan:
        """Derive what is sent, to whom, and in whose place who else is asked; see `connectors.base.Connector.plan`."""
        if action not in OPERATIONS:
            raise InvalidParamsError("the llm connector has no such action", "it has `llm:InvokeModel`")
        from connectors.llm.planning import planned

        return planned(self.name, action, params, connection)

    async def execute(self, plan: Plan, connection: Connection, lease: Lease, transport: Transport) -> CallResult:
        """Send what the plan says to its one upstream, once; see `connectors.base.Connector.execute`.

        Raises:
            NotSentError, UpstreamRefusedError, OutcomeUnknownError, UploadBrokenError: as in connectors.errors;
                ``elsewhere`` is set on those after which another upstream may be asked.
            VaultError: the lease could not serve; nothing was sent.
        """
        from connectors.llm.sending import send

        return await send(plan, options_of(connection), self._desk, lease, transport)
