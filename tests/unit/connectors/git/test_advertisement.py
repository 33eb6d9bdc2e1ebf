from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import UpstreamRefusedError
from connectors.git.advertisement import MAX_ADVERTISEMENT_BYTES, Advertisement, Service, read_advertisement
from tests.fakes import Answer, FakeTransport

OID = b"4b825dc642cb6eb9a060e54bf8d69288fbee4904"
OTHER = b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
URL = "https://git.test/acme/app.git"
TYPE = {"Content-Type": "application/x-git-upload-pack-advertisement", "X-GitHub-Request-Id": "A:1"}


def pkt(line: bytes) -> bytes:
    return b"%04x%s\n" % (len(line) + 5, line)


HEAD = pkt(b"# service=git-upload-pack") + b"0000"


async def read(*chunks: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Advertisement:
    transport = FakeTransport(Answer(status, TYPE if headers is None else headers, chunks))
    try:
        return await read_advertisement(transport, URL, Service.FETCH, authorization="Bearer t")
    finally:
        assert transport.open == 0
        assert transport.sent[0].url == URL + "/info/refs?service=git-upload-pack"
        assert transport.sent[0].headers["Authorization"] == "Bearer t"


async def test_refs_head_and_abilities_are_read() -> None:
    body = (
        HEAD
        + pkt(OID + b" HEAD\0symref=HEAD:refs/heads/main atomic object-format=sha1")
        + pkt(OID + b" refs/heads/m\xe4in")
        + pkt(OTHER + b" refs/tags/v1")
        + pkt(OID + b" refs/tags/v1^{}")
        + pkt(OTHER + b" .have")
        + pkt(b"shallow " + OID)
        + b"0000"
    )
    seen = await read(body[:7], body[7:])
    assert seen.refs == {"refs/heads/m\\xe4in": OID.decode(), "refs/tags/v1": OTHER.decode()}
    assert (seen.head, seen.request_id) == ("refs/heads/main", "A:1")
    assert "atomic" in seen.capabilities


async def test_an_empty_repository_has_no_refs() -> None:
    seen = await read(HEAD + pkt(b"0" * 40 + b" capabilities^{}\0report-status") + b"0000")
    assert (dict(seen.refs), seen.head) == ({}, "")
    assert (await read(HEAD + b"0000")).refs == {}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (301, "redirect"),
        (302, "redirect"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not-found"),
        (410, "not-found"),
        (429, "rate-limited"),
        (500, "http-error"),
        (204, "http-error"),
    ],
)
async def test_another_status_is_a_definite_no(status: int, code: str) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await read(b"secret words", status=status)
    assert (caught.value.code, caught.value.status, caught.value.upstream_request_id) == (code, status, "A:1")
    assert "secret words" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"0000",
        pkt(b"# service=git-receive-pack") + b"0000",
        pkt(b"# service=git-upload-pack") + pkt(OID + b" refs/heads/a"),
        HEAD + b"00",
        HEAD + b"0003",
        HEAD + b"zzzz",
        HEAD + b"+00a" + b"x" * 9,
        HEAD + b"ffff" + b"x",
        HEAD + pkt(b"ERR go away"),
        HEAD + pkt(OID[:-1] + b" refs/heads/a"),
        HEAD + pkt(OID + b"\trefs/heads/a"),
        HEAD + pkt(OID + b" "),
        HEAD + pkt(OID + b" HEAD\0object-format=sha256"),
    ],
)
async def test_a_malformed_answer_is_a_definite_no(body: bytes) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await read(body)
    assert caught.value.code == "bad-answer"


async def test_an_answer_of_another_type_is_no_git_host() -> None:
    with pytest.raises(UpstreamRefusedError, match="smart git host"):
        await read(HEAD, headers={"Content-Type": "text/html"})


async def test_an_endless_list_is_given_up() -> None:
    chunk = bytes(MAX_ADVERTISEMENT_BYTES // 4 + 1)
    with pytest.raises(UpstreamRefusedError, match="more than"):
        await read(chunk, chunk, chunk, chunk, b"never read")


@given(st.binary(max_size=200))
async def test_any_bytes_are_refs_or_a_definite_no(tail: bytes) -> None:
    try:
        seen = await read(HEAD + tail)
    except UpstreamRefusedError:
        return
    assert all(name.startswith("refs/") for name in seen.refs)
