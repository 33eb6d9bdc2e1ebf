from __future__ import annotations

import pytest

from broker.ids import IntentId
from broker.studies.drill.outside import Outside
from connectors.errors import NotSentError
from vault.errors import VaultError
from vault.model import CredentialRef


async def test_nothing_is_lent_sent_scanned_or_queued_and_each_try_is_noted() -> None:
    outside = Outside()
    with pytest.raises(VaultError):
        async with outside.lease(CredentialRef("git/bot"), host="git.test", purpose="int_1"):
            pass
    with pytest.raises(NotSentError):
        async with outside.request("PUT", "https://git.test/x", headers={}, body=b"abc"):
            pass
    with pytest.raises(VaultError):
        await outside.scrub(b"abc")
    with pytest.raises(VaultError):
        outside.scanner()
    assert not await outside.send(IntentId("int_1"), 1)
    assert [each.split()[0] for each in outside.tried] == ["lease", "PUT", "scrub", "scan", "queue"]


async def test_asking_how_the_outside_is_changes_nothing() -> None:
    outside = Outside()
    assert await outside.health() is not True
    assert not await outside.alive()
    assert (await outside.revoke("ses_1")).revoked == 0
    assert outside.tried == []
