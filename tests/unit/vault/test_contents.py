"""What others keep, sealed with a key that never leaves the vault."""

from __future__ import annotations

import pytest

from tests.unit.vault.samples import CHEAP, PASSPHRASE, FailingStorage
from vault.client import VaultClient
from vault.contents import MAX_INDEX, MAX_PIECE_BYTES
from vault.crypto import unseal
from vault.errors import BadRequestError, IntegrityError, SealedError, StorageError, VaultError
from vault.model import SecretValue
from vault.seal import bind
from vault.service import Vault

NAME = "int_01jd3v0k6qf2m9c8x7w5t4s3r2"
PLAIN = b"what somebody asked"


def made(storage: FailingStorage) -> Vault:
    vault = Vault(storage, cost=CHEAP)
    vault.initialise(SecretValue(PASSPHRASE))
    return vault


async def test_a_piece_is_disclosed_as_it_was_enclosed_also_after_a_restart(client: VaultClient, served: Vault) -> None:
    sealed = await client.enclose(NAME, "prompt", 3, PLAIN)
    assert PLAIN not in sealed
    assert sealed != await client.enclose(NAME, "prompt", 3, PLAIN)
    served.seal()
    with pytest.raises(SealedError):
        await client.disclose(NAME, "prompt", 3, sealed)
    served.unseal(SecretValue(PASSPHRASE))
    served.rotate_keyring()
    assert await client.disclose(NAME, "prompt", 3, sealed) == PLAIN


async def test_the_largest_piece_and_an_empty_one_pass_over_the_socket(client: VaultClient) -> None:
    for plain in (b"", bytes(MAX_PIECE_BYTES)):
        sealed = await client.enclose(NAME, "answer", MAX_INDEX, plain)
        assert await client.disclose(NAME, "answer", MAX_INDEX, sealed) == plain


@pytest.mark.parametrize(
    ("name", "part", "index"),
    [(NAME + "x", "prompt", 0), (NAME, "answer", 0), (NAME, "prompt", 1), (NAME + "prompt", "0", 0)],
)
def test_a_piece_opens_at_its_own_place_only(name: str, part: str, index: int) -> None:
    vault = made(FailingStorage())
    sealed = vault.contents.enclose(NAME, "prompt", 0, PLAIN)
    with pytest.raises(IntegrityError):
        vault.contents.disclose(name, part, index, sealed)


def test_a_changed_piece_and_one_of_another_vault_open_nothing() -> None:
    vault = made(FailingStorage())
    sealed = vault.contents.enclose(NAME, "prompt", 0, PLAIN)
    for changed in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:-1], b""):
        with pytest.raises(IntegrityError):
            vault.contents.disclose(NAME, "prompt", 0, changed)
    with pytest.raises(IntegrityError):
        made(FailingStorage()).contents.disclose(NAME, "prompt", 0, sealed)


def test_no_derived_secret_is_a_key_of_contents() -> None:
    vault = made(FailingStorage())
    sealed = vault.contents.enclose(NAME, "prompt", 0, PLAIN)
    for label, subject in (("content", NAME), ("content" + NAME, "x"), ("derive", "content")):
        key = vault.derive(label, subject).reveal()
        with pytest.raises(IntegrityError):
            unseal(key, sealed, bind("content", NAME, "prompt", "0"))


@pytest.mark.parametrize(
    ("name", "part", "index", "plain"),
    [
        ("", "prompt", 0, b""),
        (NAME, "", 0, b""),
        (NAME, "prompt", -1, b""),
        (NAME, "prompt", MAX_INDEX + 1, b""),
        (NAME, "prompt", 0, bytes(MAX_PIECE_BYTES + 1)),
    ],
)
def test_what_is_out_of_bounds_is_refused(name: str, part: str, index: int, plain: bytes) -> None:
    vault = made(FailingStorage())
    with pytest.raises(BadRequestError):
        vault.contents.enclose(name, part, index, plain)
    if len(plain) <= MAX_PIECE_BYTES:
        with pytest.raises(BadRequestError):
            vault.contents.disclose(name, part, index, bytes(64))


def test_nothing_is_enclosed_with_a_key_that_could_not_be_kept() -> None:
    storage = FailingStorage()
    vault = made(storage)
    storage.fail = "before"
    with pytest.raises(StorageError):
        vault.contents.enclose(NAME, "prompt", 0, PLAIN)


async def test_a_vault_that_is_gone_says_so(client: VaultClient) -> None:
    await client.close()
    with pytest.raises(VaultError):
        await client.enclose(NAME, "prompt", 0, PLAIN)
