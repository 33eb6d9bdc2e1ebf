"""What a storage cannot do to the vault behind its back, and what a failing one cannot do to its memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.vault.samples import AWS, BASIC, BEARER, CHEAP, PASSPHRASE, FailingStorage
from vault.errors import IntegrityError, RootKeyError, SealedError, StorageError, VaultError
from vault.manifest import Manifest, Signed, sha256
from vault.model import CredentialKind, SecretValue, VaultState
from vault.registry import HEADER_ROW, KEYRING_ROW, MANIFEST_ROW, Registry
from vault.root import Header
from vault.seal import Barrier, RecordId
from vault.service import Vault
from vault.storage import MemoryStorage, Storage

HOSTS = ["x.com"]
Rows = dict[str, bytes]


def new_vault(storage: Storage) -> Vault:
    vault = Vault(storage, cost=CHEAP)
    vault.initialise(SecretValue(PASSPHRASE))
    vault.put("aws/one", CredentialKind.AWS, AWS, HOSTS)
    vault.put("git/two", CredentialKind.BASIC, BASIC, HOSTS)
    vault.put("git/three", CredentialKind.BASIC, BASIC, HOSTS)
    return vault


def rows_of(storage: Storage) -> Rows:
    return {name: storage.get(name) or b"" for name in storage.names()}


def storage_of(rows: Rows) -> MemoryStorage:
    storage = MemoryStorage()
    storage.apply(rows)
    return storage


def reopen(storage: Storage) -> Vault:
    vault = Vault(storage, cost=CHEAP)
    vault.unseal(SecretValue(PASSPHRASE))
    return vault


def values(vault: Vault) -> dict[str, dict[str, bytes]]:
    registry = vault._open()
    return {ref: {name: value.reveal() for name, value in c.fields.items()} for ref, c in registry.credentials.items()}


def test_a_vault_opens_again_with_all_it_held() -> None:
    storage = MemoryStorage()
    vault = new_vault(storage)
    vault.rotate("git/two", {**BASIC, "password": b"next password"})
    again = reopen(storage)
    assert again.list() == vault.list()
    assert values(again) == values(vault)
    assert again.status() == vault.status()
    assert again.public_key() == vault.public_key()


def swap(rows: Rows, one: str, two: str) -> None:
    rows[one], rows[two] = rows[two], rows[one]


ATTACKS: dict[str, Callable[[Rows, Rows], object]] = {
    "swap two rows": lambda rows, _: swap(rows, "record/git/two/2", "record/git/three/1"),
    "swap two versions": lambda rows, _: swap(rows, "record/git/two/2", "record/git/two/1"),
    "copy a row over another": lambda rows, _: rows.update({"record/git/two/2": rows["record/git/three/1"]}),
    "roll a version back": lambda rows, old: rows.update({"record/git/two/2": old["record/git/two/1"]}),
    "remove a row": lambda rows, _: rows.pop("record/aws/one/1"),
    "plant a row": lambda rows, _: rows.update({"record/evil/one/1": rows["record/aws/one/1"]}),
    "plant a foreign row": lambda rows, _: rows.update({"x": b"x"}),
    "roll the manifest back": lambda rows, old: rows.update({MANIFEST_ROW: old[MANIFEST_ROW]}),
    "roll the keyring back": lambda rows, old: rows.update({KEYRING_ROW: old[KEYRING_ROW]}),
    "roll one record back to before the keyring": lambda rows, old: rows.update(
        {"record/aws/one/1": old["record/aws/one/1"]}
    ),
    "remove the manifest": lambda rows, _: rows.pop(MANIFEST_ROW),
    "remove the keyring": lambda rows, _: rows.pop(KEYRING_ROW),
    "remove the ledger key": lambda rows, _: rows.pop("record/ledger-key/1"),
}


@pytest.mark.req("V1")
@pytest.mark.parametrize("attack", ATTACKS)
def test_rows_changed_behind_its_back_keep_the_vault_sealed(attack: str) -> None:
    storage = MemoryStorage()
    vault = new_vault(storage)
    old = rows_of(storage)
    vault.rotate("git/two", {**BASIC, "password": b"next password"})
    vault.rotate_keyring()
    rows = rows_of(storage)
    assert reopen(storage_of(rows)).state is VaultState.UNSEALED
    ATTACKS[attack](rows, old)
    changed = Vault(storage_of(rows), cost=CHEAP)
    with pytest.raises((IntegrityError, RootKeyError)):
        changed.unseal(SecretValue(PASSPHRASE))
    assert changed.state is VaultState.SEALED
    with pytest.raises(SealedError):
        changed.list()


@pytest.mark.req("V1")
def test_a_destroyed_value_does_not_come_back_under_the_same_name_and_version() -> None:
    storage = MemoryStorage()
    vault = new_vault(storage)
    old = rows_of(storage)["record/git/two/1"]
    vault.destroy("git/two")
    vault.put("git/two", CredentialKind.BASIC, {**BASIC, "password": b"another password"}, HOSTS)
    # Name, kind, version and term are the same, so the old row authenticates; only the manifest knows better.
    storage.apply({"record/git/two/1": old})
    with pytest.raises(IntegrityError, match="`git/two` version 1 is not the one last written"):
        reopen(storage)


def test_a_keyring_that_is_not_the_last_one_is_named() -> None:
    storage = MemoryStorage()
    vault = new_vault(storage)
    old = rows_of(storage)[KEYRING_ROW]
    vault.rotate_keyring()
    storage.apply({KEYRING_ROW: old})
    with pytest.raises(IntegrityError, match="keyring"):
        reopen(storage)


@pytest.mark.req("V1")
def test_a_flipped_bit_in_any_row_keeps_the_vault_sealed() -> None:
    storage = MemoryStorage()
    new_vault(storage)
    rows = rows_of(storage)
    for name, row in rows.items():
        for at in {0, len(row) // 3, len(row) // 2, len(row) - 1}:
            changed = bytearray(row)
            changed[at] ^= 1
            vault = Vault(storage_of({**rows, name: bytes(changed)}), cost=CHEAP)
            with pytest.raises(VaultError):
                vault.unseal(SecretValue(PASSPHRASE))
            assert vault.state is VaultState.SEALED


def test_a_weakened_header_opens_nothing() -> None:
    storage = MemoryStorage()
    vault = Vault(storage)
    header = Header.decode(rows_of(_initialised(vault, storage))[HEADER_ROW])
    weaker = Header(header.source, header.salt, CHEAP)
    storage.apply({HEADER_ROW: weaker.encode()})
    with pytest.raises(RootKeyError):
        Vault(storage).unseal(SecretValue(PASSPHRASE))


def _initialised(vault: Vault, storage: Storage) -> Storage:
    vault.initialise(SecretValue(PASSPHRASE))
    return storage


CHANGES: dict[str, Callable[[Vault], object]] = {
    "put": lambda vault: vault.put("new/one", CredentialKind.BEARER, BEARER, HOSTS),
    "rotate": lambda vault: vault.rotate("git/two", {**BASIC, "password": b"the third password"}),
    "destroy": lambda vault: vault.destroy("git/two"),
    "rotate the keyring": lambda vault: vault.rotate_keyring(),
    "sign": lambda vault: vault.sign_note(7, bytes(32), "example.com/log"),
}


@pytest.mark.req("V1")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_was_not_made_leaves_memory_and_storage_as_they_were(change: str) -> None:
    storage = FailingStorage()
    vault = new_vault(storage)
    vault.rotate("git/two", {**BASIC, "password": b"second password"})
    before, rows = (vault.list(), values(vault), vault.status()), rows_of(storage)
    storage.fail = "before"
    with pytest.raises(StorageError):
        CHANGES[change](vault)
    assert (vault.list(), values(vault), vault.status()) == before
    assert rows_of(storage) == rows
    CHANGES[change](vault)
    assert values(reopen(storage)) == values(vault)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_was_made_although_the_storage_complained_counts(change: str) -> None:
    storage = FailingStorage()
    vault = new_vault(storage)
    vault.rotate("git/two", {**BASIC, "password": b"second password"})
    generation = vault.status().generation
    storage.fail = "after"
    CHANGES[change](vault)
    assert vault.status().generation == generation + 1
    assert (reopen(storage).list(), reopen(storage).status()) == (vault.list(), vault.status())


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_nobody_can_tell_of_seals_the_vault(change: str) -> None:
    storage = FailingStorage()
    vault = new_vault(storage)
    storage.fail = "blind"
    with pytest.raises(StorageError, match="in the middle"):
        CHANGES[change](vault)
    storage.unreadable = False
    assert vault.status().state is VaultState.SEALED
    assert reopen(storage).status().state is VaultState.UNSEALED


def test_only_the_version_before_the_current_one_is_kept() -> None:
    storage = MemoryStorage()
    vault = new_vault(storage)
    for number in range(3):
        vault.rotate("git/two", {**BASIC, "password": f"password number {number}".encode()})
    assert {name for name in storage.names() if "git/two" in name} == {"record/git/two/4", "record/git/two/3"}
    vault.destroy("git/two")
    assert not {name for name in storage.names() if "git/two" in name}


def test_a_rotated_keyring_seals_everything_anew() -> None:
    storage = MemoryStorage()
    vault = new_vault(storage)
    before = rows_of(storage)
    assert vault.rotate_keyring() == 2
    after = rows_of(storage)
    assert all(before[name] != after[name] for name in before if name != HEADER_ROW)
    assert values(reopen(storage)) == values(vault)
    assert reopen(storage).status().keyring_version == 2


def test_a_manifest_reads_back_and_another_format_is_refused() -> None:
    manifest = Manifest(
        generation=5,
        keyring="ab" * 32,
        records={RecordId("a/b", "aws", 2): "cd" * 32},
        signed={"example.com/log": Signed(9, bytes(32))},
    )
    assert Manifest.decode(manifest.encode()) == manifest
    with pytest.raises(IntegrityError):
        Manifest.decode(manifest.encode().replace(b'"format":1', b'"format":2'))


def test_a_vault_without_the_ledger_key_is_refused() -> None:
    storage = MemoryStorage()
    header = b"{}"
    barrier = Barrier.create(bytes(32))
    keyring = barrier.seal_keyring(header)
    manifest = barrier.seal_manifest(Manifest(1, sha256(keyring)).encode())
    storage.apply({HEADER_ROW: header, KEYRING_ROW: keyring, MANIFEST_ROW: manifest})
    with pytest.raises(IntegrityError, match="ledger"):
        Registry.open(storage, bytes(32), header)
