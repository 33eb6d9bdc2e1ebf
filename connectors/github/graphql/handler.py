"""What the github connector calls for the operations of GraphQL, each named as in the connector's own protocol.

It is imported when the first of them is asked for: the library takes a while to load.
"""

from __future__ import annotations

from connectors.base import CallResult, Plan, Transport
from connectors.errors import NotSentError
from connectors.github.connection import GitHubConnection
from connectors.github.graphql import execution, planning, twins
from connectors.github.sending import authorization_of
from vault.model import Lease


class GraphQLHandler:
    """The part of the connector that serves GraphQL; it has no state."""

    asks = staticmethod(planning.asks)
    evidence = staticmethod(planning.evidence)
    plan = staticmethod(planning.plan)
    preview_asks = staticmethod(twins.preview_asks)
    preview = staticmethod(twins.preview)
    look = staticmethod(twins.look)
    settle = staticmethod(twins.settle)

    @staticmethod
    async def execute(plan: Plan, options: GitHubConnection, lease: Lease, transport: Transport) -> CallResult:
        """Send what a plan says, once; see `connectors.base.Connector.execute`.

        Raises:
            NotSentError, UpstreamRefusedError, OutcomeUnknownError: as in connectors.errors.
            VaultError: the lease could not serve; nothing was sent.
        """
        if plan.host != options.host or plan.call["url"] != planning.endpoint(options):
            raise NotSentError("the plan is for another upstream than the connection")
        return await execution.execute(plan, authorization_of(lease), transport)
