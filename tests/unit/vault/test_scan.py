from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from vault.index import SecretIndex
from vault.scan import Found, Mask, masked
from vault.variants import PIECE_BYTES, pieces, variants

SECRET = b'wJalr/UtnFEMI+K7M"ENG&bP<xRf iC\\YEXAMPLE'
TEXT = SECRET.decode()

WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda s: s,
    "reversed": lambda s: s[::-1],
    "url": lambda s: quote(s, safe="").encode(),
    "url with slash": lambda s: quote(s).encode(),
    "url form": lambda s: quote_plus(s).encode(),
    "url lower": lambda s: quote(s, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%3C", "%3c")
    .replace("%5C", "%5c").encode(),
    "url all": lambda s: "".join(f"%{byte:02X}" for byte in s).encode(),
    "url all lower": lambda s: "".join(f"%{byte:02x}" for byte in s).encode(),
    "hex": lambda s: s.hex().encode(),
    "hex upper": lambda s: s.hex().upper().encode(),
    "json": lambda s: json.dumps(s.decode()).encode(),
    "json in json": lambda s: json.dumps({"a": [s.decode()]}).encode(),
    "json with escaped slash": lambda s: json.dumps(s.decode()).replace("/", "\\/").encode(),
    "json for html": lambda s: json.dumps(s.decode()).replace("&", "\\u0026").replace("<", "\\u003c").encode(),
    "json all escapes": lambda s: "".join(f"\\u{byte:04x}" for byte in s).encode(),
    "json all escapes upper": lambda s: "".join(f"\\u{byte:04X}" for byte in s).encode(),
    "slash escaped": lambda s: s.replace(b"/", b"\\/"),
    "html": lambda s: html.escape(s.decode()).encode(),
    "html text": lambda s: html.escape(s.decode(), quote=False).encode(),
    "xml": lambda s: s.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b'"', b"&#34;"),
    "base32": base64.b32encode,
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
    "base64 of hex": lambda s: base64.b64encode(s.hex().encode()),
    "basic header": lambda s: base64.b64encode(b"robot:" + s),
}  # fmt: skip


@pytest.fixture(scope="module")
def index() -> SecretIndex:
    return SecretIndex([SECRET])


@pytest.mark.req("V2")
@pytest.mark.parametrize("form", WRITTEN)
def test_a_secret_is_found_however_it_is_written(index: SecretIndex, form: str) -> None:
    written = WRITTEN[form](SECRET)
    found = index.find(b"before " + written + b" after")
    assert found.hits >= 1
    hidden = sum(stop - start for start, stop in found.spans)
    # An encoding's first and last characters also hold bits of what stands around the secret; quotes are not secret.
    assert hidden >= len(written) - 14
    assert WRITTEN[form](SECRET[8:24]) not in masked(written, index.find(written).spans)


@pytest.mark.req("V2")
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.b32encode])
@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("after", range(6))
def test_an_encoded_secret_is_found_at_every_alignment(
    index: SecretIndex, encode: Callable[[bytes], bytes], before: int, after: int
) -> None:
    assert index.find(encode(b"x" * before + SECRET + b"y" * after)).hits >= 1


def test_clean_bytes_are_left_alone(index: SecretIndex) -> None:
    data = bytes(range(256)) * 50
    assert index.find(data).spans == ()
    assert masked(data, ()) is data


def test_an_index_without_secrets_finds_nothing() -> None:
    assert SecretIndex([]).find(b"anything") == Found((), 0, 0)


def test_overlapping_and_touching_secrets_are_masked_whole() -> None:
    index = SecretIndex([b"abcdefgh", b"efghijkl", b"mnopqrst"])
    found = index.find(b"..abcdefghijklmnopqrst..")
    assert found.spans == ((2, 22),)
    assert found.hits == 3


def test_matches_seen_before_are_not_counted_again(index: SecretIndex) -> None:
    assert index.find(SECRET + b"x", fresh=len(SECRET)).hits == 0
    assert index.find(SECRET + b"x", fresh=len(SECRET) - 1).hits == 1


@pytest.mark.req("V2")
def test_a_long_secret_is_found_in_pieces_and_masked_whole() -> None:
    secret = base64.b64encode(bytes(range(256)) * 6)
    index = SecretIndex([secret])
    for written in (secret, secret.hex().encode(), secret[::-1]):
        assert masked(written, index.find(written).spans) == b"*" * len(written)
    encoded = base64.b64encode(b"x" + secret)
    assert masked(encoded, index.find(encoded).spans).strip(b"*") in (
        encoded[:2],
        encoded[:2] + b"==",
        encoded[:2] + b"=",
    )
    # A part of it is a leak too.
    assert index.find(secret[300:900]).hits >= 1


def test_pieces_overlap_and_cover_the_secret_without_cutting_characters() -> None:
    secret = "".join(f"a\u00e9{chr(0x4E00 + number)}{chr(0x1F600 + number)}" for number in range(200)).encode()
    parts = list(pieces(secret))
    assert all(len(part) <= PIECE_BYTES + 3 and part.decode() for part in parts)
    at = 0
    for part in parts:
        start = secret.index(part, max(0, at - PIECE_BYTES))
        assert start <= at
        at = max(at, start + len(part))
    assert at == len(secret)
    assert list(pieces(b"short one")) == [b"short one"]


def test_a_long_secret_of_wide_characters_is_found_json_escaped() -> None:
    secret = "\u00e9\u20ac\U0001f600" * 150
    index = SecretIndex([secret.encode()])
    written = json.dumps(secret)[1:-1].encode()
    assert masked(written, index.find(written).spans) == b"*" * len(written)


def test_no_form_is_too_short_and_every_form_is_bytes() -> None:
    assert all(len(form) >= 8 for form in variants(b"12345678"))
    assert variants(b"1234") != set()
    assert b"1234" not in variants(b"1234")


@pytest.mark.req("V2")
def test_no_byte_of_any_form_is_let_go_before_the_form_is_whole(index: SecretIndex) -> None:
    for form in variants(SECRET):
        mask, out = Mask(), b""
        for at in range(len(form)):
            window, fresh = mask.window(form[at : at + 1])
            out += mask.release(window, index.find(window, fresh))
        window, fresh = mask.window(b"")
        out += mask.release(window, index.find(window, fresh), last=True)
        assert out == b"*" * len(form)


def test_a_stream_is_masked_across_its_borders(index: SecretIndex) -> None:
    data = b"ab" + SECRET + b"cd" + SECRET[::-1] + b"ef"
    for size in (1, 2, 7, len(SECRET), len(data)):
        mask, out = Mask(), b""
        for at in range(0, len(data), size):
            window, fresh = mask.window(data[at : at + size])
            out += mask.release(window, index.find(window, fresh))
        window, fresh = mask.window(b"")
        out += mask.release(window, index.find(window, fresh), last=True)
        assert out == b"ab" + b"*" * len(SECRET) + b"cd" + b"*" * len(SECRET) + b"ef"
        assert mask.hits == 2
