from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from tests.unit.vault.samples import (
    AWS,
    BASIC,
    BEARER,
    CHEAP,
    NOW_NS,
    PASSPHRASE,
    S3_HOSTS,
    TEMPORARY,
    Ticking,
    request,
)
from vault.checkpoint import MAX_ORIGINS
from vault.crypto import verify_ed25519
from vault.errors import (
    AlreadyInitialisedError,
    BadRequestError,
    CheckpointRefusedError,
    CredentialExistsError,
    CredentialMissingError,
    LeaseRefusal,
    LeaseRefusedError,
    RootKeyError,
    SealedError,
    UninitialisedError,
)
from vault.issuers.static import header_value
from vault.model import CredentialInfo, CredentialKind, CredentialRef, SecretValue, VaultState
from vault.root import create_key_file
from vault.service import Vault
from vault.sigv4 import Signature
from vault.status import VaultStatus
from vault.storage import MemoryStorage

ORIGIN = "ostiary.example/log"
GIT = ["git.example.com"]


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def vault(clock: Ticking) -> Vault:
    made = Vault(MemoryStorage(), clock=clock, cost=CHEAP)
    made.initialise(SecretValue(PASSPHRASE))
    return made


def test_a_vault_goes_from_uninitialised_to_unsealed_to_sealed_and_back() -> None:
    vault = Vault(MemoryStorage(), cost=CHEAP)
    assert vault.status().state is VaultState.UNINITIALISED
    vault.start()
    for use in (vault.list, lambda: vault.unseal(SecretValue(PASSPHRASE))):
        with pytest.raises(UninitialisedError):
            use()
    vault.initialise(SecretValue(PASSPHRASE))
    assert vault.status().state is VaultState.UNSEALED
    vault.seal()
    vault.seal()
    vault.start()
    assert vault.status() == VaultStatus(VaultState.SEALED)
    vault.unseal(SecretValue(PASSPHRASE))
    vault.unseal(None)
    assert (vault.status().state, vault.status().keyring_version) == (VaultState.UNSEALED, 1)
    with pytest.raises(AlreadyInitialisedError):
        vault.initialise(SecretValue(PASSPHRASE))


@pytest.mark.req("V1")
def test_a_wrong_or_missing_passphrase_unseals_nothing(vault: Vault) -> None:
    vault.seal()
    for passphrase in (None, SecretValue(b"correct horse battery stapl"), SecretValue(b"")):
        with pytest.raises(RootKeyError):
            vault.unseal(passphrase)
    with pytest.raises(AlreadyInitialisedError):
        vault.initialise(SecretValue(PASSPHRASE))
    assert vault.state is VaultState.SEALED


def test_a_vault_without_key_file_needs_a_fit_passphrase() -> None:
    vault = Vault(MemoryStorage(), cost=CHEAP)
    for passphrase in (None, SecretValue(b"short")):
        with pytest.raises(BadRequestError):
            vault.initialise(passphrase)
    assert vault.state is VaultState.UNINITIALISED


def test_a_vault_with_a_key_file_starts_unsealed_and_makes_the_file(tmp_path: Path) -> None:
    storage, key_file = MemoryStorage(), tmp_path / "vault.key"
    vault = Vault(storage, root_key=key_file, cost=CHEAP)
    vault.start()
    vault.put("git/acme", CredentialKind.BASIC, BASIC, GIT)
    again = Vault(storage, root_key=key_file, cost=CHEAP)
    again.start()
    assert again.list() == vault.list()
    assert again.state is VaultState.UNSEALED


def test_a_crash_between_key_file_and_storage_is_mended_at_the_next_start(tmp_path: Path) -> None:
    create_key_file(tmp_path / "vault.key")
    vault = Vault(MemoryStorage(), root_key=tmp_path / "vault.key", cost=CHEAP)
    vault.start()
    assert vault.state is VaultState.UNSEALED


def test_a_lost_exchanged_or_unnamed_key_file_unseals_nothing(tmp_path: Path) -> None:
    storage, key_file = MemoryStorage(), tmp_path / "vault.key"
    Vault(storage, root_key=key_file, cost=CHEAP).start()
    key_file.unlink()
    with pytest.raises(RootKeyError):
        Vault(storage, root_key=key_file).start()
    assert not key_file.exists()
    create_key_file(key_file)
    with pytest.raises(RootKeyError):
        Vault(storage, root_key=key_file).start()
    with pytest.raises(RootKeyError, match="started without one"):
        Vault(storage).unseal(SecretValue(PASSPHRASE))


def test_a_vault_with_a_passphrase_waits_for_it_even_when_given_a_key_file(tmp_path: Path) -> None:
    storage = MemoryStorage()
    Vault(storage, cost=CHEAP).initialise(SecretValue(PASSPHRASE))
    vault = Vault(storage, root_key=tmp_path / "vault.key")
    vault.start()
    assert vault.state is VaultState.SEALED
    assert not (tmp_path / "vault.key").exists()


