from __future__ import annotations

import pytest

from connectors.errors import NotSentError
from connectors.git.address import pinned
from connectors.guard import AddressGuard
from tests.unit.connectors.test_transport_guard import ScriptedDns


async def test_a_name_is_pinned_to_the_addresses_that_are_permitted() -> None:
    dns = ScriptedDns(["8.8.8.8", "10.0.0.1", "2606:4700::1111", "8.8.8.8"])
    found = await pinned("https://git.test:8443/x", AddressGuard(), dns)
    assert found == "git.test:8443:[2606:4700::1111],8.8.8.8"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1", "64:ff9b::7f00:1"])
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    with pytest.raises(NotSentError, match="address guard"):
        await pinned("https://git.test", AddressGuard(), ScriptedDns([address]))


async def test_a_name_the_operator_permits_may_lead_inside() -> None:
    found = await pinned("https://git.corp", AddressGuard(["git.corp"]), ScriptedDns(["10.0.0.1"]))
    assert found == "git.corp:443:10.0.0.1"


async def test_localhost_may_lead_to_this_machine() -> None:
    assert await pinned("http://localhost:1", AddressGuard(), ScriptedDns(["127.0.0.1"])) == "localhost:1:127.0.0.1"


@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "https://[2001:db8::1]", "https://10.0.0.1"])
async def test_a_numeric_address_written_by_the_operator_needs_no_pin(url: str) -> None:
    assert await pinned(url, AddressGuard(), ScriptedDns()) == ""


async def test_a_name_that_does_not_resolve_is_not_sent_to() -> None:
    class NoDns(ScriptedDns):
        async def resolve(self, *arguments: object, **options: object) -> list[object]:  # type: ignore[override]
            raise OSError("no such name")

    with pytest.raises(NotSentError, match="does not resolve"):
        await pinned("https://git.test", AddressGuard(), NoDns())
