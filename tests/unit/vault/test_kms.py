"""A root key that KMS wraps: made, found again, and refused when anything about it was changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.vault.paper_kms import KEY, OTHER_KEY, PaperKms, kms_vault
from tests.unit.vault.samples import BASIC, CHEAP, PASSPHRASE, FailingStorage
from vault.errors import (
    AlreadyInitialisedError,
    BadRequestError,
    IntegrityError,
    KmsRefusedError,
    KmsUnavailableError,
    RootKeyError,
    StorageError,
    UninitialisedError,
    VaultError,
)
from vault.kms import KmsKey
from vault.model import CredentialKind, SecretValue, VaultState
from vault.registry import HEADER_ROW
from vault.root import MAX_WRAPPED_BYTES, Header, RootSource, WrappedKey
from vault.service import Vault
from vault.storage import MemoryStorage

OLD_HEADER = (
    b'{"argon2id":{"iterations":3,"lanes":4,"memory_kib":65536},"format":1,"salt":"000102030405060708090a0b0c0d0e0f",'
    b'"source":"key-file"}'
)
"""As it was stored before there was KMS."""


async def initialised(kms: PaperKms) -> MemoryStorage:
    """Return the storage of a vault that was made with KMS."""
    storage = MemoryStorage()
    await kms_vault(kms, storage).initialise_by_kms()
    return storage


def rewritten(storage: MemoryStorage, **changes: Any) -> MemoryStorage:
    """Change the header as somebody would who can write the storage."""
    header = json.loads(storage.get(HEADER_ROW) or b"")
    storage.apply({HEADER_ROW: json.dumps(header | changes, sort_keys=True, separators=(",", ":")).encode()})
    return storage


@pytest.mark.req("V1")
async def test_a_vault_made_with_kms_is_found_again_by_kms_and_its_root_key_is_nowhere_else() -> None:
    kms, storage = PaperKms(), MemoryStorage()
    vault = kms_vault(kms, storage)
    vault.start()
    assert (vault.state, kms.asked) == (VaultState.UNINITIALISED, [])
    await vault.initialise_by_kms()
    vault.put("git/acme", CredentialKind.BASIC, BASIC, ["git.example.com"])
    again = kms_vault(kms, storage)
    again.start()
    assert again.state is VaultState.SEALED
    await again.unseal_by_kms()
    await again.unseal_by_kms()
    assert again.list() == vault.list()
    context = {"ostiary": "vault-root", "vault": Header.decode(storage.get(HEADER_ROW) or b"").salt.hex()}
    assert kms.asked == [(operation, KEY.arn, context) for operation in ("encrypt", "decrypt", "decrypt")]
    ((_, root, _),) = kms.wrapped.values()
    rows = b"".join(storage.get(name) or b"" for name in storage.names())
    assert root not in rows
    assert root.hex().encode() not in rows


async def test_every_vault_has_a_root_key_and_a_context_of_its_own() -> None:
    kms = PaperKms()
    for _ in range(2):
        await initialised(kms)
    (_, one, first), (_, two, second) = kms.wrapped.values()
    assert one != two
    assert first != second


@pytest.mark.req("V1")
@pytest.mark.parametrize(
    ("faults", "instead", "error"),
    [
        ({"encrypt": KmsRefusedError("no")}, None, KmsRefusedError),
        ({"encrypt": KmsUnavailableError("away")}, None, KmsUnavailableError),
        ({"decrypt": KmsRefusedError("no")}, None, KmsRefusedError),
        ({}, bytes(32), RootKeyError),
    ],
)
async def test_a_vault_that_kms_would_not_open_again_is_not_made(
    faults: dict[str, Exception], instead: bytes | None, error: type[VaultError]
) -> None:
    storage = MemoryStorage()
    vault = kms_vault(PaperKms(faults=faults, instead=instead), storage)
    with pytest.raises(error):
        await vault.initialise_by_kms()
    assert vault.state is VaultState.UNINITIALISED
    assert storage.names() == set()


async def test_a_vault_is_made_once() -> None:
    kms = PaperKms()
    vault = kms_vault(kms, await initialised(kms))
    with pytest.raises(AlreadyInitialisedError):
        await vault.initialise_by_kms()
    assert len(kms.wrapped) == 1


@pytest.mark.req("V1")
@pytest.mark.parametrize(
    ("faults", "instead", "error"),
    [
        ({"decrypt": KmsRefusedError("no")}, None, KmsRefusedError),
        ({"decrypt": KmsUnavailableError("away")}, None, KmsUnavailableError),
        ({}, bytes(32), RootKeyError),
        ({}, b"short", RootKeyError),
    ],
)
async def test_a_vault_stays_sealed_and_says_why_when_kms_gives_no_root_key(
    faults: dict[str, Exception], instead: bytes | None, error: type[VaultError]
) -> None:
    kms = PaperKms()
    vault = kms_vault(kms, await initialised(kms))
    kms.faults, kms.instead = faults, instead
    with pytest.raises(error) as caught:
        await vault.unseal_by_kms()
    assert (vault.state, vault.status().reason) == (VaultState.SEALED, str(caught.value))
    kms.faults, kms.instead = {}, None
    await vault.unseal_by_kms()
    assert (vault.state, vault.status().reason) == (VaultState.UNSEALED, "")


@pytest.mark.req("V1")
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"salt": "00" * 16}, RootKeyError),
        ({"kms": {"key": KEY.arn, "wrapped": b"wrapped-1".hex()}}, RootKeyError),
        ({"kms": {"key": KEY.arn, "wrapped": b"planted".hex()}}, RootKeyError),
        ({"argon2id": {"memory_kib": 8, "iterations": 2, "lanes": 1}}, RootKeyError),
        ({"source": "key-file", "kms": None}, RootKeyError),
        ({"source": "key-file"}, IntegrityError),
        ({"kms": None}, IntegrityError),
    ],
)
async def test_a_changed_header_opens_nothing(changes: dict[str, Any], error: type[VaultError]) -> None:
    kms = PaperKms()
    storage = rewritten(await initialised(kms), **changes)
    await initialised(kms)
    vault = kms_vault(kms, storage)
    with pytest.raises(error):
        await vault.unseal_by_kms()
    assert vault.state is VaultState.SEALED


@pytest.mark.req("V1")
async def test_the_key_of_a_header_is_compared_and_never_asked() -> None:
    kms = PaperKms()
    storage = await initialised(kms)
    asked = len(kms.asked)
    planted = rewritten(storage, kms={"key": OTHER_KEY.arn, "wrapped": b"wrapped-0".hex()})
    vault = kms_vault(kms, planted)
    with pytest.raises(RootKeyError):
        vault.start()
    with pytest.raises(RootKeyError):
        await vault.unseal_by_kms()
    assert len(kms.asked) == asked


async def test_a_vault_is_not_opened_by_another_source_than_it_was_made_with(tmp_path: Path) -> None:
    kms, key_file = PaperKms(), tmp_path / "vault.key"
    storage = await initialised(kms)
    for vault in (kms_vault(kms, storage, None), kms_vault(kms, storage, key_file)):
        vault.start()
        assert vault.state is VaultState.SEALED
        for passphrase in (None, SecretValue(PASSPHRASE)):
            with pytest.raises(RootKeyError):
                vault.unseal(passphrase)
        with pytest.raises(BadRequestError):
            await vault.unseal_by_kms()
    by_passphrase, by_file = MemoryStorage(), MemoryStorage()
    Vault(by_passphrase, cost=CHEAP).initialise(SecretValue(PASSPHRASE))
    Vault(by_file, root_key=key_file, cost=CHEAP).initialise(None)
    for other in (by_passphrase, by_file):
        with pytest.raises(RootKeyError):
            kms_vault(kms, other).start()


async def test_there_is_nothing_to_unseal_before_it_is_made_and_nothing_is_kept_that_cannot_be_stored() -> None:
    kms = PaperKms()
    with pytest.raises(UninitialisedError):
        await kms_vault(kms).unseal_by_kms()
    assert kms.asked == []
    storage = FailingStorage()
    storage.fail = "before"
    with pytest.raises(StorageError):
        await kms_vault(kms, storage).initialise_by_kms()
    assert storage.names() == set()


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "alias/vault",
        "arn:aws:kms:eu-west-1:123456789012:alias/vault",
        "arn:aws:s3:eu-west-1:123456789012:key/1234",
        "arn:aws:kms:eu-west-1:123456789012:key/12 34",
        "arn:aws:kms:evil.example/:123456789012:key/1234",
        f"{KEY.arn}\n",
    ],
)
def test_a_key_is_named_by_the_arn_of_a_key(arn: str) -> None:
    with pytest.raises(BadRequestError):
        KmsKey(arn)


def test_kms_is_asked_over_tls_or_on_this_machine() -> None:
    for endpoint in ("http://kms.example.com", "kms.example.com", "https://kms.example.com/path"):
        with pytest.raises(BadRequestError):
            KmsKey(KEY.arn, endpoint)
    assert KmsKey(KEY.arn, "https://vpce-1.kms.eu-west-1.vpce.amazonaws.com").region == "eu-west-1"
    assert KmsKey("arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-1", "http://127.0.0.1:1").region == "cn-north-1"


def test_a_header_of_before_there_was_kms_reads_back_as_the_same_bytes() -> None:
    assert Header.decode(OLD_HEADER).encode() == OLD_HEADER


@pytest.mark.parametrize(
    "wrapped",
    [
        None,
        {},
        [],
        "x",
        {"key": KEY.arn},
        {"key": KEY.arn, "wrapped": ""},
        {"key": KEY.arn, "wrapped": "zz"},
        {"key": KEY.arn, "wrapped": 5},
        {"key": 5, "wrapped": "00"},
        {"key": "alias/vault", "wrapped": "00"},
        {"key": KEY.arn, "wrapped": "00" * (MAX_WRAPPED_BYTES + 1)},
        {"key": KEY.arn, "wrapped": "00", "endpoint": "https://evil.example"},
    ],
)
def test_a_header_with_a_malformed_root_key_is_an_integrity_error(wrapped: object) -> None:
    header = json.loads(OLD_HEADER) | {"source": "kms", "kms": wrapped}
    with pytest.raises(IntegrityError):
        Header.decode(json.dumps(header).encode())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_CHANGES = st.dictionaries(st.sampled_from(["format", "source", "salt", "argon2id", "kms"]), _JSON, max_size=3)


@given(source=st.sampled_from(RootSource), ciphertext=st.binary(min_size=1, max_size=200), changes=_CHANGES)
def test_whatever_a_header_row_holds_it_is_a_header_that_reads_back_or_an_integrity_error(
    source: RootSource, ciphertext: bytes, changes: dict[str, Any]
) -> None:
    wrapped = WrappedKey(KEY.arn, ciphertext) if source is RootSource.KMS else None
    header = Header(source, bytes(16), CHEAP, wrapped)
    assert Header.decode(header.encode()) == header
    changed = json.dumps(json.loads(header.encode()) | changes).encode()
    try:
        found = Header.decode(changed)
    except IntegrityError:
        return
    assert Header.decode(found.encode()) == found


@pytest.mark.parametrize("data", [b"[" * 100_000, OLD_HEADER.replace(b"65536", b"1e999"), b"\xff", b"5"])
def test_what_breaks_a_parser_is_an_integrity_error(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        Header.decode(data)