@pytest.mark.req("V1")
def test_a_sealed_vault_refuses_everything_but_its_status(vault: Vault) -> None:
    vault.put("aws/prod", CredentialKind.AWS, AWS, S3_HOSTS)
    vault.lending.sign_aws("aws/prod", 1, request())
    vault.scan(b"x")
    vault.seal()
    for use in (
        lambda: vault.put("aws/two", CredentialKind.AWS, AWS, S3_HOSTS),
        lambda: vault.rotate("aws/prod", AWS),
        lambda: vault.destroy("aws/prod"),
        vault.list,
        lambda: vault.lending.lease("aws/prod", "s3.amazonaws.com"),
        lambda: vault.lending.sign_aws("aws/prod", 1, request()),
        lambda: vault.scan(b"x"),
        lambda: vault.sign_note(1, bytes(32), ORIGIN),
        vault.public_key,
        vault.rotate_keyring,
    ):
        with pytest.raises(SealedError):
            use()
    assert vault.status().credentials == 0


def test_a_credential_is_put_once_listed_rotated_and_destroyed(vault: Vault, clock: Ticking) -> None:
    info = vault.put("git/acme", CredentialKind.BASIC, BASIC, ["Git.Example.com:443"])
    assert info == CredentialInfo(
        CredentialRef("git/acme"), CredentialKind.BASIC, 1, ("git.example.com",), "robot", NOW_NS
    )
    with pytest.raises(CredentialExistsError):
        vault.put("git/acme", CredentialKind.BASIC, BASIC, GIT)
    vault.put("aws/prod", CredentialKind.AWS, AWS, S3_HOSTS)
    assert [shown.ref for shown in vault.list()] == ["aws/prod", "git/acme"]
    clock.now_ns += 5
    rotated = vault.rotate("git/acme", {"username": b"robot-2", "password": b"another password"})
    assert (rotated.version, rotated.identity, rotated.created_at_ns) == (2, "robot-2", NOW_NS + 5)
    assert rotated.hosts == info.hosts
    vault.destroy("git/acme")
    assert [shown.ref for shown in vault.list()] == ["aws/prod"]
    for use in (
        lambda: vault.destroy("git/acme"),
        lambda: vault.rotate("git/acme", BASIC),
        lambda: vault.lending.lease("git/acme", "git.example.com"),
        lambda: vault.lending.sign_aws("git/acme", 1, request()),
    ):
        with pytest.raises(CredentialMissingError):
            use()


def test_a_rotation_with_fields_of_another_kind_is_refused(vault: Vault) -> None:
    vault.put("git/acme", CredentialKind.BASIC, BASIC, GIT)
    with pytest.raises(BadRequestError):
        vault.rotate("git/acme", BEARER)
    assert vault.list()[0].version == 1


def test_the_vault_takes_only_so_many_credentials() -> None:
    vault = Vault(MemoryStorage(), cost=CHEAP, max_credentials=1)
    vault.initialise(SecretValue(PASSPHRASE))
    vault.put("git/acme", CredentialKind.BASIC, BASIC, GIT)
    with pytest.raises(BadRequestError, match="most it takes"):
        vault.put("git/two", CredentialKind.BASIC, BASIC, GIT)


def test_an_aws_credential_has_no_header_to_lend(vault: Vault) -> None:
    vault.put("aws/prod", CredentialKind.AWS, AWS, S3_HOSTS)
    with pytest.raises(LeaseRefusedError) as caught:
        header_value(vault._open().get(CredentialRef("aws/prod")))
    assert caught.value.reason is LeaseRefusal.KIND


def test_a_lease_lends_the_header_of_basic_and_bearer_and_nothing_of_aws(vault: Vault, clock: Ticking) -> None:
    vault.put("git/basic", CredentialKind.BASIC, BASIC, GIT)
    vault.put("git/bearer", CredentialKind.BEARER, BEARER, GIT)
    vault.put("aws/prod", CredentialKind.AWS, AWS, S3_HOSTS)
    clock.now_ns += 7
    lent = vault.lending.lease("git/basic", "git.example.com")
    info, header = lent.info, lent.header
    assert header is not None
    assert header.reveal() == b"Basic " + base64.b64encode(b"robot:correct horse battery")
    assert info.last_used_at_ns == NOW_NS + 7
    header = vault.lending.lease("git/bearer", "git.example.com:443").header
    assert header is not None
    assert header.reveal() == b"Bearer " + BEARER["token"]
    assert vault.lending.lease("aws/prod", "b.s3.amazonaws.com").header is None


@pytest.mark.req("V1")
@pytest.mark.parametrize(
    "host", ["evil.com", "git.example.com.evil.com", "git.example.com:8443", "", "git.example.com\n"]
)
def test_a_lease_for_a_host_that_is_not_bound_is_refused(vault: Vault, host: str) -> None:
    vault.put("git/acme", CredentialKind.BASIC, BASIC, GIT)
    with pytest.raises(LeaseRefusedError) as caught:
        vault.lending.lease("git/acme", host)
    assert caught.value.reason is LeaseRefusal.HOST
    assert str(caught.value).isprintable()
    assert vault.list()[0].last_used_at_ns == 0


