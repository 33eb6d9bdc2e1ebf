from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.ids import ID_ENTROPY_BYTES, TOKEN_ENTROPY_BYTES, hash_token, make_id, make_token, token_kind

ENTROPY = st.binary(min_size=TOKEN_ENTROPY_BYTES, max_size=TOKEN_ENTROPY_BYTES)


@given(st.integers(0, 2**47), st.binary(min_size=ID_ENTROPY_BYTES, max_size=ID_ENTROPY_BYTES))
def test_ids_sort_by_their_time(at_ms: int, entropy: bytes) -> None:
    earlier = make_id("int", at_ms=at_ms, entropy=entropy)
    later = make_id("int", at_ms=at_ms + 1, entropy=bytes(ID_ENTROPY_BYTES))
    assert earlier < later
    assert len(earlier) == len("int_") + 26


@pytest.mark.parametrize(("at_ms", "size"), [(-1, ID_ENTROPY_BYTES), (1 << 48, ID_ENTROPY_BYTES), (0, 9)])
def test_an_id_refuses_a_time_or_entropy_out_of_bounds(at_ms: int, size: int) -> None:
    with pytest.raises(ValueError, match="entropy"):
        make_id("ses", at_ms=at_ms, entropy=bytes(size))


@given(ENTROPY, st.sampled_from(["s", "o"]))
def test_a_fresh_token_is_known_by_its_kind(entropy: bytes, kind: str) -> None:
    token = make_token("s" if kind == "s" else "o", entropy)
    assert token.startswith(f"ost_{kind}_")
    assert token_kind(token) == kind
    assert len(hash_token(token)) == 64


@given(ENTROPY, st.data())
def test_a_token_with_one_other_character_is_refused_without_a_look_up(entropy: bytes, data: st.DataObject) -> None:
    token = make_token("s", entropy)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(exclude_characters=token[place]))
    assert token_kind(token[:place] + other + token[place + 1 :]) is None


@pytest.mark.parametrize("token", ["", "ost_s_", "ost_s_" + "é" * 47, "x" * 10_000])
def test_what_is_no_token_is_no_token(token: str) -> None:
    assert token_kind(token) is None


def test_a_well_formed_token_of_an_unknown_kind_is_refused() -> None:
    token = make_token("x", bytes(TOKEN_ENTROPY_BYTES))  # type: ignore[arg-type]  # a kind that does not exist
    assert token_kind(token) is None


def test_a_token_refuses_too_little_entropy() -> None:
    with pytest.raises(ValueError, match="entropy"):
        make_token("s", bytes(TOKEN_ENTROPY_BYTES - 1))
