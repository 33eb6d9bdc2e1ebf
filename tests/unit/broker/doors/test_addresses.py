"""Where a request came from."""

from __future__ import annotations

from typing import Any

import pytest

from broker.doors.addresses import client_address, scheme_of
from broker.settings import Settings, SettingsError, load_settings

LOOPBACK = Settings(trusted_proxies="127.0.0.1, 10.0.0.0/8, 2001:db8::/32").trusted_networks


def scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return {"client": (peer, 4711) if peer else None, "headers": headers}


def test_the_peer_is_the_client_and_its_claim_is_not_looked_at() -> None:
    assert client_address(scope("192.0.2.7", "10.1.1.1"), ()) == "192.0.2.7"
    assert client_address(scope("192.0.2.7", "10.1.1.1"), LOOPBACK) == "192.0.2.7"


def test_a_trusted_proxy_names_the_client_by_what_it_added_last() -> None:
    assert client_address(scope("127.0.0.1", "1.1.1.1, 192.0.2.7"), LOOPBACK) == "192.0.2.7"
    assert client_address(scope("127.0.0.1", "1.1.1.1", "192.0.2.7, 10.9.9.9"), LOOPBACK) == "192.0.2.7"
    assert client_address(scope("2001:db8::1", "2001:0DB9::0007"), LOOPBACK) == "2001:db9::7"


def test_proxies_all_the_way_end_at_the_farthest() -> None:
    assert client_address(scope("127.0.0.1"), LOOPBACK) == "127.0.0.1"
    assert client_address(scope("127.0.0.1", "10.0.0.5, 10.0.0.6"), LOOPBACK) == "10.0.0.5"


@pytest.mark.parametrize("written", ["unknown", "192.0.2.7:80", "", "192.0.2.7, nonsense"])
def test_what_cannot_be_read_is_no_address(written: str) -> None:
    assert client_address(scope("127.0.0.1", written), LOOPBACK) == ""


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [
        ("127.0.0.1", ["https"], "https"),
        ("127.0.0.1", ["http"], "http"),
        ("127.0.0.1", [], "http"),
        ("127.0.0.1", ["https", "https"], "http"),
        ("127.0.0.1", ["https, http"], "http"),
        ("127.0.0.1", ["javascript"], "http"),
        ("192.0.2.7", ["https"], "http"),
        (None, ["https"], "http"),
    ],
)
def test_only_a_trusted_proxy_says_by_which_scheme_a_client_came(
    peer: str | None, said: list[str], scheme: str
) -> None:
    asked = scope(peer)
    asked["headers"] += [(b"x-forwarded-proto", value.encode()) for value in said]
    assert scheme_of({**asked, "scheme": "http"}, LOOPBACK) == scheme
    assert scheme_of({**asked, "scheme": "https", "headers": []}, LOOPBACK) == "https"


def test_a_socket_without_a_peer_has_no_address() -> None:
    assert client_address(scope(None), LOOPBACK) == ""
    assert client_address(scope("testclient"), LOOPBACK) == ""


def test_a_mapped_address_is_its_ipv4_address() -> None:
    assert client_address(scope("::ffff:192.0.2.7"), ()) == "192.0.2.7"
    assert client_address(scope("::ffff:10.0.0.1", "192.0.2.9"), LOOPBACK) == "192.0.2.9"


def test_what_is_no_network_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError):
        load_settings({"OSTIARY_TRUSTED_PROXIES": "10.0.0.0/8, proxy.internal"})
