"""For any secrets, any text, any way to cut it: no covered form comes through, and nothing else is touched."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.index import SecretIndex
from vault.scan import Mask
from vault.variants import variants

SECRETS = st.lists(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=8, max_size=60)
    | st.text("ab/+", min_size=8, max_size=20),
    min_size=1,
    max_size=4,
)
ENCODERS: list[Callable[[bytes], bytes]] = [
    lambda s: s,
    lambda s: s[::-1],
    lambda s: s.hex().encode(),
    lambda s: quote(s, safe="").encode(),
    lambda s: json.dumps(s.decode())[1:-1].encode(),
    base64.b64encode,
    base64.urlsafe_b64encode,
    base64.b32encode,
]


def stream(index: SecretIndex, data: bytes, cuts: list[int]) -> tuple[bytes, int]:
    mask, out = Mask(), []
    borders = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, stop in pairwise(borders):
        window, fresh = mask.window(data[start:stop])
        out.append(mask.release(window, index.find(window, fresh)))
    window, fresh = mask.window(b"")
    out.append(mask.release(window, index.find(window, fresh), last=True))
    return b"".join(out), mask.hits


@pytest.mark.req("V2")
@given(
    secrets=SECRETS,
    parts=st.lists(st.tuples(st.binary(max_size=20), st.integers(0, 3), st.integers(0, 7)), max_size=5),
    cuts=st.lists(st.integers(0, 5000), max_size=30),
)
def test_no_form_of_a_secret_passes_and_the_cuts_do_not_matter(
    secrets: list[str], parts: list[tuple[bytes, int, int]], cuts: list[int]
) -> None:
    raw = [secret.encode() for secret in secrets]
    index = SecretIndex(raw)
    data = b"".join(filler + ENCODERS[how](raw[which % len(raw)]) for filler, which, how in parts)
    out, hits = stream(index, data, cuts)
    assert len(out) == len(data)
    assert all(before in (after, before) and after in (before, 0x2A) for before, after in zip(data, out, strict=True))
    forms = set().union(*map(variants, raw))
    whole = index.find(data)
    assert out == stream(index, data, [])[0]
    assert hits == whole.hits
    assert not any(form in out for form in forms if set(form) != {0x2A})


@pytest.mark.req("V2")
@given(
    secret=st.binary(min_size=6, max_size=40).map(base64.b64encode),
    before=st.binary(max_size=7),
    after=st.binary(max_size=7),
    cuts=st.lists(st.integers(0, 500), max_size=8),
)
def test_base64_of_a_secret_inside_other_bytes_does_not_pass(
    secret: bytes, before: bytes, after: bytes, cuts: list[int]
) -> None:
    index = SecretIndex([secret])
    encoded = base64.b64encode(before + secret + after)
    out, hits = stream(index, b"." + encoded + b".", cuts)
    assert hits >= 1
    # At most the characters that also hold bits of the neighbours stay.
    first, last = len(before) * 8 // 6 + 1, (len(before) + len(secret)) * 8 // 6
    assert out[1 + first : 1 + last].strip(b"*") == b""


@pytest.mark.req("V2")
@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=10))
def test_bytes_without_a_secret_come_through_unchanged(data: bytes, cuts: list[int]) -> None:
    index = SecretIndex([b"never in the data: 0123456789abcdef"])
    assert stream(index, data, cuts) == (data, 0)
