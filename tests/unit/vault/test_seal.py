from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.crypto import random_bytes, unseal
from vault.errors import IntegrityError, RootKeyError
from vault.seal import Barrier, RecordId, bind

ROOT_KEY = bytes(range(32))
HEADER = b'{"header":1}'
RECORD = RecordId("aws/prod", "aws", 3)
OTHERS = [RecordId("aws/prox", "aws", 3), RecordId("aws/prod", "basic", 3), RecordId("aws/prod", "aws", 2)]


@pytest.fixture
def barrier() -> Barrier:
    return Barrier.create(ROOT_KEY)


def test_a_record_opens_as_what_it_is(barrier: Barrier) -> None:
    assert barrier.open_record(RECORD, barrier.seal_record(RECORD, b"plain")) == b"plain"


@pytest.mark.req("V1")
@pytest.mark.parametrize("other", OTHERS)
def test_a_record_moved_to_another_name_kind_or_version_does_not_open(barrier: Barrier, other: RecordId) -> None:
    sealed = barrier.seal_record(RECORD, b"plain")
    with pytest.raises(IntegrityError):
        barrier.open_record(other, sealed)
    with pytest.raises(IntegrityError):
        barrier.reseal_record(other, sealed)


def test_a_data_key_does_not_open_the_record_of_another(barrier: Barrier) -> None:
    one, two = barrier.seal_record(RECORD, b"one"), barrier.seal_record(RECORD, b"two")
    with pytest.raises(IntegrityError):
        barrier.open_record(RECORD, one[:67] + two[67:])


def test_every_flipped_bit_of_a_record_is_noticed(barrier: Barrier) -> None:
    sealed = barrier.seal_record(RECORD, b"plain")
    for at in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(IntegrityError):
            barrier.open_record(RECORD, bytes(changed))
    with pytest.raises(IntegrityError):
        barrier.open_record(RECORD, sealed[:20])


def test_the_same_plaintext_is_sealed_differently_each_time(barrier: Barrier) -> None:
    assert len({barrier.seal_record(RECORD, b"plain") for _ in range(100)}) == 100


def test_a_stored_keyring_opens_records_with_its_root_key_and_header_only(barrier: Barrier) -> None:
    sealed, keyring = barrier.seal_record(RECORD, b"plain"), barrier.seal_keyring(HEADER)
    assert Barrier.open(ROOT_KEY, HEADER, keyring).open_record(RECORD, sealed) == b"plain"
    for root, header, ring in [
        (random_bytes(32), HEADER, keyring),
        (ROOT_KEY, HEADER + b" ", keyring),
        (ROOT_KEY, HEADER, keyring[:-1] + bytes([keyring[-1] ^ 1])),
    ]:
        with pytest.raises(RootKeyError):
            Barrier.open(root, header, ring)


def test_a_new_term_seals_and_the_old_one_opens_until_it_is_forgotten(barrier: Barrier) -> None:
    old = barrier.seal_record(RECORD, b"plain")
    wider = barrier.with_new_term()
    resealed = wider.reseal_record(RECORD, old)
    assert (barrier.term, wider.term) == (1, 2)
    assert wider.open_record(RECORD, old) == wider.open_record(RECORD, resealed) == b"plain"
    narrow = wider.with_newest_term_only()
    assert narrow.open_record(RECORD, resealed) == b"plain"
    with pytest.raises(IntegrityError, match="unknown term"):
        narrow.open_record(RECORD, old)
    with pytest.raises(IntegrityError, match="unknown term"):
        barrier.open_record(RECORD, resealed)


def test_the_manifest_and_the_keyring_have_keys_of_their_own(barrier: Barrier) -> None:
    sealed = barrier.seal_manifest(b"manifest")
    assert barrier.open_manifest(sealed) == b"manifest"
    with pytest.raises(IntegrityError):
        barrier.open_manifest(barrier.seal_keyring(HEADER))
    with pytest.raises(IntegrityError):
        Barrier.create(random_bytes(32)).open_manifest(sealed)


def test_the_keyring_is_not_readable_with_the_root_key_itself(barrier: Barrier) -> None:
    with pytest.raises(IntegrityError):
        unseal(ROOT_KEY, barrier.seal_keyring(HEADER), bind("keyring") + HEADER)


def test_a_wiped_barrier_opens_nothing(barrier: Barrier) -> None:
    sealed, manifest = barrier.seal_record(RECORD, b"plain"), barrier.seal_manifest(b"manifest")
    barrier.wipe()
    with pytest.raises(IntegrityError):
        barrier.open_record(RECORD, sealed)
    with pytest.raises(IntegrityError):
        barrier.open_manifest(manifest)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_no_two_lists_of_parts_are_bound_to_the_same_bytes(one: list[str], two: list[str]) -> None:
    assert (bind(*one) == bind(*two)) == (json.dumps(one) == json.dumps(two))
