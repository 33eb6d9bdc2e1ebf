"""Plans and executes with the aws connector against one moto, through the real transport."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from connectors.aws.connector import AwsConnector
from connectors.base import Connection
from connectors.guard import AddressGuard, endpoint_of
from connectors.streams import read_all
from connectors.transport import HttpTransport
from tests.fakes import FakeLease
from tests.parts.moto import Moto
from vault.model import CredentialRef


@dataclass(slots=True)
class Desk:
    """What a call needs."""

    moto: Moto
    connection: Connection
    transport: HttpTransport
    lease: FakeLease

    async def ask(self, action: str, params: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Return the result of a call, and its body."""
        connector = AwsConnector()
        plan = connector.plan(action, params, self.connection)
        result = await connector.execute(plan, self.connection, self.lease, self.transport)
        return result.data, b"" if result.body is None else await read_all(result.body, 1 << 20)


@asynccontextmanager
async def open_desk(moto: Moto, kind: type[Desk] = Desk) -> AsyncIterator[Any]:
    """Yield a desk of ``kind`` with the key of moto's user."""
    options = AwsConnector().connection_model.model_validate(
        {"account": moto.account, "regions": [moto.region], "endpoint": moto.endpoint}
    )
    connection = Connection("prod", "aws", CredentialRef("aws/prod"), options.model_dump(mode="json"))
    transport = HttpTransport(AddressGuard([endpoint_of(moto.endpoint)]))
    try:
        yield kind(moto, connection, transport, FakeLease(moto.access_key, moto.secret_key))
    finally:
        await transport.aclose()
