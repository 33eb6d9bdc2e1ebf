"""Inbound signatures: AWS's published examples verify, and so does whatever botocore signs."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from connectors.aws.wire_in.chunked import ChunkedBody
from connectors.aws.wire_in.payload import decoder_for
from connectors.aws.wire_in.refusal import Reason, Refusal, RefusedError
from connectors.aws.wire_in.request import WireRequest, receive
from connectors.aws.wire_in.sigv4 import Claim, Verified, check, read_claim
from tests.conformance.test_sigv4 import (
    ACCESS_KEY,
    EMPTY,
    PUBLISHED,
    REQUESTS,
    S3_DATE,
    S3_HOST,
    SECRET_KEY,
    STAMP,
)
from vault.model import SecretValue

S3_SCOPE = f"{ACCESS_KEY}/20130524/us-east-1/s3/aws4_request"


def seconds(stamp: str) -> float:
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def sent(method: str, url: str, headers: dict[str, str], body: bytes | None = b"") -> WireRequest:
    target = urlsplit(url)
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    request = receive(method, (target.path or "/").encode(), target.query.encode(), headers=pairs, body=body)
    assert isinstance(request, WireRequest), request
    return request


def judged(request: WireRequest, stamp: str, secret: str = SECRET_KEY) -> Verified | Refusal:
    claim = read_claim(request)
    assert isinstance(claim, Claim), claim
    return check(claim, request, SecretValue(secret.encode()), now_seconds=seconds(stamp))


def authorization(scope: str, signed: str, signature: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential={scope},SignedHeaders={signed},Signature={signature}"


@pytest.mark.parametrize(("method", "path", "query", "headers", "payload", "signature"), PUBLISHED)
def test_the_published_examples_of_s3_verify(
    method: str, path: str, query: str, headers: dict[str, str], payload: str, signature: str
) -> None:
    every = {"host": S3_HOST, "x-amz-date": S3_DATE, "x-amz-content-sha256": payload, **headers}
    every["authorization"] = authorization(S3_SCOPE, ";".join(sorted(every)), signature)
    body = b"Welcome to Amazon S3." if method == "PUT" else b""
    assert isinstance(judged(sent(method, f"https://x{path}?{query}", every, body), S3_DATE), Verified)
    every["authorization"] = authorization(S3_SCOPE, ";".join(sorted(every.keys() - {"authorization"})), "0" * 64)
    wrong = judged(sent(method, f"https://x{path}?{query}", every, body), S3_DATE)
    assert isinstance(wrong, Refusal)
    assert wrong.reason is Reason.SIGNATURE_WRONG


# The SigV4 test suite of AWS (``get-vanilla`` and its relatives): what is signed is the normalised path.
SUITE_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SUITE_STAMP = "20150830T123600Z"
VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
SUITE = [
    ("GET", "/", VANILLA),
    ("GET", "/example/..", VANILLA),
    ("GET", "/./", VANILLA),
    ("GET", "//", VANILLA),
    ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("GET", "/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
]


@pytest.mark.parametrize(("method", "target", "signature"), SUITE)
def test_the_examples_of_the_signature_test_suite_verify(method: str, target: str, signature: str) -> None:
    headers = {"host": "example.amazonaws.com", "x-amz-date": SUITE_STAMP}
    scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    headers["authorization"] = authorization(scope, "host;x-amz-date", signature)
    assert isinstance(judged(sent(method, f"https://x{target}", headers), SUITE_STAMP, SUITE_SECRET), Verified)


# Amazon S3 API reference, "Authenticating Requests: Using Query Parameters".
PRESIGNED = (
    "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
    "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        ("20130524T000000Z", None),
        ("20130524T235959Z", None),
        ("20130525T000001Z", Reason.EXPIRED),
        ("20130523T234400Z", Reason.SKEWED),
    ],
)
def test_the_published_presigned_url_verifies_while_it_is_valid(stamp: str, reason: Reason | None) -> None:
    found = judged(sent("GET", PRESIGNED, {"host": S3_HOST}), stamp)
    assert isinstance(found, Verified) if reason is None else isinstance(found, Refusal) and found.reason is reason


# Amazon S3 API reference, "Signature Calculations: Transferring Payload in Multiple Chunks", without and with trailers.
DATA = b"a" * 66560
CHUNKED_HEADERS = {
    "host": "s3.amazonaws.com",
    "x-amz-date": S3_DATE,
    "x-amz-storage-class": "REDUCED_REDUNDANCY",
    "content-encoding": "aws-chunked",
    "x-amz-decoded-content-length": "66560",
}
CHUNKS = [
    (DATA[:65536], "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (DATA[65536:], "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (b"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
]
TRAILED_CHUNKS = [
    (DATA[:65536], "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"),
    (DATA[65536:], "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"),
    (b"", "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"),
]
TRAILER = (
    b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
)


def chunked(chunks: list[tuple[bytes, str]], end: bytes) -> bytes:
    framed = [
        f"{len(data):x};chunk-signature={signature}\r\n".encode() + (data + b"\r\n" if data else b"")
        for data, signature in chunks
    ]
    return b"".join(framed) + end


def published_chunks(*, trailing: bool) -> tuple[ChunkedBody, bytes]:
    headers = dict(CHUNKED_HEADERS)
    if trailing:
        headers |= {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"}
        headers |= {"x-amz-trailer": "x-amz-checksum-crc32c"}
        signature, body = (
            "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
            chunked(TRAILED_CHUNKS, TRAILER),
        )
    else:
        headers |= {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "content-length": "66824"}
        signature, body = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", chunked(CHUNKS, b"\r\n")
    headers["authorization"] = authorization(S3_SCOPE, ";".join(sorted(headers)), signature)
    request = sent("PUT", "https://x/examplebucket/chunkObject.txt", headers, None)
    verified = judged(request, S3_DATE)
    assert isinstance(verified, Verified), verified
    decoder = decoder_for(verified, request)
    assert isinstance(decoder, ChunkedBody)
    return decoder, body


@pytest.mark.parametrize("trailing", [False, True])
@pytest.mark.parametrize("step", [1, 7, 8192, 1 << 20])
def test_the_published_chunks_are_decoded_however_they_arrive(step: int, *, trailing: bool) -> None:
    decoder, body = published_chunks(trailing=trailing)
    out = b"".join(decoder.feed(body[at : at + step]) for at in range(0, len(body), step))
    assert out + decoder.finish() == DATA
    assert decoder.trailers == ({"x-amz-checksum-crc32c": "sOO8/Q=="} if trailing else {})


@pytest.mark.parametrize("trailing", [False, True])
@pytest.mark.parametrize("at", [0, 30, 200, 65_700, 66_800, -3, -40])
def test_a_changed_byte_of_the_published_chunks_is_refused(at: int, *, trailing: bool) -> None:
    decoder, body = published_chunks(trailing=trailing)
    changed = bytearray(body)
    changed[at] ^= 1
    with pytest.raises(RefusedError):
        drained(decoder, bytes(changed))


def drained(decoder: ChunkedBody, data: bytes) -> bytes:
    return decoder.feed(data) + decoder.finish()


def botocore_signs(method: str, url: str, service: str, headers: dict[str, str], body: bytes, token: str) -> Any:
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    signer: Any = kind(Credentials(ACCESS_KEY, SECRET_KEY, token or None), service, "eu-west-1")
    request: Any = AWSRequest(method, url, headers=headers, data=body)
    request.context["timestamp"] = STAMP
    request.context["payload_signing_enabled"] = True
    signer._modify_request_before_signing(request)
    del request.headers["X-Amz-Date"]
    request.headers["X-Amz-Date"] = STAMP
    canonical = signer.canonical_request(request)
    signer._inject_signature_to_request(request, signer.signature(signer.string_to_sign(request, canonical), request))
    return request


@pytest.mark.parametrize("token", ["", "FwoGZXIvYXdzEXAMPLETOKEN/with+signs="])
@pytest.mark.parametrize(("method", "url", "service", "headers", "body"), REQUESTS)
def test_what_botocore_signs_verifies(
    method: str, url: str, service: str, headers: dict[str, str], body: bytes, token: str
) -> None:
    signed = botocore_signs(method, url, service, headers, body, token)
    every = {"host": urlsplit(url).netloc, **{name.lower(): value for name, value in signed.headers.items()}}
    request = sent(method, signed.url, every, body)
    verified = judged(request, STAMP)
    assert isinstance(verified, Verified), verified
    assert (verified.claim.service, verified.claim.region) == (service, "eu-west-1")
    assert verified.claim.security_token == token
    assert isinstance(judged(request, STAMP, "another secret"), Refusal)


@pytest.mark.parametrize(("method", "url", "service"), [row[:3] for row in REQUESTS if row[0] == "GET"])
def test_what_botocore_presigns_verifies(method: str, url: str, service: str) -> None:
    kind = botocore.auth.S3SigV4QueryAuth if service == "s3" else botocore.auth.SigV4QueryAuth
    signer: Any = kind(Credentials(ACCESS_KEY, SECRET_KEY, "token/+="), service, "eu-west-1", expires=60)
    request: Any = AWSRequest(method, url)
    signer.add_auth(request)
    stamp = dict(pair.split("=", 1) for pair in urlsplit(request.url).query.split("&"))["X-Amz-Date"]
    verified = judged(sent(method, request.url, {"host": urlsplit(url).netloc}), stamp)
    assert isinstance(verified, Verified), verified
    assert verified.claim.security_token == "token/+="


@given(
    key=st.lists(st.sampled_from(["a", "B", "%20", "~", "_", "-", ".", "/", "%C3%BC", "%25"]), max_size=20),
    query=st.dictionaries(st.sampled_from(["prefix", "marker", "acl"]), st.sampled_from(["", "a", "%2F", "%2B"])),
    value=st.text("abc  :;,=%/\"'", max_size=20),
    body=st.binary(max_size=20),
)
def test_any_s3_request_botocore_signs_verifies(key: list[str], query: dict[str, str], value: str, body: bytes) -> None:
    text = "&".join(f"{name}={given}" for name, given in query.items())
    url = f"https://b.s3.eu-west-1.amazonaws.com/{''.join(key)}" + (f"?{text}" if text else "")
    signed = botocore_signs("PUT", url, "s3", {"x-amz-meta-a": value}, body, "")
    every = {"host": urlsplit(url).netloc, **{name.lower(): each for name, each in signed.headers.items()}}
    assert isinstance(judged(sent("PUT", signed.url, every, body), STAMP), Verified)


def test_the_digest_of_nothing_is_the_one_aws_publishes() -> None:
    assert hashlib.sha256(b"").hexdigest() == EMPTY
