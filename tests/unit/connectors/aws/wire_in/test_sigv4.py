"""What is refused about a signature; that right ones verify is in tests/conformance/test_sigv4_inbound.py."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from connectors.aws.wire_in.canonical import canonical_request, signature, signing_key
from connectors.aws.wire_in.chunked import ChunkedBody
from connectors.aws.wire_in.payload import PlainBody, decoder_for
from connectors.aws.wire_in.refusal import Reason, Refusal, RefusedError
from connectors.aws.wire_in.request import WireRequest
from connectors.aws.wire_in.services import S3, summaries
from connectors.aws.wire_in.sigv4 import (
    UNSIGNED_BODIES,
    Claim,
    PayloadMode,
    Verified,
    check,
    read_claim,
)
from tests.unit.connectors.aws.wire_in.asking import OWN_HOST, asked
from vault.model import SecretValue

SECRET = "agents-own-key"
STAMP = "20261120T120000Z"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
EMPTY = hashlib.sha256(b"").hexdigest()
HEADERS = {"host": OWN_HOST, "x-amz-date": STAMP}
PLAIN = {**HEADERS, "x-amz-content-sha256": EMPTY}


def signed(
    headers: dict[str, str],
    *,
    service: str = "s3",
    names: str = "",
    stamp: str = STAMP,
    method: str = "GET",
    body: bytes | None = b"",
    target: str = "/b/k",
) -> WireRequest:
    """Sign with an independent reading of the rules: this file's own lines."""
    listed = names or ";".join(sorted(headers))
    payload = headers.get("x-amz-content-sha256") or hashlib.sha256(body or b"").hexdigest()
    bare = asked(method, target, headers=headers, body=body)
    text = canonical_request(bare, listed.split(";"), payload, service=service, without="")
    scope = f"{stamp[:8]}/eu-west-1/{service}/aws4_request"
    key = signing_key(SECRET.encode(), stamp[:8], "eu-west-1", service)
    value = signature(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{text}")
    authorization = f"AWS4-HMAC-SHA256 Credential=AKIDAGENT/{scope}, SignedHeaders={listed}, Signature={value}"
    return asked(method, target, headers={**headers, "authorization": authorization}, body=body)


def outcome(request: WireRequest, *, now: float = NOW, secret: str = SECRET) -> Reason | None:
    claim = read_claim(request)
    if isinstance(claim, Refusal):
        return claim.reason
    found = check(claim, request, SecretValue(secret.encode()), now_seconds=now)
    return found.reason if isinstance(found, Refusal) else None


def test_a_signed_request_verifies_and_says_for_what() -> None:
    claim = read_claim(signed(PLAIN))
    assert isinstance(claim, Claim)
    assert (claim.access_key_id, claim.service, claim.region) == ("AKIDAGENT", "s3", "eu-west-1")
    assert outcome(signed(PLAIN)) is None
    assert outcome(signed(HEADERS, service="dynamodb", target="/")) is None


@pytest.mark.parametrize("secret", ["", "agents-own-kez"])
def test_another_secret_does_not_verify(secret: str) -> None:
    assert outcome(signed(PLAIN), secret=secret) is Reason.SIGNATURE_WRONG


def test_whatever_is_changed_after_signing_is_noticed() -> None:
    request = signed({**PLAIN, "range": "bytes=0-1"})
    changes = [
        replace(request, method="HEAD"),
        replace(request, path="/b/l"),
        replace(request, path="/b//k"),
        replace(request, query="acl"),
        replace(request, headers={**request.headers, "host": "other"}),
        replace(request, headers={**request.headers, "range": "bytes=0-2"}),
        replace(request, headers={**request.headers, "x-amz-date": "20261120T120001Z"}),
    ]
    assert {outcome(change) for change in changes} == {Reason.SIGNATURE_WRONG}
    assert outcome(replace(request, body=b"x")) is Reason.PAYLOAD_MISMATCH
    assert outcome(replace(signed(HEADERS, service="sqs", target="/"), body=b"x")) is Reason.SIGNATURE_WRONG


@pytest.mark.parametrize(
    ("offset", "reason"),
    [(0, None), (900, None), (-900, None), (901, Reason.SKEWED), (-901, Reason.SKEWED)],
)
def test_a_time_stamp_is_good_for_fifteen_minutes_either_way(offset: int, reason: Reason | None) -> None:
    assert outcome(signed(PLAIN), now=NOW + offset) is reason


AUTHORIZATION = signed(PLAIN).headers["authorization"]


@pytest.mark.parametrize(
    ("headers", "target", "reason"),
    [
        ({}, "/", Reason.UNSIGNED),
        ({"authorization": ""}, "/", Reason.SIGNATURE_KIND),
        ({"authorization": "AWS AKID:c2ln"}, "/", Reason.SIGNATURE_KIND),
        ({"authorization": "Bearer x"}, "/", Reason.SIGNATURE_KIND),
        ({"authorization": AUTHORIZATION.replace("HMAC-SHA256", "ECDSA-P256-SHA256")}, "/", Reason.SIGNATURE_KIND),
        ({"authorization": "AWS4-HMAC-SHA256"}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": f"{AUTHORIZATION}0"}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION.replace("aws4_request", "aws5_request")}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION.replace("20261120/", "20261121/")}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION.replace("AKIDAGENT", "A/B")}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION.replace("eu-west-1", "")}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION.replace("host;", "")}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION.replace("host;", "host;host;")}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION.replace("host;", "host;range;")}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION.replace("host;x-amz-content", "x-amz-content")}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION, "x-amz-date": "now"}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION, "x-amz-date": "20261399T990000Z"}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION, "x-amz-acl": "public-read"}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION, "x-amz-security-token": "t"}, "/", Reason.SIGNATURE_SHAPE),
        ({"authorization": AUTHORIZATION, "x-amz-content-sha256": "UNSIGNED"}, "/", Reason.SIGNATURE_KIND),
        (
            {"authorization": AUTHORIZATION, "x-amz-content-sha256": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}, "/",
            Reason.SIGNATURE_KIND,
        ),
        ({"authorization": AUTHORIZATION}, "/?X-Amz-Signature=0", Reason.DECOY),
        ({"authorization": AUTHORIZATION}, "/?X-Amz-Algorithm=AWS4-HMAC-SHA256", Reason.DECOY),
        ({}, "/?AWSAccessKeyId=a&Signature=b&Expires=1", Reason.SIGNATURE_KIND),
        ({}, "/?Action=x&SignatureMethod=HmacSHA256", Reason.SIGNATURE_KIND),
        ({}, "/?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Signature=0", Reason.SIGNATURE_KIND),
        ({}, "/?X-Amz-Signature=0", Reason.SIGNATURE_KIND),
    ],
)  # fmt: skip
def test_no_signature_or_one_of_another_kind_or_form_is_refused(
    headers: dict[str, str], target: str, reason: Reason
) -> None:
    base = {**PLAIN, **headers} if "authorization" in headers else headers
    assert outcome(asked("GET", target, headers=base)) is reason


def test_two_signatures_of_one_kind_are_refused() -> None:
    request = asked("GET", "/", headers={**PLAIN, "authorization": AUTHORIZATION}, more=(("authorization", "x"),))
    assert outcome(request) is Reason.DECOY
    assert outcome(replace(signed(PLAIN), repeated=frozenset({"host"}))) is Reason.DECOY


URL = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "AKID%2F20261120%2Feu-west-1%2Fs3%2Faws4_request",
    "X-Amz-Date": STAMP,
    "X-Amz-Expires": "60",
    "X-Amz-SignedHeaders": "host",
    "X-Amz-Signature": "0" * 64,
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, Reason.SIGNATURE_WRONG),
        ({"X-Amz-Expires": "0"}, Reason.SIGNATURE_SHAPE),
        ({"X-Amz-Expires": "604801"}, Reason.SIGNATURE_SHAPE),
        ({"X-Amz-Expires": "-1"}, Reason.SIGNATURE_SHAPE),
        ({"X-Amz-Expires": ""}, Reason.SIGNATURE_SHAPE),
        ({"X-Amz-SignedHeaders": ""}, Reason.SIGNATURE_SHAPE),
        ({"X-Amz-SignedHeaders": "range"}, Reason.SIGNATURE_SHAPE),
        ({"X-Amz-Credential": "AKID"}, Reason.SIGNATURE_SHAPE),
        ({"X-Amz-Date": "20261119T120000Z"}, Reason.SIGNATURE_SHAPE),
        ({"X-Amz-Date": f"{STAMP}&X-Amz-Date={STAMP}"}, Reason.DECOY),
    ],
)
def test_a_presigned_url_out_of_form_is_refused(change: dict[str, str], reason: Reason) -> None:
    target = "/b/k?" + "&".join(f"{name}={value}" for name, value in {**URL, **change}.items())
    assert outcome(asked("GET", target)) is reason


