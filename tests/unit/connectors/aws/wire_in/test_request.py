from __future__ import annotations

import pytest

from connectors.aws.wire_in.refusal import Reason, Refusal, RefusedError
from connectors.aws.wire_in.request import (
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    MAX_PAIRS,
    MAX_PATH_BYTES,
    MAX_QUERY_BYTES,
    decode,
    receive,
    split_form,
    split_query,
)
from tests.unit.connectors.aws.wire_in.asking import asked

HOST = [(b"host", b"aws.broker.test")]


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "body", "reason"),
    [
        ("get", b"/", b"", HOST, b"", Reason.MALFORMED),
        ("CONNECT", b"/", b"", HOST, b"", Reason.MALFORMED),
        ("GET", b"", b"", HOST, b"", Reason.MALFORMED),
        ("GET", b"*", b"", HOST, b"", Reason.MALFORMED),
        ("GET", b"http://evil/", b"", HOST, b"", Reason.MALFORMED),
        ("GET", b"/a b", b"", HOST, b"", Reason.MALFORMED),
        ("GET", b"/a\n", b"", HOST, b"", Reason.MALFORMED),
        ("GET", b"/\xc3\xbc", b"", HOST, b"", Reason.MALFORMED),
        ("GET", b"/a#b", b"", HOST, b"", Reason.MALFORMED),
        ("GET", b"/a?b", b"", HOST, b"", Reason.MALFORMED),
        ("GET", b"/", b"a=b+c", HOST, b"", Reason.MALFORMED),
        ("GET", b"/", b"a=b c", HOST, b"", Reason.MALFORMED),
        ("GET", b"/", b"a=\xff", HOST, b"", Reason.MALFORMED),
        ("GET", b"/" + b"a" * MAX_PATH_BYTES, b"", HOST, b"", Reason.TOO_LARGE),
        ("GET", b"/", b"a" * (MAX_QUERY_BYTES + 1), HOST, b"", Reason.TOO_LARGE),
        ("GET", b"/", b"", [*HOST, (b"x", b"a" * MAX_HEADER_BYTES)], b"", Reason.TOO_LARGE),
        ("GET", b"/", b"", [(f"x-{n}".encode(), b"") for n in range(101)], b"", Reason.TOO_LARGE),
        ("GET", b"/", b"", [(b"X-Upper", b"1")], b"", Reason.MALFORMED),
        ("GET", b"/", b"", [(b"x y", b"1")], b"", Reason.MALFORMED),
        ("GET", b"/", b"", [(b"x", b"1\r\ny: 2")], b"", Reason.MALFORMED),
        ("GET", b"/", b"", [(b"x", b"\x00")], b"", Reason.MALFORMED),
        ("PUT", b"/", b"", HOST, b"a" * (MAX_BODY_BYTES + 1), Reason.TOO_LARGE),
    ],
)
def test_a_head_out_of_form_or_bounds_is_refused(
    method: str, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes, reason: Reason
) -> None:
    found = receive(method, path, query, headers=headers, body=body)
    assert isinstance(found, Refusal)
    assert found.reason is reason


def test_a_header_that_was_sent_twice_cannot_be_read() -> None:
    request = asked(headers={"x-a": "1", "x-b": "2"}, more=(("x-a", "3"),))
    assert request.header("x-b") == "2"
    assert request.header("x-c") is None
    with pytest.raises(RefusedError) as caught:
        request.header("x-a")
    assert caught.value.refusal.reason is Reason.DECOY


@pytest.mark.parametrize(
    ("sent", "host"),
    [
        ("Bucket.S3.Broker.test:8080", "bucket.s3.broker.test"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:80", "[::1]"),
        ("[::1", "["),
        ("", ""),
    ],
)
def test_a_host_is_read_without_its_port(sent: str, host: str) -> None:
    assert asked(headers={"host": sent}).host == host


@pytest.mark.parametrize("text", ["%", "%2", "%zz", "a%2", "%ff", "%c3%28", "%ed%a0%80"])
def test_what_does_not_decode_to_utf8_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        decode(text)


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ("", []),
        ("acl", [("acl", "")]),
        ("a=1&a=2&b=%20=", [("a", "1"), ("a", "2"), ("b", " =")]),
    ],
)
def test_a_query_is_read_in_order(query: str, pairs: list[tuple[str, str]]) -> None:
    assert split_query(query) == pairs


def test_a_plus_is_a_space_in_forms_only() -> None:
    assert split_form(b"a+b=c+d%2B") == [("a b", "c d+")]


@pytest.mark.parametrize("body", [b"a", b"a=1&b", b"=1", b"a=1&", b"a=\xff", b"&".join([b"a=1"] * (MAX_PAIRS + 1))])
def test_a_form_out_of_form_or_bounds_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError):
        split_form(body)
