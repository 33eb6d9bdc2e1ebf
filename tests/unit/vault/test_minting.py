"""Minted credentials, with an issuer of paper: how often one is minted, who gets it, and when it is forgotten."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.vault.paper_issuer import HOST, POLICY, SECOND_NS, WANTED, PaperIssuer
from tests.unit.vault.samples import AWS, BASIC, CHEAP, NOW_NS, PASSPHRASE, S3_HOSTS, Ticking, request
from vault import minting
from vault.credential import Credential, check_fields
from vault.errors import (
    BadRequestError,
    CredentialMissingError,
    IssuerUnavailableError,
    LeaseRefusal,
    LeaseRefusedError,
    SealedError,
    VaultError,
)
from vault.issuers.aws_sts import role_session_name
from vault.issuers.minted import Minted, MintKey
from vault.lending import Lent
from vault.minting import Minter
from vault.model import CredentialInfo, CredentialKind, CredentialRef, Mint, MintRequest, SecretValue
from vault.service import Vault
from vault.sigv4 import Signature
from vault.storage import MemoryStorage


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def issuer() -> PaperIssuer:
    return PaperIssuer()


@pytest.fixture
def vault(clock: Ticking, issuer: PaperIssuer) -> Vault:
    made = Vault(MemoryStorage(), clock=clock, cost=CHEAP, issuer=issuer)
    made.initialise(SecretValue(PASSPHRASE))
    made.put("aws/prod", CredentialKind.AWS, AWS, S3_HOSTS)
    return made


async def lease(vault: Vault, wanted: MintRequest = WANTED, holder: str = "robot/ses_1") -> CredentialInfo:
    found = vault.lending.lease_minted("aws/prod", HOST, wanted, holder)
    return (found if isinstance(found, Lent) else await found()).info


def signed(vault: Vault, info: CredentialInfo) -> Signature | None:
    return vault.lending.sign_minted("aws/prod", info.identity, request())


async def started(issuer: PaperIssuer, count: int = 1) -> None:
    for _ in range(count):
        assert await asyncio.to_thread(issuer.begun.acquire, timeout=30)


def secret_of(number: int) -> bytes:
    return b"minted/secret/of/number/%016d" % number


async def test_a_minted_credential_signs_with_its_own_key_and_bears_its_own_name(vault: Vault) -> None:
    info = await lease(vault)
    assert (info.identity, info.hosts, info.version) == (f"ASIA{1:016d}", tuple(S3_HOSTS), 1)
    signature = signed(vault, info)
    stored = vault.lending.sign_aws("aws/prod", 1, request())
    assert signature is not None
    assert isinstance(stored, Signature)
    assert f"Credential={info.identity}/" in signature.authorization
    assert "x-amz-security-token" in signature.authorization
    assert signature.security_token is not None
    assert stored.security_token is None
    # The derived keys at hand are not taken for one another.
    vault.lending.forget()
    assert vault.lending.sign_aws("aws/prod", 1, request()) == stored
    assert vault.list()[0].last_used_at_ns == NOW_NS


async def test_a_hundred_who_ask_at_once_get_one_that_was_minted_once(vault: Vault, issuer: PaperIssuer) -> None:
    issuer.gate = threading.Event()
    tasks = [asyncio.create_task(lease(vault)) for _ in range(100)]
    await started(issuer)
    # While the issuer is waited for, the vault signs and scans.
    assert isinstance(vault.lending.sign_aws("aws/prod", 1, request()), Signature)
    tasks[0].cancel()
    await asyncio.sleep(0)
    issuer.gate.set()
    infos = await asyncio.gather(*tasks[1:])
    assert {info.identity for info in infos} == {f"ASIA{1:016d}"}
    assert len(issuer.asked) == 1


async def test_whoever_asks_for_something_else_gets_another_one(vault: Vault, issuer: PaperIssuer) -> None:
    others = [
        replace(WANTED, policy=POLICY.replace("Get", "Put")),
        replace(WANTED, role=WANTED.role + "2"),
        replace(WANTED, external_id="acme-1"),
        replace(WANTED, duration_seconds=900),
    ]
    infos = [await lease(vault, wanted) for wanted in (WANTED, *others, WANTED)]
    infos += [await lease(vault, holder="robot/ses_2")]
    assert len({info.identity for info in infos}) == len(infos) - 1 == len(issuer.asked)
    assert issuer.asked[0][1:] == (WANTED, "robot/ses_1")


@pytest.mark.parametrize(
    ("valid_seconds", "used_seconds"), [(3600, 2700), (900, 675), (200, 140)], ids=["quarter", "least", "minute"]
)
async def test_one_is_used_until_a_quarter_or_a_minute_of_it_is_left(
    vault: Vault, issuer: PaperIssuer, clock: Ticking, valid_seconds: int, used_seconds: int
) -> None:
    issuer.valid_seconds = valid_seconds
    info = await lease(vault)
    clock.now_ns += used_seconds * SECOND_NS - 1
    assert await lease(vault) == replace(info, last_used_at_ns=NOW_NS)
    clock.now_ns += 1
    assert signed(vault, info) is None
    assert (await lease(vault)).identity != info.identity
    # It is still valid upstream, so it is still looked for.
    assert vault.scan(secret_of(1)).hits == vault.scan(secret_of(2)).hits == 1
    clock.now_ns = NOW_NS + (valid_seconds + used_seconds) * SECOND_NS
    assert vault.scan(secret_of(1)).hits == vault.scan(secret_of(2)).hits == 0


@pytest.mark.req("V2")
@pytest.mark.parametrize("change", ["rotate", "destroy"])
async def test_what_was_minted_is_gone_with_its_source_and_still_looked_for(vault: Vault, change: str) -> None:
    info = await lease(vault)
    if change == "rotate":
        vault.rotate("aws/prod", {**AWS, "secret_access_key": b"another/secret/key"})
    else:
        vault.destroy("aws/prod")
    assert signed(vault, info) is None
    assert vault.scan(b"token " + b"minted/token/of/number/%016d" % 1).hits == 1


async def test_a_sealed_vault_has_forgotten_it(vault: Vault) -> None:
    info = await lease(vault)
    vault.seal()
    with pytest.raises(SealedError):
        signed(vault, info)
    vault.unseal(SecretValue(PASSPHRASE))
    assert signed(vault, info) is None
    assert vault.scan(secret_of(1)).hits == 0


async def meanwhile(vault: Vault, issuer: PaperIssuer, change: Any) -> Any:
    """Return what a lease came to when ``change`` happened while the issuer was asked."""
    issuer.gate = threading.Event()
    task = asyncio.create_task(lease(vault))
    await started(issuer)
    change()
    issuer.gate.set()
    return (await asyncio.gather(task, return_exceptions=True))[0]


async def test_a_rotation_meanwhile_has_it_minted_again_from_the_new_key(vault: Vault, issuer: PaperIssuer) -> None:
    new = {**AWS, "access_key_id": b"AKIAANOTHERONE00", "secret_access_key": b"another/secret/key"}
    info = await meanwhile(vault, issuer, lambda: vault.rotate("aws/prod", new))
    assert [asked[0].identity for asked in issuer.asked] == [AWS["access_key_id"].decode(), "AKIAANOTHERONE00"]
    assert (info.version, info.identity) == (2, f"ASIA{2:016d}")
    assert vault.lending.sign_minted("aws/prod", f"ASIA{1:016d}", request()) is None
    assert signed(vault, info) is not None


@pytest.mark.parametrize(("change", "error"), [("seal", SealedError), ("destroy", CredentialMissingError)])
async def test_a_vault_sealed_or_a_credential_destroyed_meanwhile_lends_nothing(
    vault: Vault, issuer: PaperIssuer, change: str, error: type[VaultError]
) -> None:
    act = vault.seal if change == "seal" else lambda: vault.destroy("aws/prod")
    assert isinstance(await meanwhile(vault, issuer, act), error)
    vault.unseal(SecretValue(PASSPHRASE))
    assert vault.scan(secret_of(1)).hits == (1 if change == "destroy" else 0)


async def test_a_credential_that_keeps_changing_is_not_lent(issuer: PaperIssuer) -> None:
    def mint(credential: Credential, request: Mint, holder: str, *, now_ns: int) -> Minted:
        loop.call_soon_threadsafe(changing.rotate, "aws/prod", {**AWS, "secret_access_key": b"secret/%d" % now_ns})
        return issuer(credential, request, holder, now_ns=now_ns)

    loop = asyncio.get_running_loop()
    changing = Vault(MemoryStorage(), clock=Ticking(), cost=CHEAP, issuer=mint)
    changing.initialise(SecretValue(PASSPHRASE))
    changing.put("aws/prod", CredentialKind.AWS, AWS, S3_HOSTS)
    with pytest.raises(LeaseRefusedError) as caught:
        await lease(changing)
    assert caught.value.reason is LeaseRefusal.STALE


@pytest.mark.parametrize(
    "fault", [LeaseRefusedError("sts refused", LeaseRefusal.ISSUER), IssuerUnavailableError("sts cannot be reached")]
)
async def test_what_the_issuer_does_not_give_is_not_remembered(
    vault: Vault, issuer: PaperIssuer, fault: VaultError
) -> None:
    issuer.fault = fault
    with pytest.raises(type(fault)):
        await lease(vault)
    issuer.fault = None
    assert (await lease(vault)).identity == f"ASIA{2:016d}"


async def test_an_issuer_that_is_silent_is_not_waited_for_long(issuer: PaperIssuer) -> None:
    issuer.gate = threading.Event()
    minter = Minter(Ticking(), issuer, answer_seconds=0.01)
    source = Credential(
        CredentialRef("aws/prod"), CredentialKind.AWS, 1, (), NOW_NS, check_fields(CredentialKind.AWS, AWS)
    )
    with pytest.raises(IssuerUnavailableError):
        await minter.mint(MintKey(source.ref, 1, WANTED, ""), source)
    issuer.gate.set()


@pytest.mark.parametrize(
    ("holder", "name"),
    [
        ("research-bot/ses_01jd3v0k6qf2m9c8x7w5t4s3r2", "research-bot@ses_01jd3v0k6qf2m9c8x7w5t4s3r2"),
        ("a" * 60 + "/ses_01jd3v0k6qf2m9c8x7w5t4s3r2", "a" * 33 + "@ses_01jd3v0k6qf2m9c8x7w5t4s3r2"),
        ("böt of/us/ses_1", "b-t-of-us@ses_1"),
        ("a/" + "s" * 80, "s" * 64),
        ("a/" + "s" * 63, "s" * 63),
        ("ses_1", "ses_1"),
        ("/x", "ostiary"),
        ("", "ostiary"),
    ],
)
def test_the_holder_is_named_to_sts_with_the_session_whole(holder: str, name: str) -> None:
    assert role_session_name(holder) == name


async def test_one_that_ends_too_soon_is_none(vault: Vault, issuer: PaperIssuer) -> None:
    issuer.valid_seconds = 60
    with pytest.raises(IssuerUnavailableError):
        await lease(vault)


async def test_so_many_are_remembered_and_the_one_unused_for_longest_goes(vault: Vault, issuer: PaperIssuer) -> None:
    wanted = [replace(WANTED, role=f"{WANTED.role}-{number}") for number in range(minting.MAX_MINTED)]
    infos = [await lease(vault, one) for one in wanted]
    assert signed(vault, infos[0]) is not None
    await lease(vault, WANTED)
    assert signed(vault, infos[0]) is not None
    assert signed(vault, infos[1]) is None
    assert vault.scan(secret_of(2)).hits == 1


async def test_more_than_so_many_at_once_are_refused(vault: Vault, issuer: PaperIssuer) -> None:
    issuer.gate = threading.Event()
    tasks = [
        asyncio.create_task(lease(vault, replace(WANTED, role=f"{WANTED.role}-{number}")))
        for number in range(minting.MAX_WAITING)
    ]
    await started(issuer, minting.MAX_THREADS)
    with pytest.raises(IssuerUnavailableError):
        await lease(vault)
    assert len(issuer.asked) == minting.MAX_THREADS
    vault.seal()
    issuer.gate.set()
    assert {type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)} == {SealedError}


BAD: list[dict[str, Any]] = [
    {"role": "arn:aws:iam::123456789012:user/root"},
    {"role": "arn:aws:iam::123456789012:role/a b"},
    {"policy": ""},
    {"policy": "x" * 2049},
    {"policy": "\u2028"},
    {"duration_seconds": 899},
    {"duration_seconds": 43_201},
    {"region": ""},
    {"region": "eu west"},
    {"external_id": "a"},
    {"external_id": "a b"},
    {"endpoint": "http://sts.eu-west-1.amazonaws.com"},
    {"endpoint": "https://sts.eu-west-1.amazonaws.com/path"},
    {"endpoint": "https://user@sts.eu-west-1.amazonaws.com"},
    {"endpoint": "https://sts.eu-west-1.amazonaws.com?x"},
    {"endpoint": "ftp://sts.eu-west-1.amazonaws.com"},
    {"endpoint": "https://sts.eu-west-1.amazonaws.com:x"},
    {"endpoint": "https://"},
    {"endpoint": "https://[::1"},
    {"endpoint": "https://" + "a" * 300},
    {"endpoint": "https://st\u0455.eu-west-1.amazonaws.com"},
]


@pytest.mark.parametrize("change", BAD)
async def test_what_is_no_request_of_sts_is_not_asked(vault: Vault, issuer: PaperIssuer, change: Any) -> None:
    with pytest.raises(BadRequestError):
        await lease(vault, replace(WANTED, **change))
    assert issuer.asked == []


@pytest.mark.req("V1")
@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://sts.evil.com", HOST),
        ("https://sts.amazonaws.com.evil.com", HOST),
        ("https://sts.eu-west-1.amazonaws.com:8443", HOST),
        ("http://127.0.0.1:9001", HOST),
        ("http://[::1]:9000", HOST),
        ("http://localhost", HOST),
        (WANTED.endpoint, "evil.com"),
    ],
)
async def test_neither_sts_nor_the_upstream_may_be_at_a_host_that_is_not_bound(
    vault: Vault, issuer: PaperIssuer, endpoint: str, host: str
) -> None:
    with pytest.raises(LeaseRefusedError) as caught:
        vault.lending.lease_minted("aws/prod", host, replace(WANTED, endpoint=endpoint), "robot/ses_1")
    assert caught.value.reason is LeaseRefusal.HOST
    assert issuer.asked == []


def test_nothing_is_minted_from_a_credential_of_another_kind(vault: Vault) -> None:
    vault.put("git/acme", CredentialKind.BASIC, BASIC, S3_HOSTS)
    with pytest.raises(LeaseRefusedError) as caught:
        vault.lending.lease_minted("git/acme", HOST, WANTED, "")
    assert caught.value.reason is LeaseRefusal.KIND
