from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.crypto import (
    KEY_BYTES,
    NONCE_BYTES,
    PassphraseCost,
    derive_key,
    ed25519_public_key,
    key_from_passphrase,
    random_bytes,
    seal,
    sign_ed25519,
    unseal,
    verify_ed25519,
)
from vault.errors import IntegrityError

KEY = bytes(range(KEY_BYTES))


@given(plain=st.binary(max_size=200), aad=st.binary(max_size=50))
def test_what_was_sealed_opens(plain: bytes, aad: bytes) -> None:
    assert unseal(KEY, seal(KEY, plain, aad), aad) == plain


@pytest.mark.req("V1")
def test_every_flipped_bit_is_noticed() -> None:
    blob = seal(KEY, b"a secret of some length", b"aad")
    for at in range(len(blob) * 8):
        changed = bytearray(blob)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(IntegrityError):
            unseal(KEY, bytes(changed), b"aad")


def test_another_key_other_aad_or_a_cut_blob_open_nothing() -> None:
    blob = seal(KEY, b"plain", b"aad")
    for key, data, aad in [(bytes(KEY_BYTES), blob, b"aad"), (KEY, blob, b"AAD"), (KEY, blob[:-1], b"aad")]:
        with pytest.raises(IntegrityError):
            unseal(key, data, aad)
    with pytest.raises(IntegrityError):
        unseal(KEY, blob[:20], b"aad")


@pytest.mark.req("V1")
def test_nonces_do_not_repeat() -> None:
    nonces = {seal(KEY, b"x", b"")[:NONCE_BYTES] for _ in range(20_000)}
    assert len(nonces) == 20_000


def test_derived_keys_differ_by_use_and_are_stable() -> None:
    assert derive_key(KEY, b"a") == derive_key(bytearray(KEY), b"a") != derive_key(KEY, b"b")


def test_a_passphrase_gives_the_key_of_its_salt_and_cost() -> None:
    cost = PassphraseCost(memory_kib=8, iterations=1, lanes=1)
    key = key_from_passphrase(b"correct horse", bytes(16), cost)
    assert len(key) == KEY_BYTES
    assert key == key_from_passphrase(b"correct horse", bytes(16), cost)
    assert key != key_from_passphrase(b"correct horse", b"\1" * 16, cost)
    assert key != key_from_passphrase(b"correct horse", bytes(16), PassphraseCost(8, 2, 1))


@pytest.mark.parametrize(("memory", "iterations", "lanes"), [(7, 1, 1), (8, 0, 1), (8, 1, 0), (1 << 21, 1, 1)])
def test_a_cost_out_of_bounds_is_refused(memory: int, iterations: int, lanes: int) -> None:
    with pytest.raises(ValueError, match="out of bounds"):
        PassphraseCost(memory, iterations, lanes)


def test_ed25519_agrees_with_rfc_8032_test_1() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert ed25519_public_key(seed) == public
    assert sign_ed25519(seed, b"") == signature
    assert verify_ed25519(public, b"", signature)


def test_a_wrong_or_malformed_signature_is_false() -> None:
    seed = random_bytes(KEY_BYTES)
    public, signature = ed25519_public_key(seed), sign_ed25519(seed, b"text")
    assert not verify_ed25519(public, b"other text", signature)
    assert not verify_ed25519(ed25519_public_key(random_bytes(KEY_BYTES)), b"text", signature)
    assert not verify_ed25519(public[:-1], b"text", signature)
    assert not verify_ed25519(public, b"text", signature + b"\0")
    assert not verify_ed25519(b"\xff" * 32, b"text", signature)
