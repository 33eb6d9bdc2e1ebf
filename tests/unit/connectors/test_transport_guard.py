from __future__ import annotations

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from connectors.guard import AddressGuard, AddressRefusedError, GuardedResolver, endpoint_of

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::",
    "192.0.2.1",
    "198.18.0.1",
    "240.0.0.1",
    "255.255.255.255",
]
NOWHERE = ["169.254.169.254", "fe80::1", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "::ffff:169.254.169.254"]  # noqa: S104 - refused
PUBLIC = ["8.8.8.8", "52.219.0.1", "2600:9000::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]


class ScriptedDns(AbstractResolver):
    """Answers with the next set of addresses at each question."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in self.answers.pop(0)
        ]

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("address", [*INSIDE, *NOWHERE])
def test_an_address_inside_is_refused_for_a_host_nobody_named(address: str) -> None:
    guard = AddressGuard(["other.test", "minio.test:9000"])
    assert not guard.permits("evil.test", 443, address)
    assert not guard.permits(address, 443, address)
    assert not guard.permits_literal(address, 443)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_permitted(address: str) -> None:
    guard = AddressGuard()
    assert guard.permits("bucket.s3.eu-central-1.amazonaws.com", 443, address)
    assert guard.permits_literal(address, 443)


@pytest.mark.parametrize("address", INSIDE)
def test_an_explicit_endpoint_may_lead_inside(address: str) -> None:
    assert AddressGuard(["minio.test:9000"]).permits("MinIO.test.", 9000, address)
    assert AddressGuard(["minio.test"]).permits("minio.test", 1234, address)


def test_an_explicit_endpoint_is_for_its_port_only() -> None:
    assert not AddressGuard(["minio.test:9000"]).permits("minio.test", 9001, "10.0.0.1")
    assert not AddressGuard(["[::1]:9000"]).permits("::1", 9001, "::1")
    assert AddressGuard(["[::1]:9000"]).permits("::1", 9000, "::1")


@pytest.mark.parametrize("address", NOWHERE)
def test_no_name_leads_to_the_metadata_service_whatever_is_allowed(address: str) -> None:
    assert not AddressGuard(["minio.test"]).permits("minio.test", 80, address)
    assert not AddressGuard(allow_private=True).permits("minio.test", 80, address)
    assert not AddressGuard(allow_private=True).permits(address, 80, address)


def test_the_metadata_address_itself_can_be_an_explicit_endpoint() -> None:
    assert AddressGuard(["169.254.169.254:80"]).permits("169.254.169.254", 80, "169.254.169.254")


@pytest.mark.parametrize("address", INSIDE)
def test_the_operator_can_allow_private_addresses_for_all(address: str) -> None:
    assert AddressGuard(allow_private=True).permits("any.test", 80, address)


@pytest.mark.parametrize("address", ["", "fe80::1%eth0", "127.1", "0x7f000001", "localhost", "127.0.0.1 "])
def test_what_is_no_numeric_address_is_refused(address: str) -> None:
    assert not AddressGuard(["localhost"], allow_private=True).permits("localhost", 80, address)


@given(st.ip_addresses())
def test_a_mapped_address_is_judged_as_the_address_inside(address: object) -> None:
    text = str(address)
    if ":" not in text:
        guard = AddressGuard()
        assert guard.permits("a.test", 80, f"::ffff:{text}") is guard.permits("a.test", 80, text)


def test_replacing_the_endpoints_forgets_the_old_ones() -> None:
    guard = AddressGuard(["old.test"])
    guard.replace_allowed(["new.test"])
    assert not guard.permits("old.test", 80, "10.0.0.1")
    assert guard.permits("new.test", 80, "10.0.0.1")


async def test_every_resolution_is_judged_so_a_name_cannot_change_its_mind() -> None:
    dns = ScriptedDns(["8.8.8.8", "10.0.0.1"], ["10.0.0.1"])
    resolver = GuardedResolver(AddressGuard(), dns)
    assert [entry["host"] for entry in await resolver.resolve("rebind.test", 80)] == ["8.8.8.8"]
    with pytest.raises(AddressRefusedError):
        await resolver.resolve("rebind.test", 80)
    await resolver.close()
    assert dns.closed


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://S3.Example.com/x", "s3.example.com:443"),
        ("http://10.0.0.1", "10.0.0.1:80"),
        ("http://[::1]:9000/", "[::1]:9000"),
        ("ssh://git@git.example.com/x", "git.example.com:22"),
    ],
)
def test_the_endpoint_of_a_url_names_host_and_port(url: str, endpoint: str) -> None:
    assert endpoint_of(url) == endpoint


@pytest.mark.parametrize("url", ["ftp://a", "/path", "https://", "http://a:99999"])
def test_what_is_no_http_url_has_no_endpoint(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected|[Pp]ort"):
        endpoint_of(url)
