"""A vault that is an App of GitHub, against the emulator that enforces what an App may."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.parts.github import APP_ID, OTHER_REPOSITORY, REPOSITORY, Hub, github_hub, new_app_key
from tests.unit.vault.samples import CHEAP, PASSPHRASE
from vault.client import VaultClient
from vault.errors import LeaseRefusedError
from vault.model import CredentialKind, CredentialRef, GitHubTokenRequest, SecretValue
from vault.server import VaultServer
from vault.service import Vault
from vault.storage import MemoryStorage

REF = CredentialRef("github/app")


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with github_hub() as running:
        yield running


@pytest.fixture
async def client(hub: Hub, short_tmp: Path) -> AsyncIterator[VaultClient]:
    vault = Vault(MemoryStorage(), cost=CHEAP)
    vault.initialise(SecretValue(PASSPHRASE))
    async with VaultServer(vault, short_tmp / "run" / "v"):
        made = VaultClient(short_tmp / "run" / "v")
        fields = {"app_id": str(APP_ID), "private_key": hub.app_key}
        await made.put(REF, CredentialKind.GITHUB_APP, fields, [f"127.0.0.1:{hub.port}"])
        yield made
        await made.close()


async def token(client: VaultClient, hub: Hub, repository: str, **permissions: str) -> str:
    owner, name = repository.split("/")
    mint = GitHubTokenRequest(owner, (name,), tuple(sorted(permissions.items())), hub.url)
    async with client.lease(
        REF, host=f"127.0.0.1:{hub.port}", purpose="int_1", mint=mint, holder="robot/ses_1"
    ) as lease:
        return lease.header().reveal().decode().removeprefix("Bearer ")


@pytest.mark.req("V1")
async def test_a_token_may_what_its_plan_needs_and_nothing_else(client: VaultClient, hub: Hub) -> None:
    reader = await token(client, hub, REPOSITORY, contents="read")
    writer = await token(client, hub, REPOSITORY, issues="write")
    issue = {"title": "a title"}
    assert hub.call("GET", f"/repos/{REPOSITORY}/contents/README.md", token=reader)[0] == 200
    assert hub.call("POST", f"/repos/{REPOSITORY}/issues", issue, token=reader)[0] == 403
    assert hub.call("POST", f"/repos/{REPOSITORY}/issues", issue, token=writer)[0] == 201
    assert hub.call("POST", "/repos/acme/site/issues", issue, token=writer)[0] in {403, 404}


async def test_github_says_no_to_what_the_app_was_not_given(client: VaultClient, hub: Hub) -> None:
    for repository, permissions in (
        (REPOSITORY, {"administration": "write"}),
        (OTHER_REPOSITORY, {"contents": "read"}),
        ("acme/none", {"contents": "read"}),
    ):
        with pytest.raises(LeaseRefusedError):
            await token(client, hub, repository, **permissions)
    await client.rotate(REF, {"app_id": str(APP_ID), "private_key": new_app_key()})
    with pytest.raises(LeaseRefusedError):
        await token(client, hub, REPOSITORY, contents="read")
