"""git over TLS to a host with a name: certificates are checked, and the name leads only where the guard allows."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from connectors.base import CallResult, Connection
from connectors.errors import NotSentError, UpstreamRefusedError
from connectors.git.connector import GitConnector, Machine
from connectors.guard import AddressGuard
from connectors.transport import HttpTransport
from tests.fakes import FakeLease
from tests.parts.certificate import write_certificate
from tests.parts.git_server import GitServer, git_server
from tests.unit.connectors.test_transport_guard import ScriptedDns
from vault.model import CredentialKind, CredentialRef

pytestmark = pytest.mark.req("A3")

NAME = "forge.test"


@dataclass
class Forge:
    server: GitServer
    certificate: Path
    port: int


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    certificate = write_certificate(tmp_path / "forge.pem", NAME)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with git_server(tmp_path / "srv", tls=tls) as server:
        server.create_repo("acme/app")
        server.seed_repo("acme/app")
        yield Forge(server, certificate, urlsplit(server.url).port or 0)


async def read(forge: Forge, machine: Machine, guard: AddressGuard) -> tuple[CallResult, bytes]:
    dns = ScriptedDns(["127.0.0.1"])
    tls = ssl.create_default_context(cafile=forge.certificate)
    transport = HttpTransport(AddressGuard([NAME]), tls=tls, resolver=dns)
    try:
        connector = GitConnector(guard, machine)
        connection = Connection("forge", "git", CredentialRef("git/acme"), {"url": f"https://{NAME}:{forge.port}"})
        plan = connector.plan("git:read", {"repo": "acme/app", "what": "bundle"}, connection)
        header = "Basic " + base64.b64encode(f"bot:{forge.server.rw_token}".encode()).decode()
        result = await connector.execute(plan, connection, FakeLease("", header, CredentialKind.BASIC), transport)
        assert result.body is not None
        return result, b"".join([chunk async for chunk in result.body])
    finally:
        await transport.aclose()


async def test_git_goes_to_the_address_the_guard_permitted_without_asking_the_dns_itself(forge: Forge) -> None:
    # No DNS knows forge.test: git can only have come here by the pinned address.
    machine = Machine(ca_file=forge.certificate, resolver=ScriptedDns(["127.0.0.1"]))
    _, bundle = await read(forge, machine, AddressGuard([NAME]))
    assert bundle.startswith(b"# v2 git bundle\n")
    assert {request.user for request in forge.server.seen} == {"bot"}


async def test_a_name_that_leads_inside_is_refused_to_git_itself_before_it_sends_anything(forge: Forge) -> None:
    # The transport, with a guard of its own that permits the name, has read the refs; git is what must not go there.
    machine = Machine(ca_file=forge.certificate, resolver=ScriptedDns(["127.0.0.1"]))
    with pytest.raises(NotSentError, match="address guard"):
        await read(forge, machine, AddressGuard())
    assert [request.path for request in forge.server.seen] == ["/acme/app.git/info/refs?service=git-upload-pack"]


async def test_a_certificate_nobody_vouches_for_is_refused_by_git(forge: Forge, tmp_path: Path) -> None:
    other = write_certificate(tmp_path / "other.pem", NAME)
    machine = Machine(ca_file=other, resolver=ScriptedDns(["127.0.0.1"]))
    with pytest.raises(UpstreamRefusedError) as caught:
        await read(forge, machine, AddressGuard([NAME]))
    assert caught.value.code == "fetch-failed"
    assert "certificate" in str(caught.value)
