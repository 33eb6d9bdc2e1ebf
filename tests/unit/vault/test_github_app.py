"""Tokens of GitHub Apps: what is asked for, who gets one, and when it is taken back."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.unit.vault.paper_github import APP_ID, PaperGitHub, app_key, paper_github
from tests.unit.vault.samples import BASIC, CHEAP, PASSPHRASE
from vault.client import VaultClient
from vault.errors import BadRequestError, IssuerUnavailableError, LeaseRefusal, LeaseRefusedError, VaultError
from vault.issuers import github_api
from vault.issuers.github_app import MAX_INSTALLATIONS, MAX_PERMISSIONS, MAX_REPOSITORIES
from vault.issuers.mint import Issuers
from vault.issuers.minted import Minted, MintKey
from vault.minting import MAX_ENDED, Minter
from vault.model import CredentialKind, CredentialRef, GitHubTokenRequest, Revoked, SecretValue, TokenScheme
from vault.server import VaultServer
from vault.service import Vault
from vault.storage import MemoryStorage

REF = CredentialRef("github/app")


@pytest.fixture(scope="module")
def key() -> tuple[str, rsa.RSAPublicKey]:
    return app_key()


@pytest.fixture
def github(key: tuple[str, rsa.RSAPublicKey]) -> Iterator[PaperGitHub]:
    with paper_github(key) as made:
        yield made


@pytest.fixture
def served(github: PaperGitHub) -> Vault:
    vault = Vault(MemoryStorage(), cost=CHEAP)
    vault.initialise(SecretValue(PASSPHRASE))
    vault.put(REF, CredentialKind.GITHUB_APP, fields(github.key), [github.host])
    return vault


def fields(key: str) -> dict[str, bytes]:
    return {"app_id": APP_ID.encode(), "private_key": key.encode()}


def wanted(github: PaperGitHub, **changes: Any) -> GitHubTokenRequest:
    plain = GitHubTokenRequest("acme", ("app",), (("contents", "write"),), github.endpoint)
    return replace(plain, **changes)


async def header(
    client: VaultClient, github: PaperGitHub, session: str = "ses_1", *, request: GitHubTokenRequest | None = None
) -> bytes:
    mint = request or wanted(github)
    async with client.lease(REF, host=github.host, purpose="int_1", mint=mint, holder=f"robot/{session}") as lease:
        return lease.header().reveal()


async def gone(github: PaperGitHub, vault: Vault) -> None:
    await vault.lending.settled()
    assert github.live == {}


@pytest.mark.req("V1")
async def test_a_token_is_minted_for_exactly_the_repositories_and_permissions(
    client: VaultClient, github: PaperGitHub
) -> None:
    sent = await header(client, github)
    (token,) = github.live
    assert sent == b"Bearer " + token.encode()
    assert github.live[token] == {"permissions": {"contents": "write"}, "repositories": ["app"]}
    assert [path for _, path, _ in github.asked] == [
        "/api/v3/repos/acme/app/installation",
        "/api/v3/app/installations/7/access_tokens",
    ]
    basic = await header(client, github, request=wanted(github, scheme=TokenScheme.BASIC, owner="ACME"))
    assert base64.b64decode(basic.removeprefix(b"Basic ")) == b"x-access-token:" + token.encode()
    assert (await client.list())[0].identity == APP_ID
    assert await client.scrub(b"a " + token.encode()) == (b"a " + b"*" * len(token), 1)


async def test_the_same_is_minted_once_a_session_and_the_installation_is_remembered(
    client: VaultClient, github: PaperGitHub
) -> None:
    two = wanted(github, repositories=("b", "A"), permissions=(("issues", "read"), ("contents", "read")))
    same = wanted(github, repositories=("a", "B"), permissions=(("contents", "read"), ("issues", "read")))
    sent = {await header(client, github, request=each) for each in (two, same)}
    assert len(sent) == 1
    sent |= {await header(client, github, "ses_2", request=two), await header(client, github)}
    assert len(sent) == len(github.live) == 3
    assert github.count("installation") == 1


async def test_an_app_that_was_installed_anew_is_found_again(client: VaultClient, github: PaperGitHub) -> None:
    await header(client, github)
    github.installation = 8
    await header(client, github, "ses_2")
    assert github.count("installation") == 2


async def test_permissions_of_an_organisation_need_no_repository(client: VaultClient, github: PaperGitHub) -> None:
    mint = wanted(github, repositories=(), permissions=(("members", "read"), ("organization_hooks", "write")))
    await header(client, github, request=mint)
    assert [*github.live.values()] == [{"permissions": {"members": "read", "organization_hooks": "write"}}]
    assert github.asked[0][1] == "/api/v3/orgs/acme/installation"


@pytest.mark.req("S2")
async def test_tokens_of_a_killed_session_are_revoked_and_no_more_are_minted(
    client: VaultClient, github: PaperGitHub
) -> None:
    await header(client, github)
    await header(client, github, request=wanted(github, repositories=("b",)))
    await header(client, github, "ses_2")
    assert await client.revoke("ses_1") == Revoked(2, 0)
    assert len(github.live) == 1
    assert await client.revoke("ses_1") == Revoked(0, 0)
    with pytest.raises(LeaseRefusedError) as caught:
        await header(client, github)
    assert caught.value.reason is LeaseRefusal.CLOSED
    github.status["token"] = 500
    assert await client.revoke("ses_2") == Revoked(0, 1)
    assert github.count("/installation/token") == 2 + 2
    with pytest.raises(BadRequestError):
        await client.revoke("")


async def test_a_token_github_cannot_be_told_of_counts_as_failed(client: VaultClient, github: PaperGitHub) -> None:
    await header(client, github)
    github.raw = b" " * (github_api.MAX_ANSWER_BYTES + 1)
    github.status["token"] = 200
    assert await client.revoke("ses_1") == Revoked(0, 1)


async def test_a_token_that_is_over_already_counts_as_revoked(client: VaultClient, github: PaperGitHub) -> None:
    await header(client, github)
    github.live.clear()
    assert await client.revoke("ses_1") == Revoked(1, 0)


@pytest.mark.parametrize("change", ["rotate", "destroy", "seal"])
async def test_tokens_go_with_the_key_they_were_minted_by(
    client: VaultClient, served: Vault, github: PaperGitHub, change: str
) -> None:
    await header(client, github)
    if change == "rotate":
        await client.rotate(REF, {name: value.decode() for name, value in fields(github.key).items()})
    elif change == "destroy":
        await client.destroy(REF)
    else:
        await client.seal()
    await gone(github, served)


@pytest.mark.req("S2")
async def test_a_token_that_comes_after_the_kill_is_given_back_and_not_lent(served: Vault, github: PaperGitHub) -> None:
    asking, go = threading.Event(), threading.Event()
    issuers = Issuers()

    def slow(credential: Any, request: Any, holder: str, *, now_ns: int) -> Minted:
        minted = issuers(credential, request, holder, now_ns=now_ns)
        asking.set()
        assert go.wait(20)
        return minted

    vault = Vault(MemoryStorage(), cost=CHEAP, issuer=slow)
    vault.initialise(SecretValue(PASSPHRASE))
    vault.put(REF, CredentialKind.GITHUB_APP, fields(github.key), [github.host])
    later = vault.lending.lease_minted(REF, github.host, wanted(github), "robot/ses_1")
    assert callable(later)
    task = asyncio.create_task(later())
    assert await asyncio.to_thread(asking.wait, 20)
    assert await vault.lending.revoke("ses_1") == Revoked(0, 0)
    go.set()
    with pytest.raises(LeaseRefusedError):
        await task
    await gone(github, vault)


async def test_a_token_nobody_waits_for_any_more_is_given_back(served: Vault, github: PaperGitHub) -> None:
    issuers, go, done = Issuers(), threading.Event(), threading.Event()

    def late(credential: Any, request: Any, holder: str, *, now_ns: int) -> Minted:
        assert go.wait(20)
        minted = issuers(credential, request, holder, now_ns=now_ns)
        assert minted.revoke is not None
        revoke = minted.revoke

        def told() -> bool:
            done.set() if revoke() else None
            return True

        return replace(minted, revoke=told)

    credential = served._open().get(REF)
    minter = Minter(lambda: 0, late, answer_seconds=0.01)
    with pytest.raises(IssuerUnavailableError):
        await minter.mint(MintKey(REF, 1, wanted(github), "robot/ses_1"), credential)
    go.set()
    assert await asyncio.to_thread(done.wait, 20)
    assert github.live == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"permissions": {"contents": "write", "issues": "read"}},
        {"permissions": {"contents": "admin"}},
        {"permissions": {"contents": "write", "metadata": "write"}},
        {"permissions": {"contents": 7}},
        {"permissions": None},
        {"repositories": [{"name": "app"}, {"name": "other"}]},
        {"repositories": ["app"]},
        {"repositories": "app"},
        {"repository_selection": "all"},
        {"expires_at": "2001-01-01T00:00:00Z"},
    ],
)
async def test_a_token_that_may_do_more_than_was_asked_or_is_over_is_given_back(
    client: VaultClient, served: Vault, github: PaperGitHub, changes: dict[str, Any]
) -> None:
    github.changes = changes
    with pytest.raises(IssuerUnavailableError):
        await header(client, github)
    await gone(github, served)


async def test_a_token_that_ends_within_a_minute_is_given_back(
    client: VaultClient, served: Vault, github: PaperGitHub
) -> None:
    github.valid = timedelta(seconds=59)
    with pytest.raises(IssuerUnavailableError):
        await header(client, github)
    await gone(github, served)


@pytest.mark.parametrize(
    "changes",
    [
        {"token": None},
        {"token": "with space 1234"},
        {"token": 7},
        {"expires_at": "x"},
        {"expires_at": "2099-01-01T00:00:00"},
    ],
)
async def test_an_answer_of_an_unknown_form_is_no_token(
    client: VaultClient, github: PaperGitHub, changes: dict[str, Any]
) -> None:
    github.changes = changes
    with pytest.raises(IssuerUnavailableError):
        await header(client, github)


@pytest.mark.parametrize(
    ("part", "status", "headers", "error"),
    [
        ("installation", 404, (), LeaseRefusedError),
        ("installation", 401, (), LeaseRefusedError),
        ("installation", 301, (("Location", "/api/v3/repositories/1/installation"),), LeaseRefusedError),
        ("access_tokens", 422, (), LeaseRefusedError),
        ("access_tokens", 403, (), LeaseRefusedError),
        ("access_tokens", 403, (("X-RateLimit-Remaining", "0"),), IssuerUnavailableError),
        ("access_tokens", 403, (("Retry-After", "60"),), IssuerUnavailableError),
        ("access_tokens", 429, (), IssuerUnavailableError),
        ("access_tokens", 502, (), IssuerUnavailableError),
    ],
)
async def test_a_no_is_told_from_a_fault_without_the_words_of_the_upstream(
    client: VaultClient,
    github: PaperGitHub,
    part: str,
    status: int,
    headers: tuple[tuple[str, str], ...],
    error: type[VaultError],
) -> None:
    github.status, github.headers = {part: status}, headers
    with pytest.raises(error) as caught:
        await header(client, github)
    assert "planted" not in str(caught.value)
    assert github.count(part) == 1


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b"", b'{"id": true, "account": {"login": "acme"}}', b'{"id": 1}', b"x" * 64]
)
async def test_what_is_no_answer_of_github_is_none(client: VaultClient, github: PaperGitHub, raw: bytes) -> None:
    github.raw = raw
    with pytest.raises(IssuerUnavailableError):
        await header(client, github)


async def test_a_repository_that_was_moved_to_another_account_is_none(client: VaultClient, github: PaperGitHub) -> None:
    github.login = "evil"
    with pytest.raises(IssuerUnavailableError):
        await header(client, github)


async def test_an_answer_that_is_too_large_is_not_read_to_its_end(client: VaultClient, github: PaperGitHub) -> None:
    github.raw = b" " * (github_api.MAX_ANSWER_BYTES + 1)
    with pytest.raises(IssuerUnavailableError):
        await header(client, github)


async def test_a_github_that_is_not_there_is_unavailable(client: VaultClient, served: Vault) -> None:
    served.put("github/away", CredentialKind.GITHUB_APP, fields(app_key()[0]), ["127.0.0.1:1"])
    mint = GitHubTokenRequest("acme", ("app",), (("contents", "read"),), "http://127.0.0.1:1")
    with pytest.raises(IssuerUnavailableError):
        await client.lease(CredentialRef("github/away"), host="127.0.0.1:1", purpose="x", mint=mint).__aenter__()


BAD: list[dict[str, Any]] = [
    {"owner": ""},
    {"owner": "../x"},
    {"owner": "a/b"},
    {"repositories": ()},
    {"repositories": ("..",)},
    {"repositories": ("a/b",)},
    {"repositories": ("a?b",)},
    {"repositories": tuple(f"r{number}" for number in range(MAX_REPOSITORIES + 1))},
    {"permissions": ()},
    {"permissions": (("contents", "owner"),)},
    {"permissions": (("Contents", "read"),)},
    {"permissions": (("contents", "read"), ("contents", "write"))},
    {"permissions": tuple(("p" + "_" * number, "read") for number in range(MAX_PERMISSIONS + 1))},
    {"endpoint": "http://api.github.com"},
    {"endpoint": "https://user@api.github.com"},
    {"endpoint": "https://api.github.com/"},
    {"endpoint": "https://api.github.com/a/../b"},
    {"endpoint": "https://api.github.com/api v3"},
    {"endpoint": "https://api.github.com?x"},
    {"endpoint": "https://[::1"},
]  # fmt: skip


@pytest.mark.req("O2")
@pytest.mark.parametrize("changes", BAD)
async def test_what_is_no_request_of_github_is_not_asked(
    client: VaultClient, github: PaperGitHub, changes: dict[str, Any]
) -> None:
    with pytest.raises(BadRequestError):
        await header(client, github, request=wanted(github, **changes))
    assert github.asked == []


@pytest.mark.req("V1")
@pytest.mark.parametrize("endpoint", ["https://api.evil.com", "http://127.0.0.1:1/api/v3", "https://api.github.com"])
async def test_github_must_be_at_a_host_that_is_bound(client: VaultClient, github: PaperGitHub, endpoint: str) -> None:
    with pytest.raises(LeaseRefusedError) as caught:
        await header(client, github, request=wanted(github, endpoint=endpoint))
    assert caught.value.reason is LeaseRefusal.HOST


async def test_apps_mint_and_nothing_else_does(client: VaultClient, served: Vault, github: PaperGitHub) -> None:
    served.put("git/acme", CredentialKind.BASIC, BASIC, [github.host])
    for opening in (
        client.lease(REF, host=github.host, purpose="x"),
        client.lease(CredentialRef("git/acme"), host=github.host, purpose="x", mint=wanted(github)),
    ):
        with pytest.raises(LeaseRefusedError) as caught:
            await opening.__aenter__()
        assert caught.value.reason is LeaseRefusal.KIND


async def test_a_vault_that_stops_takes_its_tokens_back(served: Vault, github: PaperGitHub, socket: Path) -> None:
    async with VaultServer(served, socket):
        client = VaultClient(socket)
        await header(client, github)
        await client.close()
    served.seal()
    await gone(github, served)


async def test_so_many_killed_sessions_are_remembered(served: Vault) -> None:
    minter = Minter(lambda: 0, Issuers())
    for number in range(MAX_ENDED + 1):
        await minter.revoke(f"ses_{number}")
    assert len(minter._ended) == MAX_ENDED


def test_so_many_installations_are_remembered() -> None:
    apps = Issuers()._apps
    for number in range(MAX_INSTALLATIONS + 1):
        apps._keep(number, number)  # type: ignore[arg-type]  # any key does
    assert len(apps._installations) == MAX_INSTALLATIONS
