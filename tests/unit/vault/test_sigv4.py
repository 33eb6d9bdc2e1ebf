"""What is refused before it is signed, and with which key it is signed; the value itself is in tests/conformance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.vault.samples import AWS, BASIC, EMPTY_SHA256, NOW_NS, S3_HOSTS, STAMP, TEMPORARY, request, with_header
from vault.credential import Credential, check_fields, check_hosts
from vault.errors import BadRequestError, LeaseRefusal, LeaseRefusedError
from vault.model import CredentialKind, CredentialRef, SigningRequest
from vault.sigv4 import MAX_HEADERS, Signature, SigningKeys, canonical_request, sign


def credential(kind: CredentialKind = CredentialKind.AWS, version: int = 1, **fields: bytes) -> Credential:
    values = {**(AWS if kind is CredentialKind.AWS else BASIC), **fields}
    return Credential(
        CredentialRef("aws/prod"), kind, version, check_hosts(S3_HOSTS), NOW_NS, check_fields(kind, values)
    )


def signed(wanted: SigningRequest, with_: Credential | None = None, *, now_ns: int = NOW_NS) -> Signature:
    return sign(wanted, with_ or credential(), SigningKeys(), now_ns=now_ns)


def without(name: str) -> SigningRequest:
    return request(headers={key: value for key, value in request().headers.items() if key != name})


def unsigned(*, payload: str = "UNSIGNED-PAYLOAD", **changes: str) -> SigningRequest:
    """Return an upload without the digest of its body, with changes to the request or, by their names, its headers."""
    parts = {"method", "service", "payload_sha256"}
    headers = {**request().headers, "x-amz-content-sha256": payload}
    headers |= {name: value for name, value in changes.items() if name not in parts}
    whole = {"method": "PUT", "payload_sha256": payload} | {n: v for n, v in changes.items() if n in parts}
    return request(headers=headers, **whole)


def streaming(**changes: str) -> SigningRequest:
    chunked = {
        "content-encoding": "gzip, aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    return unsigned(payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER", **{**chunked, **changes})


@pytest.mark.parametrize(
    "wanted",
    [unsigned(), unsigned(method="POST"), streaming(), streaming(**{"content-encoding": "aws-chunked"})],
)
def test_an_upload_to_s3_that_streams_in_is_signed_without_a_digest(wanted: SigningRequest) -> None:
    names = signed(wanted).authorization.split("SignedHeaders=")[1].split(",")[0].split(";")
    assert set(names) == set(wanted.headers)
    assert canonical_request(wanted, wanted.headers).endswith(b"\n" + wanted.payload_sha256.encode())


def test_a_scope_may_have_capitals() -> None:
    assert "/eu-west-1/AWSMigrationHub/aws4_request" in signed(request(service="AWSMigrationHub")).authorization


@pytest.mark.req("V1")
@pytest.mark.parametrize(
    "wanted",
    [
        request(method="get"),
        request(method="GET\n/"),
        request(method=""),
        request(path=""),
        request(path="no-slash"),
        request(path="/a b"),
        request(path="/a\nhost:evil.com"),
        request(path="/a?x=1"),
        request(path="/a#x"),
        request(path="/\u00e9"),
        request(path="/" + "a" * 40_000),
        request(query="a=1\nx"),
        request(query="a b"),
        request(query="a=\u00e9"),
        request(region="eu-west-1/s3"),
        request(region=""),
        request(service="s3\n"),
        request(service=""),
        with_header("X-Upper", "1"),
        with_header("with space", "1"),
        with_header("with:colon", "1"),
        with_header("", "1"),
        with_header("x-crlf", "1\r\nx-more: 2"),
        with_header("x-nul", "1\0"),
        with_header("x-tab", "a\tb"),
        with_header("x-unicode", "\u00e9"),
        with_header("x-large", "a" * 40_000),
        with_header("authorization", "AWS4-HMAC-SHA256 x"),
        with_header("x-amz-security-token", "planted"),
        with_header("x-amz-content-sha256", "0" * 64),
        with_header("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        without("host"),
        without("x-amz-date"),
        request(payload_sha256="UNSIGNED-PAYLOAD"),
        unsigned(method="GET"),
        unsigned(method="DELETE"),
        request(
            method="PUT",
            payload_sha256="UNSIGNED-PAYLOAD",
            headers={name: value for name, value in request().headers.items() if name != "x-amz-content-sha256"},
        ),
        unsigned(service="lambda"),
        unsigned(payload_sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        streaming(method="GET"),
        streaming(service="s3-object-lambda"),
        streaming(**{"x-amz-decoded-content-length": ""}),
        streaming(**{"x-amz-decoded-content-length": "-1"}),
        streaming(**{"content-encoding": "gzip"}),
        streaming(**{"x-amz-trailer": ""}),
        streaming(**{"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}),
        streaming(payload_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        request(payload_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        request(payload_sha256=EMPTY_SHA256.upper()),
        request(payload_sha256=""),
        request(headers={**request().headers, **{f"x-{n}": "" for n in range(MAX_HEADERS)}}),
    ],
)
def test_a_malformed_request_is_not_signed(wanted: SigningRequest) -> None:
    with pytest.raises(BadRequestError):
        signed(wanted)


@pytest.mark.req("V1")
@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "a=1&X-Amz-Expires=604800",
        "x-amz-signedheaders=host",
        "X-Amz-Credential=AKIA%2F20261120",
        "%58-Amz-Date=20261120T120000Z",
        "X%2DAmz%2DSignature=00",
        "X-Amz-Security-Token=x",
        "+X-Amz-Date=1",
    ],
)
def test_a_request_that_would_be_a_presigned_url_is_not_signed(query: str) -> None:
    with pytest.raises(BadRequestError, match="presigned"):
        signed(request(query=query))


@pytest.mark.parametrize("seconds", [-301, 301, -900, 86_400])
def test_a_date_that_is_off_is_refused(seconds: int) -> None:
    moment = datetime.fromtimestamp(NOW_NS / 1e9, UTC) + timedelta(seconds=seconds)
    with pytest.raises(BadRequestError, match="off the vault's clock"):
        signed(with_header("x-amz-date", moment.strftime("%Y%m%dT%H%M%SZ")))


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_date_within_five_minutes_is_signed_for_its_own_day(seconds: int) -> None:
    moment = datetime.fromtimestamp(NOW_NS / 1e9, UTC) + timedelta(seconds=seconds)
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    assert f"/{stamp[:8]}/eu-west-1/s3/aws4_request" in signed(with_header("x-amz-date", stamp)).authorization


@pytest.mark.parametrize("stamp", ["", "20261120T120000", "20261320T120000Z", "2026-11-20T12:00:00Z", STAMP + " "])
def test_a_malformed_date_is_refused(stamp: str) -> None:
    with pytest.raises(BadRequestError, match="x-amz-date"):
        signed(with_header("x-amz-date", stamp))


@pytest.mark.req("V1")
@pytest.mark.parametrize(
    "host", ["evil.com", "s3.amazonaws.com.evil.com", "amazonaws.com", "127.0.0.1:9001", "127.0.0.1", "", " ", "a@b"]
)
def test_a_host_that_is_not_bound_is_refused(host: str) -> None:
    with pytest.raises(LeaseRefusedError) as caught:
        signed(with_header("host", host))
    assert caught.value.reason is LeaseRefusal.HOST


def test_a_credential_of_another_kind_does_not_sign() -> None:
    with pytest.raises(LeaseRefusedError) as caught:
        signed(request(), credential(CredentialKind.BASIC))
    assert caught.value.reason is LeaseRefusal.KIND


def test_a_temporary_credential_signs_its_token_and_hands_it_over() -> None:
    temporary = credential(session_token=TEMPORARY["session_token"])
    result = signed(request(), temporary)
    assert "x-amz-date;x-amz-security-token," in result.authorization
    assert result.security_token is not None
    assert result.security_token.reveal() == TEMPORARY["session_token"]
    assert signed(request()).security_token is None


def test_every_part_of_the_request_changes_the_signature() -> None:
    wanted = [
        request(),
        request(method="PUT"),
        request(path="/data-lake/raw/y.csv"),
        request(query="versionId=1"),
        with_header("x-amz-meta-a", "1"),
        with_header("host", "b.s3.eu-west-1.amazonaws.com"),
        request(region="eu-west-2"),
        request(service="sts"),
        request(payload_sha256="1" * 64, headers={**request().headers, "x-amz-content-sha256": "1" * 64}),
    ]
    assert len({signed(one).authorization.rpartition("=")[2] for one in wanted}) == len(wanted)


def test_header_values_are_trimmed_and_runs_of_spaces_collapsed() -> None:
    wanted = with_header("x-amz-meta-a", "  a   b  ")
    assert b"\nx-amz-meta-a:a b\n" in canonical_request(wanted, wanted.headers)
    assert signed(wanted) == signed(with_header("x-amz-meta-a", "a b"))


@given(value=st.text(max_size=30), name=st.text(max_size=10))
def test_no_header_adds_a_line_to_the_canonical_request(value: str, name: str) -> None:
    wanted = with_header(name, value)
    try:
        signed(wanted)
    except (BadRequestError, LeaseRefusedError):
        return
    lines = canonical_request(wanted, wanted.headers).split(b"\n")
    assert len(lines) == 6 + len(wanted.headers)


def test_derived_keys_are_kept_per_credential_version_and_scope_and_only_so_many() -> None:
    keys, first, second = SigningKeys(), credential(), credential(version=2, secret_access_key=b"another/secret")
    key = keys.key(first, "20261120", "eu-west-1", "s3")
    assert keys.key(first, "20261120", "eu-west-1", "s3") is key
    others = [
        keys.key(second, "20261120", "eu-west-1", "s3"),
        keys.key(first, "20261121", "eu-west-1", "s3"),
        keys.key(first, "20261120", "eu-west-2", "s3"),
        keys.key(first, "20261120", "eu-west-1", "sts"),
    ]
    assert len({key, *others}) == 5
    for number in range(1024):
        keys.key(first, "20261120", f"region-{number}", "s3")
    assert keys.key(first, "20261120", "eu-west-1", "s3") is not key
    keys.clear()
    assert keys.key(first, "20261120", "eu-west-1", "s3") == key
