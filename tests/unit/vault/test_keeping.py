"""Secrets of results that are kept, and secrets that are derived."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.unit.vault.samples import AWS, BASIC, CHEAP, NOW_NS, PASSPHRASE, S3_HOSTS, FailingStorage, Ticking, request
from vault import keeping
from vault.client import VaultClient
from vault.credential import MAX_POINTER_CHARS, MAX_SEALED_FIELDS
from vault.errors import BadRequestError, LeaseRefusal, LeaseRefusedError, SealedError, StorageError, VaultError
from vault.model import CredentialInfo, CredentialKind, CredentialRef, SecretValue
from vault.service import MAX_STALE, Vault
from vault.storage import MemoryStorage

NAME = "int_01jd3v0k6qf2m9c8x7w5t4s3r2"
REF = CredentialRef(f"sealed/{NAME}")
VALUES = {"/SecretString": b"what the upstream said", "/Versions/0/Id": b"short"}
LABEL = "ostiary/aws-access-key/v1"


@pytest.fixture
def storage() -> FailingStorage:
    return FailingStorage()


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def vault(storage: FailingStorage, clock: Ticking) -> Vault:
    made = Vault(storage, clock=clock, cost=CHEAP)
    made.initialise(SecretValue(PASSPHRASE))
    return made


def reopened(vault: Vault) -> None:
    vault.seal()
    vault.unseal(SecretValue(PASSPHRASE))


def hits(vault: Vault, text: bytes = VALUES["/SecretString"]) -> int:
    return vault.scan(b"..." + text + b"...").hits


@pytest.mark.req("V2")
def test_what_is_kept_is_shown_without_its_values_and_looked_for_at_once_and_ever_after(vault: Vault) -> None:
    assert hits(vault) == 0
    info = vault.keep(NAME, VALUES)
    assert info == CredentialInfo(REF, CredentialKind.SEALED, 1, (), "2 values", NOW_NS)
    assert hits(vault) == 1
    reopened(vault)
    assert vault.list() == (info,)
    assert hits(vault) == 1
    # Too short to be told from innocent text, and kept all the same.
    assert hits(vault, b"short") == 0
    vault.destroy(REF)
    assert (vault.list(), hits(vault)) == ((), 0)


def test_keeping_again_under_a_name_replaces(vault: Vault, storage: FailingStorage) -> None:
    vault.keep(NAME, VALUES)
    before = storage.names()
    info = vault.keep(NAME, {"": b"something else altogether"})
    assert (info.version, info.identity) == (2, "1 value")
    assert len(storage.names()) == len(before)
    reopened(vault)
    assert hits(vault) == 0
    assert hits(vault, b"something else altogether") == 1


def test_when_there_is_no_room_what_was_kept_first_goes(vault: Vault, clock: Ticking) -> None:
    vault.put("aws/prod", CredentialKind.AWS, AWS, S3_HOSTS)
    for number in range(keeping.MAX_KEPT + 2):
        clock.now_ns += 1
        vault.keep(f"int_{number}", {"/a": b"secret of number %d" % number})
    names = {info.ref for info in vault.list()}
    assert len(names) == keeping.MAX_KEPT + 1
    assert {"sealed/int_0", "sealed/int_1"}.isdisjoint(names)
    assert {"aws/prod", "sealed/int_2"} <= names
    big = {f"/{number}": bytes([65 + number]) * 12_000 for number in range(5)}
    for number in range(8):
        clock.now_ns += 1
        vault.keep(f"big_{number}", big)
    assert sum(info.ref.startswith("sealed/big") for info in vault.list()) == 8
    vault.keep("big_8", big)
    kept = [info.ref for info in vault.list() if info.kind is CredentialKind.SEALED]
    assert kept == [f"sealed/big_{number}" for number in range(1, 9)]


def test_the_index_is_built_anew_when_much_of_it_is_gone(vault: Vault) -> None:
    assert hits(vault) == 0
    for number in range(MAX_STALE + 2):
        vault.keep(NAME, {"/a": b"secret of number %d;" % number})
        assert hits(vault, b"secret of number %d;" % number) == 1
    assert hits(vault, b"secret of number 0;") == 0


@pytest.mark.parametrize("fault", ["before", "after", "blind"])
def test_what_storage_does_not_take_is_not_kept(vault: Vault, storage: FailingStorage, fault: str) -> None:
    storage.fail = fault
    if fault == "after":
        vault.keep(NAME, VALUES)
    else:
        with pytest.raises(StorageError):
            vault.keep(NAME, VALUES)
    storage.unreadable = False
    reopened(vault)
    assert hits(vault) == (0 if fault == "before" else 1)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("", VALUES),
        ("a/b", VALUES),
        ("UPPER", VALUES),
        ("x" * 200, VALUES),
        (NAME, {}),
        (NAME, {f"/{number}": b"x" for number in range(MAX_SEALED_FIELDS + 1)}),
        (NAME, {"no-pointer": b"x"}),
        (NAME, {"@hosts": b"x"}),
        (NAME, {"/" + "x" * MAX_POINTER_CHARS: b"x"}),
        (NAME, {"/a": b"x" * (64 << 10)}),
    ],
)
def test_what_has_no_form_is_not_kept(vault: Vault, name: str, values: dict[str, bytes]) -> None:
    with pytest.raises(BadRequestError):
        vault.keep(name, values)
    assert vault.list() == ()


@pytest.mark.req("V1")
def test_what_is_kept_is_never_lent_changed_or_made_by_hand(vault: Vault) -> None:
    vault.keep(NAME, VALUES)
    uses: list[Callable[[], object]] = [
        lambda: vault.lending.lease(REF, "s3.eu-west-1.amazonaws.com"),
        lambda: vault.lending.sign_aws(REF, 1, request()),
    ]
    for act in uses:
        with pytest.raises(LeaseRefusedError) as caught:
            act()
        assert caught.value.reason is LeaseRefusal.KIND
    changes: list[Callable[[], object]] = [
        lambda: vault.rotate(REF, VALUES),
        lambda: vault.put("sealed/mine", CredentialKind.BASIC, BASIC, S3_HOSTS),
        lambda: vault.put("aws/prod", CredentialKind.SEALED, VALUES, S3_HOSTS),
    ]
    for change in changes:
        with pytest.raises(BadRequestError):
            change()


def test_kept_ones_take_no_room_from_credentials() -> None:
    vault = Vault(MemoryStorage(), cost=CHEAP, max_credentials=1)
    vault.initialise(SecretValue(PASSPHRASE))
    vault.keep(NAME, VALUES)
    vault.put("git/acme", CredentialKind.BASIC, BASIC, S3_HOSTS)
    vault.keep("int_2", VALUES)
    with pytest.raises(BadRequestError):
        vault.put("git/other", CredentialKind.BASIC, BASIC, S3_HOSTS)


def derived(vault: Vault, label: str = LABEL, subject: str = "ses_1") -> bytes:
    return vault.derive(label, subject).reveal()


@pytest.mark.req("V1")
def test_a_derived_secret_stays_the_same_over_restarts_and_new_keys_of_the_vault(vault: Vault) -> None:
    secret = derived(vault)
    assert len(secret) == 32
    reopened(vault)
    assert derived(vault) == secret
    vault.rotate_keyring()
    reopened(vault)
    vault.put("aws/prod", CredentialKind.AWS, AWS, S3_HOSTS)
    assert derived(vault) == secret


def test_every_label_subject_and_vault_has_another_secret(vault: Vault) -> None:
    other = Vault(MemoryStorage(), cost=CHEAP)
    other.initialise(SecretValue(PASSPHRASE))
    texts = [(LABEL, "ses_1"), (LABEL, "ses_2"), (LABEL + "s", "es_1"), ("a", "bc"), ("ab", "c"), ("a\0b", "c")]
    secrets = [derived(vault, *text) for text in texts] + [derived(other)]
    assert len(set(secrets)) == len(secrets)


def test_a_storage_without_the_key_gets_one_when_it_is_needed_first(vault: Vault, storage: FailingStorage) -> None:
    before = storage.names()
    storage.fail = "before"
    with pytest.raises(StorageError):
        derived(vault)
    secret = derived(vault)
    assert len(storage.names() - before) == 1
    assert derived(vault) == secret


@pytest.mark.parametrize(("label", "subject"), [("", "ses_1"), (LABEL, "")])
def test_nothing_is_derived_for_nothing(vault: Vault, label: str, subject: str) -> None:
    with pytest.raises(BadRequestError):
        vault.derive(label, subject)


def test_a_sealed_vault_neither_keeps_nor_derives(vault: Vault) -> None:
    vault.seal()
    acts: list[Callable[[], object]] = [lambda: vault.keep(NAME, VALUES), lambda: derived(vault)]
    for act in acts:
        with pytest.raises(SealedError):
            act()


async def test_a_client_keeps_and_derives(client: VaultClient, served: Vault) -> None:
    secret = json.dumps({"password": "p\u00e4ssw\u00f6rd of the database"}, ensure_ascii=False)
    assert await client.keep(NAME, {"/SecretString": secret}) == REF
    (info,) = await client.list()
    assert (info.kind, info.hosts, info.identity) == (CredentialKind.SEALED, (), "1 value")
    masked, found = await client.scrub(json.dumps({"a": secret}).encode())
    assert found == 1
    assert b"password" not in masked
    assert (await client.derive(LABEL, "ses_1")).reveal() == derived(served)
    with pytest.raises(VaultError):
        async with client.lease(REF, host="example.com", purpose="int_1"):
            pass
    await client.destroy(REF)
    assert await client.list() == []