@pytest.mark.parametrize(
    ("service", "payload", "reason"),
    [
        ("s3", "UNSIGNED-PAYLOAD", None),
        ("s3", "", Reason.SIGNATURE_SHAPE),
        ("lex", "UNSIGNED-PAYLOAD", None),
        ("dynamodb", "UNSIGNED-PAYLOAD", Reason.SIGNATURE_SHAPE),
        ("dynamodb", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", Reason.SIGNATURE_KIND),
        ("dynamodb", "", None),
        ("dynamodb", "0" * 64, Reason.PAYLOAD_MISMATCH),
    ],
)
def test_only_who_aws_lets_leave_the_body_unsigned_may(service: str, payload: str, reason: Reason | None) -> None:
    headers = {**HEADERS, "x-amz-content-sha256": payload} if payload else HEADERS
    assert outcome(signed(headers, service=service, target="/", body=b"{}", method="POST")) is reason


def test_the_services_with_unsigned_bodies_are_those_of_botocore() -> None:
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    found = {S3}
    for name, summary in summaries().items():
        if summary.signing_name in UNSIGNED_BODIES:
            model = ServiceModel(loader.load_service_model(name, "service-2"), name)
            kinds = {model.operation_model(each).auth_type for each in model.operation_names}
            found |= {summary.signing_name} if "v4-unsigned-body" in kinds else set()
    assert found == UNSIGNED_BODIES


def test_a_body_without_a_digest_must_be_read() -> None:
    request = signed(HEADERS, service="dynamodb", target="/", method="POST", body=None)
    assert outcome(request) is Reason.UNSUPPORTED


def verified(payload: str, more: dict[str, str] | None = None) -> tuple[Verified, WireRequest]:
    request = signed({**HEADERS, "x-amz-content-sha256": payload, **(more or {})}, method="PUT", body=None)
    claim = read_claim(request)
    assert isinstance(claim, Claim), claim
    found = check(claim, request, SecretValue(SECRET.encode()), now_seconds=NOW)
    assert isinstance(found, Verified), found
    return found, request


def test_a_streamed_body_is_checked_before_its_last_piece_is_handed_on() -> None:
    body = b"abc" * 10
    found, request = verified(hashlib.sha256(body).hexdigest())
    decoder = decoder_for(found, request)
    assert isinstance(decoder, PlainBody)
    out = decoder.feed(body[:10]) + decoder.feed(b"") + decoder.feed(body[10:])
    assert out == body[:10]
    assert out + decoder.finish() == body
    assert decoder.trailers == {}
    other = decoder_for(found, request)
    assert isinstance(other, PlainBody)
    other.feed(body[:-1] + b"x")
    with pytest.raises(RefusedError) as caught:
        other.finish()
    assert caught.value.refusal.reason is Reason.PAYLOAD_MISMATCH


def test_an_unsigned_body_is_handed_on_as_it_is() -> None:
    found, request = verified("UNSIGNED-PAYLOAD")
    decoder = decoder_for(found, request)
    assert isinstance(decoder, PlainBody)
    assert decoder.feed(b"a") + decoder.feed(b"b") + decoder.finish() == b"ab"


@pytest.mark.parametrize("mode", ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"])
def test_a_body_in_chunks_must_say_how_long_it_is(mode: str) -> None:
    for length in ("", "-1", "1e3", "9" * 16):
        found, request = verified(mode, {"x-amz-decoded-content-length": length})
        assert isinstance(decoder_for(found, request), Refusal)
    found, request = verified(mode, {"x-amz-decoded-content-length": "3"})
    assert isinstance(decoder_for(found, request), ChunkedBody)
    doubled = replace(request, repeated=frozenset({"x-amz-decoded-content-length"}))
    assert isinstance(decoder_for(found, doubled), Refusal)


def test_no_secret_is_in_a_repr() -> None:
    found, _ = verified("UNSIGNED-PAYLOAD", {"x-amz-security-token": "token-in-the-clear"})
    text = repr(found)
    assert found.seed.key.hex() not in text
    assert repr(found.seed.key) not in text
    assert found.claim.signature not in text
    assert "token-in-the-clear" not in text
    assert found.claim.mode is PayloadMode.UNSIGNED
