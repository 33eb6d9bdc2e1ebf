from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.vault.samples import NOW_NS
from vault.errors import BadRequestError
from vault.model import CredentialInfo, CredentialKind, CredentialRef
from vault.protocol import (
    MAX_HEADER_BYTES,
    MAX_RAW_BYTES,
    FrameDecoder,
    FrameError,
    decode_info,
    encode_frame,
    encode_info,
)


@given(
    frames=st.lists(st.tuples(st.integers(0, 2**53), st.text(max_size=20), st.binary(max_size=50)), max_size=5),
    cuts=st.lists(st.integers(0, 600), max_size=10),
)
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    frames: list[tuple[int, str, bytes]], cuts: list[int]
) -> None:
    sent = [({"i": number, "op": text}, raw) for number, text, raw in frames]
    data = b"".join(encode_frame(header, raw) for header, raw in sent)
    decoder, received, at = FrameDecoder(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        received += decoder.feed(data[at:cut])
        at = max(at, min(cut, len(data)))
    assert received == sent


def raw_frame(header: bytes, raw: bytes = b"") -> bytes:
    return struct.pack(">II", 4 + len(header) + len(raw), len(header)) + header + raw


@pytest.mark.req("O2")
@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">II", 0, 0),
        struct.pack(">II", 3, 0),
        struct.pack(">II", 8, 5),
        struct.pack(">II", 1 << 30, 4),
        struct.pack(">II", MAX_HEADER_BYTES + 5, MAX_HEADER_BYTES + 1),
        raw_frame(b""),
        raw_frame(b"{}"),
        raw_frame(b"[1]"),
        raw_frame(b'{"i":"1"}'),
        raw_frame(b'{"i":1'),
        raw_frame(b'{"i":1,"x":NaN}'),
        raw_frame(b'{"i":1}\xff'),
        raw_frame(b"[" * 100_000),
    ],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        FrameDecoder().feed(data)


def test_an_error_about_a_frame_does_not_quote_it() -> None:
    with pytest.raises(FrameError) as caught:
        FrameDecoder().feed(raw_frame(b'{"i":1,"planted'))
    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_what_is_too_large_or_has_no_json_form_is_not_sent() -> None:
    bad: list[tuple[dict[str, Any], bytes]] = [
        ({"i": 1, "x": "a" * MAX_HEADER_BYTES}, b""),
        ({"i": 1}, bytes(MAX_RAW_BYTES + 1)),
        ({"i": 1, "x": object()}, b""),
        ({"i": 1, "x": "\ud800"}, b""),
    ]
    for header, raw in bad:
        with pytest.raises(BadRequestError):
            encode_frame(header, raw)


def test_what_may_be_shown_of_a_credential_reads_back() -> None:
    info = CredentialInfo(CredentialRef("a/b"), CredentialKind.BASIC, 3, ("x.com", "*.y.com"), "robot", NOW_NS, 5)
    ((header, _),) = FrameDecoder().feed(encode_frame({"i": 1, "info": encode_info(info)}))
    assert decode_info(header["info"]) == info
