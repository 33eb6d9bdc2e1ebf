"""The index tells exactly what a slow and obvious search tells, however it came to be."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.index import FOREVER_NS, SecretIndex, find_in
from vault.scan import Found, Span, merged
from vault.variants import pieces, variants

TEXTS = st.text("ab", min_size=8, max_size=30) | st.text(min_size=8, max_size=70)
SECRETS = st.lists(TEXTS.map(str.encode), min_size=1, max_size=4)


def forms_of(secrets: list[bytes]) -> set[bytes]:
    return {form for secret in secrets for piece in pieces(secret) for form in variants(piece)}


def occurrences(forms: set[bytes], data: bytes) -> set[Span]:
    return {
        (at, at + len(form)) for form in forms for at in range(len(data) - len(form) + 1) if data.startswith(form, at)
    }


def expected(secrets: list[bytes], data: bytes, fresh: int = 0) -> Found:
    forms = forms_of(secrets)
    matches = occurrences(forms, data)
    heads = {form[:size] for form in forms for size in range(1, len(form))}
    keep = next((size for size in range(len(data), 0, -1) if data[-size:] in heads), 0)
    return Found(merged(matches), sum(stop > fresh for _, stop in matches), keep)


@pytest.mark.req("V2")
@given(
    secrets=SECRETS,
    parts=st.lists(st.tuples(st.binary(max_size=9) | st.text("ab", max_size=9).map(str.encode), st.integers(0, 99))),
    split=st.integers(0, 4),
    fresh=st.integers(0, 200),
    cut=st.integers(0, 30),
)
def test_it_finds_what_a_search_for_each_form_finds(
    secrets: list[bytes], parts: list[tuple[bytes, int]], split: int, fresh: int, cut: int
) -> None:
    forms = sorted(forms_of(secrets))
    data = b"".join(filler + forms[which % len(forms)] for filler, which in parts)[:1000]
    data = data[: len(data) - cut]
    assert SecretIndex(secrets).find(data, fresh) == expected(secrets, data, fresh)
    grown = SecretIndex(secrets[:split])
    for secret in secrets[split:]:
        grown.add([secret])
    assert grown.find(data, fresh) == expected(secrets, data, fresh)
    assert find_in([SecretIndex([one]) for one in secrets], data, fresh) == expected(secrets, data, fresh)


@pytest.mark.req("V2")
@pytest.mark.parametrize("size", [8, 15, 16, 23, 24, 40, 63, 64, 65, 300])
def test_a_form_is_found_wherever_the_samples_fall_on_it(size: int) -> None:
    secret = base64.b85encode(bytes(range(256)))[:size] if size < 300 else base64.b64encode(bytes(range(225)))
    index = SecretIndex([secret])
    for form in variants(secret[:200]) if size < 300 else pieces(secret):
        for before in range(9):
            assert index.find(b"." * before + form + b"....").hits >= 1


@pytest.mark.req("V2")
def test_text_that_is_no_head_of_a_form_is_not_held_back_and_one_that_is_is_held_back_from_there_on() -> None:
    secret = b"Kx7-" + b"q" * 40
    index = SecretIndex([secret, b"another-secret"])
    assert index.find(b'data: {"text": "nothing to see"}\n\n').keep == 0
    for size in (1, 2, 7, 8, 9, len(secret) - 1):
        assert index.find(b"....." + secret[:size]).keep == size
    assert index.find(b"....." + secret + b".").keep == 0


def test_secrets_of_many_sizes_are_found_from_when_they_are_added_one_by_one() -> None:
    secrets = [hashlib.shake_256(number.to_bytes(2, "big")).hexdigest(6 + number % 60).encode() for number in range(80)]
    index = SecretIndex(merged_forms=500)
    for secret in secrets:
        assert index.find(secret).hits == 0
        index.add([secret])
        assert index.find(secret).hits >= 1
    assert all(index.find(b"x" + secret[::-1]).hits >= 1 for secret in secrets)
    assert len(forms_of(secrets)) > 1000, "segments must have come to a size at which they are not merged"


def test_what_is_over_is_forgotten_with_all_that_was_added_with_it_or_when_more_is_added() -> None:
    index = SecretIndex()
    index.add([b"until ten o'clock"], until_ns=10)
    index.add([b"until noon, at the latest"], until_ns=12)
    index.expire(10)
    assert index.find(b"until noon, at the latest").hits == 1
    index.add([b"for ever and ever"])
    assert index.find(b"until ten o'clock").hits == 0
    assert index.find(b"until noon, at the latest").hits == 1
    index.expire(12)
    index.add([b"until ten o'clock"], until_ns=10)
    index.add([b"until ten o'clock"], until_ns=13)
    index.expire(FOREVER_NS - 1)
    assert index.find(b"for ever and ever").hits == 1
    alone = SecretIndex()
    alone.add([b"until ten o'clock"], until_ns=10)
    alone.expire(9)
    assert alone.find(b"until ten o'clock").hits == 1
    alone.expire(10)
    assert alone.find(b"until ten o'clock") == Found((), 0, 0)


def test_an_index_without_secrets_finds_nothing() -> None:
    index = SecretIndex()
    index.add([])
    index.expire(1)
    assert index.find(b"anything") == Found((), 0, 0)