def test_a_signature_for_an_older_version_tells_of_the_newer_one(vault: Vault) -> None:
    vault.put("aws/prod", CredentialKind.AWS, AWS, S3_HOSTS)
    first = vault.lending.sign_aws("aws/prod", 1, request())
    assert isinstance(first, Signature)
    rotated = vault.rotate("aws/prod", {**AWS, "secret_access_key": b"another/secret/key"})
    assert vault.lending.sign_aws("aws/prod", 1, request()) == vault.list()[0]
    second = vault.lending.sign_aws("aws/prod", rotated.version, request())
    assert isinstance(second, Signature)
    assert second.authorization != first.authorization


def test_a_destroyed_name_put_again_signs_with_the_new_key(vault: Vault) -> None:
    vault.put("aws/prod", CredentialKind.AWS, AWS, S3_HOSTS)
    first = vault.lending.sign_aws("aws/prod", 1, request())
    vault.destroy("aws/prod")
    vault.put("aws/prod", CredentialKind.AWS, {**AWS, "secret_access_key": b"another/secret/key"}, S3_HOSTS)
    assert vault.lending.sign_aws("aws/prod", 1, request()) != first


@pytest.mark.req("V2")
def test_a_scan_finds_current_and_previous_secrets_and_follows_changes(vault: Vault) -> None:
    text = b"...correct horse battery..."
    assert vault.scan(text).spans == ()
    vault.put("git/acme", CredentialKind.BASIC, BASIC, GIT)
    assert vault.scan(text).spans == ((3, 24),)
    vault.rotate("git/acme", {**BASIC, "password": b"second password"})
    assert vault.scan(text + b"second password").hits == 2
    vault.destroy("git/acme")
    assert vault.scan(text + b"second password").hits == 0


def test_a_session_token_is_scanned_for_too(vault: Vault) -> None:
    vault.put("aws/temp", CredentialKind.AWS, TEMPORARY, S3_HOSTS)
    assert vault.scan(b"x" + TEMPORARY["session_token"]).hits == 1
    assert vault.scan(b"x" + TEMPORARY["access_key_id"]).hits == 0


@pytest.mark.req("E1")
def test_a_checkpoint_is_signed_in_the_c2sp_form(vault: Vault) -> None:
    root = hashlib.sha256(b"tree").digest()
    signature = vault.sign_note(42, root, ORIGIN)
    text = b"ostiary.example/log\n42\n" + base64.b64encode(root) + b"\n"
    assert verify_ed25519(vault.public_key(), text, signature)
    assert vault.sign_note(42, root, ORIGIN) == signature


@pytest.mark.req("E1")
def test_a_checkpoint_that_takes_one_back_is_refused_even_after_a_restart() -> None:
    storage = MemoryStorage()
    vault = Vault(storage, cost=CHEAP)
    vault.initialise(SecretValue(PASSPHRASE))
    vault.sign_note(42, b"r" * 32, ORIGIN)
    vault = Vault(storage, cost=CHEAP)
    vault.unseal(SecretValue(PASSPHRASE))
    for size, root in ((41, b"r" * 32), (42, b"s" * 32), (0, hashlib.sha256(b"").digest())):
        with pytest.raises(CheckpointRefusedError):
            vault.sign_note(size, root, ORIGIN)
    assert vault.sign_note(42, b"r" * 32, ORIGIN)
    assert vault.sign_note(43, b"s" * 32, ORIGIN)
    assert vault.sign_note(1, b"t" * 32, "another.example/log")


def test_signing_the_same_checkpoint_again_writes_nothing(vault: Vault) -> None:
    vault.sign_note(1, bytes(32), ORIGIN)
    generation = vault.status().generation
    vault.sign_note(1, bytes(32), ORIGIN)
    assert vault.status().generation == generation


@pytest.mark.parametrize(
    ("size", "root", "origin"),
    [
        (1, b"r" * 31, ORIGIN),
        (-1, b"r" * 32, ORIGIN),
        (2**63, b"r" * 32, ORIGIN),
        (0, b"r" * 32, ORIGIN),
        (1, b"r" * 32, ""),
        (1, b"r" * 32, "a b"),
        (1, b"r" * 32, "a+b"),
        (1, b"r" * 32, "a\nb"),
        (1, b"r" * 32, "\u00e9"),
        (1, b"r" * 32, "a" * 256),
    ],
)
def test_what_is_no_checkpoint_is_not_signed(vault: Vault, size: int, root: bytes, origin: str) -> None:
    with pytest.raises(BadRequestError):
        vault.sign_note(size, root, origin)


def test_the_empty_tree_can_be_signed(vault: Vault) -> None:
    assert vault.sign_note(0, hashlib.sha256(b"").digest(), ORIGIN)


def test_the_vault_signs_for_so_many_origins(vault: Vault) -> None:
    for number in range(MAX_ORIGINS):
        vault.sign_note(1, bytes(32), f"log-{number}")
    with pytest.raises(BadRequestError, match="origins"):
        vault.sign_note(1, bytes(32), "one-more")
    assert vault.sign_note(2, bytes(32), "log-0")
