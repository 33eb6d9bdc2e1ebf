from __future__ import annotations

import base64
import dataclasses

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from connectors.aws.wire import build_request
from connectors.base import JsonObject
from connectors.errors import NotSentError, OutcomeUnknownError
from tests.fakes import Answer, FakeLease, FakeTransport
from tests.unit.connectors.aws.desk import AWS, CONNECTOR, COPIED, COPY, MINIO, OBJECT, PARAMS, SECRET, plan_of


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("raw/x.csv", "/raw/x.csv"),
        ("a b", "/a%20b"),
        ("a+b", "/a%2Bb"),
        ("é/ñ", "/%C3%A9/%C3%B1"),
        ("x//y", "/x//y"),
        ("/x", "//x"),
        ("a/../b", "/a/../b"),
        ("%41", "/%2541"),
        ("q?x=1&y", "/q%3Fx%3D1%26y"),
        ("~!*()'", "/~%21%2A%28%29%27"),
        ("#", "/%23"),
    ],
)
def test_a_key_is_encoded_once_and_nothing_else_happens_to_it(key: str, path: str) -> None:
    params = {"Bucket": "data-lake", "Key": key}
    on_aws = build_request(plan_of("GetObject", params))
    assert on_aws.url == f"https://data-lake.s3.eu-central-1.amazonaws.com{path}"
    elsewhere = build_request(plan_of("GetObject", params, MINIO))
    assert elsewhere.url == f"http://127.0.0.1:9000/data-lake{path}"


def test_a_query_is_in_canonical_order_and_says_how_keys_come_back() -> None:
    request = build_request(plan_of("ListObjectsV2", {"Bucket": "data-lake", "Prefix": "é &/", "FetchOwner": True}))
    assert request.url == (
        "https://data-lake.s3.eu-central-1.amazonaws.com/"
        "?encoding-type=url&fetch-owner=true&list-type=2&prefix=%C3%A9%20%26%2F"
    )


def test_a_copy_names_its_source_encoded_and_leaves_the_tags() -> None:
    headers = build_request(plan_of("CopyObject")).headers
    assert headers["x-amz-copy-source"] == "other-lake/%C3%A9/a%20b%2Bc%3Fd?versionId=v%2B1"
    assert headers["x-amz-tagging-directive"] == "REPLACE"
    tagged = build_request(plan_of("CopyObject", {**COPY, "TaggingDirective": "COPY"})).headers
    assert tagged["x-amz-tagging-directive"] == "COPY"


def test_conditions_metadata_and_times_travel_as_headers() -> None:
    params = {**OBJECT, "IfMatch": '"e"', "IfModifiedSince": "2026-03-04T12:00:00Z", "Range": "bytes=0-1"}
    assert build_request(plan_of("GetObject", params)).headers == {
        "if-match": '"e"',
        "if-modified-since": "Wed, 04 Mar 2026 12:00:00 GMT",
        "range": "bytes=0-1",
    }
    put = build_request(plan_of("PutObject", {**OBJECT, "Metadata": {"a": "b c"}, "ContentType": "text/csv"}))
    assert put.headers == {"x-amz-meta-a": "b c", "content-type": "text/csv"}


@pytest.mark.parametrize("operation", PARAMS)
async def test_the_signature_is_the_one_botocore_makes(operation: str) -> None:
    transport, lease = FakeTransport(Answer(chunks=(COPIED,))), FakeLease("AKIAEXAMPLE", SECRET)
    try:
        result = await CONNECTOR.execute(plan_of(operation), AWS, lease, transport)
    except OutcomeUnknownError:
        assert operation == "ListObjectsV2"  # got the answer of a copy
    else:
        if result.body is not None:
            await result.body.aclose()
    sent = transport.sent[0]
    given = {name: value for name, value in sent.headers.items() if name != "authorization"}
    reference = AWSRequest(method=sent.method, url=sent.url, headers=given, data=sent.body)
    reference.context["timestamp"] = given["x-amz-date"]
    signer = S3SigV4Auth(Credentials("AKIAEXAMPLE", SECRET), "s3", "eu-central-1")
    canonical = signer.canonical_request(reference)
    signature = signer.signature(signer.string_to_sign(reference, canonical), reference)
    assert sent.headers["authorization"].endswith(f"Signature={signature}")
    assert given["x-amz-date"] == "20260304T120000Z"
    assert "SignedHeaders=" + ";".join(sorted(given)) in sent.headers["authorization"]


@pytest.mark.parametrize(
    ("change", "payload"),
    [
        ({"operation": "PutBucketPolicy"}, b"hi"),
        ({"operation": "NoSuchThing"}, b"hi"),
        ({"service": "nope"}, b"hi"),
        ({"service": "../s3"}, b"hi"),
        ({"params": {"Bucket": "data-lake"}}, b"hi"),
        ({"params": {"Bucket": 5, "Key": "k"}}, b"hi"),
        ({"params": {**OBJECT, "Nope": 1}}, b"hi"),
        ({"params": {**OBJECT, "CopySource": "x"}}, b"hi"),
        ({}, b"ho"),
        ({}, b""),
    ],
)
async def test_a_plan_that_was_changed_since_is_not_sent(change: JsonObject, payload: bytes) -> None:
    plan = plan_of("PutObject")
    forged = dataclasses.replace(plan, call={**plan.call, **change}, payload=payload)
    transport = FakeTransport()
    with pytest.raises(NotSentError) as caught:
        await CONNECTOR.execute(forged, AWS, FakeLease("A", SECRET), transport)
    assert transport.sent == []
    assert "data-lake" not in str(caught.value)


async def test_a_plan_without_its_place_is_not_sent() -> None:
    plan = plan_of("GetObject")
    call = {name: value for name, value in plan.call.items() if name != "origin"}
    with pytest.raises(NotSentError):
        await CONNECTOR.execute(dataclasses.replace(plan, call=call), AWS, FakeLease("A", SECRET), FakeTransport())


async def test_a_large_body_keeps_its_digest_in_the_signature() -> None:
    body = bytes(range(256)) * 4096
    plan = plan_of("PutObject", {**OBJECT, "Body": base64.b64encode(body).decode()})
    transport, lease = FakeTransport(Answer()), FakeLease("A", SECRET)
    await CONNECTOR.execute(plan, AWS, lease, transport)
    assert transport.sent[0].body == body
    assert lease.signed[0].payload_sha256 == plan.call["payload_sha256"]
    assert transport.sent[0].headers["x-amz-content-sha256"] == plan.call["payload_sha256"]
