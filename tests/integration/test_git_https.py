"""git over TLS to a host with a name: certificates are checked, and the name leads only where the guard allows."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.base import CallResult, Connection
from connectors.errors import NotSentError, UpstreamRefusedError
from connectors.git.connector import GitConnector, Machine
from connectors.guard import AddressGuard
from connectors.transport import HttpTransport
from tests.fakes import FakeLease
from tests.parts.git_server import GitServer, git_server
from tests.unit.connectors.test_transport_guard import ScriptedDns
from vault.model import CredentialKind, CredentialRef

NAME = "forge.test"


@dataclass
class Forge:
    server: GitServer
    certificate: Path
    port: int


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    certificate = _certificate(tmp_path / "forge.pem")
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


async def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(forge: Forge) -> None:
    machine = Machine(ca_file=forge.certificate, resolver=ScriptedDns(["127.0.0.1"]))
    with pytest.raises(NotSentError, match="address guard"):
        await read(forge, machine, AddressGuard())
    assert forge.server.seen == []


async def test_a_certificate_nobody_vouches_for_is_refused_by_git(forge: Forge, tmp_path: Path) -> None:
    other = _certificate(tmp_path / "other.pem")
    machine = Machine(ca_file=other, resolver=ScriptedDns(["127.0.0.1"]))
    with pytest.raises(UpstreamRefusedError) as caught:
        await read(forge, machine, AddressGuard([NAME]))
    assert caught.value.code == "fetch-failed"
    assert "certificate" in str(caught.value)


def _certificate(path: Path) -> Path:
    """A key and a self-signed certificate for the host's name, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(pem))
    return path
